"""Laws that every backend keeps, on the starter's networks and on one small graph.

PyTorch on the CPU in float32 is the reference: 1e-4 of a result's length in float32, and in bf16
twice what rounding does to the reference itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from engine.arrays import Array
from engine.backends import Backend
from engine.backends.torch import TorchBackend
from engine.errors import BackendError, InputError, OverloadedError
from engine.sampling.models import Models, encode_text
from engine.sampling.pairs import sample_generator
from engine.sampling.request import WindowRequest
from engine.sampling.sampler import advance_windows, begin_windows, draw_noise, sample_windows
from tests.backends.conftest import BUCKETS, CASES, FOUND, MISSING, WIDTH, Case, small_rows, written
from tests.backends.rounding import computed, difference

SCHEDULES = (1, 2, 4, 8, 10, 20, 50)
MASKS = {
    "nothing": np.s_[:, :0],
    "the anchor": np.s_[:, 9:10],
    "history": np.s_[:, :10],
    "one person": np.s_[0],
    "both ends": np.s_[:, [0, 1, 2, -3, -2, -1]],
    "everything": np.s_[:],
}


def assert_near(case: Case, found: Array, name: str, run: Callable[[], Array]) -> None:
    """`found` is what `run` gives with the reference, as near as the case's precision lets it."""
    assert difference(found, computed(name, run)) < case.allowed(name, run)


def several(request: WindowRequest, count: int, steps: int = 2) -> list[WindowRequest]:
    return [replace(request, seed=100 + seed, steps=steps) for seed in range(count)]


@pytest.mark.parametrize("each", CASES, ids=lambda case: case.name)
def test_the_laws_below_are_checked_for_every_backend_that_is_here(each: Case) -> None:
    if MISSING[each]:
        pytest.skip(f"{each.name} is not checked: {MISSING[each]}")
    assert each in FOUND


# ----------------------------------------------------------------------------- the same numbers
@pytest.mark.parametrize("steps", SCHEDULES)
def test_each_schedule_gives_the_reference_window(
    case: Case, models: Models, reference: Models, live_request: WindowRequest, steps: int
) -> None:
    def window(of: Models) -> Array:
        return sample_windows(of, [replace(live_request, steps=steps)])

    assert_near(case, window(models), f"{steps} steps", lambda: window(reference))


@pytest.mark.parametrize("known", MASKS)
def test_each_kind_of_known_frames_gives_the_reference_window(
    case: Case, models: Models, reference: Models, live_request: WindowRequest, known: str
) -> None:
    mask = np.zeros_like(live_request.known_mask)
    mask[MASKS[known]] = 1
    own = computed("live", lambda: sample_windows(reference, [live_request]))
    motion = live_request.anchor[:, None] + own[0]
    request = replace(live_request, known=motion, known_mask=mask, steps=2)

    def window(of: Models) -> Array:
        return sample_windows(of, [request])

    assert_near(case, window(models), f"{known} known", lambda: window(reference))


def test_words_are_the_reference_ones(case: Case, models: Models, reference: Models) -> None:
    texts = ["two people shake hands", ""]
    found = encode_text(models, texts)
    assert_near(case, found, "words", lambda: encode_text(reference, texts))


def test_pairs_are_the_reference_ones(case: Case, models: Models, reference: Models) -> None:
    text = encode_text(reference, ["two people shake hands", ""])
    noise, pose = draw_noise(1, (2, 2, 201)), np.zeros((2, 2, 201), np.float32)

    def pair(of: Models) -> Array:
        return sample_generator(of, noise, pose, np.zeros((2, 2), np.float32), text, 2.5, 4)

    assert_near(case, pair(models), "pair", lambda: pair(reference))


