"""Exported bundles give the published numbers, and appear whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import Tensor

from engine.backends.openvino import read_graph
from engine.backends.openvino_core import openvino_core
from engine.bundle import load_bundle
from engine.errors import BundleError
from tests.trainer.models.parity import load_network, parity_tensors
from trainer.export.bundles import export_bundle
from trainer.graphs.storing import store_halves
from trainer.models import checkpoints
from trainer.models.animator.family import FAMILY as ANIMATOR
from trainer.models.animator.graphs import animator_condition, animator_step
from trainer.models.animator.network import Animator
from trainer.models.blocks import NetworkConfig
from trainer.models.generator.family import FAMILY as GENERATOR
from trainer.models.generator.network import Generator

TINY = NetworkConfig(width=32, heads=4, layers=2, ffn_width=48, text_width=16)
SMALLEST = NetworkConfig(width=8, heads=1, layers=1, ffn_width=8)
WORDS = {"name": "test", "description": "random weights", "licence": "Apache-2.0"}


def awake(network: Any) -> Any:
    """Give the zero-initialised branches of a new network something to do."""
    torch.manual_seed(0)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network.eval()


@pytest.fixture(scope="module")
def networks() -> tuple[Animator, Generator]:
    return awake(Animator(TINY)), awake(Generator(TINY))


@pytest.fixture(scope="module")
def bundle_path(
    networks: tuple[Animator, Generator], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("export") / "tiny.bundle"
    animator, generator = networks
    parts = [ANIMATOR.part(animator), GENERATOR.part(generator)]
    export_bundle(path, parts, weights="f32", **WORDS)
    return path


def run_graph(path: Path, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    core = openvino_core()
    model = read_graph(path)
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    outputs = compiled({name: value.numpy() for name, value in inputs.items()})
    return {port.any_name: torch.from_numpy(np.array(outputs[port])) for port in compiled.outputs}


@pytest.mark.long
@pytest.mark.parametrize("kind", [Animator, Generator])
def test_a_network_comes_back_out_of_a_bundle(
    kind: type[Any], networks: tuple[Animator, Generator], bundle_path: Path
) -> None:
    found = checkpoints.load_network(bundle_path, kind)
    (network,) = (n for n in networks if isinstance(n, kind))
    for key, value in network.state_dict().items():
        torch.testing.assert_close(found.state_dict()[key], value, atol=0, rtol=0)


def animator_inputs(batch: int) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(batch)
    return {
        "x_t": torch.randn(batch, 2, 30, 135, generator=draw),
        "known": torch.randn(batch, 2, 30, 135, generator=draw),
        "known_mask": torch.randint(2, (batch, 2, 30, 1), generator=draw).float(),
        "anchor": torch.randn(batch, 2, 135, generator=draw),
        "modulation": torch.randn(batch, 2 * 4 * 32, generator=draw),
        "abar_t": torch.rand(batch, generator=draw),
        "abar_s": torch.rand(batch, generator=draw),
    }


@pytest.mark.parametrize("batch", [1, 2, 5])
@torch.no_grad()
def test_the_animators_step_is_denoise_and_ddim_at_any_batch(
    bundle_path: Path, networks: tuple[Animator, Generator], batch: int
) -> None:
    inputs = animator_inputs(batch)
    out = run_graph(bundle_path / "animator/step.onnx", inputs)
    abar_t, abar_s = inputs.pop("abar_t"), inputs.pop("abar_s")
    x0 = networks[0].denoise(**inputs)
    torch.testing.assert_close(out["x0"], x0, atol=1e-4, rtol=0)
    a_t, a_s = abar_t.view(-1, 1, 1, 1), abar_s.view(-1, 1, 1, 1)
    eps = (inputs["x_t"] - a_t.sqrt() * x0) / (1 - a_t).sqrt()
    torch.testing.assert_close(
        out["x_s"], a_s.sqrt() * x0 + (1 - a_s).sqrt() * eps, atol=1e-3, rtol=1e-4
    )


@pytest.mark.parametrize(("batch", "steps"), [(1, 1), (3, 50)])
@torch.no_grad()
def test_the_animators_condition_gives_every_steps_modulation(
    bundle_path: Path, networks: tuple[Animator, Generator], batch: int, steps: int
) -> None:
    anchor, joints = torch.randn(batch, 2, 135), torch.randn(batch, 2, 22, 3)
    timesteps, text = torch.arange(steps) * 1000 // steps, torch.randn(batch, 16)
    inputs = {"anchor": anchor, "anchor_joints": joints, "timesteps": timesteps, "text": text}
    out = run_graph(bundle_path / "animator/condition.onnx", inputs)["modulation"]
    assert out.shape == (batch, steps, 2 * 4 * 32)
    for step in range(steps):
        rows = timesteps[step].expand(batch)[:, None]
        expected = networks[0].modulation(rows, anchor, joints, text)[:, 0]
        torch.testing.assert_close(out[:, step], expected, atol=1e-4, rtol=0)


def test_the_condition_graph_asks_for_text_if_and_only_if_the_animator_takes_it() -> None:
    for has_text in (True, False):
        animator = Animator(replace(SMALLEST, text_width=16 * has_text))
        names = {graph_input.name for graph_input in animator_condition(animator).graph.input}
        assert names - {"text"} == {"anchor", "anchor_joints", "timesteps"}
        assert ("text" in names) == has_text


@torch.no_grad()
def test_the_generators_graphs_together_are_its_forward(
    bundle_path: Path, networks: tuple[Animator, Generator]
) -> None:
    text, timesteps = torch.randn(3, 16), torch.tensor([10, 500])
    modulation = run_graph(
        bundle_path / "generator/condition.onnx", {"text": text, "timesteps": timesteps}
    )["modulation"][:, 1]
    x_t, pose = torch.randn(3, 2, 201), torch.randn(3, 2, 201)
    mask = torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    inputs = {"x_t": x_t, "pose": pose, "pose_mask": mask, "modulation": modulation}
    out = run_graph(bundle_path / "generator/step.onnx", inputs)["x0"]
    expected = networks[1](x_t, torch.full((3,), 500), text, pose, mask)
    torch.testing.assert_close(out, expected, atol=1e-4, rtol=0)


@pytest.mark.long
def test_the_exported_animator_gives_the_published_numbers(tmp_path: Path) -> None:
    tensors = parity_tensors("animator_tiny.npz")
    animator = load_network(Animator, tensors)
    graphs = {"condition": animator_condition(animator), "step": animator_step(animator)}
    for half_weights, tolerance in ((False, 1e-4), (True, 5e-3)):
        for name, model in graphs.items():
            if half_weights:
                store_halves(model)
            onnx.save(model, tmp_path / f"{name}.onnx")
        x0 = one_call(tmp_path, tensors)
        torch.testing.assert_close(x0, tensors["x0_hat"], atol=tolerance, rtol=0)


def one_call(folder: Path, tensors: dict[str, Tensor]) -> Tensor:
    """The parity file's denoiser call, each of its rows at its own diffusion step."""
    condition = {
        "anchor": tensors["anchor"][:, :, 0],
        "anchor_joints": tensors["anchor_joints"][:, :, 0],
        "timesteps": tensors["timesteps"],
    }
    modulation = run_graph(folder / "condition.onnx", condition)["modulation"]
    rows = torch.arange(3)
    step = {
        "x_t": tensors["x_t"],
        "known": tensors["anchor"].expand(-1, -1, 30, -1).contiguous(),
        "known_mask": tensors["anchor_mask"],
        "anchor": tensors["anchor"][:, :, 0],
        "modulation": modulation[rows, rows],
        "abar_t": torch.full((3,), 0.5),
        "abar_s": torch.full((3,), 0.6),
    }
    return run_graph(folder / "step.onnx", step)["x0"]


