"""`contrapose bench warm`: what revisions that start from the plan before give up for their speed.

Runs real sessions with real windows on a virtual clock. Knows sessions and figures; no server, and
no time but theirs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.arrays import Array
from engine.bench.figures import check_within
from engine.body.easing import smoothstep
from engine.body.pose import Pose, stacked
from engine.body.rotations import rotmat_about
from engine.body.shape import load_body
from engine.body.skeleton import JOINT
from engine.bundle import STARTER, load_bundle
from engine.motion.motion import FRAME_RATE

if TYPE_CHECKING:
    from engine.sampling.request import WindowRequest
    from engine.session.config import SessionConfig
    from engine.session.session import Session

SUMMARY = "revisions from the plan before, against revisions from noise"
HELP = """\
Revisions that leave out their first steps, because they start from the plan they revise:

reaction  how far the partner comes off its way, 0.5 to 2 s after the player does what nobody
          expected, in parts of what a revision from noise does; the mean over 3 moves and the seeds
agrees    part of that which goes the same way as a revision from noise
seams     jerk of the joints where a revision begins, against all other frames
jerk      m/frame^3 of all joints
skate     centimetres a frame of feet within 3 cm of the floor, 90 %
"""
SETTLED, MOVED, LAST = 40, 45, 60
"""Frames at which the player begins to move, from which and to which the reaction is looked at."""
LOW = 0.03

Sample = Callable[[list["WindowRequest"]], Array]
Player = Callable[[float], Pose]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", type=Path, default=STARTER, help="(default: the starter)")
    parser.add_argument("--steps", type=int, default=4, metavar="N", help="(%(default)s)")
    parser.add_argument("--seeds", type=int, default=4, metavar="N", help="(%(default)s)")
    parser.add_argument("--seconds", type=int, default=30, metavar="S", help="(%(default)s)")


def run(args: argparse.Namespace) -> int:
    check_within(args, steps=(2, 50), seeds=(1, 100), seconds=(5, 3600))
    from engine.backends import open_backend
    from engine.sampling.models import load_models
    from engine.sampling.sampler import sample_windows

    models = load_models(load_bundle(args.bundle), open_backend(threads=1), buckets=(1,))

    def sample(requests: list[WindowRequest]) -> Array:
        return sample_windows(models, requests)

    rows = {}
    for skip in range(min(args.steps, 4)):
        rows[skip] = _reaction(sample, args.steps, skip, args.seeds)
        rows[skip] |= _smoothness(sample, args.steps, skip, args.seconds)
    if args.json:
        print(json.dumps({"steps": args.steps, "warm_steps": rows}, indent=2))
        return 0
    print(f"{args.steps} steps   left out   reaction   agrees   seams    jerk   skate")
    for skip, row in rows.items():
        print(
            f"{skip:>18} {row['reaction']:>10.2f} {row['agrees']:>8.2f} {row['seams']:>7.2f}"
            f" {row['jerk']:>7.4f} {row['skate_cm']:>7.2f}"
        )
    return 0


# ----------------------------------------------------------------------------------------- sessions
@dataclass
class _Run:
    """A session, its client, and a player."""

    session: Session
    sample: Sample
    rest_joints: Array
    shown: dict[int, tuple[Pose, int]] = field(default_factory=dict)
    """The partner, and which pose of the player it was computed from."""
    waiting: list[tuple[int, Array]] = field(default_factory=list)

    def play(self, player: Player, first: int, last: int) -> None:
        """Every window arrives one frame after it was asked for."""
        from engine.sampling.request import SampledWindow

        for frame in range(first, last + 1):
            now = frame / FRAME_RATE
            self.session.feed(now, player(now))
            for ticket, x0 in self.waiting:
                self.session.accept(ticket, SampledWindow(x0=x0))
            tick = self.session.tick(now + 0.01)
            self.waiting = [
                (wanted.ticket, self.sample([wanted.request])[0]) for wanted in tick.wanted
            ]
            if tick.chunk is not None:
                frames = tick.chunk.frames
                shown = enumerate(frames.labels["sequence"].tolist())
                self.shown |= {
                    frames.first + row: (frames.pose[1, row], stamp) for row, stamp in shown
                }

    def joints(self, first: int, last: int) -> Array:
        """(frame, 22, 3) of the partner."""
        poses = [self.shown[frame][0] for frame in range(first, last + 1)]
        return stacked(poses).in_world(self.rest_joints[1])[0]


def _begun(sample: Sample, config: SessionConfig, seed: int) -> _Run:
    from engine.session.session import Session

    rest_joints = load_body().rest_joints(np.zeros((2, 10)))
    session = Session(config, rest_joints=rest_joints, seed=seed)
    return _Run(session=session, sample=sample, rest_joints=rest_joints)


def _config(steps: int, skip: int) -> SessionConfig:
    from engine.session.config import SessionConfig

    return SessionConfig(steps=steps, warm_steps=skip)


# ----------------------------------------------------------------------------------------- figures
def _reaction(sample: Sample, steps: int, skip: int, seeds: int) -> dict[str, float]:
    """Both against the same session with a player who does not move."""
    sizes, along, cold_sizes = [], [], []
    for seed in range(seeds):
        still = [_ways(sample, _config(steps, left_out), seed, None) for left_out in (0, skip)]
        for move in MOVES:
            cold = _ways(sample, _config(steps, 0), seed, move) - still[0]
            warm = _ways(sample, _config(steps, skip), seed, move) - still[1]
            sizes.append(np.linalg.norm(warm, axis=-1).mean())
            cold_sizes.append(np.linalg.norm(cold, axis=-1).mean())
            along.append(float((warm * cold).sum() / (cold * cold).sum()))
    return {
        "reaction": float(np.sum(sizes) / np.sum(cold_sizes)),
        "agrees": float(np.mean(along)),
    }


def _ways(sample: Sample, config: SessionConfig, seed: int, move: str | None) -> Array:
    run = _begun(sample, replace(config, warm_steps=0), seed)
    run.play(_player(None), 0, SETTLED - 1)
    run.session.update(config)
    run.play(_player(move), SETTLED, LAST)
    return run.joints(MOVED, LAST)


def _smoothness(sample: Sample, steps: int, skip: int, seconds: int) -> dict[str, float]:
    """With a player who never stops moving."""
    run = _begun(sample, _config(steps, skip), 7)
    last = int(seconds * FRAME_RATE)
    run.play(_wanderer, 0, last)
    first = 20
    joints = run.joints(first, last)
    jerk = np.linalg.norm(np.diff(joints, n=3, axis=0), axis=-1).mean(axis=-1)
    stamps = np.array([run.shown[frame][1] for frame in range(first, last + 1)])
    seams = np.flatnonzero(np.diff(stamps)) + 1
    is_seam = np.zeros(len(jerk), np.bool_)
    for seam in seams:
        is_seam[max(seam - 2, 0) : seam] = True
    balls = joints[:, [JOINT["left_foot"], JOINT["right_foot"]]]
    height = balls[..., 1] - balls[..., 1].min()
    low = (height[1:] < LOW) & (height[:-1] < LOW)
    steps_cm = 100 * np.linalg.norm(np.diff(balls, axis=0), axis=-1)[low]
    return {
        "seams": float(jerk[is_seam].mean() / jerk[~is_seam].mean()),
        "jerk": float(jerk.mean()),
        "skate_cm": float(np.percentile(steps_cm, 90)),
    }


# ----------------------------------------------------------------------------------------- players
MOVES = ("raises an arm", "comes near", "goes aside")


def _player(move: str | None) -> Player:
    """Stands; from frame SETTLED on makes the move within a second."""
    from engine.motion.standing import standing_pose

    def player(time_s: float) -> Pose:
        part = float(smoothstep(np.clip(time_s - SETTLED / FRAME_RATE, 0.0, 1.0)))
        rotmats, transl = standing_pose(), np.array([0.0, 1.3, 0.0])
        if move == "raises an arm":
            rotmats[JOINT["right_shoulder"]] = rotmat_about("z", 1.2 - 2.2 * part)
        elif move == "comes near":
            transl[2] += 0.8 * part
        elif move == "goes aside":
            transl[0] += 1.0 * part
        return Pose(rotmats, transl)

    return player


def _wanderer(time_s: float) -> Pose:
    """Walks to and fro and waves."""
    still = _player(None)(0.0)
    rotmats = still.rotmats
    rotmats[JOINT["right_shoulder"]] = rotmat_about("z", 0.4 + 0.8 * np.sin(1.9 * time_s))
    rotmats[JOINT["left_shoulder"]] = rotmat_about("z", -0.8 + 0.4 * np.sin(1.3 * time_s))
    rotmats[0] = rotmat_about("y", 0.5 * np.sin(0.6 * time_s))
    way = np.array([0.6 * np.sin(0.7 * time_s), 0.0, 0.4 * np.sin(0.5 * time_s)])
    return Pose(rotmats, still.transl + way)
