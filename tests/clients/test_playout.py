"""Playout and clock: what is shown when, for any order of arrival."""

from __future__ import annotations

import numpy as np
import pytest
from contrapose.v1 import types_pb2
from contrapose_client import ClockSync, PlayoutBuffer
from hypothesis import given
from hypothesis import strategies as st

RATE = 10.0


def chunk(first: int, count: int, revision: int = 0, mark: float = 0.0) -> types_pb2.FrameChunk:
    """Frames whose translation x is `mark`, so that a test can tell them apart."""
    body = types_pb2.BodyPose(root_translation=[mark, 0, 0], rotations=[0, 0, 0, 1] * 22)
    frame = types_pb2.Frame(player=body, partner=body, quality=types_pb2.FRAME_QUALITY_GENERATED)
    return types_pb2.FrameChunk(first_frame_index=first, revision=revision, frames=[frame] * count)


def shown_marks(playout: PlayoutBuffer, count: int) -> list[float]:
    frames = [playout.show(RATE) for _ in range(count)]
    return [float(frame.transl[0]) for frame in frames if frame is not None]


def test_a_later_revision_overwrites_what_was_not_shown() -> None:
    playout = PlayoutBuffer(0.2)
    playout.accept(chunk(0, 10, revision=1, mark=1.0), 0.0)
    assert shown_marks(playout, 4) == [1] * 4
    playout.accept(chunk(2, 6, revision=2, mark=2.0), 0.4)
    assert shown_marks(playout, 6) == [2, 2, 2, 2, 1, 1]
    assert playout.report().late_frames == 0


def test_a_frame_has_the_curls_that_were_sent_and_eases_into_later_ones() -> None:
    playout, closed = PlayoutBuffer(0.2), chunk(2, 8)
    for frame in closed.frames:
        frame.partner.curls.extend([1.0] * 10)
    playout.accept(chunk(0, 1), 0.0)
    first = playout.show(RATE)
    assert first is not None
    assert first.curls is None
    open_hands = chunk(1, 1)
    open_hands.frames[0].partner.curls.extend([0.0] * 10)
    playout.accept(open_hands, 0.1)
    assert playout.show(RATE) is not None
    playout.ease_in()
    playout.accept(closed, 0.2)
    shown = [
        frame.curls[0]
        for _ in range(7)
        if (frame := playout.show(RATE)) and frame.curls is not None
    ]
    assert shown == sorted(shown)
    assert 0 < shown[0] < 0.2
    assert shown[-1] == 1


def test_an_older_revision_that_comes_late_changes_nothing() -> None:
    playout = PlayoutBuffer(0.2)
    playout.accept(chunk(0, 5, revision=3, mark=3.0), 0.0)
    playout.accept(chunk(0, 5, revision=2, mark=2.0), 0.1)
    assert shown_marks(playout, 5) == [3] * 5


@pytest.mark.parametrize(("arrival", "is_late"), [(0.5, False), (0.69, False), (0.71, True)])
def test_a_frame_is_late_after_its_time_code_plus_the_playout_delay(
    arrival: float, is_late: bool
) -> None:
    playout = PlayoutBuffer(0.2)
    playout.accept(chunk(0, 5, mark=1.0), 0.0)
    playout.accept(chunk(5, 1, mark=2.0), arrival)
    frames = [playout.show(RATE) for _ in range(6)]
    assert frames[-1] is not None
    assert frames[-1].is_late == is_late
    assert playout.report().late_frames == is_late


def test_a_missing_frame_repeats_the_pose_before_it_and_counts_as_late() -> None:
    playout = PlayoutBuffer(0.2)
    assert playout.show(RATE) is None
    playout.accept(chunk(1, 1, mark=4.0), 0.0)
    assert shown_marks(playout, 3) == [4, 4, 4]
    report = playout.report()
    assert (report.frames, report.late_frames) == (4, 3)


def test_a_partner_who_was_held_comes_back_to_his_plan_without_a_jump() -> None:
    playout = PlayoutBuffer(0.2)
    playout.accept(chunk(0, 2, mark=0.0), 0.0)
    assert shown_marks(playout, 4) == [0] * 4
    playout.accept(chunk(4, 10, revision=1, mark=0.5), 0.4)
    marks = shown_marks(playout, 10)
    assert 0 < marks[0] < 0.05
    assert np.diff(marks).min() >= 0
    assert marks[5:] == [0.5] * 5


