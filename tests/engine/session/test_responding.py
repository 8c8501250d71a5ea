"""Whether the partner answers a player who holds out a hand: always, never, or when asked.

The windows stand still here, so that all that moves comes from the layers over the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.arrays import Array
from engine.body.capsules import Capsules, fitted_capsules
from engine.body.pose import Pose
from engine.body.shape import load_body
from engine.body.skeleton import JOINT
from engine.bundle import INTENT_FILE, STARTER
from engine.errors import ConfigError
from engine.motion.answers import ANSWERED
from engine.motion.intent import SEEN, IntentNet, load_intent
from engine.sampling.models import Models
from engine.sampling.request import SampledWindow, WindowTrace
from engine.sampling.sampler import advance_windows, begin_windows
from engine.session.config import Respond, SessionConfig
from engine.session.direction import ContactTarget
from engine.session.recording import AnySession, RecordedSession, Recorder
from engine.session.replay import read_recording, recordings_in, replayed
from engine.session.responding import OFFER_FRAMES, IntentReport, Offer, Phase
from engine.session.session import Session
from engine.session.state import SessionState, taken_up
from engine.testing import still_windows
from trainer.evaluation.live import players
from trainer.evaluation.live.episode import Episode

INTENT = load_intent(STARTER / INTENT_FILE)
ASK = SessionConfig(guard=True, company=True, responses=True, respond=Respond.ASK)
ALWAYS = replace(ASK, respond=Respond.ALWAYS)
NEVER = replace(ASK, respond=Respond.NEVER)
WRIST = JOINT["right_wrist"]
HELD, APART = 0.25, 0.33
"""Metres between two right wrists that hold each other, and that never come near."""

Act = Callable[[AnySession], object]


@cache
def offering() -> Episode:
    """A player who holds out the right hand from frame `begins` on, for five seconds."""
    return players.patient("right_hand", 7)


@cache
def capsules() -> tuple[Capsules, Capsules]:
    body, betas = load_body(), offering().betas
    return fitted_capsules(body, betas[0]), fitted_capsules(body, betas[1])


def new_session(config: SessionConfig, intent: IntentNet | None = INTENT) -> Session:
    return Session(
        config,
        rest_joints=offering().rest_joints,
        seed=1,
        capsules=capsules(),
        partner_start=offering().start,
        intent=intent,
    )


@dataclass
class Played:
    """A session in front of the player who holds out a hand, and what came of it."""

    session: AnySession
    offers: dict[int, Offer] = field(default_factory=dict)
    """By the frame in which they were made."""
    reports: list[IntentReport | None] = field(default_factory=list)
    held: dict[int, Pose] = field(default_factory=dict)
    confirmed: list[bool] = field(default_factory=list)

    def run(
        self,
        frames: Sequence[int],
        acts: Mapping[int, Act] | None = None,
        *,
        agrees: bool = False,
        seen: Callable[[int], int] = lambda frame: frame,
    ) -> Played:
        """acts: by frame; agrees: to what is offered, in the frame after; seen: which frame of the
        player's stands in ours."""
        for frame in frames:
            pose = seen(frame)
            self.session.feed(frame / 10, offering().pose[pose])
            if acts is not None and frame in acts:
                self.confirmed.append(bool(acts[frame](self.session)))
            if agrees and frame - 1 in self.offers:
                self.confirmed.append(self.session.confirm(self.offers[frame - 1].number))
            tick = self.session.tick(frame / 10 + 0.01)
            for wanted in tick.wanted:
                (x0,) = still_windows([wanted.request])
                self.session.accept(wanted.ticket, SampledWindow(x0=x0))
            if tick.offer is not None:
                self.offers[frame] = tick.offer
            self.reports.append(self.session.status().intent)
            if tick.chunk is not None:
                shown = tick.chunk.frames
                self.held |= {shown.first + i: shown.pose[1, i] for i in range(len(shown))}
        return self

    def wrists(self) -> Array:
        """Metres (frame,) between the two right wrists as the client shows them."""
        last = len(self.reports)
        episode = offering()
        theirs = episode.pose.in_world(episode.rest_joints[0])[0]
        joints = [self.held[i].in_world(episode.rest_joints[1])[0] for i in range(last)]
        return np.linalg.norm(np.array(joints)[:, WRIST] - theirs[:last, WRIST], axis=-1)

    def phases(self) -> list[Phase]:
        return [report.phase for report in self.reports if report is not None]


def played(config: SessionConfig, acts: Mapping[int, Act] | None = None, **how: Any) -> Played:
    begins = offering().begins
    assert begins is not None
    return Played(new_session(config)).run(range(begins + 45), acts, **how)


@cache
def asked() -> Played:
    """A client that answers to nothing it is asked."""
    return played(ASK)


def offered_at() -> tuple[int, Offer]:
    ((frame, offer),) = asked().offers.items()
    return frame, offer


