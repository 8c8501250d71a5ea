"""The parity files' tiny networks as a bundle. Needs PyTorch, so it is imported when asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import torch

from engine.arrays import Array
from engine.bundle import Bundle, ScheduleSpec
from engine.sampling.schedule import step_schedule
from trainer.export.bundles import export_bundle
from trainer.models.animator.family import FAMILY as ANIMATOR
from trainer.models.animator.network import Animator
from trainer.models.blocks import NetworkConfig
from trainer.models.generator.family import FAMILY as GENERATOR
from trainer.models.generator.network import Generator

Network = TypeVar("Network", Animator, Generator)


def export_parity_bundle(
    path: Path, animator: Mapping[str, Array], generator: Mapping[str, Array]
) -> Bundle:
    """Export the networks of animator_tiny.npz and generator_tiny.npz, every bit of the weights."""
    return export_bundle(
        path,
        [
            ANIMATOR.part(
                _with_weights(Animator(_config(animator)), animator),
                steps_default=8,
                schedules=even_schedules((8, 50)),
            ),
            GENERATOR.part(_with_weights(Generator(_config(generator)), generator)),
        ],
        name="parity",
        description="the tiny networks of the parity files",
        licence="none",
        weights="f32",
    )


def even_schedules(counts: Sequence[int]) -> tuple[ScheduleSpec, ...]:
    """The published spacing at these step counts, not measured yet."""
    return tuple(
        ScheduleSpec(
            steps=steps, timesteps=tuple(step_schedule(steps).timesteps.tolist()), quality=None
        )
        for steps in counts
    )


def _config(parity: Mapping[str, Array]) -> NetworkConfig:
    sizes = json.loads(str(parity["config"]))
    return NetworkConfig(
        width=sizes["latent_dim"],
        heads=sizes["num_heads"],
        layers=sizes["num_layers"],
        ffn_width=sizes["ff_size"],
        text_width=sizes.get("text_dim", 0),
    )


def _with_weights(network: Network, parity: Mapping[str, Array]) -> Network:
    weights = {
        key.removeprefix("w/net."): torch.from_numpy(value)
        for key, value in parity.items()
        if key.startswith("w/")
    }
    missing, unexpected = network.load_state_dict(weights, strict=False)
    assert not unexpected
    assert all(key.endswith(".pe") for key in missing)
    return network
