"""What a direction does to a session: modes and targets, with windows that need no network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.body.pose import Pose, stacked
from engine.body.rotations import rotmat_about
from engine.body.skeleton import JOINT
from engine.motion.cleanup import CleanupConfig
from engine.motion.floor import floor_height
from engine.session.config import SessionConfig
from engine.session.direction import Direction, Mode, PoseTarget
from engine.session.plan import Quality
from engine.session.targets.pose import pose_error
from engine.testing import noisy_windows
from tests.builders import REST, player_at, standing_player
from tests.engine.playing import Play, answer, fastest_steps, joints_played, new_play, noted_windows

MOST_STEP = (CleanupConfig().top_speed or 0.0) / 10 + 1e-3
"""Metres that the clean-up lets a joint travel in a frame."""


def switch(play: Play, mode: Mode) -> None:
    play.session.direct(replace(play.session.direction, mode=mode))


# ------------------------------------------------------------------------------------------- modes
@settings(max_examples=15, deadline=None)
@given(
    switches=st.lists(
        st.tuples(st.sampled_from(list(Mode)), st.integers(1, 40)), min_size=3, max_size=8
    ),
    window_takes=st.integers(0, 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_no_change_of_mode_makes_the_partner_jump(
    switches: list[tuple[Mode, int]], window_takes: int, seed: int
) -> None:
    play = new_play(seed=seed, sample=noisy_windows(0.05))
    frame = 0
    for mode, lasts in switches:
        switch(play, mode)
        play.run(range(frame, frame + lasts), window_takes)
        frame += lasts
    assert fastest_steps(joints_played(play, range(frame))).max(initial=0.0) < MOST_STEP / 3


def test_changes_of_mode_are_as_smooth_as_ordinary_revisions() -> None:
    def jerk(modes: list[Mode]) -> float:
        play = new_play(SessionConfig(departure_threshold=0.0), sample=noisy_windows(0.04))
        for number in range(40):
            switch(play, modes[number % len(modes)])
            play.run(range(12 * number, 12 * number + 12))
        joints = joints_played(play, range(12 * 40))
        return float(np.linalg.norm(np.diff(joints, n=3, axis=0), axis=-1).mean())

    ordinary = max(jerk([Mode.REACT]), jerk([Mode.FOLLOW_PLAN]))
    assert jerk([Mode.REACT, Mode.PAUSED, Mode.FOLLOW_PLAN]) < 1.2 * ordinary


def test_a_followed_plan_leads_the_player_and_asks_for_chains_alone() -> None:
    play = new_play(sample=noisy_windows(0.05), player=standing_player)
    switch(play, Mode.FOLLOW_PLAN)
    play.run(range(40))
    play.player = player_at
    play.run(range(40, 160))
    assert max(play.revisions) == 1
    assert play.session.status().departure == 0.0
    player = joints_played(play, range(160), person=0)
    assert fastest_steps(player).max() < MOST_STEP / 3
    assert np.linalg.norm(np.diff(player[:, 0], axis=0), axis=-1).sum() > 0.3
    soles = floor_height(stacked([play.played[index].pose for index in range(160)]), REST)
    assert soles.min() > -0.02


@pytest.mark.parametrize("window_takes", [1, 3])
def test_a_plan_that_is_followed_from_now_on_takes_the_player_from_where_he_is(
    window_takes: int,
) -> None:
    play = new_play(sample=noisy_windows(0.03))
    play.run(range(60), window_takes)
    switch(play, Mode.FOLLOW_PLAN)
    revision = max(play.revisions)
    frame = 60
    while max(play.revisions) == revision:
        play.run([frame], window_takes)
        frame += 1
    play.player = standing_player
    play.run(range(frame, frame + 40), window_takes)
    seen, _ = player_at((frame - 1) / 10).in_world(REST[0])
    led = joints_played(play, range(frame, frame + 40), person=0)
    assert fastest_steps(np.concatenate([seen[None], led])).max() < 0.3


def test_a_paused_partner_comes_to_rest_within_a_second_and_asks_for_nothing() -> None:
    play = new_play(sample=noisy_windows(0.08))
    play.run(range(60))
    accepted = play.session.status().windows_accepted
    switch(play, Mode.PAUSED)
    play.run(range(60, 160))
    assert play.session.status().windows_accepted == accepted
    assert play.played[150].quality is Quality.HELD
    steps = fastest_steps(joints_played(play, range(50, 160)))
    frozen = play.session.config.commit_frames
    assert steps[: 10 + frozen].max() > 0.02
    assert steps[10 + frozen + 10 :].max() < 0.005
    assert max(play.held) >= 159 + play.session.config.horizon_frames
    soles = floor_height(play.played[159].pose[1], REST[1])
    assert abs(soles) < 0.02


def test_leaving_a_pause_goes_on_with_windows() -> None:
    play = new_play(sample=noisy_windows(0.05))
    play.run(range(40))
    switch(play, Mode.PAUSED)
    play.run(range(40, 80))
    switch(play, Mode.REACT)
    play.run(range(80, 100))
    assert play.played[99].quality is Quality.GENERATED


def test_a_window_of_before_a_pause_is_dropped_even_if_the_pause_is_over() -> None:
    play = new_play(player=standing_player, sample=noisy_windows(0.3))
    play.run(range(40))
    play.session.direct(play.session.direction)
    play.feed(4.0)
    (old,) = play.tick(4.0, window_takes=None).wanted
    switch(play, Mode.PAUSED)
    play.feed(4.1)
    play.tick(4.1)
    switch(play, Mode.REACT)
    answer(play.session, old, play.sample)
    play.feed(4.2)
    tick = play.tick(4.2)
    assert tick.chunk is None  # what is sent, and held, stands
    assert play.held[max(play.held)].quality is Quality.HELD
    assert len(tick.wanted) == 1


# --------------------------------------------------------------------------------- poses to be in
def reaching_up(play: Play, frame: int, *, ahead: float = 0.0) -> PoseTarget:
    """The partner as he was first, with his right arm up and perhaps nearer to the player."""
    start = play.played[0]
    rotmats, transl = start.rotmats[1].copy(), start.transl[1].copy()
    rotmats[JOINT["right_shoulder"]] = rotmat_about("z", -1.0)
    rotmats[JOINT["spine2"]] = rotmat_about("y", 0.4)
    transl += ahead * (start.transl[0] - transl)
    return PoseTarget(frame=frame, partner=Pose(rotmats, transl))


def want(play: Play, *poses: PoseTarget) -> None:
    play.session.direct(Direction(mode=Mode.INBETWEEN, poses=poses))


def error_at(play: Play, target: PoseTarget) -> tuple[float, float]:
    error = pose_error(play.played[target.frame].pose[1], target.partner, REST[1])
    return error.distance, error.angle


@pytest.mark.parametrize("at", [39, 44, 51, 58, 75, 100, 131])
@pytest.mark.parametrize("threshold", [0.0, 0.5])
def test_the_partner_passes_through_the_poses_he_is_given(at: int, threshold: float) -> None:
    play = new_play(
        SessionConfig(departure_threshold=threshold),
        sample=noisy_windows(0.03),
        player=standing_player,
    )
    play.run(range(30))
    target = reaching_up(play, at)
    want(play, target)
    play.run(range(30, at + 20))
    distance, angle = error_at(play, target)
    assert distance < 0.02
    assert angle < np.radians(3)
    assert fastest_steps(joints_played(play, range(at + 20))).max() < 0.6
    (event,) = play.events
    assert event.is_reached
    assert f"frame {at}" in event.text
    assert play.session.direction.poses == ()


def test_the_network_is_told_of_a_pose_with_time_to_get_there() -> None:
    asked, sample = noted_windows()
    play = new_play(sample=sample, player=standing_player)
    play.run(range(30))
    want(play, reaching_up(play, 95))
    play.run(range(30, 95))
    told = [
        (
            request.first_frame + int(np.flatnonzero(known)[-1]),
            95 - np.flatnonzero(~known)[0] - request.first_frame,
        )
        for request in asked
        if (known := request.known_mask[1, :, 0] > 0).any()
    ]
    leads = [lead for last, lead in told if last == 95]
    assert max(leads) >= 12


def test_several_poses_are_passed_through_one_after_the_other() -> None:
    play = new_play(sample=noisy_windows(0.03), player=standing_player)
    play.run(range(30))
    targets = [reaching_up(play, frame, ahead=0.1 * (frame % 3)) for frame in (50, 58, 70, 110)]
    want(play, *targets)
    play.run(range(30, 120))
    assert [event.is_reached for event in play.events] == [True] * 4
    for target in targets:
        assert error_at(play, target)[0] < 0.02


def test_a_pose_that_nobody_gets_to_in_time_is_missed_and_does_not_tear_the_partner_along() -> None:
    play = new_play(player=standing_player)
    play.run(range(30))
    far = reaching_up(play, 45)
    far.partner.transl[0] += 30.0
    past, next_to_now = reaching_up(play, 20), reaching_up(play, 31)
    want(play, past, next_to_now, far)
    play.run(range(30, 60))
    assert [event.is_reached for event in play.events] == [False] * 3
    assert all("missed" in event.text for event in play.events)
    assert fastest_steps(joints_played(play, range(60))).max() < 0.1
    assert play.session.direction.poses == ()


def test_poses_wait_while_the_mode_is_another() -> None:
    play = new_play(player=standing_player)
    play.run(range(30))
    target = reaching_up(play, 60)
    play.session.direct(Direction(mode=Mode.REACT, poses=(target,)))
    play.run(range(30, 40))
    assert play.events == []
    switch(play, Mode.INBETWEEN)
    play.run(range(40, 70))
    assert error_at(play, target)[0] < 0.02


def test_the_player_of_a_pose_is_told_to_the_network_too() -> None:
    asked, sample = noted_windows()
    play = new_play(sample=sample, player=standing_player)
    play.run(range(30))
    target = reaching_up(play, 45)
    want(play, replace(target, player=player_at(0.0)))
    asked.clear()
    play.run(range(30, 40))
    told = [request.known_mask[:, 45 - request.first_frame, 0].tolist() for request in asked]
    assert [1, 1] in told


@pytest.mark.parametrize("frames", [range(30, 60), range(40, 100)])
@pytest.mark.parametrize("of_both", [True, False])
def test_poses_for_every_frame_of_a_window_are_gone_through(frames: range, of_both: bool) -> None:
    """Such a window has no frame that the network could make."""
    play = new_play(player=standing_player, sample=noisy_windows(0.05))
    play.run(range(30))
    partner, player = play.played[29].pose[1], standing_player(0.0)
    poses = tuple(
        PoseTarget(frame=frame, partner=partner, player=player if of_both else None)
        for frame in frames
    )
    play.session.direct(Direction(mode=Mode.INBETWEEN, energy=1.3, poses=poses))
    play.run(range(30, frames.stop + 10))
    reached = [event.is_reached for event in play.events]
    assert len(reached) == len(frames)
    assert all(reached[8:])  # those before were frozen, or too near to get to
