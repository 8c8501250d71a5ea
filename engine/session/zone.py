"""Personal space over a session's plan: no frame is sent in which the partner is in the zone.

Which frames are held against the zone, and around which of the player's poses; how a frame is
corrected is `body/space.py`'s. Knows the timeline; knows no network and no target.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from engine.arrays import Array, BoolArray
from engine.body.capsules import Segments
from engine.body.pose import Pose, chained, stacked
from engine.body.rotations import rotmat_about
from engine.body.skeleton import JOINT_COUNT
from engine.motion.space import PersonalSpace
from engine.motion.standing import standing_pose
from engine.motion.track import Track
from engine.sampling.steering import KeepAway
from engine.session.plan import Frames, Timeline

NEWEST_POSE_FRAMES = 2
"""Frames after the frozen ones whose partner also keeps away from where the player is now."""
SPARE_DISTANCE = 0.3
"""Metres that windows are steered to beyond where two who stand keep out, for arms and legs that
swing; 0.1 left two thirds of the correction, 0.3 a tenth to a sixth."""


class SpaceKeeper:
    """Keeps the partner of one session out of the player's zone.

    leash  metres; no window shows the player further off, so none is steered beyond
    """

    def __init__(self, space: PersonalSpace, rest_joints: Array, leash: float) -> None:
        self._space = space
        self._rest_joints = rest_joints
        self._leash = leash
        self.kept_until = -1
        """The last frame that keeps out of the zone around the expected player."""

    @cached_property
    def keep_away(self) -> KeepAway:
        """What windows are steered by, so that there is less to correct.

        Found when first asked for, which takes tens of milliseconds: sessions are made on the event
        loop, and tick elsewhere.
        """
        distance = _standing_distance(self._space, self._rest_joints) + SPARE_DISTANCE
        return KeepAway(distance=min(distance, self._leash), rest_pelvis=self._rest_joints[:, 0])

    def keep(self, timeline: Timeline, changed_from: int | None) -> int | None:
        """Correct frames, from the one due now on, that reach into the player's zone.

        changed_from  the first frame that is new since the last call, if any
        Returns the first frame that it corrects, if any. Frozen frames too change when the player
        has come into them.
        """
        plan, now = timeline.plan, timeline.now
        first = max(min(now, timeline.sent_until + 1), plan.first)
        frames = plan.frames(first, plan.last)
        indices, partner = frames.indices, frames.pose[1]
        is_near = indices <= now + timeline.config.commit_frames + NEWEST_POSE_FRAMES
        expected = _players_in(timeline, frames)
        unchecked = self.kept_until if changed_from is None else changed_from - 1
        is_checked = (indices <= timeline.player_known_until) | (indices > unchecked)
        depths = self._depths(timeline, partner, expected, is_checked, is_near)
        self.kept_until = plan.last
        if not depths.any():
            return None
        kept = self._space.kept(
            partner,
            self._zone(timeline, expected, is_near),
            is_free=indices > now + timeline.config.commit_frames,
            depths=depths,
            before=plan.pair(first - 1, is_shown=True).transl[1] if first - 1 in plan else None,
        )
        changed = np.flatnonzero(kept.is_changed)
        plan.move_partner(indices[changed], kept.pose[changed])
        return int(indices[changed[0]])

    def _depths(
        self,
        timeline: Timeline,
        partner: Pose,
        expected: Pose,
        is_checked: BoolArray,
        is_near: BoolArray,
    ) -> Array:
        """How deep (frame, 3) the partner reaches into the zone, as of `PersonalSpace.depths`.

        expected    (frame,) the player
        is_checked  (frame,) others kept out of the zone around the expected player before, and
                    still do
        is_near     (frame,) those in which the newest pose counts anew
        """
        rows = np.flatnonzero(is_checked)
        which, players = np.arange(len(rows)), expected[rows]
        if not timeline.is_led:
            near = np.flatnonzero(is_near)
            which = np.append(which, np.full(len(near), len(rows)))
            rows = np.append(rows, near)
            players = chained([players, timeline.player.newest[None]])
        depths = np.zeros((len(partner.transl), 3))
        if len(rows):
            zone = self._space.zone(players[:, None])
            found = self._space.depths(
                partner[rows], Segments(starts=zone.starts[which], axes=zone.axes[which])
            )
            np.maximum.at(depths, rows, found)
        return depths

    def _zone(self, timeline: Timeline, expected: Pose, is_near: BoolArray) -> Segments:
        """Around the player as expected and, in near frames, also as seen."""
        both = stacked([expected, expected], axis=1)
        if not timeline.is_led:
            both.rotmats[is_near, 1] = timeline.player.newest.rotmats
            both.transl[is_near, 1] = timeline.player.newest.transl
        return self._space.zone(both)

    def spaced(self, track: Track, given: BoolArray) -> Track:
        """A window's frames out of the zone before the feet are placed, so that they step."""
        is_free = ~given[1]
        players, partner = track.pose[0, :, None], track.pose[1]
        free_zone = self._space.zone(players[is_free])
        depths = np.zeros((track.frames, 3))
        depths[is_free] = self._space.depths(track.pose[1, is_free], free_zone)
        if not depths.any():
            return track
        zone = self._space.zone(players)
        kept = self._space.kept(partner, zone, is_free=is_free, depths=depths).pose[is_free]
        rotmats, transl = track.rotmats.copy(), track.transl.copy()
        rotmats[1, is_free], transl[1, is_free] = kept.rotmats, kept.transl
        return Track(Pose(rotmats, transl), track.is_known)


def _standing_distance(space: PersonalSpace, rest_joints: Array) -> float:
    """Metres between the pelvises of two who stand face to face, from which on the zone is free."""
    distances = np.linspace(0.0, space.radius + 1.0, 100)
    player = np.broadcast_to(standing_pose(), (100, JOINT_COUNT, 3, 3))
    partner = player.copy()
    partner[:, 0] = rotmat_about("y", np.pi) @ partner[:, 0]
    transl = distances[:, None] * [0.0, 0.0, 1.0] + rest_joints[0, 0] - rest_joints[1, 0]
    zone = space.zone(Pose(player, np.zeros((100, 3)))[:, None])
    is_in = space.depths(Pose(partner, transl), zone).any(axis=1)
    return float(distances[is_in].max(initial=0.0))


def _players_in(timeline: Timeline, frames: Frames) -> Pose:
    """The player's poses (n,) in frames: as known, then as planned."""
    player = frames.pose[0]
    known = min(timeline.player_known_until + 1 - frames.first, len(frames))
    if known <= 0 or timeline.is_led:
        return player
    return chained([timeline.player.stretch(frames.first, known), player[known:]])
