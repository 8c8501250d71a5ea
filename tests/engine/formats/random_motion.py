"""Motions of people who are thrown about at random: whatever a motion may hold."""

from __future__ import annotations

import numpy as np

from engine.body.pose import Pose
from engine.body.rotations import quat_from_rotmat, rotmat_from_axis_angle
from engine.body.shape import load_body
from engine.motion.motion import Motion
from engine.motion.standing import standing_partner, standing_pose


def random_motion(
    seed: int, *, people: int = 2, frames: int = 7, rate: float = 10.0, has_curls: bool = False
) -> Motion:
    """Every joint turns smoothly about axes of its own, by up to a turn; shapes are odd ones."""
    rng = np.random.default_rng(seed)
    start, end = rng.normal(0, 1.0, (2, people, 1, 22, 3))
    part = np.linspace(0, 1, frames)[None, :, None, None]
    rotmats = rotmat_from_axis_angle(start + part * (end - start))
    return Motion(
        quats_xyzw=quat_from_rotmat(rotmats).astype(np.float32),
        transl=rng.normal(0, 1.0, (people, 1, 3)).astype(np.float32)
        + np.cumsum(rng.normal(0, 0.05, (people, frames, 3)), axis=1).astype(np.float32),
        betas=rng.normal(0, 1.5, (people, 10)).astype(np.float32),
        frame_rate=rate,
        curls=rng.uniform(0, 1, (people, frames, 10)).astype(np.float32) if has_curls else None,
    )


def standing_pair(*, frames: int = 25, apart: float = 0.25) -> Motion:
    """Two people at ease who face each other and do not move; nearer than 0.3 m they touch."""
    rest = load_body().rest_joints(np.zeros((2, 10)))
    player = Pose(standing_pose(), np.array([0.0, 1.28, 0.0]))
    partner = standing_partner(player, rest, apart, floor=0.0)
    rotmats = np.stack([player.rotmats, partner.rotmats])
    quats = np.repeat(quat_from_rotmat(rotmats)[:, None], frames, axis=1)
    transl = np.repeat(np.stack([player.transl, partner.transl])[:, None], frames, axis=1)
    return Motion(
        quats_xyzw=quats.astype(np.float32),
        transl=transl.astype(np.float32),
        betas=np.zeros((2, 10), np.float32),
    )
