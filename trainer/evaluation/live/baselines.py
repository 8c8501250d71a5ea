"""Partners that no network drives, to hold measures against: the truth, and two worth nothing.

Knows episodes and choreography; no session and no measure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from engine.body.pose import Pose, stacked
from engine.body.skeleton import JOINT
from trainer.choreography.arms import ArmMove, move_arms
from trainer.choreography.clips import draw_figure
from trainer.choreography.performer import stand
from trainer.choreography.stage import Cast, draw_manner, new_score
from trainer.choreography.stepping import RIGHT
from trainer.evaluation.live.episode import Episode, standing_still
from trainer.evaluation.live.rows import HELD, STILL, TRUTH


def hand_held_out(episode: Episode) -> Pose:
    """One who stands there and holds out the right hand, whatever the player does."""
    rng = np.random.default_rng(episode.seed)
    figure, manner = draw_figure(rng), draw_manner(rng)
    cast = Cast(rng=rng, figures=(figure, figure), manners=(manner, manner))
    time = np.zeros(1)
    body = stand(new_score(cast, 0, time, np.zeros((1, 2)), np.zeros(1)))
    out = body.at("right_shoulder") + body.direction([0.06, -0.30, 0.34])
    forward, inward = body.direction([0.0, 0.0, 1.0]), body.direction([1.0, 0.0, 0.0])
    move_arms(
        body, [ArmMove(side=RIGHT, weight=np.ones(1), wrist=out, fingers=forward, palm=inward)]
    )
    held, solved = episode.start.rotmats.copy(), body.pose().rotmats[0]
    for name in ("collar", "shoulder", "elbow", "wrist"):
        held[JOINT[f"right_{name}"]] = solved[JOINT[f"right_{name}"]]
    return stacked([Pose(held, episode.start.transl)] * episode.frames)


KNOWN: Mapping[str, Callable[[Episode], Pose | None]] = {
    TRUTH: lambda episode: episode.truth,
    STILL: standing_still,
    HELD: hand_held_out,
}
"""What each does in an episode; None: nobody made it."""
