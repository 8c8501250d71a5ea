"""The animator against the published network's numbers, and laws about its known frames."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.trainer.models.parity import load_network, parity_tensors, published_shapes
from trainer.models.animator.network import Animator
from trainer.models.blocks import NetworkConfig
from trainer.models.diffusion import ddim_sample

TINY = NetworkConfig(width=32, heads=4, layers=2, ffn_width=48, dropout=0.0)
WITH_TEXT = replace(TINY, text_width=6)


def random_inputs(batch: int, seed: int = 0) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return {
        "x_t": torch.randn(batch, 2, 30, 135, generator=draw),
        "timesteps": torch.randint(1000, (batch,), generator=draw),
        "known": torch.randn(batch, 2, 30, 135, generator=draw),
        "known_mask": torch.randint(2, (batch, 2, 30, 1), generator=draw).float(),
        "anchor": torch.randn(batch, 2, 135, generator=draw),
        "anchor_joints": torch.randn(batch, 2, 22, 3, generator=draw),
    }


def awake_animator(config: NetworkConfig = TINY) -> Animator:
    """An animator whose zero-initialised branches do something."""
    torch.manual_seed(1)
    animator = Animator(config).eval()
    for parameter in animator.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return animator


def test_the_full_size_animator_has_the_published_keys_and_shapes() -> None:
    with torch.device("meta"):
        state = Animator(NetworkConfig()).state_dict()
    published = published_shapes("animator_full_keys.json")
    assert {key: tuple(value.shape) for key, value in state.items()} == published


@torch.no_grad()
def test_one_call_gives_the_published_numbers() -> None:
    tensors = parity_tensors("animator_tiny.npz")
    anchor = tensors["anchor"][:, :, 0]
    x0 = load_network(Animator, tensors)(
        tensors["x_t"],
        tensors["timesteps"],
        tensors["anchor"].expand(-1, -1, 30, -1),
        tensors["anchor_mask"],
        anchor,
        tensors["anchor_joints"][:, :, 0],
    )
    torch.testing.assert_close(x0, tensors["x0_hat"], atol=1e-4, rtol=0)


@pytest.mark.parametrize(("place", "index"), [("first", 0), ("middle", 15), ("last", 29)])
@torch.no_grad()
def test_the_whole_loop_gives_the_published_numbers(place: str, index: int) -> None:
    tensors = parity_tensors("animator_tiny.npz")
    animator = load_network(Animator, tensors)
    anchor = tensors["anchor"][:1]
    mask = torch.zeros(1, 2, 30, 1)
    mask[:, :, index] = 1

    def denoise(x_t: Tensor, timesteps: Tensor) -> Tensor:
        known = anchor.expand(-1, -1, 30, -1)
        joints = tensors["anchor_joints"][:1, :, 0]
        return animator(x_t, timesteps, known, mask, anchor[:, :, 0], joints)

    x0 = ddim_sample(denoise, tensors["ddim50_noise"], 50)
    torch.testing.assert_close(x0, tensors[f"ddim50_{place}_x0"], atol=1e-3, rtol=0)


@torch.no_grad()
def test_noise_under_known_frames_changes_nothing() -> None:
    animator, inputs = awake_animator(), random_inputs(2)
    before = animator(**inputs)
    inputs["x_t"] = inputs["x_t"] + 9 * inputs["known_mask"]
    torch.testing.assert_close(animator(**inputs), before, atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_row_alone_and_in_a_batch_gives_the_same_numbers() -> None:
    animator, inputs = awake_animator(), random_inputs(3)
    together = animator(**inputs)
    for row in range(3):
        alone = animator(**{name: value[row : row + 1] for name, value in inputs.items()})
        torch.testing.assert_close(alone, together[row : row + 1], atol=1e-5, rtol=0)


@torch.no_grad()
def test_frames_beyond_a_clips_end_do_not_reach_the_valid_ones() -> None:
    animator, inputs = awake_animator(), random_inputs(2)
    valid = torch.ones(2, 2, 30, dtype=torch.bool)
    valid[:, :, 20:] = False
    before = animator(**inputs, valid=valid)
    inputs["x_t"][:, :, 20:] += 9
    after = animator(**inputs, valid=valid)
    assert torch.isfinite(after).all()
    torch.testing.assert_close(after[:, :, :20], before[:, :, :20], atol=1e-5, rtol=0)


def test_an_animator_without_text_has_no_parameter_for_it_and_refuses_words() -> None:
    animator = awake_animator()
    assert animator.state_dict().keys() == Animator(WITH_TEXT).state_dict().keys() - {
        "text_embed.weight"
    }
    with pytest.raises(ValueError, match="takes no text"):
        animator(**random_inputs(1), text=torch.ones(1, 6))


@torch.no_grad()
def test_at_first_words_change_nothing() -> None:
    animator, inputs = Animator(WITH_TEXT).eval(), random_inputs(2)
    with_words = animator(**inputs, text=torch.randn(2, 6))
    torch.testing.assert_close(with_words, animator(**inputs), atol=0, rtol=0)


@torch.no_grad()
def test_zeros_are_no_text_and_words_change_their_own_row_alone() -> None:
    animator, inputs = awake_animator(WITH_TEXT), random_inputs(3)
    plain = animator(**inputs)
    torch.testing.assert_close(animator(**inputs, text=torch.zeros(3, 6)), plain, atol=0, rtol=0)
    text = torch.tensor([[0.0] * 6, [1.0] * 6, [0.0] * 6])
    worded = animator(**inputs, text=text)
    torch.testing.assert_close(worded[[0, 2]], plain[[0, 2]], atol=0, rtol=0)
    assert (worded[1] - plain[1]).abs().max() > 1e-2


def test_every_parameter_of_an_awake_animator_gets_a_gradient() -> None:
    animator = awake_animator(WITH_TEXT)
    animator(**random_inputs(2), text=torch.ones(2, 6)).square().mean().backward()
    silent = [name for name, value in animator.named_parameters() if not value.grad.any()]
    assert silent == []
