"""Manners: how the partner behaves around what the network makes of it.

A window's partner is brought within what people do (`motion/guard.py`), keeps company by footsteps
of ours (`motion/company.py`), and answers what the player offers (`motion/answers.py`, by
`motion/intent.py`). All of it enters the window before it is joined to the frames that were shown,
so the network goes on from it. Each layer has its switch in the settings. Layers change frames that
a window makes, never frozen ones; personal space has the last word after them.
Knows tracks, the player's frames and settings; knows no plan, no clock and no network of windows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from engine.arrays import Array, IntArray
from engine.body.pose import Pose, stacked
from engine.body.rotations import axis_angle_from_rotmat, rotmat_from_axis_angle
from engine.body.skeleton import JOINT
from engine.motion.answers import (
    ANSWERED,
    CONTACTS,
    Answer,
    answered,
    arrives_after,
    bent,
    stand_for,
)
from engine.motion.company import (
    Companion,
    Course,
    accompany,
    companion_of,
    expected,
    posed,
    swinging,
)
from engine.motion.guard import attentive, guarded
from engine.motion.intent import KINDS, LOOKBACK, IntentNet, intent_features
from engine.motion.motion import FRAME_RATE
from engine.motion.seams import MARGIN
from engine.motion.track import Track

SURE, UNSURE = 0.6, 0.3
"""Probability from which an intent is taken for one, and under which no more."""
SURE_FRAMES, UNSURE_FRAMES = 1, 1
"""For so many frames in a row."""
LEAST_FRAMES = 12
"""That an answer lasts, when the player gives up at once."""
HAND_SECONDS = 0.25
"""In which the player's hands are taken to come to rest."""
FACE = np.array([0.0, 0.08, 0.0])
LEGS = [
    JOINT[f"{side}_{part}"]
    for side in ("left", "right")
    for part in ("hip", "knee", "ankle", "foot")
]
NOTHING, OTHER = KINDS[0], KINDS[-1]


@dataclass(frozen=True, kw_only=True)
class Intent:
    """What the player is about: one of KINDS, its probability, and since which frame."""

    kind: str = NOTHING
    probability: float = 1.0
    since: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """What a window is made believable in.

    player_at     the pose in a known frame; newest: the last of them
    rest_joints   (2, 22, 3)
    is_aimed      whether targets, or a mode other than REACT, say what the partner does
    is_led        whether words or targets lead, so that the partner has reasons of its own
    """

    player_at: Callable[[int], Pose]
    newest: int
    rest_joints: Array
    floor: float
    is_aimed: bool
    is_led: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class MannersState:
    """All that the layers of a session remember.

    probabilities  (KINDS,) of the newest look; candidate: an intent that may become the next, and
                   for how many frames it has been one
    companions     by frame, how the partner keeps company
    """

    intent: Intent = Intent()
    answer: Answer | None = None
    probabilities: Array = field(default_factory=lambda: np.eye(len(KINDS))[0])
    candidate: tuple[str, int] = (NOTHING, 0)
    companions: tuple[tuple[int, Companion], ...] = ()


