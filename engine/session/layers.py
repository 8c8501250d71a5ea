"""Layers: what becomes of one window's partner that a network made.

It is brought within what people do (`motion/guard.py`), stands and steps by a course of ours
(`motion/company.py`), and answers (`motion/answers.py`); then it is joined to what was shown.
Knows the window and what was decided about it; remembers nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from engine.arrays import Array, IntArray
from engine.body.arms import chest_of, reaching
from engine.body.pose import Pose
from engine.motion.answers import DANCE, LEAD, UP, Answer, bent, hips_off, reaches_of
from engine.motion.company import Course
from engine.motion.dance import danced, led_trunk, sunk
from engine.motion.gait import on_legs, rooted, swinging
from engine.motion.guard import attentive, guarded, hands_down
from engine.motion.motion import WINDOW_FRAMES
from engine.motion.rising import Rise
from engine.motion.seams import MARGIN, REST_DECAY, SEAM_DECAY, joined_to, pinned
from engine.motion.track import Track
from engine.session.outlook import Outlook
from engine.session.situation import Situation


@dataclass(frozen=True, kw_only=True, eq=False)
class Layers:
    """The layers over one window.

    known   the window, as far as it is known, with margins; until: its last known row
    frames  (n,) numbers of the last rows: those that the layers may change, and the three known
            ones before them that the seam is joined to
    player  in these frames
    course  of the partner after the last known row; None: nobody but the network leads
    risen   part of the way up of a partner who gets up, in that row: 0 sits, 1 stands
    """

    situation: Situation
    known: Track
    frames: IntArray
    until: int
    player: Outlook
    course: Course | None
    answer: Answer | None
    reason: float
    risen: float = 1.0

    @cached_property
    def leader(self) -> Pose:
        """(n,) the player whose moves are danced in these frames: as late as all are known."""
        first = int(self.frames[0]) - self.situation.lag
        return self.situation.player.stretch(first, len(self.frames))

    @cached_property
    def rise(self) -> Rise | None:
        """How a partner who sits goes on; None: it stands."""
        if self.course is None or self.risen == 1:
            return None
        return Rise(
            pose=self.known.pose[1, self.until],
            risen=self.risen,
            course=self.course,
            rest_joints=self.situation.rest_joints[1],
            floor=self.situation.floor,
        )

    @property
    def decay(self) -> float:
        """Of what a seam leaves: soon gone in one who keeps company, whose face and hands go after
        another's."""
        return float(SEAM_DECAY if self.course is None else REST_DECAY)

    @cached_property
    def weights(self) -> Array:
        """(n,) of the answer."""
        return np.zeros(0) if self.answer is None else self.answer.weights(self.frames)

    def believable(self, sampled: Track) -> Track:
        """What the network made of the partner, as the layers have it; with margins."""
        rest, answer, course = self.situation.rest_joints, self.answer, self.course
        start = self.known.frames - len(self.frames)
        pose = guarded(sampled.pose[1, start:], rest[1], self.reason, balance=course is None)
        rotmats, transl = pose.rotmats, pose.transl
        chest = chest_of(rotmats, transl, rest[1])
        rotmats = reaching(
            rotmats, chest, rest[1], *hands_down(rotmats, chest, rest[1], 1 - self.reason)
        )
        if course is not None:
            rotmats = swinging(rotmats, self.known.rotmats[1, start:], course)
            if answer is not None:
                rotmats = self._bent(rotmats, answer)
            pose = self._on_course(course, Pose(rotmats, transl))
            rotmats, transl = pose.rotmats, pose.transl
            chest = chest_of(rotmats, transl, rest[1])
        if course is not None and answer is not None:
            partner, player = (rotmats, chest, rest[1]), (*self.player.posed, rest[0])
            reaches = reaches_of(answer, self.frames, self.weights, partner, player)
            rotmats = reaching(rotmats, chest, rest[1], *reaches)
        if answer is None or answer.kind != "bow" or not self.weights.any():
            rotmats = attentive(rotmats, chest, rest[1], self.player.face)
        if self.rise is not None:
            rows = len(rotmats) - len(self.rise.course.pace)
            rotmats[:rows] = self.known.rotmats[1, start : start + rows]
        both = sampled.rotmats.copy(), sampled.transl.copy()
        both[0][1, start:], both[1][1, start:] = rotmats, transl
        return replace(sampled, pose=Pose(*both))

    def _bent(self, rotmats: Array, answer: Answer) -> Array:
        """The partner's frames with the trunk as the answer wants it; of a dance, the arms too."""
        if answer.kind == DANCE:
            return danced(rotmats, self.leader.rotmats, self.weights)
        if answer.kind == LEAD:
            return led_trunk(rotmats, self.frames - answer.begins, self.weights)
        return bent(rotmats, answer, self.weights)

    def _on_course(self, course: Course, pose: Pose) -> Pose:
        """The root as known, and from there on along the course; legs follow in `carried`."""
        known, free = len(self.frames) - len(course.pace), slice(-len(course.pace), None)
        rotmats, transl = pose.rotmats.copy(), pose.transl.copy()
        rows = slice(self.until + 1 - known, self.until + 1)
        rotmats[:known, 0] = self.known.rotmats[1, rows, 0]
        transl[:known] = self.known.transl[1, rows]
        off = self._hips_off()[free]
        if self.rise is not None:
            rotmats[:known] = self.known.rotmats[1, rows]
            rotmats[free], off = self.rise.carried_up(rotmats[free]), self.rise.hips_off()
        led = rooted(
            rotmats[free],
            course,
            self.situation.rest_joints[1],
            self.situation.floor,
            off,
        )
        rotmats[free], transl[free] = led.rotmats, led.transl
        return Pose(rotmats, transl)

    def _hips_off(self) -> Array:
        """(n, 3) metres left, up and ahead that the hips are off the course for the answer."""
        if self.answer is None:
            return np.zeros((len(self.frames), 3))
        if self.answer.kind != DANCE:
            return hips_off(self.answer, self.frames, self.weights)
        down = sunk(self.leader, *self.situation.rest_joints)
        return np.asarray(-(self.weights * down)[:, None] * UP)

    def joined(self, believed: Track) -> Track:
        """The window, without margins, joined to what is known. The first frames are not drawn
        again while one dances or gets up: they are as good as known."""
        is_dancing = self.answer is not None and self.answer.kind in (DANCE, LEAD)
        if self.rise is not None or (is_dancing and self.weights.min() == 1):
            return pinned(believed, self.known, self.decay).cut(MARGIN, WINDOW_FRAMES)
        return joined_to(believed, self.known, self.decay)

    def carried(self, result: Track, believed: Track) -> Track:
        """A joined window, without margins, whose partner goes along the course on its legs.

        believed  as `believable` has it, which says where the root is
        """
        if self.course is None:
            return result
        free = slice(self.until + 1 - MARGIN, None)
        rotmats, transl = result.rotmats.copy(), result.transl.copy()
        course = self.course.cut(result.frames - free.start)
        transl[1, free] = believed.transl[1, self.until + 1 :][: len(course.pace)]
        rotmats[1, free] = on_legs(
            rotmats[1, free],
            transl[1, free],
            course,
            self.situation.rest_joints[1],
            self.situation.floor,
        )
        if self.rise is not None:
            rotmats[1, free] = replace(self.rise, course=course).on_feet(rotmats[1, free])
        return replace(result, pose=Pose(rotmats, transl))
