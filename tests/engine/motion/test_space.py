"""Personal space: what reaches into the zone is kept out of it, and nothing else is touched."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from engine.arrays import Array, BoolArray
from engine.body.capsules import Segments, fitted_capsules
from engine.body.pose import Pose, stacked
from engine.body.rotations import rotmat_about, rotmat_from_axis_angle
from engine.body.shape import load_body
from engine.body.skeleton import JOINT
from engine.motion.space import PUSH_STEP, PersonalSpace
from engine.motion.standing import standing_pose

BODY = load_body()
BETAS = np.stack([np.zeros(10), np.linspace(1, -1, 10)]).astype(np.float32)
REST = BODY.rest_joints(BETAS)
FRAMES = 30
FREE = np.ones(FRAMES, np.bool_)


def space_of(radius: float) -> PersonalSpace:
    player, partner = (fitted_capsules(BODY, betas) for betas in BETAS)
    return PersonalSpace((player, partner), REST, radius)


def wander(rng: np.random.Generator, around: Array, reach: float) -> Pose:
    """A smooth random motion of FRAMES frames: all joints turn, the body walks past `around`."""
    time = np.linspace(0, 1, FRAMES)
    waves = np.stack([np.sin(2 * np.pi * k * time / 2 + k) for k in range(1, 4)])
    turns = np.einsum("kt,kjc->tjc", waves, rng.normal(0, 0.3, (3, 22, 3)))
    rotmats = standing_pose() @ rotmat_from_axis_angle(turns)
    rotmats[:, 0] = rotmat_about("y", rng.uniform(-np.pi, np.pi)) @ rotmats[:, 0]
    ends = around + reach * rng.normal(0, 1, (2, 3)) * np.array([1, 0.05, 1])
    return Pose(rotmats, ends[0] + time[:, None] * (ends[1] - ends[0]))


def standing(place: Array) -> Pose:
    """Still at a place."""
    return stacked([Pose(standing_pose(), place)] * FRAMES)


def standing_zone(space: PersonalSpace, player: Pose | None = None) -> Segments:
    return space.zone((player or standing(np.zeros(3)))[:, None])


def mesh_gap(player: Pose, partner: Pose) -> float:
    skins = [
        BODY.vertices(pose, betas) for pose, betas in zip((player, partner), BETAS, strict=True)
    ]
    return float(cKDTree(skins[0]).query(skins[1])[0].min())


@pytest.mark.parametrize("radius", [0.0, 0.3])
def test_no_part_of_the_partner_is_in_the_zone_whatever_both_do(radius: float) -> None:
    space, rng = space_of(radius), np.random.default_rng(3)
    reached_in = 0
    for trial in range(12):
        player, partner = wander(rng, np.zeros(3), 0.5), wander(rng, np.zeros(3), 1.0)
        zone = standing_zone(space, player)
        reached_in += space.depths(partner, zone).any(axis=1).sum()
        kept = space.kept(partner, zone, is_free=FREE).pose
        assert np.isfinite(kept.rotmats).all()
        assert np.isfinite(kept.transl).all()
        assert not space.depths(kept, zone).any()
        frame = trial % FRAMES
        assert mesh_gap(player[frame], kept[frame]) > radius
    assert reached_in > 60


def test_who_keeps_out_is_left_alone() -> None:
    space = space_of(0.2)
    partner = standing(np.array([1.5, 0, 0]))
    kept = space.kept(partner, standing_zone(space), is_free=FREE)
    assert kept.pose is partner
    assert not kept.is_changed.any()


def reaching(forward: Array) -> Pose:
    """Stands 0.75 m before the player, faces him, and reaches out by parts of the way."""
    rotmats = np.stack([standing_pose()] * len(forward))
    rotmats[:, 0] = rotmat_about("y", np.pi)
    rotmats[:, JOINT["right_shoulder"]] = rotmat_about("y", 1.45 * forward) @ rotmat_about(
        "z", 1.2 * (1 - forward)
    )
    return Pose(rotmats, np.full((len(forward), 3), [0, 0, 0.75]))


def test_an_arm_that_reaches_in_is_bent_back_and_the_body_stays() -> None:
    space = space_of(0.0)
    partner = reaching(np.linspace(0, 1, FRAMES))
    zone = standing_zone(space)
    assert space.depths(partner, zone)[-1, 2] > 0.05
    kept = space.kept(partner, zone, is_free=FREE)
    np.testing.assert_array_equal(kept.pose.transl, partner.transl)
    others = [JOINT[name] for name in ("pelvis", "left_shoulder", "left_elbow", "head")]
    np.testing.assert_array_equal(kept.pose.rotmats[:, others], partner.rotmats[:, others])
    assert not kept.is_changed[0]
    assert kept.is_changed[-1]


def approaching(speed: float) -> Pose:
    rotmats = np.stack([standing_pose()] * FRAMES)
    rotmats[:, 0] = rotmat_about("y", np.pi)
    transl = np.zeros((FRAMES, 3))
    transl[:, 2] = 1.5 - speed / 10 * np.arange(FRAMES)
    return Pose(rotmats, transl)


def test_one_who_walks_into_the_player_slows_down_before_him() -> None:
    space = space_of(0.1)
    kept = space.kept(approaching(0.45), standing_zone(space), is_free=FREE).pose
    steps = np.diff(kept.transl[:, 2])
    assert kept.transl[:, 2].min() > 0.3
    assert np.abs(steps).max() < 0.045 + PUSH_STEP
    assert np.abs(kept.transl[:, 0]).max() < 0.05


def test_one_who_is_to_come_out_behind_the_player_does_not_jump_there() -> None:
    space = space_of(0.1)
    partner = approaching(1.0)
    kept = space.kept(partner, standing_zone(space), is_free=FREE, before=partner.transl[0])
    assert np.linalg.norm(np.diff(kept.pose.transl, axis=0), axis=-1).max() < 0.35


def only_late() -> BoolArray:
    return np.asarray(np.arange(FRAMES) >= 6)


def test_frames_that_are_not_free_change_only_where_they_reach_in() -> None:
    space = space_of(0.0)
    partner = approaching(0.0)
    partner.transl[:, 2] = np.where(np.arange(FRAMES) < 4, 1.5, 0.2)
    kept = space.kept(partner, standing_zone(space), is_free=only_late())
    assert not kept.is_changed[:4].any()
    assert kept.is_changed[4:].all()


def test_all_poses_of_a_player_count() -> None:
    space = space_of(0.0)
    partner = approaching(0.0)
    two = [Pose(partner.rotmats, partner.transl + np.array([x, 0, 0])) for x in (3.0, 0.1)]
    zone = space.zone(stacked(two, axis=1))
    kept = space.kept(partner, zone, is_free=FREE)
    assert kept.is_changed.all()
    assert not space.depths(kept.pose, zone).any()