def test_half_weights_halve_a_graph_and_keep_eleven_bits() -> None:
    weight = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 20]>
        product (float[n, 64] x) => (float[n, 64] y) { y = MatMul(x, weight) }
    """)
    model.graph.initializer.append(numpy_helper.from_array(weight, "weight"))
    before = model.ByteSize()
    store_halves(model)
    onnx.checker.check_model(model, full_check=True)
    assert model.ByteSize() < 0.55 * before
    x = np.eye(64, dtype=np.float32)
    (y,) = ReferenceEvaluator(model).run(None, {"x": x})
    np.testing.assert_array_equal(y, weight.astype(np.float16).astype(np.float32))


@pytest.mark.long
@torch.no_grad()
def test_compact_graphs_stay_close_to_the_network(
    networks: tuple[Animator, Generator], tmp_path: Path
) -> None:
    """Products in int8, sinusoids computed: modulation and x0 move by about a hundredth."""
    path = tmp_path / "compact.bundle"
    export_bundle(path, [ANIMATOR.part(networks[0])], weights="compact", **WORDS)
    inputs = {
        "anchor": torch.randn(3, 2, 135),
        "anchor_joints": torch.randn(3, 2, 22, 3),
        "timesteps": torch.tensor([999, 500, 3, 0]),
        "text": torch.randn(3, 16),
    }
    out = run_graph(path / "animator/condition.onnx", inputs)["modulation"]
    expected = networks[0].modulation(
        inputs["timesteps"][None], inputs["anchor"], inputs["anchor_joints"], inputs["text"]
    )
    assert (out - expected).abs().mean() < 0.02 * expected.abs().mean()
    step = animator_inputs(3)
    x0 = run_graph(path / "animator/step.onnx", step)["x0"]
    true = networks[0].denoise(**{k: v for k, v in step.items() if not k.startswith("abar")})
    assert (x0 - true).abs().mean() < 0.02 * true.abs().mean()


@pytest.mark.long
def test_a_bundle_over_its_size_is_not_written(tmp_path: Path) -> None:
    parts = [ANIMATOR.part(Animator(SMALLEST))]
    with pytest.raises(BundleError, match="at most 1000 are allowed"):
        export_bundle(tmp_path / "b", parts, most_bytes=1000, **WORDS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_exporting_again_replaces_the_bundle_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "again.bundle"
    path.mkdir()
    (path / "manifest.json").write_text("{}")
    (path / "leftover.onnx").touch()
    export_bundle(path, [ANIMATOR.part(Animator(SMALLEST))], **WORDS)
    assert load_bundle(path).manifest.name == "test"
    assert [entry.name for entry in tmp_path.iterdir()] == ["again.bundle"]


def test_a_failed_export_leaves_nothing(
    networks: tuple[Animator, Generator], tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        export_bundle(
            tmp_path / "b", [ANIMATOR.part(networks[0])], body_file=tmp_path / "absent.npz", **WORDS
        )
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_bundle_is_not_overwritten(
    networks: tuple[Animator, Generator], tmp_path: Path
) -> None:
    (tmp_path / "holiday.txt").write_text("photographs")
    with pytest.raises(BundleError, match="is no bundle"):
        export_bundle(tmp_path, [ANIMATOR.part(networks[0])], **WORDS)
    assert (tmp_path / "holiday.txt").exists()
