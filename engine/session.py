"""A session: the life of one player and one partner, frame by frame.

Plain state and functions: `feed` takes the player's frames, `tick` says what to send and which
windows to denoise, `accept` takes a window back. It owns no thread, socket or clock, so a test runs
an hour of it in a second. Design: design.md 5.

A plan holds both people's frames. Frames up to now + commit are frozen; a *revision* replaces the
rest, from a reaction window that is told the real player and the frozen partner (Real-Time
Chunking, arXiv:2506.07339); a *chain* adds to the plan's end, as in the paper. One window is under
way at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.arrays import Array, BoolArray
from engine.body.capsules import Capsules, Segments
from engine.body.energy import UPPER_JOINTS, enlivened
from engine.body.kinematics import forward_kinematics
from engine.body.skeleton import JOINT_COUNT
from engine.body.space import PersonalSpace
from engine.body.vectors import lengths
from engine.contacts import Contact, ContactTracker
from engine.direction import Direction, Mode
from engine.errors import BackendError, ConfigError, SessionError
from engine.motion import FRAME_RATE, WINDOW_FRAMES
from engine.plan import Plan, PlanFrame, Quality
from engine.player import PlayerStamp, PlayerTrack, frame_at
from engine.session_config import SessionConfig
from engine.session_state import SessionState
from engine.standing import settled, standing_partner
from engine.targets import KnownAhead, Targets
from engine.tick import Chunk, SessionStatus, Tick, WantedWindow
from engine.windows import (
    MARGIN,
    REST_DECAY,
    CleanupConfig,
    Track,
    Window,
    brought_to,
    coasted,
    corrected,
    feet_locked,
    joined,
    joined_to,
    known_track,
    lowest_heights,
    moved,
    open_window,
    pinned,
    read_window,
)

NEWEST_POSE_FRAMES = 2
"""Frames after the frozen ones whose partner also keeps away from where the player is now."""
KEPT_FRAMES = WINDOW_FRAMES + 2 * MARGIN
"""Of the player; no window looks further back."""
LOST_REVISIONS = 100
"""By how much a resumed session's revision is ahead: more than a client can have had since."""
SHIFT_FRAMES = 5
"""Frames that the player's difference from what was expected of him is taken to grow on."""
LEAST_TURN = 0.02
"""Change of an arm's rotation (Frobenius norm, about 1 cm of the hand) that is worth a revision."""
EASE_FRAMES = 4
"""Before and after a pose that is passed through, in which energy comes and goes."""
CHAIN_LEAD = 10
"""Frames that a chain has at least to get to a pose; a revision takes what comes."""
SPARE_FRAMES = 4
"""Sent beyond the horizon, so that a plan that stands needs a message every half second only."""
PLAN_MISSING = 8
"""Frames at a window's end that a plan may lack for a revision to start from it."""
LONGEST_CATCH_UP = 100
"""Frames; a longer silence of the caller is skipped, not filled with frames nobody will play."""


# -------------------------------------------------------------------------------------- the session
@dataclass(frozen=True, kw_only=True)
class _UnderWay:
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


