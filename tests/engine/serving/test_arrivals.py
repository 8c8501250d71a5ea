"""Poses on their way to a session, at times that are told."""

from __future__ import annotations

import pytest
from contrapose.v1 import interaction_pb2 as pb

from engine.errors import InputError
from engine.serving.arrivals import CLOCK_LEAD, MOST_POSES, Arrivals


def pose(sequence: int, time_code: float) -> pb.PlayerPose:
    return pb.PlayerPose(sequence=sequence, time_code=time_code)


def taken(arrivals: Arrivals) -> list[int]:
    return [arrival.message.sequence for arrival in arrivals.take()]


def test_the_first_pose_sets_the_clock() -> None:
    arrivals = Arrivals()
    assert (arrivals.session_time(9.0), arrivals.frames(9.0)) == (None, None)
    assert not arrivals.put(pose(1, 50.0), 10.0)
    assert not arrivals.put(pose(2, 50.2), 10.25)
    assert arrivals.session_time(10.25) == 0.25
    first, second = arrivals.take()
    assert (first.time_s, first.at, first.first_time_code) == (0.0, 10.0, 50.0)
    assert second.time_s == pytest.approx(0.2)
    assert arrivals.take() == ()


def test_of_each_frame_the_first_and_the_newest_pose_are_kept() -> None:
    arrivals = Arrivals()
    for sequence in range(1, 28):  # 90 poses a second, for three frames
        assert not arrivals.put(pose(sequence, (sequence - 1) / 90), (sequence - 1) / 90)
    assert taken(arrivals) == [1, 9, 10, 18, 19, 27]
    assert (arrivals.received, arrivals.dropped) == (27, 0)


def test_a_session_that_takes_none_keeps_the_newest_few() -> None:
    arrivals = Arrivals()
    for sequence in range(1, 601):
        arrivals.put(pose(sequence, sequence / 10), sequence / 10)
    waiting = taken(arrivals)
    assert len(waiting) == MOST_POSES
    assert waiting[-1] == 600
    assert arrivals.dropped == 600 - MOST_POSES


def test_a_client_whose_clock_runs_ahead_is_held_back() -> None:
    arrivals = Arrivals()
    assert not arrivals.put(pose(1, 0.0), 0.0)
    assert not arrivals.put(pose(2, 5.0), 0.1)
    assert [arrival.time_s for arrival in arrivals.take()] == [0.0, 0.1 + CLOCK_LEAD]
    assert arrivals.put(pose(3, 6.0), 0.1)
    assert taken(arrivals) == []
    assert arrivals.dropped == 1


def test_a_pose_that_does_not_follow_is_refused() -> None:
    arrivals = Arrivals()
    arrivals.put(pose(2, 1.0), 0.0)
    for sequence, time_code in ((2, 1.1), (3, 1.0)):
        with pytest.raises(InputError):
            arrivals.put(pose(sequence, time_code), 0.1)
    assert arrivals.received == 1
