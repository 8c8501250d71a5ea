"""Makes the player of `contrapose demo`: `python -m trainer.choreography.demo_player`.

One person, twelve seconds: stands, waves hello, steps up, holds out the right hand and shakes,
steps back, waves goodbye. Composed like the training clips, but not one of them: there is no
partner. Ours, so the project may ship it (engine/data/demo_player.npz).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from engine.arrays import Array
from engine.body.rotations import quat_from_rotmat
from engine.body.shape import load_body
from engine.body.vectors import unit
from engine.formats import write_motion
from engine.motion.motion import Motion
from trainer.choreography.arms import Reach, move_arms
from trainer.choreography.clips import draw_figure
from trainer.choreography.hands import lay_palm
from trainer.choreography.performer import Performer, look, stand
from trainer.choreography.score import Manner, Score
from trainer.choreography.stage import KEEP, PLAYER, Cast, clock, new_score
from trainer.choreography.stepping import RIGHT
from trainer.choreography.timing import pulse, ramp

OUTPUT = Path(__file__).parents[2] / "engine" / "data" / "demo_player.npz"
SECONDS = 12.0
SEED = 20
HELLO = (0.9, 1.6, 3.0, 3.7)
"""Seconds: the hand begins to rise, is up, begins to fall, is down."""
STEP_UP = (3.5, 4.7)
SHAKE = (4.5, 5.3, 7.3, 8.1)
STEP_BACK = (8.0, 9.2)
GOODBYE = (9.2, 9.9, 11.0, 11.7)
FACE = np.array([0.0, 1.6, 1.4])
"""Where a partner's face is expected, metres from where the player starts."""
CLOSER = 0.45
"""Metres that the player steps up to a partner who stands 1.4 m away: within reach of a hand."""


def player(seed: int = SEED) -> Motion:
    """The recording at 10 frames a second; the floor is y = 0, the player starts at the origin."""
    rng = np.random.default_rng(seed)
    figure = draw_figure(rng)
    manner = Manner()
    cast = Cast(rng=rng, figures=(figure, figure), manners=(manner, manner))
    time = clock(SECONDS)
    body = stand(_score(cast, time))
    target = FACE - np.array([0.0, 0.35, 0.25]) * pulse(time, *SHAKE)[:, None]
    look(body, target)
    move_arms(body, [_waving(body, HELLO), _shaking(body), _waving(body, GOODBYE)])
    pose = body.pose()[::KEEP]
    return Motion(
        quats_xyzw=quat_from_rotmat(pose.rotmats).astype(np.float32)[None],
        transl=pose.transl.astype(np.float32)[None],
        betas=figure.betas.astype(np.float32)[None],
    )


def _score(cast: Cast, time: Array) -> Score:
    closer = CLOSER * (ramp(time, *STEP_UP) - ramp(time, *STEP_BACK))
    path = np.column_stack([np.zeros_like(time), closer])
    score = new_score(cast, PLAYER, time, path, np.zeros_like(time))
    score.lean[:, 0] += 0.08 * pulse(time, *SHAKE)
    score.lean[:, 2] += 0.12 * pulse(time, *SHAKE)
    return score


def _waving(body: Performer, when: tuple[float, float, float, float]) -> Reach:
    time, (begin, up, fall, down) = body.score.time, when
    swing = np.sin(2 * np.pi * 1.8 * (time - begin)) * pulse(time, begin + 0.3, up, fall, down)
    aside = body.direction([-1.0, 0.0, 0.0])
    centre = body.at("right_shoulder") + body.direction([-0.18, 0.20, 0.22])
    weight = pulse(time, *when)
    wrist = centre + (0.09 * swing)[:, None] * aside
    fingers = unit(np.array([0.0, 1.0, 0.0]) + (0.1 + 0.45 * swing)[:, None] * aside)
    palm = body.direction([0.0, 0.0, 1.0])
    elbow = body.direction([-0.7, -0.7, -0.15])
    return Reach(RIGHT, weight, wrist, fingers, palm, elbow=elbow)


def _shaking(body: Performer) -> Reach:
    time, (_, up, fall, _) = body.score.time, SHAKE
    shake = np.sin(2 * np.pi * 2.0 * (time - up)) * pulse(
        time, up + 0.4, up + 0.7, fall - 0.5, fall
    )
    ahead, left = body.direction([0.0, 0.0, 1.0]), body.direction([1.0, 0.0, 0.0])
    fingers = unit(ahead + 0.25 * left - 0.1 * np.array([0.0, 1.0, 0.0]))
    palm_at = body.at("right_shoulder") + body.direction([0.16, -0.32, 0.85 * body.figure.arm])
    palm_at = palm_at + (0.035 * shake)[:, None] * np.array([0.0, 1.0, 0.0])
    return lay_palm(RIGHT, pulse(time, *SHAKE), palm_at, fingers, left)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=OUTPUT)
    write_motion(parser.parse_args().output, player(), load_body())


if __name__ == "__main__":
    main()
