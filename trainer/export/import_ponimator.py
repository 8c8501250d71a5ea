"""Published Ponimator checkpoints -> a bundle.

Knows the layout of the two Lightning files (facts: Ponimator 8). The licensed body tensors in them
are not read; whatever else is missing, unknown or of another shape is refused by name. Nothing in a
file is ever executed.
"""

from __future__ import annotations

import logging
import pickle
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from engine.bundle import Bundle
from engine.errors import BundleError
from trainer.export.bundles import export_bundle
from trainer.models.animator.family import FAMILY as ANIMATOR
from trainer.models.animator.network import Animator
from trainer.models.blocks import SinusoidalTable, config_from_state_dict
from trainer.models.family import Part
from trainer.models.generator.family import FAMILY as GENERATOR
from trainer.models.generator.network import Generator
from trainer.text.clip_encoder import clip_text
from trainer.text.clip_tower import ClipTower, clip_config_from_state_dict
from trainer.text.encoder import TextEncoder

logger = logging.getLogger(__name__)

NETWORK = "decoder.net."
BODY_LAYERS = "decoder.smpl_layer_"
PUBLISHED_HEADS = 8
LEGACY_ANCHOR_FEATURES = 270
LICENCE = (
    "The weights come from a user's Ponimator checkpoints and stay under the terms of those; they "
    "were trained on research data. Do not redistribute this bundle without checking them."
)


def import_ponimator(
    animator_checkpoint: Path,
    generator_checkpoint: Path | None,
    out: Path,
    *,
    tokenizer: Path | None = None,
    heads: int = PUBLISHED_HEADS,
) -> Bundle:
    """Write the bundle `out` from `contactmotion.ckpt` and, if given, `contactpose.ckpt`.

    tokenizer  CLIP's tokenizer.json; without it the bundle takes no text
    heads      attention heads, which leave no trace in the tensors
    Raises BundleError naming file and tensor.
    """
    animator = read_animator(animator_checkpoint, heads=heads)
    parts, text = [ANIMATOR.part(animator, history_frames=1)], None
    if generator_checkpoint is not None:
        parts.append(GENERATOR.part(read_generator(generator_checkpoint, heads=heads)))
        if tokenizer is not None:
            clip = read_clip(generator_checkpoint, heads=heads)
            text = clip_text(clip, read_tokenizer(tokenizer), str(tokenizer))
        else:
            logger.warning("%s: no tokenizer is given, so it takes poses but no text", out)
    return export_bundle(
        out,
        parts,
        text=text,
        name=out.name.removesuffix(".bundle"),
        description=_description(parts, text),
        licence=LICENCE,
        weights="f32",
    )


def read_animator(path: Path, *, heads: int = PUBLISHED_HEADS) -> Animator:
    """The animator in a checkpoint. Raises BundleError unless every tensor fits."""
    state = _network_state(path)
    is_legacy = any(value.shape[1:] == (LEGACY_ANCHOR_FEATURES,) for value in state.values())
    if "conditon_embed" not in state and is_legacy:
        raise BundleError(
            f"{path}: trained with use_condition_embedding: False, an older condition layer that "
            "the released configuration does not use; expected the released layout",
            field="conditon_embed",
        )
    return _build(path, NETWORK, state, lambda s: Animator(config_from_state_dict(s, heads=heads)))


def read_generator(path: Path, *, heads: int = PUBLISHED_HEADS) -> Generator:
    """The generator in a checkpoint, without its text side. Raises BundleError likewise."""
    state = _network_state(path)
    if "text_embed.weight" not in state:
        raise BundleError(
            f"{path}: tensor {NETWORK}text_embed.weight is missing, so this is no generator; "
            "expected contactpose.ckpt",
            field=f"{NETWORK}text_embed.weight",
        )
    return _build(path, NETWORK, state, lambda s: Generator(config_from_state_dict(s, heads=heads)))


def read_clip(path: Path, *, heads: int = PUBLISHED_HEADS) -> ClipTower:
    """The text side in a generator's checkpoint. Raises BundleError likewise."""
    state = {key: value for key, value in _state_dict(path).items() if _is_text(key)}
    return _build(
        path, "", state, lambda s: ClipTower(clip_config_from_state_dict(s, top_heads=heads))
    )


