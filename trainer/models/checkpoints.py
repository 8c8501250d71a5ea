"""Checkpoints of `contrapose train`, and the networks in them.

Knows the layout of the file and the families. Knows no run: what it keeps beside the network to go
on from there is `trainer/training/runs.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.errors import ConfigError, InputError
from trainer.models.blocks import Network, config_from_state_dict
from trainer.models.bundles import bundle_checkpoint
from trainer.models.families import FAMILIES, family

PREFIX = "model.decoder.net."
"""Before every key of `state_dict`, as in the published checkpoints."""


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint, on the CPU. Raises InputError if `path` holds none of ours."""
    try:
        stored: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as exc:
        # PyTorch's reader of strangers' pickles raises whatever their bytes hit.
        raise InputError(f"{path}: cannot be read as a checkpoint ({_reason(exc)})") from exc
    if not isinstance(stored, dict) or "contrapose" not in stored:
        raise InputError(f"{path}: is no checkpoint of `contrapose train`", field="contrapose")
    if not isinstance(stored["contrapose"], dict):
        raise InputError(f"{path}: contrapose is no table; train again", field="contrapose")
    return stored


def read_weights(path: Path, name: str) -> dict[str, Any]:
    """A checkpoint, or the network of family `name` in a bundle, in the same form."""
    return bundle_checkpoint(path, name) if path.is_dir() else read_checkpoint(path)


def _reason(exc: Exception) -> str:
    """The first sentence: PyTorch's go on with how to read a file that it does not trust."""
    return str(exc).partition(". ")[0] or type(exc).__name__


def averaged_weights(stored: Mapping[str, Any]) -> dict[str, Tensor]:
    """The exported weights of a checkpoint, under the names that the network gives them."""
    return {key.removeprefix(PREFIX): value for key, value in stored["state_dict"].items()}


def load_network(path: Path, kind: type[Network]) -> Network:
    """The exported (EMA) network of a checkpoint, or a bundle's.

    Raises InputError if it is of another kind, or parts are missing.
    """
    stored = read_weights(path, kind.__name__.lower())
    try:
        return _network(path, stored, kind)
    except (KeyError, TypeError, AttributeError, RuntimeError) as exc:
        raise InputError(
            f"{path}: not all parts of a network are in it ({exc}); train it again",
            field="state_dict",
        ) from exc


def _network(path: Path, stored: Mapping[str, Any], kind: type[Network]) -> Network:
    state, about = averaged_weights(stored), stored["contrapose"]
    if about["network"] not in FAMILIES:
        raise InputError(
            f"{path}: holds a network of family {about['network']}, expected one of "
            f"{', '.join(FAMILIES)}",
            field="network",
        )
    size = replace(config_from_state_dict(state, heads=about["heads"]), dropout=0.0)
    network = family(about["network"]).network(size)
    if not isinstance(network, kind):
        raise InputError(
            f"{path}: holds no {kind.__name__.lower()} but the {about['network']}; name another",
            field="network",
        )
    network.load_state_dict(state)
    return network.eval()


def distilled_schedules(path: Path) -> dict[int, tuple[int, ...]]:
    """The timesteps for each number of calls that a network was distilled to, descending."""
    schedules = read_checkpoint(path)["contrapose"].get("schedules", ())
    return {len(timesteps): tuple(timesteps) for timesteps in schedules}


def start_from(network: nn.Module, path: Path, name: str) -> list[list[int]]:
    """Set a fresh network of family `name` to another run's averaged weights, or a bundle's; what
    the other lacks stays. Returns the schedules that the other was distilled to.

    Only `text_embed` may be missing: it starts at zero, so words change nothing at first.
    Raises ConfigError that names the first tensor that does not fit.
    """
    stored, own = read_weights(path, name), network.state_dict()
    weights = averaged_weights(stored)
    for name in sorted(weights.keys() | own.keys()):
        found, wanted = weights.get(name), own.get(name)
        if found is None and name.startswith("text_embed."):
            continue
        if found is None or wanted is None or found.shape != wanted.shape:
            shapes = [None if t is None else tuple(t.shape) for t in (found, wanted)]
            raise ConfigError(
                f"init: {path} has {name} as {shapes[0]}, this network as {shapes[1]}; give the "
                "same [size] and text_encoder as that run",
                field="init",
            )
    network.load_state_dict(weights, strict=False)
    return list(stored["contrapose"].get("schedules", ()))
