"""Our calls of the CUDA runtime are ones that its bindings have; without a driver they say so."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import numpy as np
import pytest

from engine.backends import cuda
from engine.backends.cuda import Cuda, checked
from engine.backends.driver import has_nvidia_driver
from engine.errors import BackendError, OverloadedError

runtime = pytest.importorskip(
    "cuda.bindings.runtime", reason="cuda-bindings is not installed: pip install cuda-bindings"
)
without_driver = pytest.mark.skipif(has_nvidia_driver(), reason="this machine has a driver")


def _uses() -> list[tuple[str, ast.Call | None]]:
    """Every name of the runtime that the module uses, with the call if it is called."""
    tree = ast.parse(Path(cuda.__file__).read_text())
    calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return [
        (node.attr, calls.get(id(node)))
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr.startswith("cuda") and node.attr != "cuda"
    ]


def test_every_call_fits_the_signature_of_the_bindings() -> None:
    called = [(name, call) for name, call in _uses() if call is not None]
    assert len({name for name, _ in called}) > 15
    for name, call in called:
        assert not call.keywords, name
        inspect.signature(getattr(runtime, name)).bind(*call.args)


def test_every_constant_is_one_of_the_bindings() -> None:
    classes = (runtime.cudaError_t, runtime.cudaMemcpyKind, runtime.cudaStreamCaptureMode)
    for name, call in _uses():
        if call is None:
            assert any(hasattr(place, name) for place in (runtime, *classes)), name


@without_driver
def test_without_a_driver_the_runtime_s_own_words_are_in_the_message() -> None:
    with pytest.raises(BackendError, match=r"needs an NVIDIA GPU: .*; use --backend openvino") as e:
        Cuda(0)
    assert e.value.reason == "NO_GPU"
    assert "\n" not in str(e.value)


def test_an_allocation_that_fails_is_an_overload() -> None:
    with pytest.raises(OverloadedError, match="out of memory") as caught:
        checked(runtime, (runtime.cudaError_t.cudaErrorMemoryAllocation, None))
    assert caught.value.reason == "OUT_OF_MEMORY"


def test_any_other_code_is_named_and_explained() -> None:
    with pytest.raises(BackendError, match=r"an illegal memory access .*IllegalAddress 700"):
        checked(runtime, (runtime.cudaError_t.cudaErrorIllegalAddress,))


def test_a_call_that_succeeds_gives_its_value() -> None:
    assert checked(runtime, (runtime.cudaError_t.cudaSuccess, 7)) == 7
    assert checked(runtime, (runtime.cudaError_t.cudaSuccess,)) is None


@pytest.mark.skipif(not has_nvidia_driver(), reason="this machine has no NVIDIA driver")
def test_bytes_come_back_from_the_device_through_a_captured_graph() -> None:
    device = Cuda(0)
    sent, fetched = device.pinned(4096), device.pinned(4096)
    address = device.allocate(4096)
    with device.capturing() as graphs:
        device.send(address, sent)
        device.fetch(fetched, address)
    for seed in range(3):
        sent[:] = np.random.default_rng(seed).integers(0, 256, 4096, np.uint8)
        device.launch(graphs[0])
        device.synchronize()
        assert (fetched == sent).all()
    with pytest.raises(OverloadedError, match="out of memory"):
        device.allocate(1 << 50)
    device.launch(graphs[0])
    device.synchronize()
    device.destroy(graphs[0])
    device.close()
    device.close()
