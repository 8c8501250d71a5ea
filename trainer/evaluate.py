"""Evaluation of an animator on clips it never saw: `python -m trainer.evaluate MODEL --clips ...`.

Knows windows, metrics and two ways to sample: a checkpoint in torch, a bundle through the engine.
The truth's own figures stand in the first row, because a metric means nothing without them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from engine.arrays import Array, BoolArray
from engine.body.kinematics import forward_kinematics
from engine.errors import InputError
from engine.motion import WINDOW_FRAMES, rotmats_from_features
from trainer import metrics
from trainer.data import windows
from trainer.data.shards import Clips, load_clips
from trainer.data.windows import KnownSetConfig, WindowBatch
from trainer.losses import POINT_PARENTS, rest_points
from trainer.models.animator import Animator
from trainer.models.blocks import config_from_state_dict
from trainer.models.diffusion import ddim_sample
from trainer.models.generator import Generator

PREFIX = "model.decoder.net."
STEPS = (4, 8, 10, 20, 50)


@dataclass(frozen=True, kw_only=True)
class Given:
    """What the animator is given, as in `WindowBatch`."""

    known: Array
    known_mask: Array
    anchor: Array
    anchor_joints: Array


SampleWindows = Callable[[Given, int, int], Array]
"""(given, steps, seed) -> absolute windows (batch, 2, 30, 135)."""


# ---------------------------------------------------------------------------------------- sampling
def load_checkpoint(path: Path) -> Animator | Generator:
    """The exported (EMA) network of a checkpoint that `trainer/train.py` wrote."""
    stored = torch.load(path, weights_only=True, map_location="cpu")
    if "contrapose" not in stored:
        raise InputError(f"{path}: is no checkpoint of trainer.train", field="contrapose")
    state = {k.removeprefix(PREFIX): v for k, v in stored["state_dict"].items()}
    config = replace(
        config_from_state_dict(state, heads=stored["contrapose"]["heads"]), dropout=0.0
    )
    is_animator = stored["contrapose"]["network"] == "animator"
    network = Animator(config) if is_animator else Generator(config)
    network.load_state_dict(state)
    return network.eval()


def torch_sampler(animator: Animator) -> SampleWindows:
    """DDIM in torch, float32."""

    def sample(given: Given, steps: int, seed: int) -> Array:
        known, mask, anchor, joints = (
            torch.from_numpy(np.ascontiguousarray(array))
            for array in (given.known, given.known_mask, given.anchor, given.anchor_joints)
        )
        noise = np.random.default_rng(seed).standard_normal(known.shape, np.float32)
        x0 = ddim_sample(
            lambda x, t: animator(x, t, known, mask, anchor, joints),
            torch.from_numpy(noise),
            steps,
        )
        return (x0 + anchor[:, :, None]).numpy()

    return sample


def bundle_sampler(path: Path) -> SampleWindows:
    """The compiled graphs of a bundle, by the engine's own sampler."""
    from engine.backends import open_backend
    from engine.bundle import load_bundle
    from engine.sampler import WindowRequest, load_models, sample_windows

    models = load_models(load_bundle(path), open_backend("openvino"), is_lazy=True)

    def sample(given: Given, steps: int, seed: int) -> Array:
        requests = [
            WindowRequest(
                known=given.known[row],
                known_mask=given.known_mask[row],
                anchor=given.anchor[row],
                anchor_joints=given.anchor_joints[row],
                seed=seed + row,
                steps=steps,
            )
            for row in range(len(given.anchor))
        ]
        return np.asarray(sample_windows(models, requests)) + given.anchor[:, :, None]

    return sample


def open_sampler(path: Path) -> SampleWindows:
    if path.is_dir() and (path / "manifest.json").exists():
        return bundle_sampler(path)
    network = load_checkpoint(path)
    if not isinstance(network, Animator):
        raise InputError(f"{path}: holds a generator; name an animator", field="network")
    return torch_sampler(network)


# ---------------------------------------------------------------------------------------- measures
def points_of(motion: Array, rest: Array) -> Array:
    """Joints and palms (batch, 2, frame, 24, 3) of windows (batch, 2, frame, 135)."""
    rotmats, transl = rotmats_from_features(motion)
    still = np.broadcast_to(np.eye(3, dtype=np.float32), (*rotmats.shape[:-3], 2, 3, 3))
    points = rest_points(torch.from_numpy(rest)).numpy()[:, :, None]
    turns = np.concatenate([rotmats, still], axis=-3)
    return forward_kinematics(points, turns, transl, POINT_PARENTS)[0]


def window_measures(
    motion: Array, batch: WindowBatch, true_touching: BoolArray
) -> dict[str, float]:
    """All measures of windows in which every frame is valid."""
    points, truth = points_of(motion, batch.rest_joints), points_of(batch.motion, batch.rest_joints)
    joints = points[..., :22, :]
    known = batch.known_mask[..., 0] > 0
    return {
        "foot_skating_cm_s": metrics.foot_skating(joints),
        "jerk_m_s3": metrics.mean_jerk(joints),
        "contact_gap_cm": metrics.contact_gap(points, true_touching),
        "known_frame_error_cm": metrics.frame_error(joints, truth[..., :22, :], known),
        "unknown_frame_error_cm": metrics.frame_error(joints, truth[..., :22, :], ~known),
        "top_speed_m_s": metrics.top_speed(joints),
        "floor_error_cm": metrics.floor_error(joints),
    }


