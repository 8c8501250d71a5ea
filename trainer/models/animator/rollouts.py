"""Roll-outs: windows whose history is the network's own, as it is live.

From a true history the network makes a window, part of which becomes the next one's history, and so
on; the player stays true. What is learnt is the last window, whose target goes on where the
partner's own history ends and rejoins the truth within a second and a half. No gradient runs
through the chain (DART, arXiv:2410.05260, and ARMFlow, arXiv:2512.16234, train so).
Knows truths, windows and a way to denoise them; no optimiser and no file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from engine.arrays import Array, IntArray
from engine.bundle import DIFFUSION_STEPS
from engine.errors import ConfigError
from engine.motion.motion import WINDOW_FRAMES, features_from_pose, pose_from_features
from engine.sampling.schedule import schedule_of
from trainer.data.canonical import anchor_joints_of, canonicalised
from trainer.data.drift import rejoined
from trainer.data.shards import PARTNER
from trainer.data.windows import WindowSampler
from trainer.models.diffusion import ddim_sample
from trainer.models.family import Tensors, drawn_timesteps, shown

CHAIN = "chain_"
"""Before the names of what roll-outs need, in a batch."""
Denoise = Callable[[Tensors], Tensor]
"""Windows with "x_t" and "timesteps" -> x0, as the network being trained answers."""


@dataclass(frozen=True, kw_only=True)
class RolloutConfig:
    """How the network is shown its own history."""

    share: float = 0.0
    """Roll-outs for each other row of a batch: a quarter is enough, and teaches more than all."""
    windows: int = 2
    """Windows that are made before the one that is learnt."""
    advance: tuple[int, int] = (4, 12)
    """Frames by which a window lies after the one before it, at least and at most."""
    history: int = 10
    """Frames known of both people up to the anchor."""
    committed: int = 3
    """Frames known of the partner beyond the anchor."""
    rejoin: int = 15
    """Frames in which the target comes back to the truth."""
    timesteps: tuple[int, ...] = (890, 610, 310, 7)
    """The schedule that windows are made with: the one that sessions use."""

    def __post_init__(self) -> None:
        if not 0 < self.advance[0] <= self.advance[1] <= WINDOW_FRAMES - self.last_known - 1:
            raise ConfigError(
                f"advance is {self.advance}, expected two numbers from 1 to "
                f"{WINDOW_FRAMES - self.last_known - 1}: what is made is to reach to the next "
                "history's end",
                field="advance",
            )

    @property
    def last_known(self) -> int:
        """Frame of a window up to which the partner is known."""
        return self.history - 1 + self.committed

    @property
    def frames(self) -> int:
        return WINDOW_FRAMES + self.windows * self.advance[1]


def draw_chains(
    sampler: WindowSampler,
    config: RolloutConfig,
    rows: int,
    timestep_power: float,
    rng: np.random.Generator,
) -> Tensors:
    """What `rows` roll-outs need: the truth that they run along, and all that is drawn by chance.

    motion (rows, 2, config.frames, 135), rest_joints (rows, 2, 22, 3), text (rows, width);
    begins (rows, windows + 1) first frame of each window, the last one's the learnt one's;
    noise (rows, windows + 1, 2, 30, 135); timesteps (rows,) of the learnt one
    """
    motion, rest, text = sampler.draw_tracks(rows, config.frames, rng)
    steps = rng.integers(config.advance[0], config.advance[1] + 1, (rows, config.windows))
    begins = np.concatenate([np.zeros((rows, 1), np.int64), steps.cumsum(axis=1)], axis=1)
    shape = (*begins.shape, 2, WINDOW_FRAMES, motion.shape[-1])
    drawn = {
        "motion": motion,
        "rest_joints": rest,
        "text": text,
        "begins": begins,
        "noise": rng.standard_normal(shape, np.float32),
    }
    tensors = {name: torch.from_numpy(np.ascontiguousarray(v)) for name, v in drawn.items()}
    tensors["timesteps"] = drawn_timesteps(rows, timestep_power, rng)
    return {CHAIN + name: tensor for name, tensor in tensors.items()}


@torch.no_grad()
def rolled_out(
    batch: Tensors,
    denoise: Denoise,
    config: RolloutConfig,
    noise_alone_from: int = DIFFUSION_STEPS,
) -> Tensors:
    """The learnt windows of a batch's roll-outs, as rows for `animator_losses`."""
    chain = {n.removeprefix(CHAIN): v for n, v in batch.items() if n.startswith(CHAIN)}
    device = chain["noise"].device
    motion, rest, begins = (chain[n].cpu().numpy() for n in ("motion", "rest_joints", "begins"))
    # Three people: the player, the partner of the roll-out, and the partner of the truth.
    track, rest = (np.concatenate([a, a[:, PARTNER:]], axis=1) for a in (motion, rest))
    schedule = schedule_of(config.timesteps)
    for number in range(config.windows):
        first = begins[:, number]
        track = canonicalised(track, rest, first + config.history - 1)
        window = _window(track[:, :2], rest[:, :2], first, config)
        tensors = {name: torch.from_numpy(v).to(device) for name, v in window.items()}
        tensors["text"] = chain["text"]
        x0 = ddim_sample(partial(_denoised, denoise, tensors), chain["noise"][:, number], schedule)
        made = (x0 + tensors["anchor"][:, :, None])[:, PARTNER, config.last_known + 1 :]
        proper = features_from_pose(pose_from_features(made.cpu().numpy()))
        rows = np.arange(len(track))[:, None]
        beyond = first[:, None] + np.arange(config.last_known + 1, WINDOW_FRAMES)
        track[rows, PARTNER, beyond] = proper
    first = begins[:, -1]
    track = canonicalised(track, rest, first + config.history - 1)
    window = _window(track[:, :2], rest[:, :2], first, config)
    truth = _cut(track[:, 2:], first)[:, 0]
    target = rejoined(window["motion"][:, PARTNER], truth, config.last_known, config.rejoin)
    window["motion"] = np.stack([window["motion"][:, 0], target], axis=1)
    tensors = {name: torch.from_numpy(v).to(device) for name, v in window.items()}
    residual = tensors["motion"] - tensors["anchor"][:, :, None]
    return tensors | {
        "clean_anchor": tensors["anchor"],
        "text": chain["text"],
        "timesteps": chain["timesteps"],
        "x_t": shown(residual, chain["timesteps"], chain["noise"][:, -1], noise_alone_from),
    }


def _denoised(denoise: Denoise, window: Tensors, x_t: Tensor, timesteps: Tensor) -> Tensor:
    return denoise(window | {"x_t": x_t, "timesteps": timesteps})


def _cut(track: Array, first: IntArray) -> Array:
    """The windows (rows, person, 30, 135) that begin at `first` (rows,)."""
    frames = first[:, None] + np.arange(WINDOW_FRAMES)
    return track[np.arange(len(track))[:, None], :, frames].transpose(0, 2, 1, 3)


def _window(track: Array, rest: Array, first: IntArray, config: RolloutConfig) -> dict[str, Array]:
    """What a revision is told: the history of both, and the partner's committed frames."""
    motion = _cut(track, first)
    mask = np.zeros((*motion.shape[:-1], 1), np.float32)
    mask[:, :, : config.history] = 1
    mask[:, PARTNER, : config.last_known + 1] = 1
    anchor = motion[:, :, config.history - 1]
    return {
        "motion": motion,
        "known": motion * mask,
        "known_mask": mask,
        "anchor": anchor,
        "anchor_joints": anchor_joints_of(anchor, rest),
        "rest_joints": np.ascontiguousarray(rest, np.float32),
    }
