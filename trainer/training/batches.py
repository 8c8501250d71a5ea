"""Batches of a step, assembled ahead of it by a thread or by worker processes.

Knows draws and steps. All randomness of a step comes from (seed, step): a resumed run draws what an
unbroken one would.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections import abc
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from trainer.models.family import DrawBatch, Tensors
from trainer.training.config import TrainConfig
from trainer.training.world import World


def stream_seed(*words: int) -> int:
    """64 bits that differ whenever one of `words` does."""
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0])


def share(draw: DrawBatch, config: TrainConfig, world: World) -> Callable[[int, int], Tensors]:
    """(seed, step) -> this process's part of the batch, on the CPU.

    A batch is made of parts of `draw_rows` rows, each from a random stream of its own, so that all
    processes together have the same batch however many they are.
    """
    parts = config.batch // config.draw_rows

    def batch(seed: int, step: int) -> Tensors:
        drawn = [
            draw(config.draw_rows, np.random.default_rng([seed, step, part]))
            for part in range(world.rank, parts, world.size)
        ]
        tensors = {name: torch.cat([part[name] for part in drawn]) for name in drawn[0]}
        if "valid" in tensors and bool(tensors["valid"].all()):
            del tensors["valid"]
        return tensors

    return batch


def on_device(batch: Tensors, device: torch.device) -> Tensors:
    return {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}


class Batches(Dataset[Tensors]):
    """Batches by step, as PyTorch's DataLoader asks its worker processes for them."""

    def __init__(self, batch: Callable[[int, int], Tensors], seed: int) -> None:
        self._batch, self._seed = batch, seed

    def __getitem__(self, step: int) -> Tensors:
        return self._batch(self._seed, step)


def from_workers(
    batch: Callable[[int, int], Tensors], seed: int, first: int, workers: int
) -> abc.Generator[Tensors]:
    """Batches of steps first, first + 1, ... assembled by worker processes, two ahead in each."""
    steps: Any = range(first, sys.maxsize)
    yield from DataLoader(
        Batches(batch, seed),
        batch_size=None,
        sampler=steps,
        num_workers=workers,
        multiprocessing_context="fork",
        pin_memory=torch.cuda.is_available(),
    )


def prefetched(
    batch: Callable[[int, int], Tensors], seed: int, first: int
) -> abc.Generator[Tensors]:
    """Batches of steps first, first + 1, ... assembled by one thread, at most three ahead."""
    ready: queue.Queue[Tensors | Exception] = queue.Queue(maxsize=3)
    stop = threading.Event()

    def fill() -> None:
        step = first
        while not stop.is_set():
            try:
                item: Tensors | Exception = batch(seed, step)
            except Exception as exc:
                item = exc
            while not stop.is_set():
                try:
                    ready.put(item, timeout=0.2)
                    break
                except queue.Full:
                    continue
            step += 1

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    try:
        while True:
            item = ready.get()
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()