def test_a_partner_who_was_held_comes_back_without_a_jump_to_frames_that_are_late() -> None:
    playout = PlayoutBuffer(0.2)
    playout.accept(chunk(0, 2, mark=0.0), 0.0)
    shown_marks(playout, 3)
    playout.accept(chunk(3, 8, revision=1, mark=0.5), 0.6)  # frame 3 was due at 0.5
    marks = shown_marks(playout, 8)
    assert 0 < marks[0] < 0.05
    assert marks[5:] == [0.5] * 3


def test_a_turn_that_is_eased_takes_the_short_way_and_keeps_unit_length() -> None:
    """-q is the same turn as q."""
    playout = PlayoutBuffer(0.2)
    playout.accept(chunk(0, 1), 0.0)
    playout.show(RATE)
    playout.ease_in()
    later = chunk(1, 5)
    for frame in later.frames:
        frame.partner.rotations[:] = [0, 0, -np.sin(0.1), -np.cos(0.1)] * 22
    playout.accept(later, 0.1)
    frames = [playout.show(RATE) for _ in range(5)]
    angles = [2 * np.arctan2(abs(f.quats_xyzw[0, 2]), abs(f.quats_xyzw[0, 3])) for f in frames if f]
    assert np.diff([0, *angles]).min() > 0
    assert angles[-1] < 0.2
    for frame in frames:
        assert frame is not None
        np.testing.assert_allclose(np.linalg.norm(frame.quats_xyzw, axis=-1), 1, atol=1e-6)
        assert frame.quats_xyzw.dtype == np.float32


def test_the_margin_is_the_time_from_arrival_to_being_due() -> None:
    playout = PlayoutBuffer(0.2)
    playout.accept(chunk(0, 3), 0.1)
    shown_marks(playout, 3)
    np.testing.assert_allclose(playout.report().margin_s, [0.1, 0.2, 0.3], atol=1e-9)


def test_what_was_over_before_anything_came_is_passed_over() -> None:
    playout = PlayoutBuffer(0.2)
    playout.accept(chunk(0, 10), 0.55)
    playout.begin(0.55, RATE)
    frames = [playout.show(RATE) for _ in range(6)]
    assert [frame.index for frame in frames if frame is not None] == [4, 5, 6, 7, 8, 9]
    report = playout.report()
    assert (report.frames, report.late_frames) == (6, 0)


def test_a_wrong_guess_of_the_clock_makes_no_frame_late_that_is_there_at_the_beginning() -> None:
    playout = PlayoutBuffer(0.2)
    playout.accept(chunk(0, 10), 0.4)  # by the guess; then a pong says that it is 0.1
    playout.begin(0.1, RATE)
    assert playout.next_index == 0
    shown_marks(playout, 2)
    assert playout.report().late_frames == 0


@given(
    offset=st.floats(-1e5, 1e5),
    delays=st.lists(st.tuples(st.floats(0, 0.5), st.floats(0, 0.5)), min_size=1, max_size=16),
)
def test_the_clock_is_wrong_by_at_most_half_the_shortest_round_trip(
    offset: float, delays: list[tuple[float, float]]
) -> None:
    clock = ClockSync()
    clock.begin(0.0)
    for number, (there, back) in enumerate(delays):
        sent = float(number)
        clock.add(sent=sent, received=sent + there + back, session_time=sent + there + offset)
    shortest = min(there + back for there, back in delays)
    assert abs(clock.offset - offset) <= shortest / 2 + 1e-6


def test_with_another_server_the_clock_goes_on_until_that_one_tells_better() -> None:
    clock = ClockSync()
    clock.begin(100.0)
    clock.add(sent=101.0, received=101.001, session_time=1.2)
    before = clock.session_time(102.0)
    clock.carry_on()
    assert clock.session_time(102.0) == before
    clock.add(sent=103.0, received=103.5, session_time=3.0)
    assert clock.session_time(103.25) == 3.0


def test_the_clock_begins_with_the_first_pose() -> None:
    clock = ClockSync()
    assert not clock.has_begun
    with pytest.raises(ValueError, match="first pose"):
        clock.session_time(0.0)
    clock.begin(100.0)
    assert clock.session_time(100.5) == 0.5
    assert clock.local_time(0.5) == 100.5
