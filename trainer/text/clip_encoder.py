"""CLIP as a text encoder: the tower of `clip_tower.py` with its tokenizer, out of `transformers`.

Knows the names that `transformers` has for CLIP's tensors and sizes. Knows no bundle's folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from engine.errors import BundleError, ConfigError
from trainer.text.clip_tower import HEAD_WIDTH, ClipTower, ClipTowerConfig
from trainer.text.encoder import TextEncoder, open_tokenizer, text_graph

LAYER_NAMES = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
"""Names of `transformers`, and ours."""


def transformers_clip(name: str) -> TextEncoder:
    """CLIP's text tower as `transformers` reads it: its normalised output at the end of text."""
    try:
        from transformers import AutoTokenizer, CLIPTextModel
    except ImportError as exc:
        raise ConfigError(
            f"text_encoder is {name!r}, which needs transformers: pip install 'contrapose[clip]'",
            field="text_encoder",
            reason="EXTRA_MISSING",
        ) from exc
    try:
        tower: Any = CLIPTextModel.from_pretrained(name)
        written = AutoTokenizer.from_pretrained(name).backend_tokenizer.to_str()
    except (OSError, ValueError) as exc:
        reason = str(exc).strip().split("\n")[0]
        raise ConfigError(
            f"text_encoder is {name!r}, neither minilm nor a CLIP text model with its tokenizer: "
            f"{reason}",
            field="text_encoder",
        ) from exc
    config = tower.config
    if (
        config.hidden_act != "quick_gelu"
        or config.hidden_size != HEAD_WIDTH * config.num_attention_heads
        or config.intermediate_size != 4 * config.hidden_size
    ):
        raise ConfigError(
            f"text_encoder {name!r} is no CLIP of OpenAI's kind: expected quick_gelu, heads of "
            f"{HEAD_WIDTH} and a feed-forward four times as wide",
            field="text_encoder",
        )
    sizes = ClipTowerConfig(
        vocabulary=config.vocab_size,
        tokens=config.max_position_embeddings,
        width=config.hidden_size,
        layers=config.num_hidden_layers,
        top_layers=0,
    )
    clip = ClipTower(sizes)
    clip.load_state_dict(state_from_transformers(tower.state_dict()))
    return clip_text(clip.requires_grad_(False), written, name)


def clip_text(clip: ClipTower, tokenizer: str, source: str) -> TextEncoder:
    """CLIP as a bundle holds it. Raises BundleError if the tokenizer (JSON) is another one's."""
    try:
        pieces = open_tokenizer(tokenizer, clip.config.tokens).get_vocab_size()
    except Exception as exc:  # the library raises nothing narrower
        raise BundleError(f"{source}: no tokenizer.json: {exc}", field="tokenizer") from exc
    if pieces != clip.config.vocabulary:
        raise BundleError(
            f"{source}: has {pieces} tokens, the text tower {clip.config.vocabulary}; give the "
            "tokenizer of CLIP ViT-L/14",
            field="tokenizer",
        )
    return TextEncoder(
        kind="clip",
        width=clip.config.width,
        max_tokens=clip.config.tokens,
        model=text_graph(clip.eval(), {0: "batch"}, tokens=clip.config.tokens),
        tokenizer=tokenizer,
    )


def state_from_transformers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of `transformers.CLIPTextModel` under the names of a ClipTower without top."""
    bare = {key.removeprefix("text_model."): value for key, value in state.items()}
    renamed = {
        "embeddings.token_embedding.weight": "token_embedding.weight",
        "embeddings.position_embedding.weight": "positional_embedding",
        "final_layer_norm.weight": "ln_final.weight",
        "final_layer_norm.bias": "ln_final.bias",
    }
    out = {ours: bare[theirs] for theirs, ours in renamed.items()}
    for index in range(sum(key.endswith("mlp.fc1.weight") for key in bare)):
        theirs, ours = f"encoder.layers.{index}.", f"clip_transformer.resblocks.{index}."
        for kind in ("weight", "bias"):
            parts = [bare[f"{theirs}self_attn.{part}_proj.{kind}"] for part in "qkv"]
            out[f"{ours}attn.in_proj_{kind}"] = torch.cat(parts)
            for their_name, our_name in LAYER_NAMES.items():
                out[f"{ours}{our_name}.{kind}"] = bare[f"{theirs}{their_name}.{kind}"]
    return out
