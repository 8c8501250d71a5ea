"""A session that is put away and taken up again goes on as if nothing had happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.arrays import Array
from engine.body.capsules import Capsules
from engine.body.pose import Pose
from engine.session.codec import packed
from engine.session.config import SessionConfig
from engine.session.direction import Direction, Mode
from engine.session.plan import Frames, Quality
from engine.session.records import STATE
from engine.session.session import Session
from engine.session.state import carried, taken_up
from engine.testing import noisy_windows, still_windows
from tests import builders
from tests.builders import REST, capsules
from tests.engine.playing import SentFrame, answer, each

player_at = partial(builders.player_at, turn=0.3)


class Client:
    """Feeds a session, and shows frames as a client does: the last one again when it has none."""

    def __init__(self, sample: Callable[..., Array]) -> None:
        self._sample = sample
        self.held: dict[int, SentFrame] = {}
        self.shown: list[Pose] = []
        self.revision = 0

    def show(self, frame: int) -> None:
        if frame in self.held:
            self.shown.append(self.held[frame].pose[1])
        elif self.shown:
            self.shown.append(self.shown[-1])

    def run(self, session: Session, frames: range) -> None:
        for frame in frames:
            session.feed(frame / 10, player_at(frame / 10))
            tick = session.tick(frame / 10 + 0.01)
            if tick.chunk is not None:
                self.take(tick.chunk.revision, tick.chunk.frames)
            for wanted in tick.wanted:
                answer(session, wanted, self._sample)
            self.show(frame)

    def take(self, revision: int, frames: Frames) -> None:
        if revision > self.revision:
            self.revision = revision
            self.held = {i: frame for i, frame in self.held.items() if i < frames.first}
        self.held |= {frame.index: frame for frame in each(frames)}


def new_session(capsules: tuple[Capsules, Capsules] | None = None, *, horizon: int = 20) -> Session:
    config = SessionConfig(steps=4, horizon_frames=horizon)
    return Session(config, rest_joints=REST, seed=3, capsules=capsules)


def assert_same(found: Pose, expected: Pose) -> None:
    np.testing.assert_array_equal(found.rotmats, expected.rotmats)
    np.testing.assert_array_equal(found.transl, expected.transl)


@pytest.mark.parametrize(
    "gap", [0, 19, 130, *(pytest.param(gap, marks=pytest.mark.long) for gap in (1, 5, 25, 50))]
)
@given(cut=st.integers(1, 60), horizon=st.sampled_from([20, 26]))
@settings(max_examples=8)
def test_the_first_frames_after_a_gap_are_those_the_client_would_have_shown(
    gap: int, cut: int, horizon: int
) -> None:
    """However long it lasts: as planned, or else standing as it was left."""
    client = Client(noisy_windows(0.03))
    session = new_session(horizon=horizon)
    client.run(session, range(cut))
    resumed = Session.restored(taken_up(session.state()), rest_joints=REST)
    expected = dict(client.held)
    for frame in range(cut, cut + gap):
        client.show(frame)
    again = resumed.plan_again()
    client.take(again.revision, again.frames)
    client.run(resumed, range(cut + gap, cut + gap + 30))
    known = [*range(cut, min(max(expected), cut + gap + 3) + 1), cut + gap]
    for frame in known:
        assert_same(client.shown[frame], expected[min(frame, max(expected))].pose[1])
    assert len(client.shown) == cut + gap + 30


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("gap", [0, 8, 40])
def test_every_mode_goes_on_from_the_frame_that_is_shown(mode: Mode, gap: int) -> None:
    client = Client(noisy_windows(0.03))
    session = new_session()
    client.run(session, range(20))
    session.direct(Direction(mode=mode, energy=1.2))
    client.run(session, range(20, 40))
    before, last = dict(client.held), max(client.held)
    resumed = Session.restored(taken_up(session.state()), rest_joints=REST)
    assert resumed.direction.mode is mode
    again = resumed.plan_again()
    client.take(again.revision, again.frames)
    client.run(resumed, range(40 + gap, 80 + gap))
    assert_same(client.shown[40], before[min(40 + gap, last)].pose[1])
    quality = client.held[79 + gap].quality
    assert quality is (Quality.HELD if mode is Mode.PAUSED else Quality.GENERATED)


def test_without_a_gap_the_resumed_plan_is_the_plan() -> None:
    client = Client(noisy_windows(0.03))
    session = new_session()
    client.run(session, range(30))
    again = Session.restored(taken_up(session.state()), rest_joints=REST).plan_again()
    assert again.frames.first == 29
    for frame in each(again.frames):
        held = client.held[frame.index].pose
        if frame.index > 29:
            assert_same(frame.pose, held)
        else:  # the player is known by now
            assert_same(frame.pose[1], held[1])
            np.testing.assert_allclose(frame.pose.transl[0], player_at(2.9).transl, atol=1e-9)
    assert again.revision > client.revision


def test_revisions_tickets_and_counts_go_on() -> None:
    client = Client(still_windows)
    session = new_session()
    client.run(session, range(25))
    before = session.status()
    resumed = Session.restored(taken_up(session.state()), rest_joints=REST)
    client.run(resumed, range(25, 50))
    after = resumed.status()
    assert after.revision > before.revision
    assert after.windows_accepted > before.windows_accepted
    assert after.generated_frames + after.held_frames + after.fallback_frames == 50
    assert client.held[49].window > before.windows_accepted


def test_a_plan_that_ran_out_meanwhile_goes_on_from_its_last_frame_at_rest() -> None:
    client = Client(still_windows)
    session = new_session()
    client.run(session, range(25))
    last = max(client.held)
    resumed = Session.restored(taken_up(session.state()), rest_joints=REST)
    resumed.feed(8.0, player_at(8.0))
    chunk = resumed.tick(8.0).chunk
    assert chunk is not None
    due = next(frame for frame in each(chunk.frames) if frame.index == 80)
    np.testing.assert_array_equal(due.rotmats[1], client.held[last].rotmats[1])
    assert due.quality is Quality.HELD


def test_a_contact_keeps_its_id() -> None:
    config = SessionConfig(steps=4, start_distance=0.3)
    session = Session(config, rest_joints=REST, seed=3, capsules=capsules())
    session.feed(0.0, player_at(0.0))
    chunk = session.tick(0.01).chunk
    assert chunk is not None
    assert chunk.contacts
    resumed = Session.restored(taken_up(session.state()), rest_joints=REST, capsules=capsules())
    known = {contact.parts: contact.id for contact in chunk.contacts}
    assert {contact.parts: contact.id for contact in resumed.plan_again().contacts} == known


def test_a_zone_holds_from_the_first_frame_on() -> None:
    session = new_session(capsules())
    session.update(replace(session.config, zone_radius=0.3))
    Client(still_windows).run(session, range(20))
    resumed = Session.restored(taken_up(session.state()), rest_joints=REST, capsules=capsules())
    sent = resumed.plan_again()
    player = player_at(0.0)
    player.transl[[0, 2]] = sent.frames.pose.transl[1, 0, [0, 2]]  # where the partner stands
    resumed.feed(2.5, player)
    chunk = resumed.tick(2.5).chunk
    assert chunk is not None
    assert chunk.revision > sent.revision
    away = np.linalg.norm((chunk.frames.pose.transl[1, 0] - player.transl)[[0, 2]])
    assert away > 0.3


def test_a_session_without_a_player_has_no_plan_to_go_on_from() -> None:
    session = new_session()
    assert not session.state().has_plan
    session.feed(0.0, player_at(0.0))
    assert not session.state().has_plan
    session.tick(0.0)
    assert session.state().has_plan


def test_what_is_carried_once_stays_as_it_is() -> None:
    client = Client(noisy_windows(0.03))
    session = new_session()
    client.run(session, range(40))
    once = carried(session.state())
    assert packed(STATE, carried(once)) == packed(STATE, once)
    assert len(packed(STATE, once)) < len(packed(STATE, session.state()))
