"""The processes of a run, as torchrun starts them: who am I, what do we agree on.

Knows ranks, devices and messages. Knows no network but its parameters' sizes. Without torchrun the
world is one process and no message is sent.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, distributed, nn


@dataclass(frozen=True, kw_only=True)
class World:
    """One process among `size`; rank 0 alone writes, logs and reads the clock."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def summed(self, values: Tensor) -> Tensor:
        """The sum of all processes' `values`, in place."""
        if self.size > 1:
            distributed.all_reduce(values)
        return values

    def wait(self) -> None:
        """Return once every process has come here."""
        if self.size > 1:
            distributed.barrier()


@contextmanager
def joined_world(threads: int) -> Iterator[World]:
    """Join the processes that RANK, WORLD_SIZE and LOCAL_RANK name; gloo on CPUs, NCCL on GPUs."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", local_rank)
        torch.cuda.set_device(device)
    else:
        torch.set_num_threads(threads)
    if size > 1:
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield World(
            rank=int(os.environ.get("RANK", "0")), size=size, local_rank=local_rank, device=device
        )
    finally:
        if size > 1:
            distributed.destroy_process_group()


def computes_bf16(device: torch.device) -> bool:
    """Whether the device has hardware for products in bf16; without, they are emulated."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


class GradientBuffer:
    """All gradients of a network in one flat tensor, so that one message averages them."""

    def __init__(self, network: nn.Module) -> None:
        parameters = list(network.parameters())
        sizes = [parameter.numel() for parameter in parameters]
        self._flat = torch.zeros(sum(sizes), device=parameters[0].device)
        for parameter, part in zip(parameters, torch.split(self._flat, sizes), strict=True):
            parameter.grad = part.view_as(parameter)

    def average(self, world: World) -> None:
        world.summed(self._flat)
        self._flat /= world.size

    def clear(self) -> None:
        self._flat.zero_()
