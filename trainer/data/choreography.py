"""Two people meet: procedural interactions with exact kinematics, as training clips.

    python -m trainer.data.choreography -o clips --count 3000 --seed 1 [--base-motion DIR]

Draws who they are, what they do and how, solves both bodies (`performer.py`) at 30 frames a second,
and keeps ten. Knows no network; `shards.py` stores them. Everything is a function of the seed.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.arrays import Array
from engine.body.shape import load_body
from engine.body.skeleton import JOINT
from engine.motion import features_from_rotmats
from trainer.data.base_motion import load_recordings
from trainer.data.closeness import hug, push
from trainer.data.company import dance, face_and_follow, idle_together
from trainer.data.contactplay import block_punch, push_and_catch, tug
from trainer.data.courtesy import hand_over, pat_shoulder, point_and_look
from trainer.data.familiarity import arm_around_shoulder, whisper
from trainer.data.greetings import bow, handshake, high_five, wave
from trainer.data.performer import Figure
from trainer.data.shards import ClipRecord, Contact, split_by_hash, write_folder
from trainer.data.stage import KEEP, BaseMotion, Cast, Scene, draw_manner
from trainer.data.walking import (
    follow_along,
    hold_hands_and_walk,
    lead_by_the_hand,
    stroll_arm_in_arm,
)

logger = logging.getLogger(__name__)

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
}
SHARES = {"face_and_follow": 2.2, "idle_together": 1.2, "dance": 0.7, "bow": 0.8}
"""How often a kind is drawn, where that is not 1."""


@dataclass(frozen=True, kw_only=True)
class Clip:
    """Two people at 10 frames a second; the floor is y = 0, person 0 is the player.

    rotmats (2, frame, 22, 3, 3), transl (2, frame, 3), betas (2, 10), rest_joints (2, 22, 3)
    anchor_frames  frames of closest interaction (for idle kinds any)
    contacts       (frame, joint of person 0, joint of person 1) that touch
    """

    kind: str
    captions: tuple[str, ...]
    rotmats: Array
    transl: Array
    betas: Array
    rest_joints: Array
    anchor_frames: tuple[int, ...]
    contacts: tuple[Contact, ...]
    is_mirrorable: bool
    source: str

    def record(self) -> ClipRecord:
        """As it is stored; the split follows from the seed."""
        return ClipRecord(
            features=np.swapaxes(features_from_rotmats(self.rotmats, self.transl), 0, 1),
            rest_joints=self.rest_joints,
            betas=self.betas,
            kind=self.kind,
            captions=self.captions,
            anchor_frames=self.anchor_frames,
            contacts=self.contacts,
            split=split_by_hash(self.source),
            source=self.source,
            is_mirrorable=self.is_mirrorable,
        )


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


def make_clip(seed: int, *, kind: str | None = None, base: BaseMotion | None = None) -> Clip:
    """One interaction; the same seed, kind and base give the same bits."""
    rng = np.random.default_rng(seed)
    names = list(KINDS)
    shares = np.array([SHARES.get(name, 1.0) for name in names])
    drawn = str(rng.choice(names, p=shares / shares.sum()))
    kind = kind or drawn
    cast = Cast(
        rng=rng,
        figures=(draw_figure(rng), draw_figure(rng)),
        manners=(draw_manner(rng), draw_manner(rng)),
        base=base,
    )
    scene = KINDS[kind](cast)
    return Clip(
        kind=kind,
        captions=scene.captions,
        rotmats=scene.rotmats[:, ::KEEP].astype(np.float32),
        transl=scene.transl[:, ::KEEP].astype(np.float32),
        betas=np.stack([f.betas for f in cast.figures]).astype(np.float32),
        rest_joints=np.stack([f.rest for f in cast.figures]).astype(np.float32),
        anchor_frames=tuple(sorted({f // KEEP for f in scene.anchors})),
        contacts=tuple((f // KEEP, a, b) for f, a, b in scene.contacts),
        is_mirrorable=scene.is_mirrorable,
        source=f"synth:{seed}",
    )


def write_clips(
    path: Path, *, count: int, seed: int, base: BaseMotion | None = None, workers: int = 1
) -> None:
    """Make `count` clips and write a folder of one shard."""
    seeds = np.random.SeedSequence(seed).generate_state(count, np.uint64)
    clips = [clip.record() for clip in _made([int(s) for s in seeds], base, workers)]
    write_folder(path, "synth", clips)
    logger.info("%s: %d clips, %d frames", path, count, sum(len(clip.features) for clip in clips))


def _made(seeds: Sequence[int], base: BaseMotion | None, workers: int) -> Iterator[Clip]:
    if workers <= 1:
        yield from (make_clip(seed, base=base) for seed in seeds)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, initializer=_lend, initargs=(base,)) as pool:
        yield from pool.imap(_make_with_lent, seeds, chunksize=16)


_lent: list[BaseMotion | None] = []
"""A worker's recordings: sent once, not with every clip."""


def _lend(base: BaseMotion | None) -> None:
    _lent.append(base)


def _make_with_lent(seed: int) -> Clip:
    return make_clip(seed, base=_lent[0])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Make two-person training clips.")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--base-motion",
        type=Path,
        nargs="+",
        metavar="DIR",
        help="folders of real single-person recordings (.bvh, or .amc with its .asf)",
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    base = load_recordings(options.base_motion) if options.base_motion else None
    write_clips(
        options.output, count=options.count, seed=options.seed, base=base, workers=options.workers
    )


if __name__ == "__main__":
    main()
