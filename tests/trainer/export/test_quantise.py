"""An int8 bundle is the same bundle with a denoiser in int8 that says nearly the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from engine.arrays import Array
from engine.backends import open_backend
from engine.bundle import Bundle, load_bundle
from engine.errors import BundleError, InputError
from engine.sampling.models import load_models
from tests.engine.parity import even_schedules
from tests.trainer.synthetic import write_clips
from trainer.data.shards import load_clips
from trainer.export.bundles import export_bundle
from trainer.export.quantise import CALLS, FIRST, LAST, STEP, WINDOWS, quantise_bundle, seen_inputs
from trainer.graphs.storing import restore_floats, store_halves, store_int8
from trainer.models.animator.family import FAMILY as ANIMATOR
from trainer.models.animator.graphs import animator_step
from trainer.models.animator.network import Animator
from trainer.models.blocks import NetworkConfig

pytestmark = pytest.mark.long

SIZE = NetworkConfig(width=64, heads=4, layers=3, ffn_width=128, dropout=0.0)


def awake_animator() -> Animator:
    torch.manual_seed(0)
    animator = Animator(SIZE).eval()
    for parameter in animator.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    return animator


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clips(tmp_path_factory.mktemp("data") / "shards", clips=16)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return export_bundle(
        tmp_path_factory.mktemp("bundles") / "float.bundle",
        [ANIMATOR.part(awake_animator(), schedules=even_schedules((1, 12)))],
        name="float",
        description="",
        licence="",
        weights="compact",
    )


@pytest.fixture(scope="module")
def int8(source: Bundle, clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return quantise_bundle(source.path, tmp_path_factory.mktemp("out") / "int8.bundle", clips)


def outcome(bundle: Bundle, sample: Mapping[str, Array]) -> Array:
    backend = open_backend("openvino", precision="f32", cache_dir=None)
    return load_models(bundle, backend, buckets=(WINDOWS,), is_lazy=True).animator.step(sample)[
        "x0"
    ]


def test_only_the_denoiser_changes_and_the_manifest_says_so(source: Bundle, int8: Bundle) -> None:
    assert load_bundle(int8.path).manifest.animator.precision == "int8"
    assert source.manifest.animator.precision == "float"
    files = [bundle.manifest.files for bundle in (source, int8)]
    assert {name for name in files[0] if files[0][name] != files[1][name]} == {STEP}
    assert int8.manifest.animator.schedules == source.manifest.animator.schedules


def test_products_with_matrices_read_int8_but_the_first_and_the_last(int8: Bundle) -> None:
    model = onnx.load(int8.file(STEP))
    made_by = {name: node for node in model.graph.node for name in node.output}
    dtypes = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    products = [node for node in model.graph.node if node.op_type == "MatMul"]
    pairs = [[made_by[name] for name in node.input if name in made_by] for node in products]
    int8_products = [
        pair for pair in pairs if [n.op_type for n in pair] == 2 * ["DequantizeLinear"]
    ]
    assert len(int8_products) == 4 * SIZE.layers + 3 - FIRST - LAST  # none inside attention
    assert all(dtypes[weights.input[0]] == onnx.TensorProto.INT8 for _, weights in int8_products)


def test_the_outcome_stays_near_on_windows_that_were_not_calibrated_on(
    source: Bundle, int8: Bundle, clips: Path
) -> None:
    for sample in seen_inputs(source, load_clips(clips), seed=1):
        exact, near = outcome(source, sample), outcome(int8, sample)
        error = np.sqrt(np.mean((near - exact) ** 2) / np.mean(exact**2))
        assert 0 < error < 0.05


def test_calibration_sees_the_calls_of_every_schedule(source: Bundle, clips: Path) -> None:
    samples = seen_inputs(source, load_clips(clips), seed=1)
    assert len(samples) == 1 + CALLS  # of 1 step, and of 12 ten
    noise_left = [float(1 - sample["abar_t"][0]) for sample in samples]
    assert noise_left[1:] == sorted(noise_left[1:], reverse=True)
    assert len({sample["x_t"].shape for sample in samples}) == 1


def test_what_cannot_be_quantised_is_refused_in_one_line(
    int8: Bundle, source: Bundle, clips: Path, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match="is int8 already"):
        quantise_bundle(int8.path, tmp_path / "again.bundle", clips)
    with pytest.raises(BundleError, match="exists; name another path"):
        quantise_bundle(source.path, int8.path, clips)
    with pytest.raises(InputError):
        quantise_bundle(source.path, tmp_path / "new.bundle", tmp_path / "absent")
    assert not list(tmp_path.iterdir())


def test_stored_matrices_come_back_as_floats() -> None:
    exact = animator_step(awake_animator())
    stored = onnx.ModelProto.FromString(exact.SerializeToString())
    store_int8(stored)
    store_halves(stored)
    restore_floats(stored)
    matrices = {t.name: numpy_helper.to_array(t) for t in exact.graph.initializer}
    found = {t.name: numpy_helper.to_array(t) for t in stored.graph.initializer}
    assert found.keys() == matrices.keys()
    for name, values in matrices.items():
        assert found[name].dtype == values.dtype
        np.testing.assert_allclose(found[name], values, atol=np.abs(values).max() / 127)
    assert len(stored.graph.node) == len(exact.graph.node)