class Manners:
    """The layers of one session, and what they remember.

    net  None: nothing is known of the player's intent, and nothing is answered
    """

    def __init__(self, net: IntentNet | None, state: MannersState) -> None:
        self._net = net
        self.intent, self.answer = state.intent, state.answer
        self.probabilities = state.probabilities
        self._candidate = state.candidate
        self._companions = dict(state.companions)

    def state(self) -> MannersState:
        return MannersState(
            intent=self.intent,
            answer=self.answer,
            probabilities=self.probabilities,
            candidate=self._candidate,
            companions=tuple(self._companions.items()),
        )

    # -- seeing ------------------------------------------------------------------------------------
    def see(
        self,
        scene: Scene,
        frame: int,
        partner: Pose,
        *,
        may_touch: bool,
        responds: bool,
        from_frame: int,
    ) -> bool:
        """Look at the player's newest frame; returns whether the plan should change for it.

        partner     as shown now
        from_frame  the first frame that a change could begin at
        """
        before = self.intent.kind
        if self._net is not None:
            self._look(scene, frame, partner)
        changed = self.intent.kind != before
        changed |= self._respond(scene, partner, may_touch, responds, from_frame)
        return changed

    def _look(self, scene: Scene, frame: int, partner: Pose) -> None:
        assert self._net is not None
        poses = [scene.player_at(scene.newest - back) for back in LOOKBACK]
        seen = stacked(poses)
        hips, forward = partner.transl + scene.rest_joints[1, 0], partner.rotmats[0, :, 2]
        place = np.array([hips[0], hips[2], np.arctan2(forward[0], forward[2])])
        features = intent_features(seen.rotmats, seen.transl, scene.rest_joints[0], place)
        self.probabilities = self._net(features[None])[0]
        best = int(self.probabilities.argmax())
        kind, probability = KINDS[best], float(self.probabilities[best])
        if kind == self.intent.kind:
            self._candidate = kind, 0
            self.intent = replace(self.intent, probability=probability)
            return
        still = float(self.probabilities[KINDS.index(self.intent.kind)])
        enough = probability > SURE if self.intent.kind == NOTHING else still < UNSURE
        name, count = self._candidate
        count = count + 1 if enough and name == kind else int(enough)
        self._candidate = kind, count
        if count >= (SURE_FRAMES if self.intent.kind == NOTHING else UNSURE_FRAMES):
            self.intent = Intent(kind=kind, probability=probability, since=frame)
            self._candidate = kind, 0

    def _respond(
        self, scene: Scene, partner: Pose, may_touch: bool, responds: bool, from_frame: int
    ) -> bool:
        """Begin an answer, or end it; returns whether one of these happened."""
        answer, kind = self.answer, self.intent.kind
        if answer is not None and answer.last is not None and from_frame > answer.last:
            self.answer = answer = None
        is_wanted = kind in ANSWERED and responds and not scene.is_led
        is_wanted &= may_touch or kind not in CONTACTS
        if answer is None:
            if not is_wanted:
                return False
            hips = partner.transl + scene.rest_joints[1, 0]
            player = self._player_ahead(scene, [scene.newest + 8])
            stand = stand_for(
                kind,
                (player[1][0], player[2][0], scene.rest_joints[0]),
                (float(hips[0]), float(hips[2]), 0.0),
                scene.rest_joints[1],
            )
            way = 0.0 if stand is None else float(np.hypot(stand[0] - hips[0], stand[1] - hips[2]))
            self.answer = Answer(
                kind=kind, begins=from_frame, arrives=from_frame + arrives_after(way)
            )
            return True
        if answer.until is None and answer.kind != "bow" and (kind != answer.kind or not is_wanted):
            least = answer.begins + LEAST_FRAMES if kind == NOTHING else from_frame
            until = max(from_frame, least if answer.kind == "wave" else from_frame)
            self.answer = replace(answer, until=until)
            return True
        return False

    # -- windows -----------------------------------------------------------------------------------
    def reason(self, scene: Scene) -> float:
        """1: the partner has a reason for whatever the network makes of it; 0: none."""
        if scene.is_led:
            return 1.0
        return float(self.intent.kind in ("push", "point", OTHER) and self.answer is None)

    def course(self, scene: Scene, known: Track, first: int) -> Course | None:
        """Where the partner goes after the last known frame of a track that begins at `first`; None
        where the network leads it."""
        given = known.is_known[1]
        until = int(np.flatnonzero(given)[-1])
        frame = first + until
        self._companions = {
            at: state for at, state in self._companions.items() if frame - 40 < at <= frame
        }
        if self.reason(scene) > 0 or until >= known.frames - MARGIN - 1:
            return None
        rest = scene.rest_joints
        state = self._companions.get(frame)
        if state is None:
            pose, before = (known.pose[1, at] for at in (until, max(until - 1, 0)))
            state = companion_of(pose, before, rest[1], frame / FRAME_RATE)
        frames = list(range(frame + 1, first + known.frames))
        player, joints, world = self._player_ahead(scene, frames)
        stand = None
        if self.answer is not None and (self.answer.until is None):
            stand = stand_for(
                self.answer.kind, (joints[-1], world[-1], rest[0]), state.hips, rest[1]
            )
        course = accompany(state, (player.transl + rest[0, 0])[:, [0, 2]], rest[1], stand)
        self._companions |= dict(enumerate(course.states, frame + 1))
        return course

    def believable(
        self, sampled: Track, known: Track, first: int, scene: Scene, course: Course | None
    ) -> Track:
        """What the network made of the partner in a window, as the layers have it; both tracks with
        margins, beginning at frame `first`."""
        rest, reason, answer = scene.rest_joints, self.reason(scene), self.answer
        rotmats, transl = sampled.rotmats[1], sampled.transl[1]
        rotmats, transl = guarded(rotmats, transl, rest[1], reason, balance=course is None)
        frames = np.arange(first, first + sampled.frames)
        joints, world = self._player_posed(scene, frames)
        weights = np.zeros(len(frames)) if answer is None else answer.weights(frames)
        if course is not None:
            rotmats = swinging(rotmats, known.rotmats[1], course)
            ahead: Array = np.zeros(len(frames))
            if answer is not None:
                rotmats, ahead = bent(rotmats, answer, weights)
            free = slice(len(frames) - len(course.pace), None)
            rotmats, transl = self._on_course(rotmats, transl, known, course, scene, ahead, free)
            if answer is not None:
                player = joints, world, rest[0]
                rotmats = answered(rotmats, transl, rest[1], player, answer, frames)
        if answer is None or answer.kind != "bow":
            face = joints[:, JOINT["head"]] + FACE
            rotmats = attentive(rotmats, transl, rest[1], face)
        both = sampled.rotmats.copy(), sampled.transl.copy()
        both[0][1], both[1][1] = rotmats, transl
        return replace(sampled, pose=Pose(*both))

    def _on_course(
        self,
        rotmats: Array,
        transl: Array,
        known: Track,
        course: Course,
        scene: Scene,
        ahead: Array,
        free: slice,
    ) -> tuple[Array, Array]:
        """Root and legs as known, and from there on along the course."""
        rotmats, transl = rotmats.copy(), transl.copy()
        until = free.start
        rotmats[:until, [0, *LEGS]] = known.rotmats[1, :until][:, [0, *LEGS]]
        transl[:until] = known.transl[1, :until]
        rotmats[free], transl[free] = posed(
            rotmats[free], course, scene.rest_joints[1], scene.floor, ahead[free]
        )
        return rotmats, transl

    def carried(
        self, result: Track, known: Track, first: int, scene: Scene, course: Course
    ) -> Track:
        """A joined window, without margins, whose partner's root and legs go along the course."""
        frames = np.arange(first, first + result.frames)
        until = int(np.flatnonzero(known.is_known[1])[-1])
        free = slice(until + 1, None)
        ahead: Array = np.zeros(result.frames)
        rotmats, transl = result.rotmats.copy(), result.transl.copy()
        if self.answer is not None and self.answer.kind == "bow":
            _, ahead = bent(rotmats[1], self.answer, self.answer.weights(frames))
        rotmats[1, free], transl[1, free] = posed(
            rotmats[1, free],
            course.cut(result.frames - until - 1),
            scene.rest_joints[1],
            scene.floor,
            ahead[free],
        )
        return replace(result, pose=Pose(rotmats, transl))

    # -- the player --------------------------------------------------------------------------------
    def _player_ahead(self, scene: Scene, frames: list[int]) -> tuple[Pose, Array, Array]:
        """The player at frames, known or expected; posed: joints and world."""
        newest = scene.newest
        before_r, last_r = (scene.player_at(at).rotmats for at in (newest - 2, newest))
        velocity = axis_angle_from_rotmat(np.swapaxes(before_r, -1, -2) @ last_r) * FRAME_RATE / 2
        seen = np.stack([scene.player_at(newest - back).transl for back in (3, 2, 1, 0)])
        ahead = max(max(frames) - newest, 1)
        ground = expected(seen[:, [0, 2]], ahead)
        poses = []
        for frame in frames:
            if frame <= newest:
                pose = scene.player_at(frame)
            else:
                later = (frame - newest) / FRAME_RATE
                turn = velocity * HAND_SECONDS * -np.expm1(-later / HAND_SECONDS)
                x, z = ground[frame - newest - 1]
                pose = Pose(last_r @ rotmat_from_axis_angle(turn), np.array([x, seen[-1, 1], z]))
            poses.append(pose)
        ahead_of = stacked(poses)
        return ahead_of, *ahead_of.in_world(scene.rest_joints[0])

    def _player_posed(self, scene: Scene, frames: IntArray) -> tuple[Array, Array]:
        _, joints, world = self._player_ahead(scene, frames.tolist())
        return joints, world
