"""Functions of tensors as CUDA graphs: copy in, launch once, copy out, wait once.

Knows PyTorch's streams, graphs and their memory. Knows neither ONNX nor what a function computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

import numpy as np
import torch
from torch import Tensor

from engine.arrays import Array, IntArray

WARM_UP_CALLS = 3
"""Before a capture: libraries choose their kernels and allocate in the first calls."""

Tensors = dict[str, Tensor]
Function = Callable[..., Tensors]
"""Tensors by name -> tensors by name."""


class Workplace:
    """Where all captured functions of a device run, one after the other.

    pool  their working memory, which they share: each is read before the next one runs
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self.pool = torch.cuda.graph_pool_handle()

    def pinned(self, value: Tensor) -> Tensor:
        """Host memory that a GPU copies from and to by itself."""
        return value.pin_memory() if self.device.type == "cuda" else value

    @contextmanager
    def capturing(self) -> Iterator[torch.cuda.CUDAGraph]:
        """What the block computes is not run, but becomes the graph.

        After a failure the caller's stream is current again and nothing allocates from the pool any
        more. What lies in the pool stays reserved, so go on with a new workplace.
        """
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.stream(self.stream):  # restores what PyTorch leaves after a failure
            try:
                with torch.cuda.graph(
                    graph,
                    pool=self.pool,
                    stream=self.stream,
                    capture_error_mode="thread_local",
                ):
                    yield graph
            except BaseException:
                # PyTorch 2.11 goes on allocating from the pool (pytorch/pytorch#180395); versions
                # that do not refuse this call.
                with suppress(RuntimeError):
                    torch._C._cuda_endAllocateToPool(self.device.index or 0, self.pool)
                raise


class CapturedFunction:
    """A function of tensors as a CUDA graph.

    examples  arrays of the shapes and types that it will be called with
    """

    def __init__(
        self,
        workplace: Workplace,
        function: Function,
        examples: Mapping[str, Array | IntArray],
    ) -> None:
        self.stream, device = workplace.stream, workplace.device
        self._staging = {
            name: workplace.pinned(torch.from_numpy(value)) for name, value in examples.items()
        }
        self._inputs = {name: value.to(device, copy=True) for name, value in self._staging.items()}
        self.stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(self.stream):
            for _ in range(WARM_UP_CALLS):
                function(**self._inputs)
        self.stream.synchronize()
        with workplace.capturing() as self.graph:
            self._outputs = function(**self._inputs)
        self._results = {
            name: workplace.pinned(torch.empty_like(value, device="cpu"))
            for name, value in self._outputs.items()
        }
        self._is_done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]

    def __call__(self, inputs: Mapping[str, Array | IntArray]) -> dict[str, Array]:
        with torch.cuda.stream(self.stream):
            for name, staging in self._staging.items():
                np.copyto(staging.numpy(), inputs[name])
                self._inputs[name].copy_(staging, non_blocking=True)
            self.launch()
            for name, result in self._results.items():
                result.copy_(self._outputs[name], non_blocking=True)
            self._is_done.record(self.stream)
        self._is_done.synchronize()
        return {name: result.numpy().copy() for name, result in self._results.items()}

    def launch(self) -> None:
        """Compute from what lies on the device, on `stream`, without waiting."""
        self.graph.replay()
