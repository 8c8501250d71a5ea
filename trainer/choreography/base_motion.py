"""The base layer: real recordings of single people that lend procedural bodies their life.

Two uses: the small residual motion of people who stand (breath, sway, restless hands), added to a
score; and whole recordings played by the player, whom the partner follows. Knows bodies and takes;
knows no interaction. The recordings are not part of the project (docs/starter_model_card.md).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engine.arrays import Array
from engine.body.ik import two_bone
from engine.body.kinematics import ACROSS, forward_kinematics, mirrored
from engine.body.pose import Pose
from engine.body.shape import load_body
from engine.body.skeleton import FOOT_JOINTS, JOINT
from engine.errors import InputError
from engine.formats.asf import CMU_RIG, read_amc
from engine.formats.bvh import Bvh, read_bvh
from engine.formats.resample import resampled
from engine.formats.retarget import motion_from_bvh
from engine.formats.rig import RigMap
from engine.motion.motion import Motion
from trainer.choreography.performer import KNEE_HINGE
from trainer.choreography.score import RATE, Figure
from trainer.choreography.stage import KEEP, Life
from trainer.choreography.timing import smoothed

logger = logging.getLogger(__name__)

SHORTEST = 4.0
"""Seconds; shorter recordings are of no use."""
BEGUN = 0.1
"""Seconds that are cut off at the beginning: some files hold a T pose there for a frame."""
IDLE_LEAN = 0.06
"""A take is of a person standing idle when the spine's residual angles deviate less than this."""
STANCE = 0.05
"""Metres by which a standing pelvis is before its ankles."""
DRIFT_FRAMES = 75
"""Residuals are what is left when the mean of 5 s is taken away."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Take:
    """One recording at 30 frames a second, on our skeleton: rotmats (T, 22, 3, 3), pelvis (T, 3).

    pelvis is in leg lengths, so that any body can play it; life is None unless the take is idle.
    """

    name: str
    rotmats: Array
    pelvis: Array
    life: Life | None

    def __len__(self) -> int:
        return len(self.pelvis)


@dataclass(frozen=True, eq=False, kw_only=True)
class Recordings:
    """All takes of a folder."""

    takes: tuple[Take, ...]

    def life(self, frames: int, rng: np.random.Generator) -> Life:
        """A stretch of an idle take's residual motion, half of the time mirrored; of a take that
        is shorter, there and back."""
        idle = [t for t in self.takes if t.life is not None]
        take = idle[int(rng.integers(len(idle)))]
        last = len(take) - 1
        passed = int(rng.integers(max(last - frames, 0) + 1)) + np.arange(frames)
        part = last - np.abs(passed % (2 * last) - last)
        assert take.life is not None
        life, scale = take.life, rng.uniform(0.5, 1.1)
        stretch = Life(
            shift=scale * life.shift[part],
            lean=scale * life.lean[part],
            nod=scale * life.nod[part],
            hands=scale * life.hands[part],
        )
        return _mirrored_life(stretch) if rng.random() < 0.5 else stretch

    def play(self, figure: Figure, rng: np.random.Generator, most: int, is_idle: bool) -> Pose:
        """A stretch of a take on a body, (frame, ...).

        At most `most` frames, a whole number of kept ones; half of the time mirrored. The lower
        foot is on the floor in all but a few frames.
        """
        fitting = [t for t in self.takes if (t.life is not None) == is_idle]
        if not fitting:
            fitting = list(self.takes)
        take = fitting[int(rng.integers(len(fitting)))]
        frames = (min(most, len(take)) - 1) // KEEP * KEEP + 1
        first = int(rng.integers(len(take) - frames + 1))
        rotmats = take.rotmats[first : first + frames]
        pelvis = take.pelvis[first : first + frames] * figure.leg
        if rng.random() < 0.5:
            rotmats, pelvis = mirrored_pose(rotmats, pelvis)
        transl = pelvis - figure.rest[0]
        joints, _ = forward_kinematics(figure.rest, rotmats, transl)
        feet = list(FOOT_JOINTS)
        heights = (joints[:, feet, 1] - (figure.rest[feet, 1] - figure.floor)).min(axis=1)
        transl[:, 1] -= np.quantile(heights, 0.05)
        return Pose(rotmats, transl)


def load_recordings(folders: Sequence[Path], shortest: float = SHORTEST) -> Recordings:
    """All .bvh and .amc files under the folders that last so many seconds; an .amc needs its
    subject's .asf beside it."""
    takes = load_takes(folders, shortest)
    named = ", ".join(str(folder) for folder in folders)
    if not any(take.life is not None for take in takes):
        raise InputError(
            f"{named}: no recording of a standing person among the .bvh and .amc files; "
            "leave --base-motion out or give another folder",
            field="base-motion",
        )
    logger.info("%s: %d takes", named, len(takes))
    return Recordings(takes=takes)


def load_takes(folders: Sequence[Path], shortest: float) -> tuple[Take, ...]:
    """All .bvh and .amc files under the folders that last so many seconds at least."""
    takes = []
    for path in sorted(path for folder in folders for path in folder.rglob("*")):
        if path.suffix == ".bvh":
            motion = _motion(read_bvh(path), RigMap(), path)
        elif path.suffix == ".amc":
            skeleton = path.parent / f"{path.stem.split('_')[0]}.asf"
            motion = _motion(read_amc(path, skeleton), CMU_RIG, path)
        else:
            continue
        if motion.frames >= shortest * RATE:
            takes.append(take_of(motion, path.stem))
    return tuple(takes)