@pytest.mark.parametrize("rows", [*BUCKETS, 3, 17])
def test_a_window_is_the_same_alone_and_in_each_bucket(
    case: Case, by_steps: Models, reference: Models, live_request: WindowRequest, rows: int
) -> None:
    requests = several(live_request, rows)

    def advanced(of: Models, rows: slice) -> Array:
        """x_t and x0 of some windows after one denoiser call."""
        windows = begin_windows(of, requests[rows])
        advance_windows(of, windows)
        return np.array([(window.x_t, window.x0) for window in windows])

    together = advanced(by_steps, np.s_[:])
    for row in {0, rows // 2, rows - 1}:
        alone = np.s_[row : row + 1]
        allowed = case.allowed(f"row {row}", partial(advanced, reference, alone))
        assert difference(together[alone], advanced(by_steps, alone)) < allowed


def test_a_loop_gives_what_single_steps_give(
    case: Case, models: Models, by_steps: Models, reference: Models, live_request: WindowRequest
) -> None:
    if models.animator.loop is None:
        pytest.skip(f"{case.name}: has no loop, by design")
    requests = [*several(live_request, 3, 4), *several(live_request, 2, 8)]
    whole, stepwise = sample_windows(models, requests), sample_windows(by_steps, requests)
    for index, request in enumerate(requests):
        allowed = case.allowed(f"loop {index}", partial(sample_windows, reference, [request]))
        assert difference(whole[index], stepwise[index]) < allowed


# ----------------------------------------------------------------------------- the same bits
def test_the_same_windows_have_the_same_bits_fifty_times(
    models: Models, live_request: WindowRequest
) -> None:
    requests = several(live_request, 1, 1)
    first = sample_windows(models, requests)
    for _ in range(50):
        np.testing.assert_array_equal(sample_windows(models, requests), first)


def test_neighbours_change_no_bit(by_steps: Models, live_request: WindowRequest) -> None:
    """Beside other rows, in the same place of the same batch."""
    mine, *others = several(live_request, 6, 1)
    beside = sample_windows(by_steps, [others[0], mine, *others[1:3]])[1]
    again = sample_windows(by_steps, [others[2], mine, *others[3:5]])[1]
    np.testing.assert_array_equal(beside, again)


def test_closed_and_opened_again_the_bits_are_the_same(case: Case, small_graph: Path) -> None:
    results = []
    for _ in range(2):
        backend = case.opened()
        graph = backend.load(small_graph, (4,))
        results.append(graph(small_rows(4))["y"])
        backend.close()
        with pytest.raises(BackendError, match="closed"):
            backend.load(small_graph, (4,))
        with pytest.raises(BackendError, match="closed"):
            graph(small_rows(4))
    np.testing.assert_array_equal(*results)


def test_an_outcome_is_not_overwritten_by_the_next_call(
    backend: Backend, small_graph: Path
) -> None:
    for buckets in ((), (2,)):
        graph = backend.load(small_graph, buckets)
        first = graph(small_rows(2))["y"]
        kept = first.copy()
        graph({name: value + 1 for name, value in small_rows(2).items()})
        np.testing.assert_array_equal(first, kept)


# ----------------------------------------------------------------------------- borders
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9])
def test_rows_are_padded_and_split_into_buckets(
    case: Case, backend: Backend, reference_backend: Backend, small_graph: Path, count: int
) -> None:
    rows, exact = small_rows(count), reference_backend.load(small_graph)
    for buckets in ((), (1, 2, 4)):
        found = backend.load(small_graph, buckets)(rows)["y"]
        assert found.shape == (count, 3, WIDTH)
        assert found.dtype == np.float32
        assert_near(case, found, f"{count} small rows", lambda: exact(rows)["y"])


def test_unknown_and_missing_inputs_are_named(backend: Backend, small_graph: Path) -> None:
    x, b = small_rows(1).values()
    with pytest.raises(BackendError, match="takes b, x; got b, z"):
        backend.load(small_graph, (1,))({"z": x, "b": b})


@pytest.mark.parametrize("buckets", [(), (2,)])
def test_a_wrong_shape_is_named(
    backend: Backend, small_graph: Path, buckets: tuple[int, ...]
) -> None:
    inputs = small_rows(2) | {"x": np.zeros((2, 4, WIDTH), np.float32)}
    with pytest.raises(InputError, match=r"input x has shape \(2, 4, 16\), must be") as caught:
        backend.load(small_graph, buckets)(inputs)
    assert caught.value.field == "x"


def test_rows_must_agree_and_exist(backend: Backend, small_graph: Path) -> None:
    graph = backend.load(small_graph, (4,))
    with pytest.raises(InputError, match="x 2, b 3"):
        graph({"x": small_rows(2)["x"], "b": small_rows(3)["b"]})
    with pytest.raises(InputError, match="at least 1"):
        graph(small_rows(0))


def test_nan_in_is_the_callers_mistake_and_nan_out_is_ours(
    backend: Backend, small_graph: Path
) -> None:
    graph, inputs = backend.load(small_graph, (1,)), small_rows(1)
    with pytest.raises(InputError, match="input b holds NaN"):
        graph(inputs | {"b": np.full((1, 1, WIDTH), np.nan, np.float32)})
    with pytest.raises(BackendError, match="output y is not finite"):
        graph(inputs | {"x": 1000 * inputs["x"]})