CASES = {
    "anchor": KnownSetConfig(anchor_only=1, history=0, player_known=0, ends=0),
    "history": KnownSetConfig(anchor_only=0, history=1, player_known=0, ends=0, young=0),
}


def evaluate_windows(
    sample: SampleWindows, clips: Clips, count: int, steps: Sequence[int], seed: int
) -> dict[str, dict[str, dict[str, float]]]:
    """{known set: {"truth" or steps: measures}} over `count` windows of clips long enough."""
    long = np.array([i for i in range(len(clips)) if clips.frames(i) >= WINDOW_FRAMES])
    report: dict[str, dict[str, dict[str, float]]] = {}
    for name, known_sets in CASES.items():
        sampler = windows.WindowSampler(
            clips=clips, subset=long, known_sets=known_sets, augment=False
        )
        batch = sampler.draw(count, np.random.default_rng(seed))
        given = Given(
            known=batch.known,
            known_mask=batch.known_mask,
            anchor=batch.anchor,
            anchor_joints=batch.anchor_joints,
        )
        unknown = (batch.known_mask[:, :, :, 0] == 0).any(axis=1)[:, :, None, None]
        touching = metrics.touching(points_of(batch.motion, batch.rest_joints)) & unknown
        report[name] = {"truth": window_measures(batch.motion, batch, touching)} | {
            str(k): window_measures(sample(given, k, seed), batch, touching) for k in steps
        }
    return report


# ------------------------------------------------------------------------------------- a session
def reacted(
    sample: SampleWindows,
    motion: Array,
    rest: Array,
    *,
    steps: int,
    seed: int,
    history: int = 10,
    commit: int = 3,
    stride: int = 5,
) -> tuple[Array, BoolArray]:
    """The partner re-made as in a session: a revision every `stride` frames, from its own history.

    motion (batch, 2, frame, 135) true; its first `history` frames of both are given, then the
    player's as they come. Returns motion with the partner's frames replaced; seams (frame,).
    """
    result = motion.copy()
    frames = motion.shape[2]
    is_seam = np.zeros(frames, np.bool_)
    for first in range(0, frames - WINDOW_FRAMES + 1, stride):
        last = first + history - 1
        result = windows.canonicalised(result, rest, np.full(len(rest), last))
        window = result[:, :, first : first + WINDOW_FRAMES]
        committed = history + (commit if first else 0)
        mask = np.zeros((*window.shape[:3], 1), np.float32)
        mask[:, 0, :history] = mask[:, 1, :committed] = 1
        anchor = window[:, :, history - 1]
        given = Given(
            known=window * mask,
            known_mask=mask,
            anchor=anchor,
            anchor_joints=windows.anchor_joints_of(anchor, rest),
        )
        made = sample(given, steps, seed + first)
        result[:, 1, first + committed : first + WINDOW_FRAMES] = made[:, 1, committed:]
        is_seam[first + committed] = True
    return result, is_seam


def evaluate_reaction(
    sample: SampleWindows, clips: Clips, steps: Sequence[int], seed: int, count: int = 16
) -> dict[str, dict[str, float]]:
    """Seams, skating and jerk of the partner over sessions of 50 frames; raw, without clean-up."""
    frames = 50
    long = [i for i in range(len(clips)) if clips.frames(i) >= frames][:count]
    if not long:
        return {}
    cut = clips.frames_at(clips.starts[long][:, None] + np.arange(frames))
    motion, rest = cut.transpose(0, 2, 1, 3), clips.rest_joints[long]

    def measures(made: Array, is_seam: BoolArray) -> dict[str, float]:
        partner = points_of(made, rest)[:, 1, 10:, :22]
        return {
            "seam_jerk_ratio": metrics.seam_jerk_ratio(partner, is_seam[10:]),
            "foot_skating_cm_s": metrics.foot_skating(partner),
            "jerk_m_s3": metrics.mean_jerk(partner),
            "top_speed_m_s": metrics.top_speed(partner),
            "floor_error_cm": metrics.floor_error(partner),
        }

    report: dict[str, dict[str, float]] = {}
    for k in steps:
        made, is_seam = reacted(sample, motion, rest, steps=k, seed=seed)
        canonical = windows.canonicalised(motion, rest, np.zeros(len(rest), np.int64))
        report.setdefault("truth", measures(canonical, is_seam))
        report[str(k)] = measures(made, is_seam)
    return report


# ------------------------------------------------------------------------------------ command line
def table(rows: dict[str, dict[str, float]]) -> str:
    """Rows by steps as text for a terminal or the model card (Markdown)."""
    names = list(next(iter(rows.values())))
    lines = ["| steps | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for label, row in rows.items():
        lines.append(f"| {label} | " + " | ".join(f"{row[name]:.2f}" for name in names) + " |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m trainer.evaluate", description=__doc__)
    parser.add_argument("model", type=Path, help="a bundle or an animator's checkpoint")
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--all-clips", action="store_true", help="the file is all held out")
    parser.add_argument("--windows", type=int, default=64)
    parser.add_argument("--steps", type=int, nargs="+", default=list(STEPS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--out", type=Path)
    args = parser.parse_args(arguments)
    clips = load_clips(args.clips)
    if not args.all_clips:
        clips = clips.only(clips.subset("test"))
    sample = open_sampler(args.model)
    report = {
        **evaluate_windows(sample, clips, args.windows, args.steps, args.seed),
        "reaction": evaluate_reaction(sample, clips, args.steps, args.seed),
    }
    for name, rows in report.items():
        print(f"\n{name}\n{table(rows)}" if rows else f"\n{name}: no clip is long enough")
    if args.out:
        args.out.write_text(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
