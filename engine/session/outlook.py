"""Outlook: the player in frames to come, as known and then as expected to go on.

Hands are taken to come to rest soon, and a body that goes to slow down (`motion/company.py`).
Knows the player's track; knows no plan and no partner.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from engine.arrays import Array, IntArray
from engine.body.arms import SPINE
from engine.body.kinematics import along_chain, forward_kinematics
from engine.body.rotations import axis_angle_from_rotmat, rotmat_from_axis_angle
from engine.body.skeleton import JOINT
from engine.motion.company import expected
from engine.motion.motion import FRAME_RATE
from engine.session.player import PlayerTrack

HAND_SECONDS = 0.12
"""In which the player's hands are taken to come to rest."""
FACE = np.array([0.0, 0.08, 0.0])
"""From the head joint, metres."""
SEEN_FRAMES = 4
"""By which it is told how the player goes on."""


class Outlook:
    """The player in frames first .. first + count - 1, of which those up to `newest` are known.

    rest_joints  (22, 3) of the player
    """

    def __init__(
        self, player: PlayerTrack, newest: int, rest_joints: Array, first: int, count: int
    ) -> None:
        oldest = min(first, newest - SEEN_FRAMES + 1)
        self._seen = player.stretch(oldest, newest + 1 - oldest)
        self._rest = rest_joints
        self._known = slice(first - oldest, max(min(newest + 1, first + count), first) - oldest)
        coming = np.arange(max(newest + 1, first), first + count) - newest
        self._later = coming / FRAME_RATE
        self.transl = np.concatenate([self._seen.transl[self._known], self._gone(coming)])

    def _gone(self, coming: IntArray) -> Array:
        """transl of the frames that are not known, so many after the newest."""
        seen = self._seen.transl[-SEEN_FRAMES:]
        transl = np.broadcast_to(seen[-1], (len(coming), 3)).copy()
        if len(coming):
            transl[:, [0, 2]] = expected(seen[:, [0, 2]], int(coming[-1]))[coming - 1]
        return transl

    @cached_property
    def posed(self) -> tuple[Array, Array]:
        """World joints (count, 22, 3) and orientations (count, 22, 3, 3)."""
        seen = self._seen.rotmats
        before, last = seen[-2], seen[-1]
        velocity = axis_angle_from_rotmat(np.swapaxes(before, -1, -2) @ last) * FRAME_RATE
        done = HAND_SECONDS * -np.expm1(-self._later / HAND_SECONDS)
        turned = last @ rotmat_from_axis_angle(done[:, None, None] * velocity)
        rotmats = np.concatenate([seen[self._known], turned])
        return forward_kinematics(self._rest, rotmats, self.transl)

    @property
    def places(self) -> Array:
        """(count, 3) x, z and yaw of the hips, which go on facing as they do."""
        faces = self._seen.rotmats[:, 0, :, 2]
        yaw = np.arctan2(faces[:, 0], faces[:, 2])
        ground = (self.transl + self._rest[0])[:, [0, 2]]
        to_come = np.full(len(self._later), yaw[-1])
        return np.column_stack([ground, np.concatenate([yaw[self._known], to_come])])

    @property
    def face(self) -> Array:
        """(count, 3) its middle; it goes along with the body, as it is held now."""
        rotmats = self._seen.rotmats[-1]
        root = JOINT["pelvis"], self._rest[0], rotmats[0]
        places, _ = along_chain(self._rest, rotmats, [*SPINE, JOINT["neck"], JOINT["head"]], root)
        return np.asarray(places[-1] + FACE + self.transl)
