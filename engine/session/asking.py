"""What a session asks the network for, and what it expects of the player meanwhile.

Which window is wanted next, what it is told, when it is due, and the one that is under way; and how
far the player departs from what the last one expected, which is what calls for revisions.
How an arrived window enters the plan is `merging.py`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from engine.arrays import Array, IntArray
from engine.body.skeleton import JOINT_COUNT
from engine.body.vectors import lengths
from engine.errors import BackendError, SessionError
from engine.motion.motion import FRAME_RATE, WINDOW_FRAMES
from engine.motion.seams import MARGIN
from engine.motion.track import Track, moved
from engine.sampling.request import WindowRequest
from engine.sampling.steering import KeepAway
from engine.sampling.windows import Window, open_window, read_window
from engine.session.direction import Mode
from engine.session.plan import KnownAhead, Quality, Timeline, stamp_of
from engine.session.player import PlayerStamp
from engine.session.targets.targets import Targets

CHAIN_LEAD = 10
"""Frames that a chain has at least to get to a pose; a revision takes what comes."""
PLAN_MISSING = 8
"""Frames at a window's end that a plan may lack for a revision to start from it."""
LONG_AGO = -(10**9)
"""A frame before any."""
KEPT_DELAYS = 8
EXPECTED_FRAMES = 256
"""More than lie between the oldest that is looked at and the end of any plan."""
NO_FRAME = np.iinfo(np.int64).min
SHIFT_FRAMES = 5
"""Frames that the player's difference from what was expected is taken to grow on."""


# ----------------------------------------------------------------------------------------- windows
@dataclass(frozen=True, kw_only=True)
class WantedWindow:
    """Denoise this, then `accept(ticket, x0)`, best before `deadline` (seconds of session time)."""

    ticket: int
    request: WindowRequest
    deadline: float


@dataclass(frozen=True, kw_only=True, eq=False)
class UnderWay:
    """A window that has been asked for; `is_revision` or else it continues the plan's end."""

    ticket: int
    window: Window
    is_revision: bool
    asked_at: int
    player_until: int
    partner_until: int
    based_on: PlayerStamp
    pull: Array
    """(3,) metres by which the player was moved for this window."""
    ahead: tuple[KnownAhead, ...]
    """Known frames that it leads to."""
    is_wanted: bool = True
    """False: it is dropped when it arrives."""

    @property
    def wanted(self) -> WantedWindow:
        deadline = (self.partner_until + 1) / FRAME_RATE
        return WantedWindow(ticket=self.ticket, request=self.window.request, deadline=deadline)


@dataclass(frozen=True, kw_only=True, eq=False)
class WindowsState:
    """All that is remembered of a session's windows.

    seed        of the noise that they are made from
    tickets     windows asked for so far; delays: frames that the last ones took
    is_stale    whether something is wanted that the plan does not do
    revised_at  frame at which the last revision was asked for
    arrived     frames of the window under way, when it is there
    """

    seed: int
    tickets: int = 0
    delays: tuple[int, ...] = (0,)
    accepted: int = 0
    failed: int = 0
    is_stale: bool = True
    revised_at: int = LONG_AGO
    under_way: UnderWay | None = None
    arrived: Track | None = None


