"""Jobs: folders of shards made by many workers, resumed after a kill without redoing a shard.

Work comes in parts, one for each shard, and a maker turns a part into clips; no part needs another,
so processes or the nodes of a Ray cluster can share them. Knows no data set and no choreography.
The result depends on parts and maker alone: not on the workers, nor on how often it was resumed.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from engine.errors import ConfigError
from trainer.data.shards import (
    MANIFEST,
    Clip,
    ShardRecord,
    ShardsManifest,
    read_manifest,
    shard_fault,
    write_manifest,
    write_shard,
)

Item = TypeVar("Item")
SECONDS_BETWEEN_LINES = 30.0
"""Time between lines of progress, where nobody watches a bar."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a maker made of one part."""

    clips: Sequence[Clip]
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Sources that could not be read, and why."""
    empty: int = 0
    """Sources that were read and hold nothing of use."""


@dataclass(frozen=True, kw_only=True)
class Job(Generic[Item]):
    """A folder to be filled: shard i is `make(parts[i])`. `make` and the parts can be pickled."""

    folder: Path
    source: str
    options: Mapping[str, Any]
    """Everything that decides the content, as JSON has it."""
    parts: Sequence[Sequence[Item]]
    make: Callable[[Sequence[Item]], Made]

    def run(self, *, workers: int = 1, on_ray: bool = False) -> ShardsManifest:
        """Make what is missing; finished shards whose hashes are right are kept.

        Raises ConfigError if the folder holds something else or cannot be written.
        """
        try:
            return self._run(workers, on_ray)
        except OSError as exc:
            raise ConfigError(
                f"{self.folder}: cannot be written ({exc}); make room, or name another folder",
                field="out",
            ) from exc

    def _run(self, workers: int, on_ray: bool) -> ShardsManifest:
        manifest = self._begun()
        done = {shard.name: shard for shard in manifest.shards}
        missing = [i for i in range(len(self.parts)) if shard_name(i) not in done]
        with Progress(self.source, sum(len(self.parts[i]) for i in missing)) as progress:
            for number, shard in self._made(missing, workers, on_ray):
                done[shard.name] = shard
                manifest = replace(manifest, shards=tuple(done[name] for name in sorted(done)))
                write_manifest(self.folder, manifest)
                for name, why in shard.skipped.items():
                    progress.say(f"skipped {name}: {why}")
                progress.advance(len(self.parts[number]))
        manifest = replace(manifest, is_complete=True)
        write_manifest(self.folder, manifest)
        return manifest

    def _begun(self) -> ShardsManifest:
        """The folder's manifest without shards that are damaged; a new one in a new folder."""
        fresh = ShardsManifest(source=self.source, options=json.loads(json.dumps(self.options)))
        if not (self.folder / MANIFEST).exists():
            if any(path.name[0] != "." for path in self.folder.glob("*")):
                raise ConfigError(
                    f"{self.folder}: holds other files and no {MANIFEST}; name an empty or new "
                    "folder",
                    field="out",
                )
            self.folder.mkdir(parents=True, exist_ok=True)
            write_manifest(self.folder, fresh)
            return fresh
        begun = read_manifest(self.folder)
        if difference := _difference(begun, fresh):
            raise ConfigError(
                f"{self.folder}: was begun with {difference}; give the same options to go on, or "
                "another folder",
                field="out",
            )
        for partial in self.folder.glob(".shard-*"):
            shutil.rmtree(partial)
        for unfinished in self.folder.glob(f".{MANIFEST}.*"):
            unfinished.unlink()
        whole = [s for s in begun.shards if not shard_fault(self.folder, s, verify=True)]
        return replace(begun, shards=tuple(whole), is_complete=False)

    def _made(
        self, numbers: Sequence[int], workers: int, on_ray: bool
    ) -> Iterator[tuple[int, ShardRecord]]:
        """Finished shards in the order in which they are finished."""
        tasks = [(self.folder.resolve(), number, self.parts[number]) for number in numbers]
        if on_ray:
            yield from _made_on_ray(self.make, tasks)
        elif workers <= 1 or len(tasks) <= 1:
            yield from (_make_shard(self.make, task) for task in tasks)
        else:
            yield from _made_by_processes(self.make, tasks, min(workers, len(tasks)))


