"""The stage: who meets whom, from how far, when, and with how much life in the body.

Shared by all kinds of interaction. Knows scores and bodies; knows no single interaction.
World: the meeting's middle at the origin, the player at negative z looking along +Z.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from engine.arrays import Array
from engine.body.easing import min_jerk
from engine.body.pose import Pose, stacked
from engine.body.skeleton import JOINT
from trainer.choreography.performer import Couple, Performer, look
from trainer.choreography.score import RATE, Figure, Manner, Score
from trainer.choreography.stepping import Gait, ground_forward
from trainer.choreography.timing import ramp, slow_noise, smoothed

KEEP = 3
"""Every third fine frame is kept: 30 to 10 frames a second."""
PLAYER, PARTNER = 0, 1
PERSONAL_SPACE = 0.6
"""Metres between two pelvises that a follower does not come under."""


@dataclass(frozen=True, kw_only=True)
class Life:
    """Small involuntary motion over frames, added to a score.

    shift (frame, 2) pelvis left, forward, metres; lean, nod (frame, 3) radians; hands (frame, 2, 3)
    """

    shift: Array
    lean: Array
    nod: Array
    hands: Array


class BaseMotion(Protocol):
    """Real recordings that lend bodies their life (`base_motion.py`)."""

    def life(self, frames: int, rng: np.random.Generator) -> Life: ...

    def play(self, figure: Figure, rng: np.random.Generator, most: int, is_idle: bool) -> Pose:
        """A stretch of at most `most` fine frames, (frame, ...)."""
        ...


@dataclass(frozen=True, kw_only=True)
class Cast:
    """Two people before the curtain rises; index 0 is the player."""

    rng: np.random.Generator
    figures: tuple[Figure, Figure]
    manners: tuple[Manner, Manner]
    base: BaseMotion | None = None

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def roles(self, player_first: float = 0.65) -> tuple[int, int]:
        """(who begins, who answers)"""
        return (PLAYER, PARTNER) if self.chance(player_first) else (PARTNER, PLAYER)

    @property
    def arm(self) -> float:
        return min(f.arm for f in self.figures)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Two people's motion and what is to be said about it; frames are fine frames.

    pose (2, frame, ...)
    is_mirrorable: False where handedness is a convention, so that a mirrored copy would be wrong
    leads: PLAYER, PARTNER or NOBODY begins what is done
    """

    pose: Pose
    captions: tuple[str, ...]
    anchors: tuple[int, ...]
    contacts: tuple[tuple[int, int, int], ...] = ()
    is_mirrorable: bool = True
    leads: int = PLAYER


def scene_of(
    bodies: Couple,
    captions: tuple[str, ...],
    anchors: Sequence[int],
    contacts: tuple[tuple[int, int, int], ...] = (),
    *,
    is_mirrorable: bool = True,
    warm: float = 0.0,
    leads: int = PLAYER,
) -> Scene:
    """What both have done; warm: seconds at the beginning that are cut off."""
    scene = Scene(
        pose=stacked([body.pose() for body in bodies]),
        captions=captions,
        anchors=tuple(anchors),
        contacts=contacts,
        is_mirrorable=is_mirrorable,
        leads=leads,
    )
    return cropped(scene, round(warm * RATE / KEEP) * KEEP)


def cropped(scene: Scene, first: int) -> Scene:
    """The scene from fine frame `first` on; `first` is a kept frame."""
    return replace(
        scene,
        pose=scene.pose[:, first:],
        anchors=tuple(frame - first for frame in scene.anchors if frame >= first),
        contacts=tuple((f - first, a, b) for f, a, b in scene.contacts if f >= first),
    )


def draw_manner(rng: np.random.Generator) -> Manner:
    """One person's style: from tired and slumped to energetic and upright."""
    energy = rng.uniform(-1, 1)
    gait = Gait(
        half_width=rng.uniform(0.075, 0.125),
        toe_out=rng.uniform(0.0, 0.22),
        behind=rng.uniform(0.03, 0.07),
        swing=0.40 - 0.05 * energy + rng.uniform(-0.03, 0.03),
        double_support=0.11 - 0.04 * energy,
        lift=rng.uniform(0.015, 0.04),
        threshold=rng.uniform(0.07, 0.12),
    )
    return Manner(
        gait=gait,
        hang_out=rng.uniform(0.07, 0.17),
        hang_forward=rng.uniform(-0.01, 0.12),
        hang_bend=rng.uniform(0.0, 0.028),
        arm_swing=0.55 + 0.25 * energy,
        slump=rng.uniform(-0.02, 0.06) - 0.03 * energy,
        knee_bend=rng.uniform(0.001, 0.006),
        sway=rng.uniform(0.6, 1.4),
        gaze_drop=rng.uniform(-0.03, 0.08),
    )