class WantedWindows:
    """The windows of one session, from being wanted to their arrival."""

    def __init__(self, state: WindowsState) -> None:
        self.state = state

    def _set(self, **changes: Any) -> None:
        self.state = replace(self.state, **changes)

    @property
    def wanted(self) -> tuple[WantedWindow, ...]:
        """Those that were asked for and are neither there nor failed."""
        under_way = self.state.under_way
        return () if under_way is None or self.state.arrived is not None else (under_way.wanted,)

    # -- arriving ----------------------------------------------------------------------------------
    def accept(self, ticket: int, x0: Array) -> None:
        """Raises SessionError for a ticket that is not under way, and BackendError (the window
        counts as failed) for an x0 that is no window."""
        asked = self._require_under_way(ticket)
        try:
            sampled = read_window(asked.window, x0)
        except BackendError:
            self.fail(ticket)
            raise
        self._set(arrived=moved(sampled, player=-asked.pull))

    def fail(self, ticket: int) -> None:
        asked, state = self._require_under_way(ticket), self.state
        self._set(
            under_way=None,
            failed=state.failed + 1,
            is_stale=state.is_stale or asked.is_revision,
            revised_at=LONG_AGO,
        )

    def take_arrived(self, now: int) -> tuple[UnderWay, Track] | None:
        """The window that has arrived, if one has that is still wanted."""
        asked, sampled = self.state.under_way, self.state.arrived
        if sampled is None or asked is None:
            return None
        self.drop_arrived()
        if not asked.is_wanted:
            return None
        delays = (*self.state.delays, now - asked.asked_at)[-KEPT_DELAYS:]
        self._set(delays=delays, accepted=self.state.accepted + 1)
        return asked, sampled

    def drop_arrived(self) -> None:
        if self.state.arrived is not None:
            self._set(under_way=None, arrived=None)

    def disown(self) -> None:
        """The window under way, if any, is no longer wanted."""
        if self.state.under_way is not None:
            self._set(under_way=replace(self.state.under_way, is_wanted=False))

    def _require_under_way(self, ticket: int) -> UnderWay:
        under_way = self.state.under_way
        if under_way is None or under_way.ticket != ticket or self.state.arrived is not None:
            raise SessionError(f"window {ticket} is not under way", field="ticket")
        return under_way

    # -- asking ------------------------------------------------------------------------------------
    def call_for_revision(self, *, at_once: bool = False) -> None:
        """Something is wanted that the plan does not do; at once: however soon after another."""
        self._set(is_stale=True)
        if at_once:
            self._set(revised_at=LONG_AGO)

    def ask(
        self,
        timeline: Timeline,
        targets: Targets,
        departure: float,
        keep_away: KeepAway | None = None,
        *,
        is_hurried: bool = False,
    ) -> tuple[WantedWindow, ...]:
        """The window that is due now, if any.

        departure   of the player, metres
        keep_away   from the player, for the partner; None: there is no zone
        is_hurried  whether revisions follow each other sooner than usual
        """
        state, config, end = self.state, timeline.config, timeline.plan_end
        if state.under_way is not None or targets.direction.mode is Mode.PAUSED:
            return ()
        is_generated = timeline.plan.quality(end) is Quality.GENERATED
        has_departed = departure > config.departure_threshold
        least = config.hurried_frames if is_hurried else config.revision_frames
        may_revise = timeline.now - state.revised_at >= least
        is_due = has_departed or state.is_stale or _has_target_due(timeline, targets)
        # Early enough that the plan still reaches as far when the window has come.
        reach = config.sent_frames + max(state.delays) + 1
        is_short = end - timeline.now < min(config.refill_frames, reach)
        if not is_generated or (is_due and (may_revise or is_short)):
            self._ask_revision(timeline, targets, keep_away)
        elif is_short:
            self._ask_chain(timeline, targets, keep_away)
        return self.wanted

    def _ask_revision(
        self, timeline: Timeline, targets: Targets, keep_away: KeepAway | None
    ) -> None:
        """A reaction window: the real player up to now, the partner up to what will be frozen."""
        config, until = timeline.config, timeline.player_known_until
        frozen = timeline.now + max(self.state.delays) + config.commit_frames
        most = until + (WINDOW_FRAMES - config.history_frames) // 2
        frozen = min(frozen, most, timeline.plan_end)
        if timeline.is_led:
            until = frozen
        self._set(revised_at=timeline.now, is_stale=False)
        self._ask(
            timeline,
            targets,
            keep_away,
            is_revision=True,
            player_until=until,
            partner_until=frozen,
        )

    def _ask_chain(self, timeline: Timeline, targets: Targets, keep_away: KeepAway | None) -> None:
        """The next window of the plan, as in the paper: its last pair is the anchor."""
        end = timeline.plan_end
        self._ask(
            timeline,
            targets,
            keep_away,
            is_revision=False,
            player_until=end,
            partner_until=end,
        )

    def _ask(
        self,
        timeline: Timeline,
        targets: Targets,
        keep_away: KeepAway | None,
        *,
        is_revision: bool,
        player_until: int,
        partner_until: int,
    ) -> None:
        config, history = timeline.config, timeline.config.history_frames
        anchor = min(player_until, partner_until)
        first = anchor - history + 1 - MARGIN
        ahead = targets.ahead(
            timeline.plan,
            until=partner_until,
            least=1 if is_revision else CHAIN_LEAD,
            reach=anchor + WINDOW_FRAMES - history,
            floor=timeline.floor,
        )
        track = timeline.track(
            first, WINDOW_FRAMES + 2 * MARGIN, player_until, partner_until, ahead=ahead
        )
        pull = _pull(timeline, track, anchor - first)
        window = open_window(
            moved(track, player=pull),
            first=MARGIN,
            anchor=anchor - first,
            rest_joints=timeline.rest_joints,
            seed=self.state.seed,
            steps=config.steps,
            clock=first,
            skip=_skip(timeline, first + MARGIN + WINDOW_FRAMES - 1) if is_revision else 0,
        )
        text = targets.direction.text
        asked = UnderWay(
            ticket=self.state.tickets,
            window=replace(window, request=replace(window.request, text=text, keep_away=keep_away)),
            is_revision=is_revision,
            asked_at=timeline.now,
            player_until=player_until,
            partner_until=partner_until,
            based_on=(
                timeline.player.stamp_at(player_until)
                if is_revision
                else stamp_of(timeline.plan.label(timeline.plan_end))
            ),
            pull=pull,
            ahead=ahead,
        )
        self._set(under_way=asked, tickets=self.state.tickets + 1)


