"""The CUDA runtime of one GPU, every call checked: memory, copies, one stream, captured graphs.

Knows addresses and bytes. Knows neither TensorRT nor what is computed. Needs cuda-python
(`cuda.bindings.runtime`), imported when a device is opened; its error codes end here.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, NewType

import numpy as np
import numpy.typing as npt

from engine.backends.arena import Arena
from engine.errors import BackendError, OverloadedError

Bytes = npt.NDArray[np.uint8]
CudaGraph = NewType("CudaGraph", object)
"""A captured graph, ready to be launched (cudaGraphExec_t)."""


class Cuda:
    """One GPU and one stream. The caller holds a lock; any thread may call, after `use`.

    Raises BackendError, reason EXTRA_MISSING without cuda-python, NO_GPU without such a device.
    """

    def __init__(self, device: int) -> None:
        try:
            from cuda.bindings import runtime
        except ImportError as exc:
            raise BackendError(
                "the tensorrt backend needs cuda-python: pip install 'contrapose[tensorrt]'",
                field="backend",
                reason="EXTRA_MISSING",
            ) from exc
        self._runtime: Any = runtime  # untyped library
        self._device = device
        self._release: dict[int, Callable[[], None]] = {}
        """What frees each address or handle, in the order they were made."""
        count = self._first_call(runtime.cudaGetDeviceCount)
        if device >= count:
            raise BackendError(
                f"device is {device}, but this machine has {count} CUDA devices; choose one of "
                f"0..{count - 1}",
                field="device",
                reason="NO_GPU",
            )
        self.use()
        properties = self.check(runtime.cudaGetDeviceProperties(device))
        self.name = properties.name.decode().rstrip("\0")
        self.capability = f"{properties.major}.{properties.minor}"
        self._stream = self.check(runtime.cudaStreamCreateWithFlags(runtime.cudaStreamNonBlocking))
        self._release[self.stream] = lambda: self.check(runtime.cudaStreamDestroy(self._stream))

    @property
    def stream(self) -> int:
        """The stream's handle, as TensorRT takes it."""
        return int(self._stream)

    def _first_call(self, call: Callable[[], Any]) -> int:
        """The first call finds out whether there is a driver; older bindings raise without one."""
        try:
            return int(self.check(call()))
        except (BackendError, RuntimeError) as exc:
            raise BackendError(
                f"the tensorrt backend needs an NVIDIA GPU: {exc}; use --backend openvino",
                field="backend",
                reason="NO_GPU",
            ) from exc

    def check(self, result: tuple[Any, ...]) -> Any:
        return checked(self._runtime, result)

    def use(self) -> None:
        """Make this the device of the calling thread."""
        self.check(self._runtime.cudaSetDevice(self._device))

    # -- memory ------------------------------------------------------------------------------------
    def allocate(self, size: int) -> int:
        """The address of that much device memory, until `free` or `close`."""
        runtime = self._runtime
        address = int(self.check(runtime.cudaMalloc(max(size, 1))))
        self._release[address] = lambda: self.check(runtime.cudaFree(address))
        return address

    def free(self, address: int) -> None:
        """Free what `allocate` gave; idle streams only."""
        self._release.pop(address)()

    def pinned(self, size: int) -> Bytes:
        """Host memory that the device copies from and to by itself, until `close`."""
        runtime = self._runtime
        address = int(self.check(runtime.cudaHostAlloc(max(size, 1), runtime.cudaHostAllocDefault)))
        self._release[address] = lambda: self.check(runtime.cudaFreeHost(address))
        return np.ctypeslib.as_array((ctypes.c_uint8 * max(size, 1)).from_address(address))

    # -- work on the stream ------------------------------------------------------------------------
    def send(self, target: int, source: Bytes) -> None:
        """Copy pinned memory to the device; done once the stream has come so far."""
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        self.check(
            self._runtime.cudaMemcpyAsync(
                target, source.ctypes.data, source.nbytes, kind, self._stream
            )
        )

    def fetch(self, target: Bytes, source: int) -> None:
        """Copy device memory to pinned memory; to be read after `synchronize`."""
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self.check(
            self._runtime.cudaMemcpyAsync(
                target.ctypes.data, source, target.nbytes, kind, self._stream
            )
        )

    def copy_rows(
        self, target: int, source: int, *, source_pitch: int, width: int, rows: int
    ) -> None:
        """Gather rows of `width` bytes that begin `source_pitch` bytes apart."""
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyDeviceToDevice
        self.check(
            self._runtime.cudaMemcpy2DAsync(
                target, width, source, source_pitch, width, rows, kind, self._stream
            )
        )

    def synchronize(self) -> None:
        self.check(self._runtime.cudaStreamSynchronize(self._stream))

    # -- captured graphs ---------------------------------------------------------------------------
    @contextmanager
    def capturing(self) -> Iterator[list[CudaGraph]]:
        """What the block puts on the stream is not run, but becomes a graph: the list's one entry.

        The thread that begins must end it.
        """
        runtime = self._runtime
        mode = runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        captured: list[CudaGraph] = []
        self.check(runtime.cudaStreamBeginCapture(self._stream, mode))
        try:
            yield captured
        except BaseException:
            self._abandon_capture()
            raise
        graph = self.check(runtime.cudaStreamEndCapture(self._stream))
        try:
            captured.append(self.check(runtime.cudaGraphInstantiate(graph, 0)))
        finally:
            self.check(runtime.cudaGraphDestroy(graph))

    def _abandon_capture(self) -> None:
        """Bring the stream back into use; what it says about the broken capture is no news."""
        code, graph = self._runtime.cudaStreamEndCapture(self._stream)
        if code == self._runtime.cudaError_t.cudaSuccess:
            self._runtime.cudaGraphDestroy(graph)
        self._runtime.cudaGetLastError()

    def launch(self, graph: CudaGraph) -> None:
        self.check(self._runtime.cudaGraphLaunch(graph, self._stream))

    def destroy(self, graph: CudaGraph) -> None:
        self.check(self._runtime.cudaGraphExecDestroy(graph))

    def close(self) -> None:
        """Wait for the stream, then free everything, the youngest first. May be called twice."""
        release, self._release = self._release, {}
        if not release:
            return
        self.use()
        with ExitStack() as stack:  # goes on after an error, and raises it at the end
            for free in release.values():
                stack.callback(free)
            stack.callback(self.synchronize)


