"""The generator against the published network's numbers, under all conditions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.errors import ConfigError
from tests.trainer.models.parity import guided, load_network, parity_tensors, published_shapes
from trainer.models.blocks import NetworkConfig
from trainer.models.diffusion import ddim_sample
from trainer.models.generator.network import Generator

GUIDANCE = 3.5
CASES = pytest.mark.parametrize("case", ["none", "text", "pose", "both"])


def conditions(tensors: dict[str, Tensor], case: str) -> tuple[Tensor, Tensor, Tensor]:
    """Text, pose and pose mask of row 0."""
    has_text, has_pose = case in ("text", "both"), case in ("pose", "both")
    mask = torch.tensor([[1.0 if has_pose else 0.0, 0.0]])
    return tensors["text"][:1] * has_text, tensors["pose"][:1], mask


def test_the_full_size_generator_has_the_published_keys_and_shapes() -> None:
    with torch.device("meta"):
        state = Generator(NetworkConfig(text_width=768)).state_dict()
    published = published_shapes("generator_full_keys.json")
    assert {key: tuple(value.shape) for key, value in state.items()} == published


@CASES
@torch.no_grad()
def test_one_call_gives_the_published_numbers(case: str) -> None:
    tensors = parity_tensors("generator_tiny.npz")
    generator = load_network(Generator, tensors)
    x_t, timesteps = tensors["x_t"][:1], tensors["timesteps"][:1]
    plain = generator(x_t, timesteps, *conditions(tensors, case))
    torch.testing.assert_close(plain, tensors[f"denoise_{case}"], atol=1e-4, rtol=0)
    both_ways = guided(generator, *conditions(tensors, case), GUIDANCE)(x_t, timesteps)
    torch.testing.assert_close(both_ways, tensors[f"guided_{case}"], atol=1e-4, rtol=0)


@CASES
@torch.no_grad()
def test_the_whole_guided_loop_gives_the_published_numbers(case: str) -> None:
    tensors = parity_tensors("generator_tiny.npz")
    denoise = guided(load_network(Generator, tensors), *conditions(tensors, case), GUIDANCE)
    x0 = ddim_sample(denoise, tensors["ddim50_noise"], 50)
    torch.testing.assert_close(x0, tensors[f"ddim50_{case}"], atol=1e-3, rtol=0)


@torch.no_grad()
def test_rows_with_different_conditions_can_share_a_batch() -> None:
    tensors = parity_tensors("generator_tiny.npz")
    generator = load_network(Generator, tensors)
    rows = [conditions(tensors, case) for case in ("none", "text", "pose", "both")]
    text, pose, mask = (torch.cat(parts) for parts in zip(*rows, strict=True))
    x_t, timesteps = tensors["x_t"][:1].expand(4, -1, -1), tensors["timesteps"][:1].expand(4)
    out = guided(generator, text, pose, mask, GUIDANCE)(x_t, timesteps)
    expected = torch.cat([tensors[f"guided_{case}"] for case in ("none", "text", "pose", "both")])
    torch.testing.assert_close(out, expected, atol=1e-4, rtol=0)


@torch.no_grad()
def test_swapping_people_swaps_the_result_when_no_pose_is_given() -> None:
    tensors = parity_tensors("generator_tiny.npz")
    generator = load_network(Generator, tensors)
    text, pose, mask = conditions(tensors, "text")
    x_t, timesteps = tensors["x_t"][:1], tensors["timesteps"][:1]
    swapped = generator(x_t.flip(1), timesteps, text, pose, mask)
    expected = generator(x_t, timesteps, text, pose, mask).flip(1)
    torch.testing.assert_close(swapped, expected, atol=1e-4, rtol=0)


def test_a_generator_without_a_text_width_is_refused() -> None:
    with pytest.raises(ConfigError, match="text_width"):
        Generator(NetworkConfig(width=32, heads=4))