def _has_target_due(timeline: Timeline, targets: Targets) -> bool:
    return targets.is_due(
        timeline.plan,
        frozen=timeline.frozen_until,
        reach=timeline.player_known_until + WINDOW_FRAMES - timeline.config.history_frames,
    )


def _skip(timeline: Timeline, last: int) -> int:
    """Steps that a revision up to frame `last` leaves out: those that the plan stands for."""
    end, config = timeline.plan_end, timeline.config
    if timeline.plan.quality(end) is not Quality.GENERATED or end < last - PLAN_MISSING:
        return 0
    return min(config.warm_steps, config.steps - 1)


def _pull(timeline: Timeline, track: Track, anchor: int) -> Array:
    """How far (3,) the player must come along the ground to stand on the leash at `anchor`."""
    pelvis = timeline.rest_joints[:, 0] + track.transl[:, anchor]
    away = (pelvis[0] - pelvis[1]) * np.array([1.0, 0.0, 1.0])
    distance = float(np.linalg.norm(away))
    excess = max(distance - timeline.config.leash, 0.0)
    return np.asarray(-away * (excess / max(distance, 1e-9)))


# ------------------------------------------------------------------------------------- expectation
@dataclass(frozen=True, kw_only=True, eq=False)
class Expected:
    """World joints (n, 22, 3) of the player in frames (n,); copies."""

    frames: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    joints: Array = field(default_factory=lambda: np.zeros((0, JOINT_COUNT, 3)))


class Expectation:
    """The player's joints as the last revision and its chains expect them: those of frame i lie at
    slot i % EXPECTED_FRAMES of a ring."""

    def __init__(self, state: Expected) -> None:
        self._frames = np.full(EXPECTED_FRAMES, NO_FRAME)
        self._joints = np.zeros((EXPECTED_FRAMES, JOINT_COUNT, 3))
        self._put(state.frames, state.joints)

    def state(self) -> Expected:
        slots = np.flatnonzero(self._frames != NO_FRAME)
        return Expected(frames=self._frames[slots], joints=self._joints[slots])

    def _put(self, frames: IntArray, joints: Array) -> None:
        self._frames[frames % EXPECTED_FRAMES] = frames
        self._joints[frames % EXPECTED_FRAMES] = joints

    def clear(self) -> None:
        self._frames[:] = NO_FRAME

    def expect(self, result: Track, first: int, player_until: int, rest_joints: Array) -> None:
        """Remember where the window, beginning at `first`, expects the player's joints.

        rest_joints  (22, 3) of the player
        """
        new = max(player_until + 1 - first, 0)
        joints, _ = result.pose[0, new:].in_world(rest_joints)
        self._put(np.arange(first + new, first + new + len(joints)), joints)

    def departure(self, timeline: Timeline) -> float:
        """Mean joint error of the newest player frame, metres; 0 where nothing was expected."""
        frame = min(timeline.player.last_frame, timeline.now)
        if timeline.is_led or frame not in self:
            return 0.0
        error = lengths(timeline.posed_player(frame)[0] - self._joints[frame % EXPECTED_FRAMES])
        return float(error.mean())

    def shifts(self, timeline: Timeline, joint: int, frames: range) -> Array:
        """Metres (n, 3) that a joint of the player will be off where it is expected: as now, and a
        few frames on at the speed of now."""
        newest = min(timeline.player.last_frame, timeline.now)
        if timeline.is_led or newest not in self:
            return np.zeros((len(frames), 3))
        off = [
            timeline.posed_player(frame)[0][joint] - self._joints[frame % EXPECTED_FRAMES, joint]
            for frame in (newest - 1, newest)
            if frame in self
        ]
        ahead = np.clip(np.array(frames) - newest, 0, SHIFT_FRAMES)[:, None]
        return np.asarray(off[-1] + ahead * (off[-1] - off[0]))

    def forget_before(self, oldest: int) -> None:
        self._frames[self._frames < oldest] = NO_FRAME

    def __contains__(self, frame: int) -> bool:
        return bool(self._frames[frame % EXPECTED_FRAMES] == frame)