def checked(runtime: Any, result: tuple[Any, ...]) -> Any:
    """What a call of the runtime returned beside its error code; None if it is the code alone.

    Raises OverloadedError with reason OUT_OF_MEMORY, BackendError for any other error.
    """
    code, *values = result
    if code == runtime.cudaError_t.cudaSuccess:
        return values[0] if values else None
    runtime.cudaGetLastError()  # it is not for the next call to report
    if code == runtime.cudaError_t.cudaErrorMemoryAllocation:
        raise OverloadedError(
            "the GPU is out of memory; try again, or open fewer sessions", reason="OUT_OF_MEMORY"
        )
    _, text = runtime.cudaGetErrorString(code)
    raise BackendError(f"CUDA failed: {text.decode()} ({code.name} {code.value})")


class DeviceMemory:
    """Device memory, and pinned memory that is sent to its start and fetched from its end.

    Grows, and never shrinks: what was captured for it must not be used once it has grown.
    """

    def __init__(self, cuda: Cuda) -> None:
        self.device = 0
        """Address; 0 before the first `reserve`."""
        self._cuda = cuda
        self._sizes = (0, 0, 0)
        self._owned: list[int] = []
        self._sent = self._fetched = np.empty(0, np.uint8)

    def reserve(self, arena: Arena) -> None:
        """Make room for an arena; between calls only."""
        needed = (arena.bytes, arena.sent_bytes, arena.bytes - arena.returned)
        if all(n <= size for n, size in zip(needed, self._sizes, strict=True)):
            return
        self.release()
        self.device = self._cuda.allocate(needed[0])
        self._owned.append(self.device)
        self._sent = self._cuda.pinned(needed[1])
        self._owned.append(self._sent.ctypes.data)
        self._fetched = self._cuda.pinned(needed[2])
        self._owned.append(self._fetched.ctypes.data)
        self._sizes = needed

    def release(self) -> None:
        self._sizes, self.device = (0, 0, 0), 0
        self._sent = self._fetched = np.empty(0, np.uint8)
        while self._owned:
            self._cuda.free(self._owned.pop())

    def clear(self) -> None:
        """Zeros are safe to run on: indices among what was written before may be wild."""
        self._sent[:] = 0

    def write(self, arena: Arena, values: Mapping[str, npt.NDArray[Any]]) -> None:
        """Fill the pinned memory; the device has it after `send`."""
        for name, value in values.items():
            start = arena.offsets[name]
            data = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
            self._sent[start : start + data.size] = data

    def send(self, arena: Arena) -> None:
        self._cuda.send(self.device, self._sent[: arena.sent_bytes])

    def fetch(self, arena: Arena) -> None:
        size = arena.bytes - arena.returned
        self._cuda.fetch(self._fetched[:size], self.device + arena.returned)

    def read(self, arena: Arena, name: str) -> npt.NDArray[Any]:
        """A copy of an output, once the stream has been waited for."""
        spec = arena.specs[name]
        start = arena.offsets[name] - arena.returned
        data = self._fetched[start : start + spec.bytes]
        return data.view(spec.dtype).reshape(spec.shape).copy()