def clock(seconds: float) -> Array:
    """Times of the fine frames of a clip about `seconds` long: a whole number of kept frames."""
    kept = max(round(seconds * RATE / KEEP), 31)
    return np.arange(kept * KEEP - KEEP + 1) / RATE


# -------------------------------------------------------------------------------- coming and going
@dataclass(frozen=True, kw_only=True)
class Approach:
    """Two people come to `meeting` metres from each other; arrive is in seconds."""

    meeting: float
    start: Array
    """(2, 2) ground places before."""
    goal: Array
    turn: Array
    """(2,) heading before, relative to facing the other."""
    begin: Array
    duration: Array

    @property
    def arrive(self) -> float:
        return float((self.begin + self.duration).max())


def plan_approach(cast: Cast, meeting: float, far: tuple[float, float] = (1.0, 2.5)) -> Approach:
    """One or both walk in from a distance drawn from `far`; some stand in place from the start."""
    gap = max(cast.uniform(*far) - meeting, 0.0)
    if cast.chance(0.2):
        gap = cast.uniform(0.0, 0.15)
    share = float(cast.rng.choice([0.0, 1.0, cast.uniform(0.2, 0.8)], p=[0.3, 0.35, 0.35]))
    shares = np.array([share, 1 - share]) * gap
    facing = np.array([[0.0, 1.0], [0.0, -1.0]])
    goal = -facing * meeting / 2 + cast.rng.normal(0, 0.015, (2, 2))
    aside = np.column_stack([cast.rng.normal(0, 0.12, 2) * shares, np.zeros(2)])
    duration = 0.5 + shares / (cast.uniform(0.65, 1.0))
    return Approach(
        meeting=meeting,
        start=goal - facing * shares[:, None] + aside,
        goal=goal,
        turn=cast.rng.normal(0, 0.30, 2) * (cast.rng.random(2) < 0.6),
        begin=cast.rng.uniform(0.1, 0.9, 2),
        duration=np.where(shares > 0.02, duration, 0.4),
    )


def leave_steps(cast: Cast) -> Array:
    """(2,) metres that each steps back when it is over; often nothing."""
    return np.asarray(cast.rng.uniform(0.15, 0.8, 2) * (cast.rng.random(2) < 0.55))


def write_scores(
    cast: Cast, time: Array, approach: Approach, leave: float, back: Array
) -> tuple[Score, Score]:
    """Scores of the coming, the standing and the going; kinds add the action."""
    scores = []
    for who in (PLAYER, PARTNER):
        begin, end = approach.begin[who], approach.begin[who] + approach.duration[who]
        moved = brisk((time - begin) / (end - begin))[:, None]
        path = approach.start[who] + moved * (approach.goal[who] - approach.start[who])
        late = leave + cast.uniform(0.0, 0.4)
        away = np.array([0.0, -1.0 if who == PLAYER else 1.0])
        path = path + ramp(time, late, late + 0.5 + back[who] / 0.7)[:, None] * away * back[who]
        heading = (0.0 if who == PLAYER else np.pi) + approach.turn[who] * (
            1 - ramp(time, max(begin - 0.2, 0), begin + 0.7)
        )
        scores.append(new_score(cast, who, time, path, heading))
    return scores[0], scores[1]


def new_score(cast: Cast, who: int, time: Array, path: Array, heading: Array) -> Score:
    """A score with feet a little out of place, and with life in it."""
    error = cast.rng.normal(0, 1, (2, 3)) * np.array([0.018, 0.03, 0.08])
    score = Score(
        figure=cast.figures[who],
        manner=cast.manners[who],
        time=time,
        path=path,
        heading=heading,
        start_error=error,
    )
    enliven(score, cast)
    return score


def brisk(fraction: Array) -> Array:
    """Start and stop smoothly with an even pace between: a blend of minimum jerk and a line."""
    u = np.clip(fraction, 0, 1)
    even = smoothed(u, max(2, round(0.25 * RATE)))
    return np.asarray(0.5 * even + 0.5 * min_jerk(u))