def test_a_loop_refuses_what_its_graphs_refuse(
    case: Case, models: Models, live_request: WindowRequest
) -> None:
    loop = models.animator.loop
    if loop is None:
        pytest.skip(f"{case.name}: has no loop, by design")
    schedule = models.animator.schedule(2)
    inputs = {
        "x_t": np.zeros((1, 2, 30, 135), np.float32),
        "known": live_request.known[None],
        "known_mask": live_request.known_mask[None],
        "anchor": live_request.anchor[None],
        "anchor_joints": live_request.anchor_joints[None],
        "text": np.zeros((1, models.animator.text_width), np.float32),
        "timesteps": schedule.timesteps,
        "abar_t": schedule.abar_t,
        "abar_s": schedule.abar_s,
    }
    assert loop(inputs).shape == (1, 2, 30, 135)
    with pytest.raises(InputError, match="input known holds NaN"):
        loop(inputs | {"known": np.full((1, 2, 30, 135), np.nan, np.float32)})
    with pytest.raises(InputError, match="input anchor has shape"):
        loop(inputs | {"anchor": np.zeros((1, 3, 135), np.float32)})
    with pytest.raises(InputError, match="timesteps"):
        loop(inputs | {"abar_t": schedule.abar_t[:1]})
    with pytest.raises(BackendError, match="takes"):
        loop({name: value for name, value in inputs.items() if name != "anchor_joints"})


def test_only_the_first_dimension_may_vary_in_a_bucket(
    backend: Backend, small_graph: Path, tmp_path: Path
) -> None:
    model = onnx.load(small_graph)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "people"
    path = tmp_path / "two.onnx"
    onnx.save(model, path)
    with pytest.raises(BackendError, match="its first dimension may vary"):
        backend.load(path, (1,))


@pytest.mark.parametrize("content", [b"", b"no graph", b"\x08\x09" * 50])
def test_a_file_that_is_no_graph_is_one_error(
    backend: Backend, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(BackendError, match=r"broken\.onnx: ") as caught:
        backend.load(path, (1,))
    assert "\n" not in str(caught.value)


# ----------------------------------------------------------------------------- weights, memory
def test_weights_of_few_bits_are_unpacked_so_that_products_stay_exact(
    case: Case, backend: Backend, reference_backend: Backend, tmp_path: Path
) -> None:
    """Used as they are, the inputs of such a product might be rounded to 8 bits."""
    rng = np.random.default_rng(0)
    codes = rng.integers(-8, 8, (128, 32)).astype(np.int8)
    scales = rng.random((2, 32)).astype(np.float32)
    nodes = [
        helper.make_node("DequantizeLinear", ["codes", "scales"], ["w"], axis=0, block_size=64),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    packed = helper.make_tensor("codes", TensorProto.INT4, codes.shape, codes.ravel())
    path = written(
        tmp_path / "int4.onnx",
        nodes,
        {"x": ("batch", 128)},
        {"y": ("batch", 32)},
        {"codes": packed, "scales": scales},
    )
    x = rng.standard_normal((3, 128)).astype(np.float32)
    expected = x @ (codes * np.repeat(scales, 64, axis=0))
    exact = reference_backend.load(path)
    np.testing.assert_allclose(exact({"x": x})["y"], expected, rtol=1e-4, atol=1e-4)
    assert_near(case, backend.load(path)({"x": x})["y"], "few bits", lambda: exact({"x": x})["y"])


def test_a_call_that_does_not_fit_into_memory_is_overload_and_the_next_one_runs(
    case: Case, backend: Backend, small_graph: Path, tmp_path: Path
) -> None:
    if case.library == "tensorrt":
        pytest.skip(f"{case.name}: plans memory when it builds, so that no call can run out of it")
    n = 1 << 19  # its outer product takes a terabyte
    path = written(
        tmp_path / "outer.onnx",
        [
            helper.make_node("MatMul", ["column", "row"], ["outer"]),
            helper.make_node("MatMul", ["outer", "column"], ["y"]),
        ],
        {"column": ("batch", n, 1), "row": ("batch", 1, n)},
        {"y": ("batch", n, 1)},
        {},
    )
    ones = np.ones((1, n, 1), np.float32)
    small = backend.load(small_graph, (4,))
    before = small(small_rows(4))["y"]
    with little_memory(case), pytest.raises(OverloadedError, match="out of memory") as caught:
        backend.load(path, (1,), is_lazy=True)({"column": ones, "row": ones.reshape(1, 1, n)})
    assert caught.value.reason == "OUT_OF_MEMORY"
    np.testing.assert_array_equal(small(small_rows(4))["y"], before)


@contextmanager
def little_memory(case: Case) -> Iterator[None]:
    """No more than a gigabyte beyond what the process has: a system may promise more than it has.

    A GPU has the memory it has.
    """
    if case.library not in ("openvino", "torch-cpu"):
        yield
        return
    resource = pytest.importorskip("resource")
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + (1 << 30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


# ----------------------------------------------------------------------------- fused kernels
def test_every_graph_that_was_called_is_fused(
    case: Case, backend: Backend, models: Models, live_request: WindowRequest
) -> None:
    """The last test of this file, so that it hears of the calls of all others too."""
    if case.library != "torch-cuda":
        pytest.skip(f"{case.name}: compiles no kernels of its own")
    for rows in (1, 4):
        sample_windows(models, several(live_request, rows))
    assert isinstance(backend, TorchBackend)
    assert backend.unfused == {}