# --------------------------------------------------------------------------------------- the three
def test_never_tells_what_the_player_is_about_and_orders_nothing() -> None:
    found = played(NEVER)
    assert {"nothing", "right_hand"} <= {each.kind for each in found.reports if each is not None}
    assert set(found.phases()) == {Phase.NONE, Phase.SEEN}
    assert found.offers == {}
    assert found.wrists().min() > APART
    assert played(ALWAYS).wrists().min() < HELD


def test_what_is_asked_is_asked_once_and_left_without_an_answer() -> None:
    frame, offer = offered_at()
    assert (offer.number, offer.kind, offer.until) == (1, "right_hand", frame + OFFER_FRAMES)
    assert asked().wrists().min() > APART
    phases = asked().phases()
    assert phases.count(Phase.OFFERED) == OFFER_FRAMES
    assert set(phases) == {Phase.NONE, Phase.OFFERED, Phase.SEEN}


@pytest.mark.parametrize(("late", "stands"), [(1, True), (OFFER_FRAMES, True), (12, False)])
def test_an_offer_can_be_confirmed_for_a_second(late: int, stands: bool) -> None:
    """The session looks at it in the tick after: the tenth frame is still before a second."""
    frame, offer = offered_at()
    found = played(ASK, {frame + late: lambda session: session.confirm(offer.number)})
    assert found.confirmed == [stands]
    assert bool(found.wrists().min() < HELD) is stands


def test_the_answer_is_told_from_the_first_step_to_the_last() -> None:
    found = Played(new_session(ASK)).run(range(offering().frames), agrees=True)
    assert found.confirmed == [True]
    assert found.wrists().min() < HELD
    order = list(dict.fromkeys(found.phases()))
    assert order == [
        Phase.NONE,
        Phase.OFFERED,
        Phase.COMING,
        Phase.MET,
        Phase.LEAVING,
    ]
    coming, met = (
        [each.seconds_to_contact for each in found.reports if each and each.phase is phase]
        for phase in (Phase.COMING, Phase.MET)
    )
    assert coming[0] is not None
    assert coming[0] > 0.3
    assert coming[5] is not None
    assert coming[0] - coming[5] > 0.35
    assert min(coming) > 0
    assert set(met) == {0}
    ends = [each for each in found.reports if each is not None and each.phase is Phase.LEAVING]
    assert {each.seconds_to_contact for each in ends} == {None}


def test_hands_have_met_when_they_are_there_and_not_when_they_should_be() -> None:
    """Answers that come into the plan late: the one that was under way is over by the clock."""
    found = played(ALWAYS)
    met = [i for i, each in enumerate(found.reports) if each and each.phase is Phase.MET]
    away = found.wrists()
    assert met
    assert away[met].max() < HELD
    begun = next(i for i, each in enumerate(found.reports) if each and each.phase is Phase.COMING)
    late = new_session(ALWAYS)
    late.accept = lambda ticket, sampled: late.fail(ticket)  # type: ignore[method-assign]
    answered = Played(late).run(range(begun + 20))
    assert Phase.COMING in answered.phases()
    assert Phase.MET not in answered.phases()


def test_the_point_of_contact_is_where_the_palm_is_held_out() -> None:
    """Before the player, on the side of the right hand, above the hips."""
    found = played(NEVER)
    points = [each.contact_point for each in found.reports if each and each.kind == "right_hand"]
    assert points[-1] is not None
    left, up, forward = points[-1]
    assert -0.4 < left < 0.1
    assert 0.0 < up < 0.5
    assert 0.25 < forward < 0.8
    nothing = [each for each in found.reports if each and each.kind == "nothing"]
    assert {each.contact_point is None for each in nothing} == {True}


def test_another_number_or_a_second_time_confirms_nothing() -> None:
    frame, offer = offered_at()

    def twice(session: AnySession) -> bool:
        return session.confirm(offer.number) and not session.confirm(offer.number)

    acts: dict[int, Act] = {
        frame + 1: lambda session: session.confirm(offer.number + 1),
        frame + 2: lambda session: session.confirm(0),
        frame + 3: twice,
    }
    assert played(ASK, acts).confirmed == [False, False, True]


def test_a_hand_that_is_withdrawn_is_no_more_offered() -> None:
    frame, offer = offered_at()
    gone = frame + OFFER_FRAMES - 1
    found = Played(new_session(ASK)).run(
        range(gone + 12),
        {gone: lambda session: session.confirm(offer.number)},
        seen=lambda now: now if now <= frame else 0,
    )
    assert found.confirmed == [False]
    assert Phase.COMING not in found.phases()


def test_a_hand_that_is_held_out_again_is_offered_again() -> None:
    offer, _ = offered_at()
    raised = range(offer - 8, offer + 3)
    frames = [*range(offer + 3), *reversed(raised), *[0] * 12, *raised]
    again = Played(new_session(ASK)).run(range(len(frames)), seen=frames.__getitem__)
    assert [offer.number for offer in again.offers.values()] == [1, 2]


