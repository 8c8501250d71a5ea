"""The canonical frame: where it puts the player, and that it only changes the frame."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.arrays import Array
from engine.body.canonical import (
    CanonicalFrame,
    canonical_frame,
    from_canonical,
    to_canonical,
    yaw_of,
)
from engine.body.pose import Pose, stacked
from engine.body.rotations import rotmat_about, rotmat_from_axis_angle
from engine.body.skeleton import JOINT, JOINT_COUNT, JOINT_NAMES

Pair = tuple[Pose, Array]
"""And the rest joints of both."""


def rest_skeleton() -> Array:
    """A T pose, roughly human, metres; the rest pelvis is not at the origin, as in SMPL-X."""
    joints = np.zeros((JOINT_COUNT, 3))
    joints[:, 1] = np.linspace(0.1, -0.4, JOINT_COUNT)
    for name in JOINT_NAMES:
        side, _, part = name.partition("_")
        width = {"hip": 0.1, "knee": 0.1, "ankle": 0.1, "foot": 0.1, "collar": 0.05}
        reach = {"shoulder": 0.18, "elbow": 0.45, "wrist": 0.7}
        if part:
            x = {**width, **reach}[part]
            joints[JOINT[name], 0] = x if side == "left" else -x
    joints[0] = (0.01, -0.35, 0.02)
    return joints


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rotmats = rotmat_from_axis_angle(random.normal(0, 0.5, (2, JOINT_COUNT, 3)))
    yaw = random.uniform(-np.pi, np.pi, 2)
    rotmats[:, 0] = rotmat_about("y", yaw) @ rotmats[:, 0]
    rest = rest_skeleton() + random.normal(0, 0.01, (2, JOINT_COUNT, 3))
    return Pose(rotmats, random.normal(0, 2, (2, 3))), rest


@given(pairs())
def test_the_player_stands_at_the_origin_and_faces_forward_on_the_floor(pair: Pair) -> None:
    pose, rest = pair
    posed = to_canonical(canonical_frame(pose, rest), pose, rest)
    joints, _ = posed.in_world(rest)
    np.testing.assert_allclose(posed[0].transl[[0, 2]], 0, atol=1e-9)
    np.testing.assert_allclose(yaw_of(joints[0]), 0, atol=1e-9)
    np.testing.assert_allclose(joints[..., 1].min(), 0, atol=1e-9)


@given(pairs())
def test_both_people_move_as_one_rigid_body_and_stay_upright(pair: Pair) -> None:
    pose, rest = pair
    frame = canonical_frame(pose, rest)
    moved, _ = to_canonical(frame, pose, rest).in_world(rest)
    expected = pose.in_world(rest)[0] @ frame.rotation.T + frame.shift
    np.testing.assert_allclose(moved, expected, atol=1e-9)
    np.testing.assert_allclose(frame.rotation @ [0, 1, 0], [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(frame.rotation), 1)


@given(pairs())
def test_from_canonical_undoes_to_canonical_for_whole_tracks(pair: Pair) -> None:
    pose, rest = pair
    frame = canonical_frame(pose, rest)
    track = stacked([pose, Pose(pose.rotmats, pose.transl + 1), pose], axis=1)
    back = from_canonical(frame, to_canonical(frame, track, rest), rest)
    np.testing.assert_allclose(back.rotmats, track.rotmats, atol=1e-12)
    np.testing.assert_allclose(back.transl, track.transl, atol=1e-12)


@given(pairs(), st.floats(-3, 3), st.floats(-5, 5))
def test_the_canonical_pair_does_not_depend_on_where_in_the_world_it_was(
    pair: Pair, yaw: float, height: float
) -> None:
    pose, rest = pair
    elsewhere = CanonicalFrame(rotmat_about("y", yaw), np.array([3.0, height, -2.0]))
    moved = to_canonical(elsewhere, pose, rest)
    here = to_canonical(canonical_frame(pose, rest), pose, rest)
    there = to_canonical(canonical_frame(moved, rest), moved, rest)
    np.testing.assert_allclose(there.rotmats, here.rotmats, atol=1e-9)
    np.testing.assert_allclose(there.transl, here.transl, atol=1e-9)


@given(pairs())
def test_a_canonical_pair_is_left_as_it_is(pair: Pair) -> None:
    pose, rest = pair
    posed = to_canonical(canonical_frame(pose, rest), pose, rest)
    frame = canonical_frame(posed, rest)
    np.testing.assert_allclose(frame.rotation, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(frame.shift, 0, atol=1e-9)
