"""An ablated animator is the animator but for the one thing it is not shown."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from tests.trainer.models.test_animator import TINY, awake_animator, random_inputs
from trainer.ablation.intergen import intergen_like
from trainer.ablation.sight import AblatedAnimator, Sight

SIGHTS = {
    "anchor": Sight(anchor=False),
    "time": Sight(time=False),
    "joints": Sight(joints=False),
}


def awake(network: AblatedAnimator) -> AblatedAnimator:
    """The network with zero-initialised branches that do something."""
    torch.manual_seed(1)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    return network.eval()


def changed(inputs: dict[str, Tensor], *names: str) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(9)
    return inputs | {name: torch.randn(inputs[name].shape, generator=draw) for name in names}


@torch.no_grad()
def test_an_animator_that_is_shown_everything_is_the_animator_itself() -> None:
    plain, shown = awake_animator(), awake(AblatedAnimator(TINY, Sight()))
    assert shown.load_state_dict(plain.state_dict()).missing_keys == []
    inputs = random_inputs(batch=3)
    assert torch.equal(plain(**inputs), shown(**inputs))


@torch.no_grad()
def test_without_time_nothing_depends_on_which_frames_are_known() -> None:
    network, inputs = awake(AblatedAnimator(TINY, SIGHTS["time"])), random_inputs(batch=2)
    other = changed(inputs, "known") | {"known_mask": 1 - inputs["known_mask"]}
    assert torch.equal(network(**inputs), network(**other))


@torch.no_grad()
def test_without_joints_nothing_depends_on_the_anchors_joints() -> None:
    network, inputs = awake(AblatedAnimator(TINY, SIGHTS["joints"])), random_inputs(batch=2)
    assert torch.equal(network(**inputs), network(**changed(inputs, "anchor_joints")))
    assert not torch.allclose(network(**inputs), network(**changed(inputs, "anchor")))


@pytest.mark.parametrize("make", [lambda: AblatedAnimator(TINY, SIGHTS["anchor"]), None])
@torch.no_grad()
def test_without_an_anchor_no_frame_is_given_but_pose_and_time_are_told(make: object) -> None:
    network = awake(make() if callable(make) else intergen_like(TINY))
    inputs = random_inputs(batch=2)
    out = network(**inputs)
    assert torch.equal(out, network(**changed(inputs, "known")))
    for told in ("anchor", "anchor_joints", "known_mask"):
        assert not torch.allclose(out, network(**changed(inputs, told)))


@torch.no_grad()
def test_the_two_streams_have_one_network_and_see_each_other() -> None:
    network, inputs = awake(intergen_like(TINY)), random_inputs(batch=2)
    # The condition lists the people in order, so it is the network itself that is symmetric.
    nn.init.zeros_(network.get_parameter("condition_embed_layer.0.weight"))
    out = network(**inputs)
    exchanged = network(**{k: v if k == "timesteps" else v.flip(1) for k, v in inputs.items()})
    torch.testing.assert_close(exchanged.flip(1), out, atol=1e-5, rtol=1e-5)
    moved = inputs["x_t"].clone()
    moved[:, 1] += 1
    assert not torch.allclose(network(**inputs | {"x_t": moved})[:, 0], out[:, 0])


@torch.no_grad()
def test_frames_past_a_clips_end_change_nothing_in_the_other_stream() -> None:
    network, inputs = awake(intergen_like(replace(TINY, layers=3))), random_inputs(batch=2)
    valid = torch.ones(2, 2, 30, dtype=torch.bool)
    valid[:, :, 20:] = False
    noisy = inputs["x_t"].clone()
    noisy[:, :, 20:] = torch.randn(2, 2, 10, 135)
    first, second = (network(**inputs | {"x_t": x}, valid=valid) for x in (inputs["x_t"], noisy))
    torch.testing.assert_close(first[:, :, :20], second[:, :, :20])
