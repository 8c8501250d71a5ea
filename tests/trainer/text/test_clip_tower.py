"""The text side of the published generator against PyTorch's own layers."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from trainer.text.clip_tower import ClipTower, ClipTowerConfig
from trainer.text.layers import PostNormLayer

SIZES = ClipTowerConfig(vocabulary=40, tokens=12, width=64, layers=2, top_ffn_width=80)


def test_the_post_norm_layer_is_that_of_pytorch() -> None:
    torch.manual_seed(0)
    ours = PostNormLayer(32, 4, 48).eval()
    theirs = nn.TransformerEncoderLayer(32, 4, 48, activation="gelu", batch_first=True).eval()
    theirs.load_state_dict(ours.state_dict())
    h = torch.randn(2, 7, 32)
    torch.testing.assert_close(ours(h), theirs(h), atol=1e-5, rtol=0)


@torch.no_grad()
def test_the_tower_is_clips_residual_block_with_a_causal_mask() -> None:
    """Against the lines of the public CLIP code, with `nn.MultiheadAttention`."""
    torch.manual_seed(0)
    clip = ClipTower(SIZES).eval()
    block = clip.clip_transformer.resblocks[0]
    attention = nn.MultiheadAttention(64, 1, batch_first=True)
    attention.load_state_dict(block.attn.state_dict())
    mask = torch.full((12, 12), -math.inf).triu(1)
    h = torch.randn(2, 12, 64)

    x = block.ln_1(h)
    x = h + attention(x, x, x, need_weights=False, attn_mask=mask)[0]
    hidden = block.mlp["c_fc"](block.ln_2(x))
    expected = x + block.mlp["c_proj"](hidden * torch.sigmoid(1.702 * hidden))
    causal = torch.ones(12, 12, dtype=torch.bool).tril()
    torch.testing.assert_close(block(h, causal), expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_the_vector_is_read_at_the_end_of_text() -> None:
    torch.manual_seed(0)
    clip = ClipTower(SIZES).eval()
    seen: list[Tensor] = []
    clip.clip_ln.register_forward_hook(lambda module, inputs, output: seen.append(output))
    ids = torch.tensor([[38, 5, 39, *[0] * 9], [38, 5, 6, 7, 39, *[0] * 7]])
    text = clip(ids, torch.ones_like(ids))
    torch.testing.assert_close(text, torch.stack([seen[0][0, 2], seen[0][1, 4]]))


def test_the_published_sizes_give_the_published_shapes() -> None:
    with torch.device("meta"):
        state = ClipTower(ClipTowerConfig()).state_dict()
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    assert shapes["token_embedding.weight"] == (49408, 768)
    assert shapes["positional_embedding"] == (77, 768)
    assert shapes["clip_transformer.resblocks.11.attn.in_proj_weight"] == (2304, 768)
    assert shapes["clip_transformer.resblocks.11.mlp.c_proj.weight"] == (768, 3072)
    assert shapes["clipTransEncoder.layers.1.linear1.weight"] == (2048, 768)
    trained = [key for key in shapes if key.startswith(("clipTransEncoder", "clip_ln"))]
    assert sum(math.prod(shapes[key]) for key in trained) == 11_029_504
