"""Checkpoints in the published layout become bundles; anything else is refused by name."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor

from engine.backends.openvino_core import openvino_core
from engine.bundle import load_bundle
from engine.errors import BundleError
from trainer.export.import_ponimator import (
    import_ponimator,
    read_animator,
    read_clip,
    read_generator,
)
from trainer.models.animator.network import Animator
from trainer.models.blocks import NetworkConfig
from trainer.models.generator.network import Generator
from trainer.text.clip_tower import ClipTower, ClipTowerConfig

SIZES = NetworkConfig(width=64, heads=8, layers=2, ffn_width=96, text_width=64)
CLIP_SIZES = ClipTowerConfig(vocabulary=40, tokens=12, width=64, layers=2, top_ffn_width=80)
State = dict[str, Tensor]


def lightning_file(path: Path, state: State) -> Path:
    body = {
        f"decoder.smpl_layer_{gender}.bm.v_template": torch.ones(10, 3)
        for gender in ("male", "female", "neutral")
    }
    keys = {f"model.{key}": value for key, value in (state | body).items()}
    torch.save({"state_dict": keys, "epoch": 3999, "optimizer_states": []}, path)
    return path


def network_state(network: torch.nn.Module) -> State:
    return {f"decoder.net.{key}": value for key, value in network.state_dict().items()}


@pytest.fixture(scope="module")
def animator() -> Animator:
    torch.manual_seed(0)
    return Animator(replace(SIZES, text_width=0)).eval()


@pytest.fixture(scope="module")
def generator() -> Generator:
    torch.manual_seed(1)
    return Generator(SIZES).eval()


@pytest.fixture(scope="module")
def clip() -> ClipTower:
    torch.manual_seed(2)
    return ClipTower(CLIP_SIZES).eval()


def tokenizer_file(path: Path, size: int) -> Path:
    words = {f"w{number}": number for number in range(size)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(path))
    return path


@pytest.mark.long
def test_both_checkpoints_and_a_tokenizer_become_a_whole_bundle(
    animator: Animator, generator: Generator, clip: ClipTower, tmp_path: Path
) -> None:
    motion = lightning_file(tmp_path / "contactmotion.ckpt", network_state(animator))
    pose_state = network_state(generator) | dict(clip.state_dict())
    pose = lightning_file(tmp_path / "contactpose.ckpt", pose_state)
    tokenizer = tokenizer_file(tmp_path / "tokenizer.json", 40)
    import_ponimator(motion, pose, tmp_path / "p.bundle", tokenizer=tokenizer)

    manifest = load_bundle(tmp_path / "p.bundle").manifest
    assert (manifest.animator.width, manifest.animator.layers, manifest.animator.heads) == (
        64,
        2,
        8,
    )
    assert manifest.animator.history_frames == 1
    assert manifest.generator is not None
    assert manifest.generator.text_width == 64
    assert manifest.text is not None
    assert (manifest.text.kind, manifest.text.max_tokens) == ("clip", 12)

    ids = torch.randint(1, 39, (3, 12))
    ids[torch.arange(3), torch.tensor([2, 7, 11])] = 39
    core: Any = openvino_core()
    encoder = core.compile_model(
        tmp_path / "p.bundle/text/encoder.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    mask = torch.ones_like(ids)
    text = encoder({"input_ids": ids.numpy(), "attention_mask": mask.numpy()})["text"]
    np.testing.assert_allclose(text, clip(ids, mask).detach().numpy(), atol=1e-4)


@torch.no_grad()
def test_sizes_and_weights_are_those_of_the_file(animator: Animator, tmp_path: Path) -> None:
    path = lightning_file(tmp_path / "a.ckpt", network_state(animator))
    again = read_animator(path)
    assert (again.config.ffn_width, again.config.layers) == (96, 2)
    assert all(
        torch.equal(value, again.state_dict()[key]) for key, value in animator.state_dict().items()
    )


def test_half_precision_tensors_are_read_as_float32(animator: Animator, tmp_path: Path) -> None:
    halves = {key: value.half() for key, value in network_state(animator).items()}
    again = read_animator(lightning_file(tmp_path / "a.ckpt", halves))
    assert {value.dtype for value in again.state_dict().values()} == {torch.float32}


def test_sinusoidal_tables_that_the_file_leaves_out_are_computed(
    animator: Animator, tmp_path: Path
) -> None:
    state = {k: v for k, v in network_state(animator).items() if not k.endswith(".pe")}
    again = read_animator(lightning_file(tmp_path / "a.ckpt", state))
    expected = animator.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in again.state_dict().items())


def without(key: str) -> Callable[[State], State]:
    return lambda state: {k: value for k, value in state.items() if k != key}


def replaced(key: str, value: Tensor) -> Callable[[State], State]:
    return lambda state: state | {key: value}


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        (without("decoder.net.trans_out.bias"), "decoder.net.trans_out.bias", "is missing"),
        (
            without("decoder.net.blocks.0.ffn.linear1.weight"),
            "decoder.net.blocks.0.ffn.linear1.weight",
            "is missing",
        ),
        (
            replaced("decoder.net.extra.weight", torch.zeros(2)),
            "decoder.net.extra.weight",
            "is unknown",
        ),
        (replaced("loss.weight", torch.zeros(2)), "loss.weight", "unknown tensor"),
        (
            replaced("decoder.net.motion_embed.weight", torch.zeros(64, 135)),
            "decoder.net.motion_embed.weight",
            r"shape \(64, 135\), expected \(64, 136\)",
        ),
        (
            replaced("decoder.net.blocks.7.ffn.linear1.bias", torch.zeros(96)),
            "decoder.net.blocks.2.ffn.linear1.bias",
            "is missing",
        ),
    ],
)
def test_an_animator_that_does_not_fit_is_refused_by_name(
    animator: Animator,
    tmp_path: Path,
    change: Callable[[State], State],
    field: str,
    words: str,
) -> None:
    path = lightning_file(tmp_path / "a.ckpt", change(network_state(animator)))
    with pytest.raises(BundleError, match=words) as caught:
        read_animator(path)
    assert caught.value.field == field
    assert str(path) in str(caught.value)


def test_the_older_condition_layer_is_refused_as_such(animator: Animator, tmp_path: Path) -> None:
    state = without("decoder.net.conditon_embed")(network_state(animator))
    state["decoder.net.anchor_embed.weight"] = torch.zeros(64, 270)
    with pytest.raises(BundleError, match="use_condition_embedding"):
        read_animator(lightning_file(tmp_path / "a.ckpt", state))


def test_an_animator_in_the_generators_place_is_refused(animator: Animator, tmp_path: Path) -> None:
    path = lightning_file(tmp_path / "a.ckpt", network_state(animator))
    with pytest.raises(BundleError, match="no generator"):
        read_generator(path)


def test_a_generator_without_its_text_tower_is_refused(
    generator: Generator, tmp_path: Path
) -> None:
    path = lightning_file(tmp_path / "g.ckpt", network_state(generator))
    with pytest.raises(BundleError, match=r"token_embedding\.weight is missing"):
        read_clip(path)


def test_another_models_tokenizer_is_refused(
    animator: Animator, generator: Generator, clip: ClipTower, tmp_path: Path
) -> None:
    motion = lightning_file(tmp_path / "a.ckpt", network_state(animator))
    pose = lightning_file(tmp_path / "g.ckpt", network_state(generator) | dict(clip.state_dict()))
    wrong = tokenizer_file(tmp_path / "tokenizer.json", 41)
    with pytest.raises(BundleError, match="has 41 tokens"):
        import_ponimator(motion, pose, tmp_path / "out.bundle", tokenizer=wrong)
    assert not (tmp_path / "out.bundle").exists()


class Malice:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("imported",))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "damaged|not a PyTorch"),
        (b"no checkpoint at all", "not a PyTorch"),
        (pickle.dumps({"state_dict": {}}), "not a PyTorch"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "a.ckpt"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=words) as caught:
        read_animator(path)
    assert "\n" not in str(caught.value)


def test_a_truncated_checkpoint_is_refused(animator: Animator, tmp_path: Path) -> None:
    path = lightning_file(tmp_path / "a.ckpt", network_state(animator))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(BundleError, match="damaged"):
        read_animator(path)


def test_an_absent_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="No such file"):
        read_animator(tmp_path / "absent.ckpt")


def test_a_checkpoint_that_wants_to_import_something_is_refused_and_runs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "evil.ckpt"
    torch.save({"state_dict": {}, "hook": Malice()}, path)
    with pytest.raises(BundleError, match="wants to import") as caught:
        read_animator(path)
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""


def test_a_checkpoint_without_weights_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "a.ckpt")
    with pytest.raises(BundleError, match="state_dict"):
        read_animator(tmp_path / "a.ckpt")
