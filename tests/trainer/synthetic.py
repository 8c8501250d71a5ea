"""A tiny folder of shards with smooth random motion."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.body.pose import Pose
from engine.body.rotations import rotmat_about, rotmat_from_axis_angle
from engine.motion.motion import features_from_pose
from trainer.data.shards import Clip, ShardsManifest, write_manifest, write_shard
from trainer.data.splits import Split

REST_JOINTS = np.array(
    [
        [0, -0.35, 0], [0.06, -0.44, 0], [-0.06, -0.44, 0], [0, -0.24, 0], [0.11, -0.82, 0],
        [-0.11, -0.82, 0], [0, -0.1, 0], [0.1, -1.23, 0], [-0.1, -1.23, 0], [0, -0.05, 0],
        [0.12, -1.28, 0.12], [-0.12, -1.28, 0.12], [0, 0.12, 0], [0.08, 0.05, 0], [-0.08, 0.05, 0],
        [0, 0.2, 0.02], [0.18, 0.08, 0], [-0.18, 0.08, 0], [0.44, 0.07, 0], [-0.44, 0.07, 0],
        [0.7, 0.07, 0], [-0.7, 0.07, 0],
    ],
    np.float32,
)  # fmt: skip
"""(22, 3) a symmetric body about as tall as a person."""


def write_clips(folder: Path, clips: int = 6, seed: int = 0) -> Path:
    """A finished folder of one shard."""
    shard = write_shard(folder, "shard-00000", clip_records(clips, seed))
    manifest = ShardsManifest(source="synthetic", options={}, shards=(shard,), is_complete=True)
    write_manifest(folder, manifest)
    return folder


def clip_records(clips: int, seed: int = 0) -> list[Clip]:
    """`clips` clips of 26 to 60 frames; people stand about a metre apart and face each other.

    Of eight, one is in `val` and one in `test`; the second may not be mirrored.
    """
    rng = np.random.default_rng(seed)
    lengths = rng.integers(31, 61, clips)
    lengths[0] = 26  # shorter than a window
    splits: tuple[Split, ...] = (*3 * ("train",), "val", "train", "train", "test", "train")
    return [
        Clip(
            features=_motion(int(frames), rng),
            rest_joints=REST_JOINTS * rng.uniform(0.9, 1.1, (2, 1, 1)).astype(np.float32),
            betas=rng.normal(0, 1, (2, 10)).astype(np.float32),
            kind="wave",
            captions=("one person waves with the left hand", "a Right hand is waved"),
            anchor_frames=(12, 20),
            contacts=((12, 20, 21),),
            split=splits[i % 8],
            source=f"synthetic:{i}",
            is_mirrorable=i != 1,
        )
        for i, frames in enumerate(lengths)
    ]


def _motion(frames: int, rng: np.random.Generator) -> np.ndarray:
    """(frames, 2, 135)"""
    times = np.arange(frames)[:, None, None, None] / 10
    swing = rng.normal(0, 0.2, (2, 22, 3)) * np.sin(times * rng.uniform(1, 3, (2, 22, 3)))
    rotmats = rotmat_from_axis_angle(swing)
    facing = rng.uniform(-np.pi, np.pi)
    for person in range(2):
        turn = rotmat_about("y", np.array(facing + person * np.pi))
        rotmats[:, person, 0] = turn @ rotmats[:, person, 0]
    transl = rng.normal(0, 0.02, (frames, 2, 3)).cumsum(axis=0) * 0.1 + [0, 1.3, 0]
    transl[:, 1] += np.array([np.sin(facing), 0, np.cos(facing)])
    return features_from_pose(Pose(rotmats, transl))
