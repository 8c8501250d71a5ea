"""A session: the life of one player and one partner, frame by frame.

Plain state and functions: `feed` takes the player's frames, `tick` says what to send and which
windows to denoise, `accept` takes a window back. It owns no thread, socket or clock, so a test runs
an hour of it in a second. Design: design.md 5.

A plan holds both people's frames. Frames up to now + commit are frozen; a *revision* replaces the
rest, from a reaction window that is told the real player and the frozen partner (Real-Time
Chunking, arXiv:2506.07339); a *chain* adds to the plan's end, as in the paper. One window is under
way at a time.

The session sets the order of a tick and counts revisions. Its parts do the work, none of which
knows it: the frames are `plan.py`'s, what is asked for `asking.py`'s, what becomes of a window
`merging.py`'s, what is shown without one `fallback.py`'s. State lies in one place each, and all
of it is a `SessionState`: parts are handed the timeline, and do not keep it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from engine.arrays import Array
from engine.body.arms import palms_of
from engine.body.capsules import Capsules
from engine.body.pose import Pose, chained
from engine.errors import ConfigError, SessionError
from engine.motion.company import place_of
from engine.motion.contacts import Contact, ContactsState, ContactTracker
from engine.motion.hands import LOOKBACK, curls_of
from engine.motion.intent import IntentNet
from engine.motion.space import PersonalSpace
from engine.sampling.request import SampledWindow
from engine.session.asking import Expectation, WantedWindow, WantedWindows, WindowsState
from engine.session.config import Respond, SessionConfig
from engine.session.direction import Direction, Mode, TargetEvent
from engine.session.fallback import (
    bridge_absence,
    coast,
    come_to_rest,
    lengthen_tail,
    stand,
    take_up,
)
from engine.session.manners import Manners, Notice
from engine.session.merging import merge, situation_of, touch
from engine.session.plan import (
    KEPT_FRAMES,
    LONGEST_CATCH_UP,
    NO_FRAMES,
    SPARE_FRAMES,
    Frames,
    Plan,
    Quality,
    Timeline,
)
from engine.session.player import PlayerTrack, frame_at
from engine.session.responding import IntentReport, Offer
from engine.session.state import SessionState
from engine.session.targets.targets import Targets
from engine.session.zone import SpaceKeeper


# ------------------------------------------------------------------------------- what a tick says
@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Consecutive frames to send. With a new revision they replace all that the client holds from
    the first of them on; with the same one they follow what it holds."""

    revision: int
    frames: Frames
    contacts: tuple[Contact, ...] = ()
    """All of the plan that are not over yet: those of frames not sent yet too."""
    curls: Array | None = None
    """(2, n, 10) of both people's fingers; None where they were not written down, as frames tell
    them."""


@dataclass(frozen=True, kw_only=True)
class Tick:
    frame: int
    """The frame that is due now."""
    chunk: Chunk | None
    wanted: tuple[WantedWindow, ...]
    events: tuple[TargetEvent, ...] = ()
    """Targets that were reached, or cannot be: they are no longer wanted."""
    offer: Offer | None = None
    """What the client is asked to confirm: a new one."""


@dataclass(frozen=True, kw_only=True)
class SessionStatus:
    frame: int
    planned_until: int
    revision: int
    departure: float
    """Mean joint error of the newest player frame against the plan, metres; 0 without any."""
    generated_frames: int
    held_frames: int
    fallback_frames: int
    """Frames by quality, counted when they became due."""
    windows_accepted: int
    windows_failed: int
    intent: IntentReport | None = None
    """What the player is about; None: nobody looks."""


