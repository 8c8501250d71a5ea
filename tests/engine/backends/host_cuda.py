"""A stand-in for PyTorch's streams and graphs that computes in host memory, and can fail.

It keeps the rules that captures are about: one current stream, a capture that ends on the stream
it began on, an allocator that goes on with the pool of a capture whose end failed, as in
PyTorch 2.11. It proves nothing about a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode


class HostStream:
    def __init__(self, device: Any = None) -> None:
        self.device = device

    def wait_stream(self, other: HostStream) -> None:
        pass

    def synchronize(self) -> None:
        pass


class _Calls(TorchDispatchMode):
    """What is computed, to be computed again into the same tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.again: list[Callable[[], None]] = []

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        outcome = function(*args, **(kwargs or {}))
        if isinstance(outcome, torch.Tensor) and not function.is_view:

            def again() -> None:
                outcome.copy_(function(*args, **(kwargs or {})))

            self.again.append(again)
        return outcome


class HostGraph:
    def __init__(self) -> None:
        self.calls = _Calls()

    def replay(self) -> None:
        for again in self.calls.again:
            again()


class HostCuda:
    """captures  begun so far; `fails` says of the next ones whether their end fails"""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.current = self.first = HostStream()
        self.pools = 0
        self.recording: set[int] = set()
        """Pools that the allocator would still take memory from."""
        self.captures = 0
        self.fails: Iterator[bool] = iter(())
        for name in ("stream", "graph"):
            patch.setattr(torch.cuda, name, getattr(self, name))
        patch.setattr(torch.cuda, "Stream", HostStream)
        patch.setattr(torch.cuda, "CUDAGraph", HostGraph)
        patch.setattr(torch.cuda, "Event", lambda **_: _Event())
        patch.setattr(torch.cuda, "current_stream", lambda device=None: self.current)
        patch.setattr(torch.cuda, "graph_pool_handle", self.new_pool)
        patch.setattr(torch._C, "_cuda_endAllocateToPool", self.end_allocation)

    def new_pool(self) -> int:
        self.pools += 1
        return self.pools

    def end_allocation(self, device: int, pool: int) -> None:
        if pool not in self.recording:
            raise RuntimeError("not recording to this pool")
        self.recording.remove(pool)

    @contextmanager
    def stream(self, stream: HostStream) -> Iterator[None]:
        before, self.current = self.current, stream
        try:
            yield
        finally:
            self.current = before

    @contextmanager
    def graph(
        self, graph: HostGraph, *, pool: int, stream: HostStream, capture_error_mode: str
    ) -> Iterator[None]:
        assert not self.recording, "another capture is under way"
        self.captures += 1
        before, self.current = self.current, stream
        self.recording.add(pool)
        try:
            with graph.calls:
                yield
        finally:
            if next(self.fails, False):
                raise RuntimeError("operation failed due to a previous error during capture")
            self.recording.remove(pool)
            self.current = before


class _Event:
    def record(self, stream: HostStream) -> None:
        pass

    def synchronize(self) -> None:
        pass
