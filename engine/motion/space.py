"""Personal space: a zone around the player's body that no part of the partner's body enters.

The last stage before frames are sent, and a guarantee: whatever a network made, the frames that
come back keep out. Knows poses and capsules; knows no window, session or network.

An arm that reaches in is bent back to the partner's side; where that is not enough the whole body
is pushed away from the player along the ground. Both rise and fall slowly over the frames, but
where that would break the guarantee, the guarantee wins. Capsules with their covers hold all skin
of both bodies (`capsules.py`), so what holds for them holds for the meshes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import Array, BoolArray
from engine.body.capsules import Capsules, Segments, near_pairs
from engine.body.pose import Pose
from engine.body.reach import COLLARS, ELBOWS, SHOULDERS, WRISTS
from engine.body.rotations import slerp_rotmat, wrapped
from engine.motion.standing import standing_pose

ARMS = tuple(zip(COLLARS, SHOULDERS, ELBOWS, WRISTS, strict=True))
ARM_JOINTS = [joint for arm in ARMS for joint in arm]

GROUND = np.array([1.0, 0.0, 1.0])

PUSH_STEP = 0.08
"""Metres by which the push of one frame may differ from the next one's."""
BEND_STEP = 0.25
"""The same for the part of the way that an arm is bent back."""
TURN_STEP, AROUND_STEP = 0.25, 0.15
"""Radians, and metres, that a partner who is near may go around the player in a frame: or else one
who is to come out at the player's other side would jump there."""
NEAR = 0.8
"""Metres beyond the zone within which that counts."""
ROUNDS, GROWTH = 14, 0.015
"""Rounds of correction and control, before frames that still reach in are put at a safe distance;
and metres that a push grows by from round to round: a grazed arm that points at the partner is
shallow and long."""
SPARE = 0.001
"""Metres that a push goes beyond what is needed, because rotations lose precision on the wire."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Kept:
    """Partner poses that keep out of the zone, and which frames had to change (frame,)."""

    pose: Pose
    is_changed: BoolArray


class PersonalSpace:
    """The zone of one player, kept by one partner.

    capsules     of player and partner
    rest_joints  (2, 22, 3)
    radius       metres around the player's skin; 0: no contact
    """

    def __init__(
        self, capsules: tuple[Capsules, Capsules], rest_joints: Array, radius: float
    ) -> None:
        self._player, self._partner = capsules
        self._rest_joints = np.asarray(rest_joints, np.float64)
        self.radius = radius
        self._at_ease = standing_pose()
        # The limb that each capsule belongs to: 0 the body, 1 the left arm, 2 the right.
        self._limbs = np.zeros(len(self._partner), np.int64)
        for number, arm in enumerate(ARMS):
            self._limbs[np.isin(self._partner.joints, arm[1:])] = number + 1

    def zone(self, players: Pose) -> Segments:
        """What the partner must keep away from, of players (frame, pose): in each frame of all
        these poses."""
        posed = self._player.posed(*players.in_world(self._rest_joints[0]))
        count = players.transl.shape[1] * len(self._player)
        return Segments(
            starts=posed.starts.reshape(-1, count, 3), axes=posed.axes.reshape(-1, count, 3)
        )

    def depths(self, partner: Pose, zone: Segments) -> Array:
        """How deep (frame, 3) body, left and right arm of the partner (frame,) reach into the zone,
        metres; 0 where they keep out."""
        joints, world = partner.in_world(self._rest_joints[1])
        covers = np.tile(self._player.covers, zone.starts.shape[1] // len(self._player))
        pairs = near_pairs(
            zone, covers + self.radius, self._partner.posed(joints, world), self._partner.covers, 0
        )
        result = np.zeros((len(joints), 3))
        np.maximum.at(result, (pairs.frames, self._limbs[pairs.second]), -pairs.gaps)
        return result

    def kept(
        self,
        partner: Pose,
        zone: Segments,
        *,
        is_free: BoolArray,
        depths: Array | None = None,
        before: Array | None = None,
    ) -> Kept:
        """The partner's frames, corrected so that none reaches into the zone.

        partner   (frame,), successive; zone of as many frames
        is_free   (frame,) frames that may also change to make the motion smooth; others change only
                  where they reach in
        depths    (frame, 3) as of `depths`, 0 for frames that may stay as they are; None: of all
        before    transl (3,) of the frame before; None: the first may be anywhere
        """
        rotmats, transl = partner.rotmats, partner.transl
        depths = self.depths(partner, zone) if depths is None else depths
        if not depths.any():
            return Kept(pose=partner, is_changed=np.zeros(len(transl), np.bool_))
        way, shift = self._ways(transl, zone, is_free, before)
        push: Array = np.zeros(len(transl))
        bend: Array = np.zeros((len(transl), 2))
        pose = Pose(rotmats, transl + shift)
        is_moved = shift.any(axis=1)
        for round_ in range(ROUNDS):
            is_bent_enough = bend >= 1
            needed = np.maximum(depths[:, 0], (depths[:, 1:] * is_bent_enough).max(axis=1))
            needed = np.where(needed > 0, needed + SPARE + GROWTH * round_, 0.0)
            bent = np.minimum(bend + 2 * BEND_STEP * (depths[:, 1:] > 0), 1.0)
            last = push, bend
            push = _gradual(push + needed, PUSH_STEP, is_free)
            bend = _gradual(bent, BEND_STEP, is_free)
            pose = Pose(self._bent(rotmats, bend), transl + shift + push[:, None] * way)
            is_moved |= (push != last[0]) | (bend != last[1]).any(axis=1)
            depths = np.zeros_like(depths)
            depths[is_moved] = self.depths(pose[is_moved], _rows(zone, is_moved))
            if not depths.any():
                break
            is_moved = np.zeros_like(is_moved)
        is_in = np.asarray(depths.any(axis=1))
        away = self._safe_distance(pose[is_in], _rows(zone, is_in))
        pose.transl[is_in] += away[:, None] * way[is_in]
        is_changed = (push > 0) | (bend > 0).any(axis=1) | shift.any(axis=1)
        return Kept(pose=pose, is_changed=is_changed)

    def _ways(
        self, transl: Array, zone: Segments, is_free: BoolArray, before: Array | None
    ) -> tuple[Array, Array]:
        """Directions (frame, 3) away from the player, that turn no faster than a near partner may
        go around the player; and shifts (frame, 3) that put the partner there."""
        middle = zone.starts.mean(axis=1)
        pelvis = self._rest_joints[1, 0] + transl
        away = (pelvis - middle) * GROUND
        distance = np.linalg.norm(away, axis=-1)
        bearing = np.arctan2(away[:, 0], away[:, 2])
        turned = bearing.copy()
        first = None
        if before is not None:
            seen = self._rest_joints[1, 0] + before - middle[0]
            first = float(np.arctan2(seen[0], seen[2]))
        for frame in range(len(transl)):
            last = first if frame == 0 else float(turned[frame - 1])
            is_on_the_way = frame > 0 and turned[frame - 1] != bearing[frame - 1]
            is_near = is_on_the_way or distance[frame] < self.radius + NEAR
            if last is None or not (is_near and is_free[frame]):
                continue
            most = min(TURN_STEP, AROUND_STEP / max(distance[frame], 1e-9))
            turn = wrapped(float(bearing[frame]) - last)
            if abs(turn) > most:
                turned[frame] = last + np.copysign(most, turn)
        way = _directions(turned)
        shift: Array = distance[:, None] * np.where(
            (turned != bearing)[:, None], way - _directions(bearing), 0.0
        )
        return way, shift

    def _bent(self, rotmats: Array, bend: Array) -> Array:
        """Arms bent back by parts (frame, 2) of the way to the partner's sides."""
        result = rotmats.copy()
        for side, arm in enumerate(ARMS):
            frames = np.flatnonzero(bend[:, side] > 0)
            if len(frames):
                rows = frames[:, None], np.array(arm)
                part = bend[frames, side][:, None]
                result[rows] = slerp_rotmat(rotmats[rows], self._at_ease[list(arm)], part)
        return result

    def _safe_distance(self, pose: Pose, zone: Segments) -> Array:
        """How far (n,) bodies must go so that spheres about both people are apart."""
        posed = self._partner.posed(*pose.in_world(self._rest_joints[1]))
        middle = zone.starts.mean(axis=1, keepdims=True)
        pelvis = (self._rest_joints[1, 0] + pose.transl)[:, None]
        reach = _reach(zone, middle, self._player) + self.radius
        reach += _reach(posed, pelvis, self._partner)
        return np.asarray(reach - np.linalg.norm((pelvis - middle)[:, 0] * GROUND, axis=-1) + SPARE)


def _directions(bearing: Array) -> Array:
    return np.stack([np.sin(bearing), np.zeros_like(bearing), np.cos(bearing)], axis=-1)


def _rows(segments: Segments, rows: BoolArray) -> Segments:
    return Segments(starts=segments.starts[rows], axes=segments.axes[rows])


def _reach(segments: Segments, middle: Array, capsules: Capsules) -> Array:
    """Radius (frame,) of the sphere about a middle (frame, 1, 3) that holds all capsules."""
    ends = np.concatenate([segments.starts, segments.starts + segments.axes], axis=1)
    return np.asarray(np.linalg.norm(ends - middle, axis=-1).max(axis=1) + capsules.covers.max())


def _gradual(values: Array, step: float, is_free: BoolArray) -> Array:
    """The least values (frame, ...) that are nowhere below, and change by at most `step` a frame
    towards and from free frames; others stay as they are."""
    frames = np.arange(len(values))
    fall = step * np.abs(frames[:, None] - frames)
    spread = values[None] - fall.reshape(*fall.shape, *[1] * (values.ndim - 1))
    keeps = is_free.reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray(np.where(keeps, spread.max(axis=1), values))
