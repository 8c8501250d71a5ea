"""What a session asks the network for, and what it expects of the player meanwhile.

Which window is wanted next, what it is told, when it is due, and the one that is under way; and how
far the player departs from what the last one expected of him, which is what calls for revisions.
How an arrived window enters the plan is `merging.py`'s.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from engine.arrays import Array
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
EXPECTED_FRAMES = 256
"""More than lie between the oldest that is looked at and the end of any plan."""
NO_FRAME = np.iinfo(np.int64).min
SHIFT_FRAMES = 5
"""Frames that the player's difference from what was expected of him is taken to grow on."""


# ----------------------------------------------------------------------------------------- windows
@dataclass(frozen=True, kw_only=True)
class WantedWindow:
    """Denoise this, then `accept(ticket, x0)`, best before `deadline` (seconds of session time)."""

    ticket: int
    request: WindowRequest
    deadline: float


@dataclass(frozen=True, kw_only=True)
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


class WantedWindows:
    """The windows of one session, from being wanted to their arrival.

    seed     of the noise that they are made from
    tickets  windows asked for so far; delays: frames that the last ones took
    """

    def __init__(
        self,
        seed: int,
        *,
        tickets: int = 0,
        delays: tuple[int, ...] = (),
        accepted: int = 0,
        failed: int = 0,
    ) -> None:
        self.seed = seed
        self.tickets = tickets
        self.delays: deque[int] = deque([0, *delays], maxlen=8)
        self.accepted = accepted
        self.failed = failed
        self._is_stale = True
        self._revised_at = LONG_AGO
        self._under_way: UnderWay | None = None
        self._arrived: Track | None = None

    # -- arriving ----------------------------------------------------------------------------------
    def accept(self, ticket: int, x0: Array) -> None:
        """Raises SessionError for a ticket that is not under way, and BackendError (the window
        counts as failed) for an x0 that is no window."""
        asked = self._require_under_way(ticket)
        try:
            sampled = read_window(asked.window, x0)
            self._arrived = moved(sampled, player=-asked.pull)
        except BackendError:
            self.fail(ticket)
            raise

    def fail(self, ticket: int) -> None:
        asked = self._require_under_way(ticket)
        self._under_way = None
        self.failed += 1
        self._is_stale |= asked.is_revision
        self._revised_at = LONG_AGO

    def take_arrived(self, now: int) -> tuple[UnderWay, Track] | None:
        """The window that has arrived, if one has that is still wanted."""
        if self._arrived is None or self._under_way is None:
            return None
        asked, sampled = self._under_way, self._arrived
        self.drop_arrived()
        if not asked.is_wanted:
            return None
        self.delays.append(now - asked.asked_at)
        self.accepted += 1
        return asked, sampled

    def drop_arrived(self) -> None:
        if self._arrived is not None:
            self._under_way = self._arrived = None

    def disown(self) -> None:
        """The window under way, if any, is no longer wanted."""
        if self._under_way is not None:
            self._under_way = replace(self._under_way, is_wanted=False)

    def _require_under_way(self, ticket: int) -> UnderWay:
        if self._under_way is None or self._under_way.ticket != ticket or self._arrived is not None:
            raise SessionError(f"window {ticket} is not under way", field="ticket")
        return self._under_way

    # -- asking ------------------------------------------------------------------------------------
    def call_for_revision(self) -> None:
        """Something is wanted that the plan does not do."""
        self._is_stale = True

    def ask(
        self,
        timeline: Timeline,
        targets: Targets,
        departure: float,
        keep_away: KeepAway | None = None,
    ) -> tuple[WantedWindow, ...]:
        """The window that is due now, if any.

        departure  of the player, metres
        keep_away  from him, for the partner; None: there is no zone
        """
        wanted = self._due(timeline, targets, departure)
        return tuple(
            replace(window, request=replace(window.request, keep_away=keep_away))
            for window in wanted
        )

    def _due(
        self, timeline: Timeline, targets: Targets, departure: float
    ) -> tuple[WantedWindow, ...]:
        if self._under_way is not None or targets.direction.mode is Mode.PAUSED:
            return ()
        config, end = timeline.config, timeline.plan_end
        is_generated = timeline.plan.quality(end) is Quality.GENERATED
        has_departed = departure > config.departure_threshold
        may_revise = timeline.now - self._revised_at >= config.revision_frames
        is_due = has_departed or self._is_stale or _has_target_due(timeline, targets)
        # Early enough that the plan still reaches as far when the window has come.
        reach = config.sent_frames + max(self.delays) + 1
        is_short = end - timeline.now < min(config.refill_frames, reach)
        if not is_generated or (is_due and (may_revise or is_short)):
            return (self._ask_revision(timeline, targets),)
        if is_short:
            return (self._ask_chain(timeline, targets),)
        return ()

    def _ask_revision(self, timeline: Timeline, targets: Targets) -> WantedWindow:
        """A reaction window: the real player up to now, the partner up to what will be frozen."""
        config, until = timeline.config, timeline.player_known_until
        frozen = timeline.now + max(self.delays) + config.commit_frames
        most = until + (WINDOW_FRAMES - config.history_frames) // 2
        frozen = min(frozen, most, timeline.plan_end)
        if timeline.is_led:
            until = frozen
        self._revised_at = timeline.now
        self._is_stale = False
        return self._wanted(
            timeline, targets, is_revision=True, player_until=until, partner_until=frozen
        )

    def _ask_chain(self, timeline: Timeline, targets: Targets) -> WantedWindow:
        """The next window of the plan, as in the paper: its last pair is the anchor."""
        end = timeline.plan_end
        return self._wanted(
            timeline, targets, is_revision=False, player_until=end, partner_until=end
        )

    def _wanted(
        self,
        timeline: Timeline,
        targets: Targets,
        *,
        is_revision: bool,
        player_until: int,
        partner_until: int,
    ) -> WantedWindow:
        ticket, self.tickets = self.tickets, self.tickets + 1
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
            seed=self.seed,
            steps=config.steps,
            clock=first,
            skip=_skip(timeline, first + MARGIN + WINDOW_FRAMES - 1) if is_revision else 0,
        )
        self._under_way = UnderWay(
            ticket=ticket,
            window=window,
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
        return WantedWindow(
            ticket=ticket,
            request=replace(window.request, text=targets.direction.text),
            deadline=(partner_until + 1) / FRAME_RATE,
        )


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
class Expectation:
    """The player's joints (22, 3), world, by frame, as the last revision and its chains expect
    them: frame i lies at slot i % EXPECTED_FRAMES of a ring."""

    def __init__(self) -> None:
        self._frames = np.full(EXPECTED_FRAMES, NO_FRAME)
        self._joints = np.zeros((EXPECTED_FRAMES, JOINT_COUNT, 3))

    def clear(self) -> None:
        self._frames[:] = NO_FRAME

    def expect(self, result: Track, first: int, player_until: int, rest_joints: Array) -> None:
        """Remember where the window, beginning at `first`, expects the player's joints.

        rest_joints  (22, 3) of the player
        """
        new = max(player_until + 1 - first, 0)
        joints, _ = result.pose[0, new:].in_world(rest_joints)
        frames = np.arange(first + new, first + new + len(joints))
        self._frames[frames % EXPECTED_FRAMES] = frames
        self._joints[frames % EXPECTED_FRAMES] = joints

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