def shard_name(number: int) -> str:
    return f"shard-{number:05d}"


def cut(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    """Consecutive parts of `size` items; the last may be shorter."""
    return [items[first : first + size] for first in range(0, len(items), size)]


def _difference(begun: ShardsManifest, wanted: ShardsManifest) -> str | None:
    """The first option that is not the same, in words."""
    if begun.source != wanted.source:
        return f"source {begun.source!r}, not {wanted.source!r}"
    for name in sorted({*begun.options, *wanted.options}):
        old, new = begun.options.get(name), wanted.options.get(name)
        if old != new:
            return f"{name} {old!r}, not {new!r}"
    return None


# ------------------------------------------------------------------------------------ the workers
Task = tuple[Path, int, Sequence[Any]]
"""(folder, number of the shard, its part)"""


def _make_shard(make: Callable[[Sequence[Any]], Made], task: Task) -> tuple[int, ShardRecord]:
    folder, number, part = task
    made = make(part)
    return number, write_shard(
        folder, shard_name(number), made.clips, skipped=made.skipped, empty=made.empty
    )


def _made_by_processes(
    make: Callable[[Sequence[Any]], Made], tasks: Sequence[Task], workers: int
) -> Iterator[tuple[int, ShardRecord]]:
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, _begin_worker, (make,))
    try:
        for finished in as_completed([pool.submit(_make_lent, task) for task in tasks]):
            yield finished.result()
    except BrokenProcessPool as exc:
        raise ConfigError(
            "a worker was killed, perhaps for want of memory; run the same command again, with "
            "fewer --workers",
            field="workers",
        ) from exc
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


_lent: list[Callable[[Sequence[Any]], Made]] = []
"""A worker's maker: sent once, not with every part."""


def _begin_worker(make: Callable[[Sequence[Any]], Made]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends a worker without a traceback
    threading.Thread(target=_end_with_starter, daemon=True).start()
    _lent[:] = [make]


def _end_with_starter() -> None:
    """A worker whose starter was killed would wait for work for ever, or write behind a new run."""
    starter = multiprocessing.parent_process()
    assert starter is not None
    starter.join()
    os._exit(1)


def _make_lent(task: Task) -> tuple[int, ShardRecord]:
    return _make_shard(_lent[0], task)


def _made_on_ray(
    make: Callable[[Sequence[Any]], Made], tasks: Sequence[Task]
) -> Iterator[tuple[int, ShardRecord]]:
    """On the cluster of RAY_ADDRESS, or of this machine; the folder must be shared by its nodes."""
    import ray

    with ExitStack() as stack:
        if not ray.is_initialized():
            ray.init(log_to_driver=False)
            stack.callback(ray.shutdown)
        lent = ray.put(make)
        remote = ray.remote(_make_shard)
        pending = [remote.remote(lent, task) for task in tasks]
        while pending:
            finished, pending = ray.wait(pending)
            yield from ray.get(finished)


# ----------------------------------------------------------------------------------------- progress
class Progress:
    """A bar on a terminal's stderr; elsewhere a line now and then."""

    def __init__(self, title: str, total: int) -> None:
        from tqdm import tqdm

        self._title, self._total, self._count = title, total, 0
        self._bar = tqdm(desc=title, total=total, file=sys.stderr, disable=None)
        self._said = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def advance(self, count: int) -> None:
        self._count += count
        self._bar.update(count)
        now = time.monotonic()
        if self._bar.disable and now - self._said > SECONDS_BETWEEN_LINES:
            self._said = now
            self.say(f"{self._title}: {self._count} of {self._total}")

    def say(self, line: str) -> None:
        self._bar.write(line, file=sys.stderr)