def breathing(time: Array, rng: np.random.Generator) -> Array:
    """(frame,) -1..1 at 12 to 19 breaths a minute; the way out takes longer than the way in."""
    phase = 2 * np.pi * (rng.uniform(0.20, 0.32) * time + rng.random())
    return np.asarray(np.sin(phase + 0.4 * np.sin(phase)))


def enliven(score: Score, cast: Cast) -> None:
    """Breath, sway and restless hands: from recordings when there are some, else slow noise."""
    rng, time, sway = cast.rng, score.time, score.manner.sway
    if cast.base is not None and cast.chance(0.75):
        life = cast.base.life(len(time), rng)
    else:
        noise = slow_noise(time, 14, rng)
        life = Life(
            shift=noise[:, :2] * np.array([0.010, 0.006]),
            lean=noise[:, 2:5] * np.array([0.014, 0.010, 0.02]),
            nod=noise[:, 5:8] * np.array([0.03, 0.02, 0.04]),
            hands=noise[:, 8:14].reshape(-1, 2, 3) * 0.012,
        )
    breath = breathing(time, rng)
    score.shift += sway * life.shift
    score.lean += sway * life.lean
    score.lean[:, 0] -= 0.008 * breath
    score.nod += sway * life.nod
    score.hand_noise += sway * life.hands
    score.shrug += (0.018 * breath)[:, None]
    score.weight += 0.5 * sway * slow_noise(time, 1, rng, 0.25)[:, 0]


# ------------------------------------------------------------------------------------- looking
def eyes(body: Performer) -> Array:
    """(frame, 3) where the face is, before the neck has turned."""
    return np.asarray(body.at("head") + np.array([0.0, 0.08, 0.0]))


def delayed(values: Array, seconds: float) -> Array:
    """The past of a signal: values (frame, ...) as they were `seconds` ago."""
    lag = round(seconds * RATE)
    return np.concatenate([np.repeat(values[:1], lag, axis=0), values[: len(values) - lag]])


def watch_each_other(
    bodies: Couple, cast: Cast, glance: Array | None = None, glance_weight: Array | None = None
) -> None:
    """Both look at the other's face; `glance` (frame, 3) draws the eyes with `glance_weight`."""
    faces = [eyes(b) for b in bodies]
    for who, body in enumerate(bodies):
        target = delayed(faces[1 - who], cast.uniform(0.1, 0.25))
        if glance is not None and glance_weight is not None:
            target = target + (cast.uniform(0.3, 1.0) * glance_weight)[:, None] * (glance - target)
        look(body, target)


def attend(cast: Cast, body: Performer, face: Array, attention: float) -> None:
    """Look at a face (frame, 3) for `attention` of the time, else along the way or aside."""
    target = delayed(face, cast.uniform(0.15, 0.35))
    wandering = slow_noise(body.score.time, 2, cast.rng, 0.3)
    ahead = ground_forward(body.score.heading + 0.5 * wandering[:, 0]) * 3
    level = -0.3 + 0.2 * wandering[:, 1]
    aside = body.at("head") + np.column_stack([ahead[:, 0], level, ahead[:, 1]])
    threshold = np.quantile(wandering[:, 1], attention) if attention < 1 else np.inf
    away = smoothed((wandering[:, 1] > threshold).astype(float), 7)
    look(body, target + away[:, None] * (aside - target))


def named(first: int) -> tuple[str, str]:
    """How captions call the one who begins and the one who answers."""
    return ("player", "partner") if first == PLAYER else ("partner", "player")


def fine_frame(seconds: float, time: Array) -> int:
    """The kept fine frame nearest to a time."""
    kept = round(seconds * RATE / KEEP) * KEEP
    return int(np.clip(kept, 0, len(time) - 1))


def touching(
    frames: Sequence[int], joints: Sequence[tuple[str, str]]
) -> tuple[tuple[int, int, int], ...]:
    return tuple((f, JOINT[a], JOINT[b]) for f in frames for a, b in joints)


def touching_between(
    first: int, frames: Sequence[int], joints: Sequence[tuple[str, str]]
) -> tuple[tuple[int, int, int], ...]:
    """`touching` for joints given as (of the one who begins, of the one who answers)."""
    return touching(frames, [pair if first == PLAYER else (pair[1], pair[0]) for pair in joints])


def hurried(cast: Cast, *who: int, **changes: float) -> Cast:
    """The same cast, some of whom step otherwise."""
    player, partner = (
        replace(manner, gait=replace(manner.gait, **changes)) if index in who else manner
        for index, manner in enumerate(cast.manners)
    )
    return replace(cast, manners=(player, partner))
