"""Laws of windows: what is known holds exactly, and nothing jumps where it begins and ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.arrays import Array
from engine.body.pose import Pose, stacked
from engine.body.rotations import geodesic_angle, rotmat_about, rotmat_from_axis_angle
from engine.body.shape import load_body
from engine.body.skeleton import JOINT
from engine.motion.cleanup import CleanupConfig, cleaned, corrected, feet_locked
from engine.motion.floor import floor_height
from engine.motion.seams import bridged, coasted, decayed, pinned, spread
from engine.motion.standing import standing_partner, standing_pose
from engine.motion.track import Track, joined, joints_of, known_track
from engine.sampling.windows import (
    Window,
    close_window,
    open_window,
    open_windows,
    read_window,
    read_windows,
)
from engine.testing import noisy_windows, still_windows

LEG = ("hip", "knee", "ankle", "foot")
REST = load_body().rest_joints(np.array([np.zeros(10), np.ones(10)]))


def walking_pair(frames: int, place: Array | None = None) -> Track:
    """Two people who move smoothly: the player circles and waves, the partner stands and sways."""
    time = np.arange(frames) / 10
    rotmats = np.broadcast_to(standing_pose(), (2, frames, 22, 3, 3)).copy()
    rotmats[0, :, 0] = rotmat_about("y", 0.5 + 0.6 * time)
    rotmats[0, :, 16] = rotmats[0, :, 16] @ rotmat_about("z", 0.8 * np.sin(2 * time))
    partner = standing_partner(Pose(rotmats[0, 0], np.zeros(3)), REST, 1.4, 0.0).transl
    rotmats[1, :, 0] = rotmat_about("y", 2.0 + 0.1 * np.sin(time))
    transl = np.stack(
        [np.stack([np.sin(time), 0 * time, np.cos(time)], -1), partner + 0 * time[:, None]]
    )
    transl[..., 1] -= floor_height(Pose(rotmats, transl), REST[:, None])
    return known_track(Pose(rotmats, transl if place is None else transl + place))


def partly_known(track: Track, player_until: int, partner_until: int) -> Track:
    index = np.arange(track.frames)
    is_known = np.stack([index <= player_until, index <= partner_until])
    return Track(Pose(track.rotmats, track.transl), is_known)


def reaction_window(track: Track, *, history_frames: int, seed: int = 1) -> Window:
    """What comes next: the anchor is the last frame of which both people are known."""
    anchor = int(np.flatnonzero(track.is_known.all(axis=0))[-1])
    first = anchor - history_frames + 1
    return open_window(track, first=first, anchor=anchor, rest_joints=REST, seed=seed, steps=8)


def test_the_known_mask_tells_the_history_of_both_and_what_the_partner_has_committed() -> None:
    track = partly_known(walking_pair(34), 14, 17)
    window = reaction_window(track, history_frames=10)
    mask = window.request.known_mask[..., 0]
    assert mask.shape == (2, 30)
    assert mask[0].tolist() == [1.0] * 10 + [0.0] * 20
    assert mask[1].tolist() == [1.0] * 13 + [0.0] * 17
    np.testing.assert_array_equal(window.request.known[:, 9], window.request.anchor)
    assert not window.request.known[mask == 0].any()


def test_a_window_that_is_told_the_anchor_alone_still_keeps_what_is_known() -> None:
    track = partly_known(walking_pair(34), 9, 9)
    told = np.zeros((2, 30), np.bool_)
    window = open_window(track, first=0, anchor=9, rest_joints=REST, seed=1, steps=8, told=told)
    assert np.flatnonzero(window.request.known_mask[0, :, 0]).tolist() == [9]
    result = close_window(window, still_windows([window.request])[0])
    np.testing.assert_array_equal(result.transl[:, :10], track.transl[:, :10])


def test_windows_of_several_pairs_are_those_of_each() -> None:
    tracks = [walking_pair(34, place=np.array([place, 0.0, -place])) for place in (0.0, 3.0, -8.0)]
    how = {"first": 2, "anchor": 11, "steps": 8}
    alone = [
        open_window(track, rest_joints=REST, seed=seed, **how) for seed, track in enumerate(tracks)
    ]
    people = [
        Pose(track.rotmats[person], track.transl[person]) for person in (0, 1) for track in tracks
    ]
    together = open_windows(
        known_track(stacked(people)),
        rest_joints=np.stack([REST] * 3, axis=1),
        seeds=range(3),
        **how,
    )
    for one, request in zip(alone, together.requests, strict=True):
        for name, value in vars(request).items():
            np.testing.assert_array_equal(value, getattr(one.request, name))
    x0 = noisy_windows(0.1)(together.requests)
    several = read_windows(together, x0)
    for row, one in enumerate(alone):
        expected = read_window(one, x0[row])
        np.testing.assert_array_equal(several.rotmats[[row, row + 3]], expected.rotmats)
        np.testing.assert_array_equal(several.transl[[row, row + 3]], expected.transl)


def test_the_player_stands_at_the_canonical_origin_and_faces_forward_at_the_anchor() -> None:
    track = walking_pair(34, place=np.array([700.0, 3.0, -200.0]))
    window = reaction_window(partly_known(track, 20, 22), history_frames=10)
    joints = window.request.anchor_joints
    np.testing.assert_allclose(window.request.anchor[0, [-3, -1]], 0, atol=1e-4)
    assert abs(joints[..., 1].min()) < 1e-4
    across = joints[0, 2] - joints[0, 1]
    assert abs(across[2]) < 0.02 * abs(across[0])
    assert across[0] < 0


def test_an_anchor_outside_the_window_or_unknown_is_refused() -> None:
    track = partly_known(walking_pair(34), 9, 12)
    with pytest.raises(ValueError, match="outside"):
        open_window(track, first=0, anchor=31, rest_joints=REST, seed=0, steps=8)
    with pytest.raises(ValueError, match="cannot be the anchor"):
        open_window(track, first=0, anchor=12, rest_joints=REST, seed=0, steps=8)


@settings(max_examples=15, deadline=None)
@given(
    player=st.integers(2, 20),
    ahead=st.integers(0, 6),
    seed=st.integers(0, 2**31),
    history=st.integers(1, 15),
)
def test_known_frames_come_back_exactly_wherever_they_end(
    player: int, ahead: int, seed: int, history: int
) -> None:
    track = partly_known(walking_pair(40), player, player + ahead)
    window = reaction_window(track, history_frames=history, seed=seed)
    result = close_window(window, noisy_windows(0.1)([window.request])[0])
    same = track.cut(window.request.first_frame, 30)
    np.testing.assert_array_equal(result.rotmats[same.is_known], same.rotmats[same.is_known])
    np.testing.assert_array_equal(result.transl[same.is_known], same.transl[same.is_known])
    products = result.rotmats @ np.swapaxes(result.rotmats, -1, -2)
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(3), products.shape), atol=1e-5)


def test_a_perfect_answer_gives_the_motion_back() -> None:
    track = walking_pair(34)
    window = reaction_window(partly_known(track, 11, 13), history_frames=10)
    whole = open_window(track, first=2, anchor=11, rest_joints=REST, seed=1, steps=8)
    result = close_window(window, whole.request.known - whole.request.anchor[:, None])
    np.testing.assert_allclose(result.transl, track.transl[:, 2:32], atol=1e-5)
    assert geodesic_angle(result.rotmats, track.rotmats[:, 2:32]).max() < 1e-3


def jerk_at_and_inside(track: Track, seam: int) -> tuple[float, float]:
    """Mean third difference of the joints where it straddles frame `seam`, and elsewhere."""
    jerk = np.linalg.norm(np.diff(joints_of(track, REST), n=3, axis=1), axis=-1).mean(axis=(0, 2))
    straddles = np.abs(np.arange(len(jerk)) + 1.5 - (seam - 0.5)) < 2
    return float(jerk[straddles].mean()), float(jerk[~straddles].mean())


def test_a_seam_is_no_rougher_than_the_motion_when_the_answer_drifts_from_what_is_known() -> None:
    track = walking_pair(34)
    window = reaction_window(partly_known(track, 15, 15), history_frames=10, seed=5)
    whole = open_window(track, first=6, anchor=15, rest_joints=REST, seed=1, steps=8).request
    drift = 0.05 + 0.1 * np.sin(np.arange(30) / 5)[:, None]
    result = close_window(window, whole.known - whole.anchor[:, None] + drift)
    at_seam, inside = jerk_at_and_inside(joined([track.cut(0, 6), result]), seam=16)
    assert at_seam <= 1.2 * inside


def test_even_an_answer_that_ignores_what_is_known_is_joined_without_a_jump() -> None:
    track = walking_pair(34)
    window = reaction_window(partly_known(track, 15, 15), history_frames=10, seed=5)
    x0 = noisy_windows(0.2)([window.request])[0]
    unpinned = close_window(window, x0, partly_known(window.known, -1, -1))
    jumping = joined([track.cut(0, 16), unpinned.cut(10, 20)])
    smooth = joined([track.cut(0, 6), close_window(window, x0)])
    assert jerk_at_and_inside(smooth, 16)[0] < 0.15 * jerk_at_and_inside(jumping, 16)[0]


def test_a_kink_where_the_network_goes_over_from_reciting_to_inventing_is_bridged() -> None:
    track = walking_pair(34)
    known = partly_known(track, 15, 15)
    transl = track.transl.copy()
    transl[:, 16:] += 0.05
    kinked = Track(Pose(track.rotmats, transl), track.is_known)
    smooth = bridged(kinked, known.is_known)
    assert jerk_at_and_inside(smooth, 16)[0] < 0.25 * jerk_at_and_inside(kinked, 16)[0]
    untouched = np.r_[:16, 20:34]
    np.testing.assert_array_equal(smooth.transl[:, untouched], transl[:, untouched])
    np.testing.assert_array_equal(smooth.rotmats[:, untouched], track.rotmats[:, untouched])


def test_a_bridge_over_steady_acceleration_changes_nothing() -> None:
    track = walking_pair(34)
    time = np.arange(34)[:, None]
    transl = np.broadcast_to(0.01 * time + 0.003 * time**2, (2, 34, 3))
    still = np.broadcast_to(track.rotmats[:, :1], track.rotmats.shape)
    steady = Track(Pose(still, transl), track.is_known)
    result = bridged(steady, partly_known(track, 15, 12).is_known)
    np.testing.assert_allclose(result.transl, transl, atol=1e-9)
    np.testing.assert_allclose(result.rotmats, still, atol=1e-6)


@given(decay=st.floats(0.1, 1.0), acceleration=st.floats(-1, 1), velocity=st.floats(-1, 1))
def test_a_decayed_error_passes_through_what_was_seen_and_dies_away(
    decay: float, acceleration: float, velocity: float
) -> None:
    past = np.arange(0, -3, -1.0)
    seen = (0.1 + velocity * past + acceleration * past**2 / 2)[:, None]
    np.testing.assert_allclose(decayed(seen, past, decay), seen, atol=1e-9)
    assert abs(decayed(seen, np.array([200.0]), decay)).max() < 1e-4
    one = decayed(seen[:1], np.arange(1.0, 50), decay)[:, 0]
    assert (np.diff(one) < 0).all()
    assert (one > 0).all()


def test_between_two_known_ends_each_error_is_gone_where_the_other_begins() -> None:
    is_known = np.zeros(30, np.bool_)
    is_known[[0, 1, 2, 27, 28, 29]] = True
    error = np.where(np.arange(30) < 15, 1.0, -2.0)[:, None]
    result = spread(error, is_known)[:, 0]
    np.testing.assert_array_equal(result[is_known], error[is_known, 0])
    assert abs(np.diff(result, n=2)).max() < 0.35


def test_pinning_takes_the_short_way_round_when_an_error_is_near_half_a_turn() -> None:
    sampled = walking_pair(34)
    turns = rotmat_from_axis_angle(
        np.array([0.0, 1.0, 0.0]) * (np.pi + 0.02 * np.arange(-20, 14))[:, None]
    )
    rotmats = sampled.rotmats.copy()
    rotmats[0, :, 0] = rotmats[0, :, 0] @ turns
    known = partly_known(Track(Pose(rotmats, sampled.transl), sampled.is_known), 20, 20)
    result = pinned(sampled, known)
    steps = geodesic_angle(result.rotmats[0, 1:, 0], result.rotmats[0, :-1, 0])
    assert steps.max() < 1.0


def test_a_coasting_plan_slows_down_smoothly_and_stops() -> None:
    track = walking_pair(20)
    whole = joined([track, coasted(track, 30)])
    speed = np.linalg.norm(np.diff(joints_of(whole, REST), axis=1), axis=-1).mean(axis=(0, 2))
    assert speed[19] < 1.2 * speed[18]
    assert speed[-1] < 0.02 * speed[18]
    assert speed[19:].max() < 1.2 * speed[:19].max()


def test_cleanup_lifts_feet_out_of_the_floor_and_leaves_given_frames_alone() -> None:
    track = walking_pair(60)
    sinking = (
        track.transl - np.array([0.0, 0.2, 0.0]) * np.clip((np.arange(60) - 10) / 20, 0, 1)[:, None]
    )
    given = np.broadcast_to(np.arange(60) < 10, (2, 60))
    sunk = Track(Pose(track.rotmats, sinking), track.is_known)
    result = cleaned(sunk, given, REST, CleanupConfig(floor=0.0))
    height = floor_height(result.pose, REST[:, None])
    assert height[:, 14:].min() > -1e-4
    np.testing.assert_array_equal(result.transl[given], sinking[given])
    assert abs(np.diff(result.transl[..., 1], n=2, axis=1)).max() < 0.03


def test_cleanup_lowers_who_hovers_but_lets_a_jump_be() -> None:
    track = walking_pair(60)
    jump = 0.3 * np.clip(1 - ((np.arange(60) - 20) / 3.0) ** 2, 0, None)
    hover = 0.3 * np.clip((np.arange(60) - 40) / 5, 0, 1)
    lifted = track.transl + np.array([0.0, 1.0, 0.0]) * (jump + hover)[:, None]
    given = np.broadcast_to(np.arange(60) < 5, (2, 60))
    floating = Track(Pose(track.rotmats, lifted), track.is_known)
    result = cleaned(floating, given, REST, CleanupConfig(floor=0.0))
    height = floor_height(result.pose, REST[:, None])
    assert height[:, 20].min() > 0.25
    assert height[:, 55:].max() < 0.06


def test_without_the_foot_lock_the_cleanup_is_the_same_to_the_bit_but_for_its_last_stage() -> None:
    track = walking_pair(40)
    given = np.broadcast_to(np.arange(40) < 10, (2, 40))
    config = CleanupConfig(floor=0.0, foot_lock=False)
    plain = cleaned(track, given, REST, config)
    np.testing.assert_array_equal(plain.rotmats, track.rotmats)
    with_lock = CleanupConfig(floor=0.0)
    result = cleaned(track, given, REST, with_lock)
    same = corrected(track, given, REST, with_lock)
    same = feet_locked(same, given, REST, with_lock)
    np.testing.assert_array_equal(result.transl, same.transl)
    legs = [JOINT[f"{side}_{part}"] for side in ("left", "right") for part in LEG]
    others = np.delete(np.arange(22), legs)
    np.testing.assert_array_equal(result.rotmats[:, :, others], plain.rotmats[:, :, others])


def test_cleanup_keeps_every_joint_below_the_top_speed() -> None:
    track = walking_pair(40)
    transl, rotmats = track.transl.copy(), track.rotmats.copy()
    transl[:, 20:] += 3.0
    rotmats[:, 25:, 0] = rotmats[:, 25:, 0] @ rotmat_about("y", 3.0)
    broken = Track(Pose(rotmats, transl), track.is_known)
    given = np.broadcast_to(np.arange(40) < 10, (2, 40))
    result = cleaned(broken, given, REST, CleanupConfig(floor=None, top_speed=9.0))
    speed = 10 * np.linalg.norm(np.diff(joints_of(result, REST), axis=1), axis=-1)
    assert speed.max() <= 9.0 + 1e-6
    untouched = CleanupConfig(floor=None, top_speed=None)
    assert cleaned(broken, given, REST, untouched) is broken