# ------------------------------------------------------------------------- what else says something
@pytest.mark.parametrize(
    "settings",
    [
        {"kinds": ("wave", "bow")},
        {"allow_contact": False},
        {"zone_radius": 0.2},
        {"responses": False},
    ],
)
def test_what_is_not_allowed_is_neither_answered_nor_offered(settings: dict[str, Any]) -> None:
    found = played(replace(ASK, **settings), agrees=True)
    assert found.offers == {}
    assert Phase.SEEN in found.phases()
    assert found.wrists().min() > APART


def test_a_kind_that_is_allowed_is_answered() -> None:
    assert played(replace(ALWAYS, kinds=("right_hand",))).wrists().min() < HELD


def test_where_nobody_looks_nothing_is_told() -> None:
    config = replace(ASK, company=False)
    assert set(played(config).reports) == {None}
    session = new_session(ASK, intent=None)
    assert set(Played(session).run(range(60)).reports) == {None}


def test_what_is_taken_back_while_it_is_done_ends() -> None:
    frame, _ = offered_at()
    acts: dict[int, Act] = {
        frame + 15: lambda session: session.update(replace(session.config, respond=Respond.NEVER))
    }
    found = played(ALWAYS, acts)
    assert found.wrists()[: frame + 15].min() < HELD
    assert found.wrists()[frame + 30 :].min() > APART


def test_a_client_that_leads_is_asked_nothing() -> None:
    frame, _ = offered_at()
    wanted = ContactTarget(partner_joint=21, player_joint=16, frame=10**6)
    acts: dict[int, Act] = {
        frame - 3: lambda s: s.direct(replace(s.direction, contact=wanted)),
    }
    assert played(ASK, acts).offers == {}


def test_a_kind_that_nobody_answers_is_refused() -> None:
    with pytest.raises(
        ConfigError, match="kinds has 'point', expected some of right_hand, "
    ) as found:
        SessionConfig(kinds=("wave", "point"))
    assert found.value.field == "kinds"
    assert set(ANSWERED) < set(SEEN)


# ----------------------------------------------------------------------------------- kept and again
def test_a_session_that_is_taken_up_elsewhere_still_knows_what_it_offered() -> None:
    frame, offer = offered_at()
    before = Played(new_session(ASK)).run(range(frame + 2))
    session = Session.restored(
        taken_up(_state(before)),
        rest_joints=offering().rest_joints,
        capsules=capsules(),
        intent=INTENT,
    )
    acts: dict[int, Act] = {frame + 4: lambda again: again.confirm(offer.number)}
    after = Played(session).run(range(frame + 2, frame + 20), acts)
    assert after.confirmed == [True]
    assert after.offers == {}
    assert {Phase.COMING, Phase.MET} <= set(after.phases())


def test_the_numbers_of_a_session_that_is_taken_up_do_not_come_twice() -> None:
    """A client may have heard of offers that its token does not know."""
    before = Played(new_session(ASK)).run(range(offered_at()[0]))
    session = Session.restored(
        taken_up(_state(before)),
        rest_joints=offering().rest_joints,
        capsules=capsules(),
        intent=INTENT,
    )
    after = Played(session).run(range(offered_at()[0], offered_at()[0] + 5))
    assert [offer.number > 50 for offer in after.offers.values()] == [True]


def _state(played: Played) -> SessionState:
    return played.session.state()


def test_a_recording_is_the_same_again_with_what_was_confirmed(
    tmp_path: Path, models: Models
) -> None:
    recorder = Recorder(tmp_path, about={"bundle": "parity"})
    session = RecordedSession(
        new_session(replace(ASK, steps=2, history_frames=3)), recorder.tape("a", {})
    )
    frame, offer = offered_at()
    for now in range(frame + 25):
        session.feed(now / 10, offering().pose[now])
        if now == frame + 3:
            assert session.confirm(offer.number)
        tick = session.tick(now / 10 + 0.01)
        if now == frame + 1:
            session.begin_file()  # an offer stands
        windows = begin_windows(models, [wanted.request for wanted in tick.wanted])
        while not all(window.is_done for window in windows):
            advance_windows(models, windows)
        for wanted, window in zip(tick.wanted, windows, strict=True):
            assert window.x0 is not None
            trace: WindowTrace | None = window.trace
            session.accept(wanted.ticket, SampledWindow(x0=window.x0, trace=trace))
    session.close()
    recorder.close()
    recordings = [read_recording(path) for path in recordings_in(tmp_path)]
    assert len(recordings) == 2
    for recording in recordings:
        assert replayed(recording, models).difference is None
    calls = [call for call in recordings[1].calls if call[0] != "confirm"]
    assert len(calls) == len(recordings[1].calls) - 1
    assert replayed(replace(recordings[1], calls=calls), models).difference is not None