def read_tokenizer(path: Path) -> str:
    """A tokenizer.json. Raises BundleError if there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise BundleError(f"{path}: no tokenizer.json: {exc}", field="tokenizer") from exc


def _description(parts: Sequence[Part], text: TextEncoder | None) -> str:
    held = [f"the {p.family.name} of {p.network.config.layers} blocks" for p in parts]
    held.append("no text: it was imported without a tokenizer" if text is None else "CLIP's text")
    return "Imported from Ponimator checkpoints: " + ", ".join(held)


# ----------------------------------------------------------------------------- checkpoints
def _network_state(path: Path) -> dict[str, Tensor]:
    """The denoiser's tensors, once every other key of the file has been accounted for."""
    state = _state_dict(path)
    for key in state:
        if not (key.startswith((NETWORK, BODY_LAYERS)) or _is_text(key)):
            raise BundleError(
                f"{path}: unknown tensor {key}; expected {NETWORK}*, {BODY_LAYERS}* and CLIP's",
                field=key,
            )
    network = {key.removeprefix(NETWORK): state[key] for key in state if key.startswith(NETWORK)}
    return _tables(network) | network


def _tables(network: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The sinusoidal tables, which need not be in the file: they follow from the width."""
    weight = network.get("blocks.0.ffn.linear1.weight")
    if weight is None or weight.ndim != 2:
        return {}
    table = SinusoidalTable(int(weight.shape[1])).pe
    return {f"{owner}sequence_pos_encoder.pe": table for owner in ("", "embed_timestep.")}


def _is_text(key: str) -> bool:
    tops = ("token_embedding.", "clip_transformer.", "ln_final.", "clipTransEncoder.", "clip_ln.")
    return key == "positional_embedding" or key.startswith(tops)


def _state_dict(path: Path) -> dict[str, Tensor]:
    """The `state_dict` of a Lightning file, each key without its first `model.`."""
    checkpoint = _load(path)
    state = checkpoint.get("state_dict") if isinstance(checkpoint, dict) else None
    if not isinstance(state, dict):
        raise BundleError(
            f"{path}: holds no state_dict; expected a PyTorch Lightning checkpoint",
            field="state_dict",
        )
    for key, value in state.items():
        if not isinstance(value, Tensor):
            raise BundleError(f"{path}: {key} is {type(value).__name__}, must be a tensor")
    return {key.replace("model.", "", 1): value for key, value in state.items()}


def _load(path: Path) -> Any:
    """Unpickle tensors and plain containers, nothing else. Raises BundleError."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as exc:
        raise BundleError(f"{path}: cannot be read: {exc.strerror}") from exc
    except pickle.UnpicklingError as exc:
        wanted = re.search(r"GLOBAL ([\w.]+)", str(exc))
        if wanted is None:
            raise BundleError(f"{path}: not a PyTorch checkpoint") from exc
        raise BundleError(
            f"{path}: wants to import {wanted[1]}, must hold tensors and plain values only; if you "
            "trust its source, save its state_dict alone and import that",
            reason="UNSAFE_PICKLE",
        ) from exc
    except Exception as exc:  # a damaged archive raises OSError, RuntimeError, EOFError, ...
        raise BundleError(f"{path}: not a PyTorch checkpoint, or damaged: {_line(exc)}") from exc


def _line(exc: Exception) -> str:
    return str(exc).strip().split("\n")[0][:200]


Network = TypeVar("Network", bound=nn.Module)


def _build(
    path: Path,
    prefix: str,
    state: Mapping[str, Tensor],
    make: Callable[[Mapping[str, Tensor]], Network],
) -> Network:
    """Make a network of the sizes that the tensors have, and give it them, in float32.

    Raises BundleError naming the first tensor that is missing, unknown or of another shape.
    """
    try:
        with torch.device("meta"):
            network = make(state)
    except KeyError as exc:
        key = f"{prefix}{exc.args[0]}"
        raise BundleError(f"{path}: tensor {key} is missing", field=key) from exc
    except ValueError as exc:  # a tensor with too few axes to read a size from
        raise BundleError(f"{path}: the tensors' shapes give no sizes: {exc}") from exc
    expected = {key: value.shape for key, value in network.state_dict().items()}
    for key in sorted(expected.keys() ^ state.keys()):
        what = "is missing" if key in expected else "is unknown"
        raise BundleError(f"{path}: tensor {prefix}{key} {what}", field=f"{prefix}{key}")
    for key, shape in expected.items():
        if state[key].shape != shape:
            raise BundleError(
                f"{path}: tensor {prefix}{key} has shape {tuple(state[key].shape)}, expected "
                f"{tuple(shape)} beside the others",
                field=f"{prefix}{key}",
            )
    network.load_state_dict({key: state[key].float() for key in state}, assign=True)
    return network.eval()
