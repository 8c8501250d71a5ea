"""The published architecture with random weights, for measuring without its checkpoint.

It comes from the trainer, through entry points; the engine imports neither it nor PyTorch. Group
`contrapose.benchmark` offers
    export_full_size(path: Path) -> object    write a bundle with the published animator's sizes
    eager_window_ms(steps: int) -> float      one window of that network, eager, fp32, batch 1
and `contrapose.quantise` offers
    quantise_full_size(source: Path, out: Path) -> object    write the int8 form of that bundle
    quantise_bundle(source: Path, out: Path, clips: Path) -> Bundle    of any, with ranges of clips
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from engine.errors import ConfigError
from engine.extras import advice

BENCHMARK, QUANTISE = "contrapose.benchmark", "contrapose.quantise"


def trainer_offers(group: str = BENCHMARK) -> dict[str, Callable[..., Any]] | None:
    """What the trainer registered; None if it, or the PyTorch that it needs, is not installed."""
    try:
        offers = {entry.name: entry.load() for entry in entry_points(group=group)}
    except ModuleNotFoundError as error:
        if advice(error) is None:
            raise
        return None
    return offers or None


@contextmanager
def full_size_bundle() -> Iterator[Path]:
    """A bundle of that network, for as long as the block lasts. Raises ConfigError without PyTorch.

    Its 200 MB take half a minute to write.
    """
    offers = trainer_offers()
    if offers is None:
        raise ConfigError(
            "--full-size needs the train extra: pip install 'contrapose[train]'", field="full_size"
        )
    with tempfile.TemporaryDirectory(prefix="contrapose-bench-") as folder:
        path = Path(folder) / "full.bundle"
        offers["export_full_size"](path)
        yield path