class Session:
    """One player and one partner.

    rest_joints  (2, 22, 3) joints of both bodies in the rest pose
    seed         all randomness of the session follows from it
    capsules     of both bodies, for contacts and for a zone; None: no contacts are told
    partner_start  rotmats (22, 3, 3), transl (3,) of the partner until the first window is there;
                   None: he stands before the player
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
        partner_start: tuple[Array, Array] | None = None,
    ) -> None:
        self._rest_joints = np.asarray(rest_joints, np.float64)
        self._partner_start = partner_start
        self._capsules = capsules
        self._contacts = None if capsules is None else ContactTracker(capsules, self._rest_joints)
        self._space: PersonalSpace | None = None
        self._configure(config)
        self._seed = seed
        self._targets = Targets(self._rest_joints, capsules)
        # From this frame on the player is the plan's, who leads; None: he comes from outside.
        self._leads_from: int | None = None
        self._is_resting = False
        self._now = -1
        self._player = PlayerTrack(KEPT_FRAMES)
        self._plan = Plan()
        self._expected: dict[int, Array] = {}
        self._floors: deque[float] = deque(maxlen=WINDOW_FRAMES)
        self._sent_until = -1
        self._revision = 0
        self._revised_at = -(10**9)
        self._is_stale = True
        self._delays: deque[int] = deque([0], maxlen=8)
        self._tickets = 0
        self._under_way: _UnderWay | None = None
        self._arrived: Track | None = None
        self._departure = 0.0
        self._posed_player: tuple[int, Array, float] = (-1, np.zeros((JOINT_COUNT, 3)), 0.0)
        self._due: dict[Quality, int] = dict.fromkeys(Quality, 0)
        self._accepted = 0
        self._failed = 0
        self._is_resumed = False

    @classmethod
    def resumed(
        cls,
        state: SessionState,
        *,
        rest_joints: Array,
        capsules: tuple[Capsules, Capsules] | None = None,
    ) -> Session:
        """The session that `state` was taken of, to go on at any later time, with a new revision.

        A client that has played all it had shows its last frame until it hears more, so the plan
        goes on from there, at rest.
        """
        session = cls(state.config, rest_joints=rest_joints, seed=state.seed, capsules=capsules)
        session._targets.want(state.direction)
        is_led = state.direction.mode is Mode.FOLLOW_PLAN
        session._leads_from = state.plan[0].index if is_led else None
        session._now = state.frame
        session._player = PlayerTrack.restored(
            KEPT_FRAMES,
            last_frame=state.player_last,
            frames=list(zip(state.rotmats, state.transl, strict=True)),
            stamp=state.stamp,
            newest=(state.newest_rotmats, state.newest_transl),
        )
        for frame in state.plan:
            session._plan.append(frame)
        if capsules is not None:
            session._contacts = ContactTracker(
                capsules, session._rest_joints, contacts=state.contacts, ids=state.contact_ids
            )
        session._floors.append(state.floor)
        session._sent_until = state.sent_until
        session._revision = state.revision + LOST_REVISIONS
        session._delays.extend(state.delays)
        session._tickets = state.tickets
        session._due = dict(zip(Quality, state.due, strict=True))
        session._accepted, session._failed = state.accepted, state.failed
        session._is_resumed = True
        return session

    def state(self) -> SessionState | None:
        """What `resumed` goes on from; None as long as there is no plan."""
        if not self._plan:
            return None
        reach = self._config.history_frames + self._config.commit_frames + 2 * MARGIN
        first = self._now - reach
        frames = self._player.frames_from(first)
        contacts = self._contacts
        return SessionState(
            config=self._config,
            direction=self.direction,
            seed=self._seed,
            frame=self._now,
            revision=self._revision,
            sent_until=self._sent_until,
            tickets=self._tickets,
            delays=tuple(self._delays),
            floor=min(self._floors),
            player_last=self._player.last_frame,
            rotmats=np.stack([rotmats for rotmats, _ in frames]),
            transl=np.stack([transl for _, transl in frames]),
            stamp=self._player.stamp,
            newest_rotmats=self._player.newest[0],
            newest_transl=self._player.newest[1],
            plan=tuple(self._plan[index] for index in self._plan if index >= first),
            contacts=() if contacts is None else contacts.contacts,
            contact_ids=0 if contacts is None else contacts.ids,
            due=tuple(self._due[quality] for quality in Quality),
            accepted=self._accepted,
            failed=self._failed,
        )

    def plan_again(self) -> Chunk:
        """What the client of a resumed session should hold, before the clock goes on."""
        frames = tuple(self._plan[at] for at in range(self._now, self._sent_until + 1))
        return Chunk(revision=self._revision, frames=frames, contacts=self._touches())

    @property
    def config(self) -> SessionConfig:
        return self._config

    @property
    def direction(self) -> Direction:
        """What is wanted, without the targets that were reached or missed."""
        return self._targets.direction

    def feed(self, time_s: float, rotmats: Array, transl: Array) -> int:
        """Take a player frame (22, 3, 3), (3,) at a time; returns its sequence number, from 0.

        Any rate will do. Raises SessionError if the time does not increase.
        """
        return self._player.feed(time_s, rotmats, transl)

    def update(self, config: SessionConfig) -> None:
        """New settings, for a revision that the next tick asks for; a zone holds at once.

        Those of load control (`load.py`) call for none: they hold for all windows from the next on.
        """
        before = replace(
            self._config,
            steps=config.steps,
            revision_frames=config.revision_frames,
            refill_frames=config.refill_frames,
        )
        self._configure(config)
        if config.has_zone:
            self._targets.forbid_contact()
        self._is_stale |= config != before

    def direct(self, direction: Direction) -> None:
        """What is wanted of the two, for a revision that the next tick asks for.

        `direction.text` only for an animator that takes text. Raises ConfigError for a contact
        where there is a zone, or of what is no hand and no part of a body.
        """
        if direction.contact is not None and self._config.has_zone:
            raise ConfigError(
                "contact: the partner may not touch the player; allow contact, with a zone of 0",
                field="contact",
            )
        before = self.direction
        self._targets.want(direction)
        if direction.mode is not before.mode:
            leads_at_once = direction.mode is Mode.FOLLOW_PLAN and not self._plan
            self._leads_from = 0 if leads_at_once else None
            self._is_resting = False
        self._is_stale = True

    def accept(self, ticket: int, x0: Array) -> None:
        """Take a sampled window (2, 30, 135) back; the next tick merges it into the plan.

        Raises SessionError for a ticket that is not under way, and BackendError (the window counts
        as failed) when x0 is not finite or has another shape.
        """
        asked = self._require_under_way(ticket)
        try:
            sampled = read_window(asked.window, x0)
            self._arrived = moved(sampled, player=-asked.pull)
        except BackendError:
            self.fail(ticket)
            raise

    def fail(self, ticket: int) -> None:
        """The window could not be denoised: the plan goes on, and the next tick asks again."""
        asked = self._require_under_way(ticket)
        self._under_way = None
        self._failed += 1
        self._is_stale |= asked.is_revision
        self._revised_at = -(10**9)

    def tick(self, now: float) -> Tick:
        """Move the clock to `now` (seconds): what to send, and which windows to denoise.

        May be called as often as the caller likes. Raises SessionError if time runs backwards.
        """
        frame = frame_at(now)
        if frame < self._now:
            raise SessionError(
                f"tick at frame {frame} after frame {self._now}; time must not run backwards",
                field="now",
                reason="TIME_NOT_INCREASING",
            )
        before, self._now = self._now, frame
        if self._player.last_frame < 0:
            return Tick(frame=frame, chunk=None, wanted=())
        if not self._plan:
            self._stand()
        if self._is_resumed:
            self._bridge_absence()
        self._count_due(before)
        if self._leads_from is None or not self._floors:
            self._floors.append(self._player_floor())
        revision = self._revision
        changed_from = self._rest() if self._mode is Mode.PAUSED else self._merge()
        self._coast()
        changed_from = self._touch(changed_from, is_new=self._revision > revision)
        changed_from = self._keep_space(changed_from, is_new=self._revision > revision)
        chunk = self._chunk(changed_from)
        self._targets.judge(self._plan, self._now, self._player.at)
        self._measure_departure()
        wanted = self._ask()
        self._forget()
        events = self._targets.take_events()
        return Tick(frame=frame, chunk=chunk, wanted=wanted, events=events)

    def status(self) -> SessionStatus:
        return SessionStatus(
            frame=self._now,
            planned_until=self._plan_end,
            revision=self._revision,
            departure=float(self._departure),
            generated_frames=self._due[Quality.GENERATED],
            held_frames=self._due[Quality.HELD],
            fallback_frames=self._due[Quality.FALLBACK],
            windows_accepted=self._accepted,
            windows_failed=self._failed,
        )

    def _configure(self, config: SessionConfig) -> None:
        self._config = config
        self._space, self._kept_until = None, -1
        if config.has_zone:
            if self._capsules is None:
                raise ConfigError("a zone needs the capsules of both bodies", field="zone_radius")
            self._space = PersonalSpace(self._capsules, self._rest_joints, config.zone_radius)

    # -- the plan ----------------------------------------------------------------------------------
    @property
    def _plan_end(self) -> int:
        return self._plan.last if self._plan else self._now - 1

    @property
    def _mode(self) -> Mode:
        return self.direction.mode

    @property
    def _player_known_until(self) -> int:
        """The last frame whose player is known; one that has gone quiet is taken to stand still."""
        return max(min(self._player.last_frame, self._now), self._now - self._config.commit_frames)

    def _stand(self) -> None:
        """The plan before any window: the partner stands before the player."""
        first = max(
            min(self._player.last_frame, self._now), self._now - self._config.history_frames
        )
        player = self._player.at(first)
        distance = self._config.start_distance
        partner = self._partner_start or standing_partner(
            player, self._rest_joints, distance, self._player_floor()
        )
        rotmats, transl = (np.stack(values) for values in zip(player, partner, strict=True))
        for index in range(first, self._now + self._config.sent_frames + 1):
            self._plan.append(
                PlanFrame(
                    index=index,
                    rotmats=rotmats,
                    transl=transl,
                    quality=Quality.FALLBACK,
                    based_on=self._player.stamp_at(first),
                )
            )
        self._sent_until = first - 1

    def _merge(self) -> int | None:
        """Put an arrived window into the plan; returns the first frame that changed, if any."""
        if self._arrived is None or self._under_way is None:
            return None
        asked, sampled = self._under_way, self._arrived
        self._under_way = self._arrived = None
        if not asked.is_wanted:
            return None
        self._delays.append(self._now - asked.asked_at)
        self._accepted += 1
        frozen = min(self._now + self._config.commit_frames, self._plan_end)
        kept = frozen if asked.is_revision else self._plan_end
        first, player_until = asked.window.request.first_frame, asked.player_until
        if first + WINDOW_FRAMES - 1 <= kept:
            if self._plan[kept].quality is Quality.GENERATED:
                return None
            # Too late for its own time, but the partner still waits where it starts.
            delay = kept - asked.partner_until
            first, player_until = first + delay, player_until + delay
        takes_lead = (
            self._mode is Mode.FOLLOW_PLAN and self._leads_from is None and asked.is_revision
        )
        if takes_lead:
            player_until = max(player_until, self._player_known_until)
        elif self._leads_from is not None:
            player_until = kept
        exact = tuple(target for target in asked.ahead if target.is_exact)
        span = first - MARGIN, WINDOW_FRAMES + 2 * MARGIN, player_until, kept
        known = self._track(*span, ahead=exact)
        if len(exact) < len(asked.ahead):
            sampled = pinned(sampled, self._track(*span, ahead=asked.ahead))
        result = joined_to(sampled, known)
        given = known.cut(MARGIN, WINDOW_FRAMES).is_known
        shown = self._track(first, WINDOW_FRAMES, player_until, kept, ahead=exact, is_shown=True)
        config = CleanupConfig(floor=min(self._floors), foot_lock=self._config.foot_lock)
        if self._config.has_cleanup:
            result = corrected(result, given, self._rest_joints, config)
            result = self._spaced(result, given)
        final = self._lively(result, shown, given)
        if self._config.has_cleanup:
            final = feet_locked(final, given, self._rest_joints, config, shown)
        if asked.is_revision:
            self._expected.clear()
        self._expect(result, first, player_until)
        self._plan.cut_after(kept)
        for index in range(kept + 1, first + WINDOW_FRAMES):
            at = index - first
            # Copies: a frame that is kept must not keep its whole window.
            frame = PlanFrame(
                index=index,
                rotmats=final.rotmats[:, at].copy(),
                transl=final.transl[:, at].copy(),
                quality=Quality.GENERATED,
                based_on=asked.based_on,
                window=asked.ticket + 1,
                steps=asked.window.request.steps,
            )
            made = result.rotmats[:, at].copy(), result.transl[:, at].copy()
            self._plan.append(frame, made=made)
        self._revision += asked.is_revision
        if not takes_lead:
            return kept + 1
        # Nobody was shown this player so far: only the partner's frozen frames must stay.
        self._leads_from = player_until + 1
        for index in range(player_until + 1, kept + 1):
            at = index - first
            self._plan.move_player(
                index,
                shown=(final.rotmats[0, at], final.transl[0, at]),
                made=(result.rotmats[0, at], result.transl[0, at]),
            )
        return max(player_until, self._now) + 1

    def _lively(self, made: Track, shown: Track, given: BoolArray) -> Track:
        """What was made, with the energy that is wanted, going on from what was shown."""
        known = np.flatnonzero(given[1])
        ahead = known[known > np.flatnonzero(~given[1])[0]]
        frozen = known[known < np.flatnonzero(~given[1])[0]]
        is_as_made = np.array_equal(
            shown.rotmats[1, frozen[-3:]][:, UPPER_JOINTS],
            made.rotmats[1, frozen[-3:]][:, UPPER_JOINTS],
        )
        if self.direction.energy == 1 and is_as_made:
            return made
        distance = np.abs(np.arange(made.frames)[:, None] - ahead).min(axis=1, initial=EASE_FRAMES)
        gain = 1 + (self.direction.energy - 1) * np.minimum(distance / EASE_FRAMES, 1.0)
        upper = enlivened(made.rotmats[1], gain)
        turned = self._carried_on(upper, shown.rotmats[1], given[1])
        rotmats = made.rotmats.copy()
        rotmats[1][:, UPPER_JOINTS] = turned[:, UPPER_JOINTS]
        return replace(made, rotmats=rotmats)

    def _carried_on(self, rotmats: Array, shown: Array, given: BoolArray) -> Array:
        """Rotations (frame, 22, 3, 3) that go on from those that were shown, where given."""
        nowhere = np.zeros((1, len(rotmats), 3))
        known = Track(rotmats=shown[None], transl=nowhere, is_known=given[None])
        track = pinned(known_track(rotmats[None], nowhere), known, REST_DECAY)
        return np.asarray(track.rotmats[0])

    def _touch(self, changed_from: int | None, *, is_new: bool) -> int | None:
        """Bend the partner's arm for a touch, to where the player is; returns as `_keep_space`."""
        edge = min(self._now + self._config.commit_frames, self._plan_end)
        if changed_from is not None:
            edge = max(changed_from - 1, edge)
        frames = self._targets.touch_frames(edge + 1, self._plan_end)
        if not frames or self._mode is Mode.PAUSED:
            return changed_from
        span = range(max(edge - 2, self._plan.first), frames[-1] + 1)
        shown = [self._plan[index] for index in span]
        touched = self._targets.touched(
            span,
            (
                np.stack([self._plan.untouched(index) for index in span]),
                np.stack([frame.transl[1] for frame in shown]),
            ),
            (
                np.stack([frame.rotmats[0] for frame in shown]),
                np.stack([frame.transl[0] for frame in shown]),
            ),
            self._shifts,
        )
        before = np.stack([frame.rotmats[1] for frame in shown])
        touched = self._carried_on(touched, before, np.array(span) <= edge)
        turned = np.linalg.norm(touched - before, axis=(-2, -1)).max(axis=-1)
        if changed_from is None and turned.max() < LEAST_TURN:
            return None
        for index, rotmats in zip(span, touched, strict=True):
            if index > edge:
                self._plan.touch(index, rotmats)
        self._revision += edge < self._sent_until and not is_new
        return edge + 1 if changed_from is None else min(edge + 1, changed_from)

    def _shifts(self, joint: int, frames: range) -> Array:
        """Metres (n, 3) that a joint of the player will be off where it is expected: as now, and a
        few frames on at the speed of now."""
        newest = min(self._player.last_frame, self._now)
        known = [frame for frame in (newest - 1, newest) if frame in self._expected]
        if not known or known[-1] != newest or self._leads_from is not None:
            return np.zeros((len(frames), 3))
        off = [self._player_at(frame)[0][joint] - self._expected[frame][joint] for frame in known]
        ahead = np.clip(np.array(frames) - newest, 0, SHIFT_FRAMES)[:, None]
        return np.asarray(off[-1] + ahead * (off[-1] - off[0]))

    def _expect(self, result: Track, first: int, player_until: int) -> None:
        """Remember where the window, beginning at `first`, expects the player's joints."""
        new = max(player_until + 1 - first, 0)
        joints, _ = forward_kinematics(
            self._rest_joints[0], result.rotmats[0, new:], result.transl[0, new:]
        )
        for offset, expected in enumerate(joints):
            self._expected[first + new + offset] = expected

    def _bridge_absence(self) -> None:
        """Fill the time since a client had played all it held with what it has shown meanwhile:
        its last frame."""
        self._is_resumed = False
        if self._now <= self._sent_until:
            return
        self._plan.cut_after(self._sent_until)
        last = self._plan[self._plan_end]
        first = max(last.index + 1, self._now - LONGEST_CATCH_UP)
        for index in range(first, self._now + 1):
            held = replace(last, index=index, quality=Quality.HELD, window=0, steps=0)
            self._plan.append(held)
        self._sent_until = max(self._sent_until, first - 1)

    def _rest(self) -> int | None:
        """Paused: what is not frozen makes way for rest; returns the first frame that changed.

        A window that arrives is dropped: it was asked for in another mode.
        """
        if self._arrived is not None:
            self._under_way = self._arrived = None
        if self._is_resting:
            return None
        self._is_resting = True
        if self._under_way is not None:
            self._under_way = replace(self._under_way, is_wanted=False)
        frozen = min(self._now + self._config.commit_frames, self._plan_end)
        self._plan.cut_after(frozen)
        history = self._config.history_frames
        shown = self._track(frozen - history + 1, history, frozen, frozen, is_shown=True)
        floor = min(self._floors)
        poses = [
            settled((shown.rotmats[person, -1], shown.transl[person, -1]), rest_joints, floor)
            for person, rest_joints in enumerate(self._rest_joints)
        ]
        pair = np.stack([rotmats for rotmats, _ in poses]), np.stack([at for _, at in poses])
        result = brought_to(shown, pair, self._config.horizon_frames, REST_DECAY)
        self._hold(self._grounded(shown, result), frozen + 1)
        self._revision += 1
        return frozen + 1

    def _coast(self) -> None:
        """Let the plan reach through the frozen frames, paused to the horizon: dry, its motion
        dies away."""
        end = self._plan_end
        is_paused = self._mode is Mode.PAUSED
        reach = self._config.sent_frames if is_paused else self._config.commit_frames
        missing = self._now + reach - end
        if missing <= 0:
            return
        missing += SPARE_FRAMES if is_paused else 0
        history = self._config.history_frames
        shown = self._track(end - history + 1, history, end, end, is_shown=True)
        result = coasted(shown, min(missing, LONGEST_CATCH_UP))
        if self._plan[end].quality is not Quality.FALLBACK:
            result = self._grounded(shown, result)
        skipped = max(missing - LONGEST_CATCH_UP, 0)
        self._sent_until = max(self._sent_until, end + skipped) if skipped else self._sent_until
        self._hold(result, end + skipped + 1)

    def _grounded(self, shown: Track, track: Track) -> Track:
        """What follows frames that were shown, with its feet on the floor."""
        if not self._config.has_cleanup:
            return track
        config = CleanupConfig(floor=min(self._floors), foot_lock=self._config.foot_lock)
        given = np.repeat([np.arange(shown.frames + track.frames) < shown.frames], 2, axis=0)
        result = feet_locked(joined([shown, track]), given, self._rest_joints, config)
        return result.cut(shown.frames, track.frames)

    def _hold(self, track: Track, first: int) -> None:
        """Go on with frames that no network made."""
        last = self._plan[self._plan_end]
        quality = Quality.FALLBACK if last.quality is Quality.FALLBACK else Quality.HELD
        for offset in range(track.frames):
            frame = PlanFrame(
                index=first + offset,
                rotmats=track.rotmats[:, offset],
                transl=track.transl[:, offset],
                quality=quality,
                based_on=last.based_on,
            )
            self._plan.append(frame)

    def _keep_space(self, changed_from: int | None, *, is_new: bool) -> int | None:
        """Correct frames, from the one due now on, that reach into the player's zone.

        Returns the first frame that changed, if any. Frozen frames too change when the player has
        come into them: they are sent again, in a new revision, unless this one `is_new`.
        """
        if self._space is None:
            return changed_from
        start = min(self._now, self._sent_until + 1)
        indices = [index for index in self._plan if index >= start]
        frames = [self._plan[index] for index in indices]
        unchecked = self._kept_until if changed_from is None else changed_from - 1
        near = self._now + self._config.commit_frames + NEWEST_POSE_FRAMES
        depths = self._depths(frames, near, unchecked)
        self._kept_until = indices[-1]
        if not depths.any():
            return changed_from
        kept = self._space.kept(
            np.stack([frame.rotmats[1] for frame in frames]),
            np.stack([frame.transl[1] for frame in frames]),
            self._zone(frames, near),
            is_free=np.array(indices) > self._now + self._config.commit_frames,
            depths=depths,
            before=self._plan[indices[0] - 1].transl[1] if indices[0] - 1 in self._plan else None,
        )
        changed = np.flatnonzero(kept.is_changed)
        for at in changed:
            self._plan.move_partner(indices[at], kept.rotmats[at], kept.transl[at])
        first = indices[int(changed[0])]
        self._revision += first <= self._sent_until and not is_new
        return first if changed_from is None else min(first, changed_from)

    def _depths(self, frames: Sequence[PlanFrame], near: int, unchecked: int) -> Array:
        """How deep (frame, 3) the partner reaches into the zone, as of `PersonalSpace.depths`.

        A frame up to `unchecked` kept out of the zone around the expected player before, and still
        does unless he is known there by now; the newest pose counts anew up to frame `near`.
        """
        assert self._space is not None
        known = self._player_known_until
        rows = [
            row
            for row, frame in enumerate(frames)
            if frame.index <= known or frame.index > unchecked
        ]
        players = [self._player_in(frames[row]) for row in rows]
        which = list(range(len(rows)))
        if self._leads_from is None:
            near_rows = [row for row, frame in enumerate(frames) if frame.index <= near]
            rows, which = rows + near_rows, which + [len(players)] * len(near_rows)
            players.append(self._player.newest)
        depths = np.zeros((len(frames), 3))
        if rows:
            zone = self._space.zone(
                np.stack([rotmats for rotmats, _ in players])[:, None],
                np.stack([transl for _, transl in players])[:, None],
            )
            found = self._space.depths(
                np.stack([frames[row].rotmats[1] for row in rows]),
                np.stack([frames[row].transl[1] for row in rows]),
                Segments(starts=zone.starts[which], axes=zone.axes[which]),
            )
            np.maximum.at(depths, rows, found)
        return depths

    def _zone(self, frames: Sequence[PlanFrame], near: int) -> Segments:
        """Around the player where he is expected and, up to frame `near`, also where he is."""
        assert self._space is not None
        poses = []
        for frame in frames:
            expected = self._player_in(frame)
            is_near = frame.index <= near and self._leads_from is None
            poses.append([expected, self._player.newest if is_near else expected])
        return self._space.zone(
            np.array([[rotmats for rotmats, _ in both] for both in poses]),
            np.array([[transl for _, transl in both] for both in poses]),
        )

    def _player_in(self, frame: PlanFrame) -> tuple[Array, Array]:
        """The player's pose in a frame: as he was while that is known, then as planned."""
        if self._leads_from is None and frame.index <= self._player_known_until:
            return self._player.at(frame.index)
        return frame.rotmats[0], frame.transl[0]

    def _spaced(self, track: Track, given: BoolArray) -> Track:
        """A window's frames out of the zone before the feet are placed, so that they step."""
        if self._space is None:
            return track
        is_free = ~given[1]
        players = track.rotmats[0, :, None], track.transl[0, :, None]
        free_zone = self._space.zone(players[0][is_free], players[1][is_free])
        depths = np.zeros((track.frames, 3))
        depths[is_free] = self._space.depths(
            track.rotmats[1, is_free], track.transl[1, is_free], free_zone
        )
        if not depths.any():
            return track
        zone = self._space.zone(*players)
        kept = self._space.kept(
            track.rotmats[1], track.transl[1], zone, is_free=is_free, depths=depths
        )
        rotmats, transl = track.rotmats.copy(), track.transl.copy()
        rotmats[1, is_free], transl[1, is_free] = kept.rotmats[is_free], kept.transl[is_free]
        return replace(track, rotmats=rotmats, transl=transl)

    def _chunk(self, changed_from: int | None) -> Chunk | None:
        """What the client has to be sent, from the first frame that changed on.

        Frames that only follow what it holds come some at a time, before the horizon is touched.
        """
        horizon = self._now + self._config.sent_frames
        if changed_from is None and self._sent_until >= min(self._plan_end, horizon):
            return None
        first = self._sent_until + 1
        if changed_from is not None:
            first = min(first, changed_from)
        last = min(self._plan_end, horizon + SPARE_FRAMES)
        self._sent_until = last
        frames = tuple(self._plan[index] for index in range(first, last + 1))
        return Chunk(revision=self._revision, frames=frames, contacts=self._touches())

    def _touches(self) -> tuple[Contact, ...]:
        """All contacts of the plan from now on, beyond the horizon too."""
        if self._contacts is None:
            return ()
        plan = [self._plan[index] for index in self._plan if index >= self._now - 2]
        return self._contacts.update(
            self._now, [(frame.index, frame.rotmats, frame.transl) for frame in plan]
        )

    def _forget(self) -> None:
        """Drop what no later window asks for: an hour takes no more room than a minute."""
        oldest = self._now - WINDOW_FRAMES - 2 * MARGIN
        self._plan.forget_before(oldest)
        for index in [index for index in self._expected if index < oldest]:
            del self._expected[index]

    def _count_due(self, before: int) -> None:
        for index in range(max(before + 1, self._now - LONGEST_CATCH_UP), self._now + 1):
            if index in self._plan:
                self._due[self._plan[index].quality] += 1

    # -- asking for windows ------------------------------------------------------------------------
    def _measure_departure(self) -> None:
        frame = min(self._player.last_frame, self._now)
        expected = self._expected.get(frame)
        if expected is None or self._leads_from is not None:
            self._departure = 0.0
            return
        error = lengths(self._player_at(frame)[0] - expected)
        self._departure = float(error.mean())

    def _ask(self) -> tuple[WantedWindow, ...]:
        if self._under_way is not None or self._mode is Mode.PAUSED:
            return ()
        end = self._plan_end
        is_generated = self._plan[end].quality is Quality.GENERATED
        has_departed = self._departure > self._config.departure_threshold
        may_revise = self._now - self._revised_at >= self._config.revision_frames
        is_due = has_departed or self._is_stale or self._has_target_due()
        # Early enough that the plan still reaches as far when the window has come.
        reach = self._config.sent_frames + max(self._delays) + 1
        is_short = end - self._now < min(self._config.refill_frames, reach)
        if not is_generated or (is_due and (may_revise or is_short)):
            return (self._ask_revision(),)
        if is_short:
            return (self._ask_chain(end),)
        return ()

    def _has_target_due(self) -> bool:
        return self._targets.is_due(
            self._plan,
            frozen=min(self._now + self._config.commit_frames, self._plan_end),
            reach=self._player_known_until + WINDOW_FRAMES - self._config.history_frames,
        )

    def _ask_revision(self) -> WantedWindow:
        """A reaction window: the real player up to now, the partner up to what will be frozen."""
        until = self._player_known_until
        frozen = self._now + max(self._delays) + self._config.commit_frames
        most = until + (WINDOW_FRAMES - self._config.history_frames) // 2
        frozen = min(frozen, most, self._plan_end)
        if self._leads_from is not None:
            until = frozen
        self._revised_at = self._now
        self._is_stale = False
        return self._wanted(is_revision=True, player_until=until, partner_until=frozen)

    def _ask_chain(self, end: int) -> WantedWindow:
        """The next window of the plan, as in the paper: its last pair is the anchor."""
        return self._wanted(is_revision=False, player_until=end, partner_until=end)

    def _wanted(self, *, is_revision: bool, player_until: int, partner_until: int) -> WantedWindow:
        ticket, self._tickets = self._tickets, self._tickets + 1
        history = self._config.history_frames
        anchor = min(player_until, partner_until)
        first = anchor - history + 1 - MARGIN
        ahead = self._targets.ahead(
            self._plan,
            until=partner_until,
            least=1 if is_revision else CHAIN_LEAD,
            reach=anchor + WINDOW_FRAMES - history,
            floor=min(self._floors),
        )
        track = self._track(
            first, WINDOW_FRAMES + 2 * MARGIN, player_until, partner_until, ahead=ahead
        )
        pull = self._pull(track, anchor - first)
        window = open_window(
            moved(track, player=pull),
            first=MARGIN,
            anchor=anchor - first,
            rest_joints=self._rest_joints,
            seed=self._seed,
            steps=self._config.steps,
            clock=first,
            skip=self._skip(first + MARGIN + WINDOW_FRAMES - 1) if is_revision else 0,
        )
        self._under_way = _UnderWay(
            ticket=ticket,
            window=window,
            is_revision=is_revision,
            asked_at=self._now,
            player_until=player_until,
            partner_until=partner_until,
            based_on=self._player.stamp_at(player_until) if is_revision else self._last_stamp(),
            pull=pull,
            ahead=ahead,
        )
        return WantedWindow(
            ticket=ticket,
            request=replace(window.request, text=self.direction.text),
            deadline=(partner_until + 1) / FRAME_RATE,
        )

    def _skip(self, last: int) -> int:
        """Steps that a revision up to frame `last` leaves out: those that the plan stands for."""
        end = self._plan_end
        if self._plan[end].quality is not Quality.GENERATED or end < last - PLAN_MISSING:
            return 0
        return min(self._config.warm_steps, self._config.steps - 1)

    def _pull(self, track: Track, anchor: int) -> Array:
        """How far (3,) the player must come along the ground to stand on the leash at `anchor`."""
        pelvis = self._rest_joints[:, 0] + track.transl[:, anchor]
        away = (pelvis[0] - pelvis[1]) * np.array([1.0, 0.0, 1.0])
        distance = float(np.linalg.norm(away))
        excess = max(distance - self._config.leash, 0.0)
        return np.asarray(-away * (excess / max(distance, 1e-9)))

    def _last_stamp(self) -> PlayerStamp:
        return self._plan[self._plan_end].based_on

    def _track(
        self,
        first: int,
        frames: int,
        player_until: int,
        partner_until: int,
        *,
        ahead: tuple[KnownAhead, ...] = (),
        is_shown: bool = False,
    ) -> Track:
        """Frames of the session: the player as he was while that is known, then as planned.

        ahead     known frames after those
        is_shown  as the client has them; else as the network made them
        """
        rotmats, transl = self._plan.stretch(first, frames, is_shown=is_shown)
        real_until = self._player_known_until
        if self._leads_from is not None:
            real_until = min(real_until, self._leads_from - 1)
        for index in range(first, min(first + frames, real_until + 1)):
            rotmats[0, index - first], transl[0, index - first] = self._player.at(index)
        indices = np.arange(first, first + frames)
        track = Track(
            rotmats=rotmats,
            transl=transl,
            is_known=np.stack([indices <= player_until, indices <= partner_until]),
        )
        for target in ahead:
            for person, pose in enumerate((target.player, target.partner)):
                at = target.frame - first
                if pose is None or not 0 <= at < frames or track.is_known[person, at]:
                    continue
                track.rotmats[person, at], track.transl[person, at] = pose
                track.is_known[person, at] = True
        return track

    def _player_floor(self) -> float:
        return self._player_at(self._player.last_frame)[1]

    def _player_at(self, frame: int) -> tuple[Array, float]:
        """World joints (22, 3) of the player at a known frame, and the height of his lowest point;
        asked for several times in a frame."""
        if self._posed_player[0] != frame:
            joints, world = forward_kinematics(self._rest_joints[0], *self._player.at(frame))
            lowest = lowest_heights(joints, world, self._rest_joints[0])
            self._posed_player = frame, joints, float(lowest.min())
        return self._posed_player[1:]

    def _require_under_way(self, ticket: int) -> _UnderWay:
        if self._under_way is None or self._under_way.ticket != ticket or self._arrived is not None:
            raise SessionError(f"window {ticket} is not under way", field="ticket")
        return self._under_way
