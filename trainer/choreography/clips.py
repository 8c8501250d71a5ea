"""Two people meet: procedural interactions with exact kinematics, as training clips.

Draws who they are, what they do and how, solves both bodies at 30 frames a second, and keeps ten.
Knows no network; `data/shards.py` stores them. Everything is a function of the seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.body.pose import Pose
from engine.body.shape import load_body
from engine.body.skeleton import JOINT
from engine.motion.motion import features_from_pose
from trainer.choreography.base_motion import load_recordings
from trainer.choreography.kinds.closeness import arm_around_shoulder, hug, whisper
from trainer.choreography.kinds.company import dance, face_and_follow, idle_together
from trainer.choreography.kinds.courtesy import hand_over, pat_shoulder, point_and_look
from trainer.choreography.kinds.greetings import bow, handshake, high_five, wave
from trainer.choreography.kinds.partnering import dance_turn, help_up, mirror_me
from trainer.choreography.kinds.sparring import block_punch, circle
from trainer.choreography.kinds.strength import push, push_and_catch, tug
from trainer.choreography.kinds.walking import (
    follow_along,
    hold_hands_and_walk,
    lead_by_the_hand,
    pass_by,
    stroll_arm_in_arm,
)
from trainer.choreography.score import Figure
from trainer.choreography.stage import KEEP, BaseMotion, Cast, Scene, draw_manner
from trainer.data.jobs import Job, Made, cut
from trainer.data.shards import Clip
from trainer.data.splits import split_by_name

KINDS: dict[str, Callable[[Cast], Scene]] = {
    "handshake": handshake,
    "high_five": high_five,
    "hug": hug,
    "wave": wave,
    "bow": bow,
    "push": push,
    "face_and_follow": face_and_follow,
    "idle_together": idle_together,
    "dance": dance,
    "pat_shoulder": pat_shoulder,
    "hand_over": hand_over,
    "point_and_look": point_and_look,
    "whisper": whisper,
    "arm_around_shoulder": arm_around_shoulder,
    "push_and_catch": push_and_catch,
    "block_punch": block_punch,
    "tug": tug,
    "follow_along": follow_along,
    "hold_hands_and_walk": hold_hands_and_walk,
    "stroll_arm_in_arm": stroll_arm_in_arm,
    "lead_by_the_hand": lead_by_the_hand,
    "help_up": help_up,
    "dance_turn": dance_turn,
    "circle": circle,
    "mirror_me": mirror_me,
    "pass_by": pass_by,
}
SHARES = {
    "handshake": 2.0,
    "face_and_follow": 2.2,
    "follow_along": 2.0,
    "idle_together": 2.4,
    "dance": 0.7,
    "bow": 0.8,
}
"""How often a kind is drawn, where that is not 1."""
CLIPS_IN_SHARD = 250
"""A few seconds of work: as much as a kill may cost each worker."""


def draw_figure(rng: np.random.Generator) -> Figure:
    """A random body of the packaged shape space, within two standard deviations."""
    body = load_body()
    betas = np.clip(rng.normal(0, 0.8, 10), -2, 2)
    rest, vertices = body.rest_joints(betas).astype(np.float64), body.rest_vertices(betas)
    away = vertices - rest[JOINT["spine3"]]
    depth = away[(np.abs(away[:, 0]) < 0.13) & (np.abs(away[:, 1]) < 0.09), 2]
    ribs = away[(np.abs(away[:, 0]) < 0.28) & (np.abs(away[:, 1] + 0.10) < 0.05), 0]
    return Figure(
        betas=betas,
        rest=rest,
        floor=float(vertices[:, 1].min()),
        chest=float(depth.max()),
        back=float(-depth.min()),
        side=float(np.abs(ribs).max()),
    )


def draw_cast(rng: np.random.Generator, base: BaseMotion | None = None) -> Cast:
    """Two people whom nobody has seen before."""
    return Cast(
        rng=rng,
        figures=(draw_figure(rng), draw_figure(rng)),
        manners=(draw_manner(rng), draw_manner(rng)),
        base=base,
    )


def make_clip(seed: int, *, kind: str | None = None, base: BaseMotion | None = None) -> Clip:
    """One interaction; the same seed, kind and base give the same bits."""
    rng = np.random.default_rng(seed)
    names = list(KINDS)
    shares = np.array([SHARES.get(name, 1.0) for name in names])
    drawn = str(rng.choice(names, p=shares / shares.sum()))
    kind = kind or drawn
    cast = draw_cast(rng, base)
    scene, source = KINDS[kind](cast), f"synth:{seed}"
    kept = scene.pose[:, ::KEEP]
    pose = Pose(kept.rotmats.astype(np.float32), kept.transl)
    return Clip(
        features=np.swapaxes(features_from_pose(pose), 0, 1),
        rest_joints=np.stack([f.rest for f in cast.figures]).astype(np.float32),
        betas=np.stack([f.betas for f in cast.figures]).astype(np.float32),
        kind=kind,
        captions=scene.captions,
        anchor_frames=tuple(sorted({f // KEEP for f in scene.anchors})),
        contacts=tuple((f // KEEP, a, b) for f, a, b in scene.contacts),
        split=split_by_name(source),
        source=source,
        is_mirrorable=scene.is_mirrorable,
        leads=scene.leads,
    )


# ------------------------------------------------------------------------------------------- a set
@dataclass(frozen=True, kw_only=True)
class Choreographer:
    """Makes the clips of many seeds, with what real recordings lend."""

    base: BaseMotion | None = None

    def __call__(self, seeds: Sequence[int]) -> Made:
        return Made(clips=[make_clip(seed, base=self.base) for seed in seeds])


def synth_job(
    folder: Path,
    *,
    count: int,
    seed: int,
    base_motion: Sequence[Path] = (),
    clips_in_shard: int = CLIPS_IN_SHARD,
) -> Job[int]:
    """A folder of `count` clips; the same count, seed and recordings give the same bits."""
    drawn = np.random.SeedSequence(seed).generate_state(count, np.uint64)
    return Job(
        folder=folder,
        source="synth",
        options={
            "count": count,
            "seed": seed,
            "base_motion": [str(path) for path in base_motion],
            "clips_in_shard": clips_in_shard,
            "shares": {kind: SHARES.get(kind, 1.0) for kind in KINDS},
        },
        parts=cut([int(s) for s in drawn], clips_in_shard),
        make=Choreographer(base=load_recordings(base_motion) if base_motion else None),
    )
