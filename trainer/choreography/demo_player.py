"""Makes the player of `contrapose demo`: `python -m trainer.choreography.demo_player`.

One person, 18 seconds: stands, waves hello, holds out the right hand and shakes, walks some steps
to the side, turns round, hugs, waves goodbye. Composed like the training clips, but not one of
them: the second body is not written, it only marks where somebody is hugged. Ours, so the project
may ship it (engine/data/demo_player.npz).
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
from trainer.choreography.arms import ArmMove, move_arms
from trainer.choreography.clips import draw_figure
from trainer.choreography.hands import lay_palm
from trainer.choreography.kinds.closeness import hugging
from trainer.choreography.performer import UP, Performer, look, stand
from trainer.choreography.score import Manner, Score
from trainer.choreography.stage import KEEP, PARTNER, PLAYER, Cast, brisk, clock, new_score
from trainer.choreography.stepping import RIGHT, ground_forward
from trainer.choreography.timing import pulse, ramp, smoothed

OUTPUT = Path(__file__).parents[2] / "engine" / "data" / "demo_player.npz"
SECONDS = 18.0
SEED = 20
HELLO = (0.8, 1.4, 2.5, 3.1)
"""Seconds: the hand begins to rise, is up, begins to fall, is down."""
SHAKE = (3.5, 4.2, 6.2, 6.9)
WALK = (7.2, 10.4)
TURN_BACK = (10.5, 11.9)
HUG = (12.0, 13.6, 15.3)
"""Seconds: the arms begin to open, are closed, let go."""
GOODBYE = (16.0, 16.6, 17.4, 18.0)
AWAY = 2.4
"""Metres that the player walks, to the right."""
MET = 1.4
"""Metres ahead, where the partner of a session stands at first."""
BEHIND = 1.2
"""Metres from the player to a partner who has come along."""
FACING = np.radians(78)
"""Radians that the player has turned to, to face who came along."""
FACE = 1.55
"""Metres that faces are looked for above the floor."""


def player(seed: int = SEED) -> Motion:
    """The recording at 10 frames a second; the floor is y = 0, the player starts at the origin."""
    rng = np.random.default_rng(seed)
    figure = draw_figure(rng)
    manner = Manner()
    cast = Cast(rng=rng, figures=(figure, figure), manners=(manner, manner))
    time = clock(SECONDS)
    body, other = (stand(score) for score in _scores(cast, time))
    look(
        body,
        np.column_stack([other.score.path[:, 0], np.full_like(time, FACE), other.score.path[:, 1]]),
    )
    hug = hugging(cast, (body, other), PLAYER, 1.0, 0.0, time, *HUG)
    move_arms(body, [_waving(body, HELLO), _shaking(body), *hug, _waving(body, GOODBYE)])
    pose = body.pose()[::KEEP]
    return Motion(
        quats_xyzw=quat_from_rotmat(pose.rotmats).astype(np.float32)[None],
        transl=pose.transl.astype(np.float32)[None],
        betas=figure.betas.astype(np.float32)[None],
    )


def _scores(cast: Cast, time: Array) -> tuple[Score, Score]:
    """The player's, and that of somebody who stands where a partner may be."""
    walked = AWAY * brisk((time - WALK[0] - 0.3) / (WALK[1] - WALK[0]))
    path = np.column_stack([-walked, np.zeros_like(time)])
    heading = -np.pi / 2 * ramp(time, WALK[0], WALK[0] + 1.0)
    heading = smoothed(heading + (FACING + np.pi / 2) * ramp(time, *TURN_BACK), 5)
    score = new_score(cast, PLAYER, time, path, heading)
    shaking, hugging_ = pulse(time, *SHAKE), pulse(time, HUG[0], HUG[1], HUG[2], HUG[2] + 0.8)
    score.lean[:, 0] += 0.08 * shaking + 0.06 * hugging_
    score.lean[:, 2] += 0.12 * shaking
    near = sum(figure.chest for figure in cast.figures) + 0.04
    apart = MET + (BEHIND - MET) * ramp(time, *WALK) + (near - BEHIND) * hugging_
    bearing = FACING * ramp(time, *WALK)
    place = path + apart[:, None] * ground_forward(bearing)
    return score, new_score(cast, PARTNER, time, place, bearing + np.pi)


def _waving(body: Performer, when: tuple[float, float, float, float]) -> ArmMove:
    time, (begin, up, fall, down) = body.score.time, when
    swing = np.sin(2 * np.pi * 1.8 * (time - begin)) * pulse(time, begin + 0.3, up, fall, down)
    aside = body.direction([-1.0, 0.0, 0.0])
    centre = body.at("right_shoulder") + body.direction([-0.18, 0.20, 0.22])
    weight = pulse(time, *when)
    wrist = centre + (0.09 * swing)[:, None] * aside
    fingers = unit(UP + (0.1 + 0.45 * swing)[:, None] * aside)
    palm = body.direction([0.0, 0.0, 1.0])
    elbow = body.direction([-0.7, -0.7, -0.15])
    return ArmMove(RIGHT, weight, wrist, fingers, palm, elbow=elbow)


def _shaking(body: Performer) -> ArmMove:
    time, (_, up, fall, _) = body.score.time, SHAKE
    shake = np.sin(2 * np.pi * 2.0 * (time - up)) * pulse(
        time, up + 1.0, up + 1.3, fall - 0.5, fall
    )
    ahead, left = body.direction([0.0, 0.0, 1.0]), body.direction([1.0, 0.0, 0.0])
    fingers = unit(ahead + 0.25 * left - 0.1 * UP)
    palm_at = body.at("right_shoulder") + body.direction([0.16, -0.32, 0.85 * body.figure.arm])
    palm_at = palm_at + (0.035 * shake)[:, None] * UP
    return lay_palm(RIGHT, pulse(time, *SHAKE), palm_at, fingers, left)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=OUTPUT)
    write_motion(parser.parse_args().output, player(), load_body())


if __name__ == "__main__":
    main()