# ----------------------------------------------------------------------------------------- sessions
class Session:
    """One player and one partner.

    rest_joints  (2, 22, 3) joints of both bodies in the rest pose
    seed         all randomness of the session follows from it
    capsules     of both bodies, for contacts and for a zone; None: no contacts are told
    intent       tells what the player is about; None: nobody does
    partner_start  of the partner until the first window is there; None: a place before the player
    Times are seconds since the session began.
    Raises ConfigError, as `update` does, for a zone without capsules.
    """

    def __init__(
        self,
        config: SessionConfig,
        *,
        rest_joints: Array,
        seed: int,
        capsules: tuple[Capsules, Capsules] | None = None,
        partner_start: Pose | None = None,
        intent: IntentNet | None = None,
    ) -> None:
        self.capsules, self.intent = capsules, intent
        self._timeline = Timeline(config, np.asarray(rest_joints, np.float64))
        self._targets = Targets(self._timeline.rest_joints, capsules)
        self._restore(
            SessionState(
                config=config,
                windows=WindowsState(seed=seed),
                pursuit=self._targets.state(),
                partner_start=partner_start,
            )
        )

    @classmethod
    def restored(
        cls,
        state: SessionState,
        *,
        rest_joints: Array,
        capsules: tuple[Capsules, Capsules] | None = None,
        intent: IntentNet | None = None,
    ) -> Session:
        """The session that `state` was taken of, to the bit. Raises ConfigError for a zone or a
        contact without capsules."""
        session = cls(
            state.config,
            rest_joints=rest_joints,
            seed=state.windows.seed,
            capsules=capsules,
            intent=intent,
        )
        session._restore(state)
        return session

    def _restore(self, state: SessionState) -> None:
        timeline = self._timeline
        timeline.config, timeline.now = state.config, state.frame
        timeline.sent_until, timeline.leads_from = state.sent_until, state.leads_from
        timeline.tail = state.tail
        timeline.floors.extend(state.floors)
        timeline.player = PlayerTrack.restored(KEPT_FRAMES, state.player)
        timeline.plan = Plan.restored(state.plan)
        self._partner_start = state.partner_start
        self._contacts = None
        if self.capsules is not None:
            self._contacts = ContactTracker(self.capsules, state.contacts)
        self._keeper = self._keeper_of(state.config)
        if self._keeper is not None:
            self._keeper.kept_until = state.kept_until
        self._targets.restore(state.pursuit)
        self._manners = Manners(self.intent, state.manners)
        self._windows = WantedWindows(state.windows)
        self._expectation = Expectation(state.expected)
        self._is_resting, self._is_resumed = state.is_resting, state.is_resumed
        self._sent_hands: dict[int, Array] = {}
        """The partner's curls (10,) in frames that were sent and are not over."""
        self._revision, self._departure = state.revision, state.departure
        self._due = np.array(state.due)

    def state(self) -> SessionState:
        """All that decides what comes of later calls; copies."""
        timeline = self._timeline
        generated, held, fallback = self._due.tolist()
        return SessionState(
            config=self.config,
            windows=self._windows.state,
            pursuit=self._targets.state(),
            manners=self._manners.state(),
            frame=timeline.now,
            sent_until=timeline.sent_until,
            tail=timeline.tail,
            leads_from=timeline.leads_from,
            floors=tuple(timeline.floors),
            partner_start=self._partner_start,
            player=timeline.player.state(),
            plan=timeline.plan.state(),
            expected=self._expectation.state(),
            contacts=ContactsState() if self._contacts is None else self._contacts.state(),
            kept_until=-1 if self._keeper is None else self._keeper.kept_until,
            revision=self._revision,
            departure=self._departure,
            due=(generated, held, fallback),
            is_resting=self._is_resting,
            is_resumed=self._is_resumed,
        )

    def plan_again(self) -> Chunk:
        """What the client of a resumed session should hold, before the clock goes on."""
        timeline = self._timeline
        return self._chunk_of(timeline.now)

    @property
    def rest_joints(self) -> Array:
        return self._timeline.rest_joints

    @property
    def config(self) -> SessionConfig:
        return self._timeline.config

    @property
    def direction(self) -> Direction:
        """What is wanted, without the targets that were reached or missed."""
        return self._targets.direction

    def feed(self, time_s: float, pose: Pose) -> int:
        """Take the player's pose at a time; returns its sequence number, from 0.

        Any rate will do. Raises SessionError if the time does not increase.
        """
        return self._timeline.player.feed(time_s, pose)

    def update(self, config: SessionConfig) -> None:
        """New settings, for a revision that the next tick asks for; a zone holds at once.

        Those of load control (`load.py`) call for none: they hold for all windows from the next on.
        """
        before = replace(
            self.config,
            steps=config.steps,
            revision_frames=config.revision_frames,
            refill_frames=config.refill_frames,
        )
        zone, zone_before = (
            (each.allow_contact, each.zone_radius, each.leash) for each in (config, self.config)
        )
        if zone != zone_before:
            self._keeper = self._keeper_of(config)
        self._timeline.config = config
        if config.has_zone:
            self._targets.forbid_contact()
        if config != before:
            self._windows.call_for_revision()

    def direct(self, direction: Direction) -> None:
        """What is wanted of the two, for a revision that the next tick asks for.

        `direction.text` only for an animator that takes text. Raises ConfigError for a contact
        where there is a zone, or of what is no hand and no part of a body.
        """
        if direction.contact is not None and self.config.has_zone:
            raise ConfigError(
                "contact: the partner may not touch the player; allow contact, with a zone of 0",
                field="contact",
            )
        before = self.direction
        self._targets.want(direction)
        if direction.mode is not before.mode:
            leads_at_once = direction.mode is Mode.FOLLOW_PLAN and not self._timeline.plan
            self._timeline.leads_from = 0 if leads_at_once else None
            self._is_resting = False
        self._windows.call_for_revision()

    def confirm(self, offer: int) -> bool:
        """Have the offer with this number answered; returns whether it still stands."""
        return self._manners.confirm(offer, self._timeline.now)

    @property
    def wanted(self) -> tuple[WantedWindow, ...]:
        """The windows that were asked for, and are neither there nor failed."""
        return self._windows.wanted

    def accept(self, ticket: int, sampled: SampledWindow) -> None:
        """Take a sampled window back; the next tick merges it into the plan.

        Raises SessionError for a ticket that is not under way, and BackendError (the window counts
        as failed) when its x0 is not finite or not (2, 30, 135).
        """
        self._windows.accept(ticket, sampled.x0)

    def fail(self, ticket: int) -> None:
        """The window could not be denoised: the plan goes on, and the next tick asks again."""
        self._windows.fail(ticket)

    def tick(self, now: float) -> Tick:
        """Move the clock to `now` (seconds): what to send, and which windows to denoise.

        May be called as often as the caller likes. Raises SessionError if time runs backwards.
        """
        timeline, frame = self._timeline, frame_at(now)
        if frame < timeline.now:
            raise SessionError(
                f"tick at frame {frame} after frame {timeline.now}; time must not run backwards",
                field="now",
                reason="TIME_NOT_INCREASING",
            )
        before, timeline.now = timeline.now, frame
        if timeline.player.last_frame < 0:
            return Tick(frame=frame, chunk=None, wanted=())
        if not timeline.plan:
            stand(timeline, self._partner_start)
        if self._is_resumed:
            self._is_resumed = False
            bridge_absence(timeline)
        self._count_due(before)
        if not timeline.is_led or not timeline.floors:
            timeline.floors.append(timeline.player_floor)
        chunk = self._chunk(self._planned())
        self._targets.judge(timeline.plan, frame, timeline.player.at)
        self._departure = self._expectation.departure(timeline)
        offers = self._manners.offers
        notice = self._see(frame)
        offer = self._manners.offer if self._manners.offers > offers else None
        keep_away = None if self._keeper is None else self._keeper.keep_away
        wanted = self._windows.ask(
            timeline,
            self._targets,
            self._departure,
            keep_away,
            is_hurried=notice is Notice.SOONER,
        )
        timeline.plan.forget_before(timeline.oldest)
        self._sent_hands = {at: hand for at, hand in self._sent_hands.items() if at >= frame}
        self._expectation.forget_before(timeline.oldest)
        events = self._targets.take_events()
        return Tick(frame=frame, chunk=chunk, wanted=wanted, events=events, offer=offer)

    def _see(self, frame: int) -> Notice:
        """Let the partner see what the player is about; an answer is planned at once."""
        timeline, config = self._timeline, self.config
        if not (config.guard and config.company):
            return Notice.NONE
        root, transl = timeline.plan.partner_root(frame)
        notice = self._manners.see(
            situation_of(timeline, self.direction),
            frame,
            place_of(root, transl + self.rest_joints[1, 0]),
            answered=config.answered,
            asks=config.respond is Respond.ASK,
            from_frame=timeline.frozen_until + 1,
        )
        if notice is not Notice.NONE:
            self._windows.call_for_revision(at_once=notice is Notice.AT_ONCE)
        return notice

    def close(self) -> None:
        """No call after this one counts; a session that is recorded writes so down."""

    def status(self) -> SessionStatus:
        return SessionStatus(
            frame=self._timeline.now,
            planned_until=self._timeline.plan_end,
            revision=self._revision,
            departure=self._departure,
            generated_frames=int(self._due[Quality.GENERATED]),
            held_frames=int(self._due[Quality.HELD]),
            fallback_frames=int(self._due[Quality.FALLBACK]),
            windows_accepted=self._windows.state.accepted,
            windows_failed=self._windows.state.failed,
            intent=self._intent_report(),
        )

    def _intent_report(self) -> IntentReport | None:
        timeline = self._timeline
        if not timeline.floors:
            return None
        situation = situation_of(timeline, self.direction)
        return self._manners.report(situation, timeline.now, self._palms_ahead)

    def _palms_ahead(self) -> Array:
        """(frame, 2, 3) the partner's palms from now on, as planned."""
        plan, now, rest = self._timeline.plan, self._timeline.now, self.rest_joints[1]
        count = max(plan.last + 1 - now, 1)
        partner = plan.stretch(now, count, is_shown=True)[1]
        return palms_of(*partner.in_world(rest), rest)[0]

    def _keeper_of(self, config: SessionConfig) -> SpaceKeeper | None:
        """The keeper of the zone that the settings want; None: they want none."""
        if not config.has_zone:
            return None
        if self.capsules is None:
            raise ConfigError("a zone needs the capsules of both bodies", field="zone_radius")
        rest_joints = self._timeline.rest_joints
        space = PersonalSpace(self.capsules, rest_joints, config.zone_radius)
        return SpaceKeeper(space, rest_joints, config.leash)

    # -- the plan of a tick ------------------------------------------------------------------------
    def _planned(self) -> int | None:
        """Bring the plan up to date; returns the first frame that changed, if any.

        Frames that were sent change in a new revision only: one for all that a tick does to them.
        """
        timeline, revision, held_until = self._timeline, self._revision, self._timeline.held_until
        take_up(timeline)
        is_paused = self.direction.mode is Mode.PAUSED
        changed_from = self._rest() if is_paused else self._merge()
        if changed_from is not None:
            timeline.tail = NO_FRAMES
        coast(timeline, is_paused=is_paused)
        shifts = partial(self._expectation.shifts, timeline)
        touched_from = touch(timeline, self._targets, shifts, changed_from)
        changed_from = _earlier(changed_from, touched_from)
        kept_from = None if self._keeper is None else self._keeper.keep(timeline, changed_from)
        corrected_from = _earlier(touched_from, kept_from)
        changed_from = _earlier(changed_from, kept_from)
        if corrected_from is not None:
            timeline.tail = NO_FRAMES
            held_until = max(held_until, timeline.sent_until)
        if changed_from is not None and changed_from <= held_until:
            self._revision = max(self._revision, revision + 1)
        return changed_from

    def _rest(self) -> int | None:
        """Paused: what is not frozen makes way for rest; returns the first frame that changed.

        A window that arrives is dropped: it was asked for in another mode.
        """
        self._windows.drop_arrived()
        if self._is_resting:
            return None
        self._is_resting = True
        self._windows.disown()
        self._revision += 1
        return come_to_rest(self._timeline)

    def _merge(self) -> int | None:
        """Put an arrived window into the plan; returns the first frame that changed, if any."""
        arrived = self._windows.take_arrived(self._timeline.now)
        if arrived is None:
            return None
        asked, sampled = arrived
        changed_from = merge(
            asked,
            sampled,
            timeline=self._timeline,
            expectation=self._expectation,
            keeper=self._keeper,
            direction=self.direction,
            manners=self._manners,
        )
        self._revision += asked.is_revision and changed_from is not None
        return changed_from

    # -- what is sent ------------------------------------------------------------------------------
    def _chunk(self, changed_from: int | None) -> Chunk | None:
        """What the client has to be sent, from the first frame that changed on.

        Frames that only follow what it holds come some at a time, before the horizon is touched.
        """
        timeline, end = self._timeline, self._timeline.plan_end
        horizon = timeline.now + self.config.sent_frames
        wants_tail = self.config.tail_frames > 0 and end < horizon
        is_short = wants_tail and timeline.held_until < timeline.now + self.config.horizon_frames
        if changed_from is None and not is_short and timeline.sent_until >= min(end, horizon):
            return None
        first = timeline.held_until + 1
        if changed_from is not None:
            first = max(min(first, changed_from), timeline.plan.first)
        timeline.sent_until = min(end, horizon + SPARE_FRAMES)
        if wants_tail:
            lengthen_tail(timeline, self._keeper)
        return self._chunk_of(first)

    def _chunk_of(self, first: int) -> Chunk:
        """All that the client holds from a frame on, with all that is said about it."""
        plan, tail, last = self._timeline.plan, self._timeline.tail, self._timeline.held_until
        touched, start = max(self._timeline.now - 2, plan.first), first - LOOKBACK
        posed_from = min(touched, start)
        poses = plan.stretch(posed_from, plan.last + 1 - posed_from, is_shown=True)
        poses = chained([poses, tail.pose], axis=1) if len(tail) else poses
        joints, world = poses.in_world(self.rest_joints[:, None])
        rows = slice(start - posed_from, last + 1 - posed_from)
        curls = curls_of(joints[:, rows], world[:, rows], self.rest_joints, first=start)
        contacts: tuple[Contact, ...] = ()
        if self._contacts is not None:
            rows = slice(touched - posed_from, plan.last + 1 - posed_from)
            contacts = self._contacts.update(
                self._timeline.now,
                touched,
                joints[:, rows],
                world[:, rows],
                plan.editions(touched, plan.last),
            )
        curls = curls[:, LOOKBACK:]
        for frame in range(first, min(last, self._timeline.frozen_until) + 1):
            if frame in self._sent_hands:  # beside another player, where the plan takes over
                curls[1, frame - first] = self._sent_hands[frame]
        self._sent_hands |= dict(enumerate(curls[1], first))
        frames = plan.frames(first, self._timeline.sent_until)
        if len(tail):
            frames = frames.before(tail.cut(max(first, tail.first), tail.last))
        return Chunk(
            revision=self._revision,
            frames=frames,
            contacts=contacts,
            curls=curls,
        )

    def _count_due(self, before: int) -> None:
        plan, now = self._timeline.plan, self._timeline.now
        first = max(before + 1, now - LONGEST_CATCH_UP, plan.first)
        due = plan.labels(first, min(now, plan.last))["quality"]
        self._due += np.bincount(due, minlength=len(Quality))


def _earlier(first: int | None, second: int | None) -> int | None:
    return second if first is None else first if second is None else min(first, second)
