"""A batch on a Ray cluster: an engine an actor, each taking prompts as it is free.

Knows Ray Data (the extra `ray`), which runs a lost actor's prompts again elsewhere. They are stored
under the same names, so each is in the folder once. The folder must be one that all machines see.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine.batch.engines import open_engines
from engine.batch.folder import Entry
from engine.batch.prompts import Prompt
from engine.batch.running import Outcome, made_motions
from engine.bundle import load_bundle
from engine.errors import BackendError
from engine.sampling.loaded import ComputeConfig

MOST_ROWS = 128
"""Prompts that an engine is given in one go, at most: as many are made again if it is lost."""


class EngineActor:
    """The engines of one machine of the cluster; Ray Data calls it with rows of prompts.

    prompts          how many it is likely to be given
    bundle, compute  what `ComputeConfig` takes; making what `Maker` takes; folder and suffix of the
                     motions
    """

    def __init__(
        self,
        prompts: int,
        bundle: Path,
        compute: dict[str, Any],
        making: dict[str, Any],
        folder: Path,
        suffix: str,
    ) -> None:
        config = ComputeConfig(bundle=load_bundle(bundle), **compute)
        self._engines = open_engines(config, prompts=prompts, **making)
        self._folder, self._suffix = folder, suffix

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        prompts = [Prompt(**fields) for fields in batch["prompt"]]
        outcomes = made_motions(self._engines, prompts, self._folder, self._suffix)
        return {"outcome": [asdict(outcome) for outcome in outcomes]}


def made_on_cluster(
    address: str, prompts: Sequence[Prompt], *, engines: int | None, cpus: int, **engine: Any
) -> Iterator[Outcome]:
    """Outcomes as they come.

    address  of the cluster, "auto" for the one that this machine belongs to, or "local"
    engines  actors; None: one for each machine
    cpus     processors that an actor claims
    engine   what EngineActor takes besides
    Raises BackendError if there is no such cluster.
    """
    import ray
    import ray.data

    try:
        ray.init(
            address=address,
            include_dashboard=False if address == "local" else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, ValueError, RuntimeError) as exc:
        raise BackendError(f"no Ray cluster at {address}: {exc}", field="--ray") from exc
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        listed: Any = ray.nodes  # of ray, without types
        engines = engines or sum(bool(node["Alive"]) for node in listed())
        rows_at_once = min(-(-len(prompts) // (4 * engines)), MOST_ROWS)
        rows = ray.data.from_items(
            [{"prompt": asdict(prompt)} for prompt in prompts],
            override_num_blocks=-(-len(prompts) // rows_at_once),
        )
        made = rows.map_batches(
            EngineActor,
            fn_constructor_kwargs={"prompts": len(prompts) // engines, **engine},
            batch_size=rows_at_once,
            concurrency=engines,
            num_cpus=cpus,
        )
        for row in made.iter_rows():
            yield _outcome(row["outcome"])
    finally:
        ray.shutdown()


def _outcome(fields: dict[str, Any]) -> Outcome:
    entry = fields.pop("entry")
    prompt = Prompt(**fields.pop("prompt"))
    if entry is None:
        return Outcome(prompt=prompt, **fields)
    # A column of dictionaries has every key that any row has, with None where there was none.
    files = {name: known for name, known in entry.pop("files").items() if known is not None}
    return Outcome(prompt=prompt, entry=Entry(files=files, **entry), **fields)