def _motion(recording: Bvh, rig: RigMap, path: Path) -> Motion:
    """At RATE frames a second, without its beginning."""
    step, begun = max(int(recording.frame_rate // RATE), 1), round(BEGUN * recording.frame_rate)
    thinned = replace(
        recording, values=recording.values[begun::step], frame_rate=recording.frame_rate / step
    )
    return resampled(motion_from_bvh(thinned, load_body(), rig, source=path.name), RATE)


def take_of(motion: Motion, name: str) -> Take:
    """The first person of a motion at RATE frames a second."""
    rest = load_body().rest_joints(motion.betas[0]).astype(np.float64)
    rotmats, transl = motion.rotmats[0].astype(np.float64), motion.transl[0].astype(np.float64)
    figure = Figure(betas=motion.betas[0], rest=rest, floor=0.0, chest=0.1, back=0.1, side=0.1)
    pelvis = transl + rest[0]
    life = _life_of(rotmats, transl, rest)
    is_idle = bool(life.lean.std(axis=0).max() < IDLE_LEAN) and motion.frames > 20 * RATE
    if is_idle:
        rotmats, pelvis = _upright(rotmats, pelvis, figure)
    return Take(
        name=name,
        rotmats=rotmats,
        pelvis=pelvis / figure.leg,
        life=life if is_idle else None,
    )


def _upright(rotmats: Array, pelvis: Array, figure: Figure) -> tuple[Array, Array]:
    """Set the pelvis back over the feet on average; poses estimated from one camera lean.

    The feet stay where they are, the legs are bent again; rotmats (T, 22, 3, 3), pelvis (T, 3).
    """
    joints, world = forward_kinematics(figure.rest, rotmats, pelvis - figure.rest[0])
    ankles = joints[:, [JOINT["left_ankle"], JOINT["right_ankle"]]]
    away = np.einsum("tji,tj->ti", world[:, 0], joints[:, 0] - ankles.mean(axis=1))
    lean = away.mean(axis=0) * np.array([1.0, 0.0, 1.0]) - np.array([0.0, 0.0, STANCE])
    pelvis = pelvis - world[:, 0] @ lean
    rotmats = rotmats.copy()
    for side, name in enumerate(("left", "right")):
        upper, lower, _, _ = two_bone(
            pelvis + world[:, 0] @ figure.offset(f"{name}_hip"),
            ankles[:, side],
            world[:, JOINT[f"{name}_hip"], :, 2],
            figure.offset(f"{name}_knee"),
            figure.offset(f"{name}_ankle"),
            KNEE_HINGE,
        )
        chain = [world[:, 0], upper, lower, world[:, JOINT[f"{name}_ankle"]]]
        for part, joint in enumerate(("hip", "knee", "ankle")):
            local = np.swapaxes(chain[part], -1, -2) @ chain[part + 1]
            rotmats[:, JOINT[f"{name}_{joint}"]] = local
    return rotmats, pelvis


# ----------------------------------------------------------------------------------- residuals
def _life_of(rotmats: Array, transl: Array, rest: Array) -> Life:
    joints, world = forward_kinematics(rest, rotmats, transl)
    pelvis, chest, head = (world[:, JOINT[j]] for j in ("pelvis", "spine3", "head"))
    travel = np.einsum("tji,tj->ti", pelvis, _residual(joints[:, 0]))
    hands = np.stack(
        [
            np.einsum(
                "tji,tj->ti",
                chest,
                joints[:, JOINT[f"{s}_wrist"]] - joints[:, JOINT[f"{s}_shoulder"]],
            )
            for s in ("left", "right")
        ],
        axis=1,
    )
    return Life(
        shift=np.clip(_residual(travel[:, [0, 2]]), -0.05, 0.05),
        lean=np.clip(_residual(_tilts(pelvis, chest)), -0.12, 0.12)[:, [0, 2, 1]],
        nod=np.clip(_residual(_tilts(chest, head)), -0.25, 0.25)[:, [0, 2, 1]],
        hands=np.clip(_residual(hands), -0.06, 0.06),
    )


def _residual(values: Array) -> Array:
    """What is left of (frame, ...) when slow drift is taken away and jitter smoothed."""
    return smoothed(values - smoothed(values, DRIFT_FRAMES), 2)


def _tilts(base: Array, top: Array) -> Array:
    """(frame, 3) small angles about x, y, z of `top` seen from `base`."""
    relative = np.swapaxes(base, -1, -2) @ top
    skew = relative - np.swapaxes(relative, -1, -2)
    return 0.5 * np.stack([skew[:, 2, 1], skew[:, 0, 2], skew[:, 1, 0]], axis=-1)


def _mirrored_life(life: Life) -> Life:
    """Left becomes right. lean and nod are (pitch, roll, twist)."""
    return Life(
        shift=life.shift * np.array([-1, 1]),
        lean=life.lean * np.array([1, -1, -1]),
        nod=life.nod * np.array([1, -1, -1]),
        hands=life.hands[:, ::-1] * np.array([-1, 1, 1]),
    )


def mirrored_pose(rotmats: Array, pelvis: Array) -> tuple[Array, Array]:
    """A motion across the YZ plane: rotmats (T, 22, 3, 3) and pelvis (T, 3)."""
    return mirrored(rotmats), pelvis * ACROSS
