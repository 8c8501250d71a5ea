"""Warming up: live seconds of a session before there is one. Knows sessions; no stream."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace

import numpy as np

from engine.body.pose import Pose
from engine.body.shape import SHAPE_COUNT
from engine.motion.motion import FRAME_RATE
from engine.motion.standing import standing_pose
from engine.sampling.loaded import LoadedBundle
from engine.sampling.offline import sampled
from engine.sampling.request import SampledWindow
from engine.serving.wire import MIN_STEPS
from engine.session.config import SessionConfig
from engine.session.session import Session

WARM_UP_SECONDS = 5
"""Of session time; some tenths of a second in truth."""


def warmed_up(loaded: LoadedBundle, settings: SessionConfig) -> float:
    """Live seconds of a session: first calls allocate, and nobody's first reaction should wait.

    settings  the usual ones
    Returns what a second costs of the interpreter, the median of all but the first: some have more
    windows than others. An upper bound, as the player departs from every plan; messages are some
    tenth of it.
    """
    betas = np.zeros((2, SHAPE_COUNT), np.float32)
    session = Session(
        replace(settings, steps=MIN_STEPS),
        rest_joints=loaded.body.rest_joints(betas),
        seed=0,
        capsules=loaded.fitted_capsules(betas),
        intent=loaded.intent,
    )
    costs = []
    for second in range(WARM_UP_SECONDS):
        begun = time.thread_time()
        for frame in range(10 * second, 10 * (second + 1)):
            walking = Pose(standing_pose(), np.array([0.0, 0.0, 0.1 * frame]))
            session.feed(frame / FRAME_RATE, walking)
            for wanted in session.tick(frame / FRAME_RATE).wanted:
                (x0,) = sampled(loaded.executor, [wanted.request])
                session.accept(wanted.ticket, SampledWindow(x0=x0))
        costs.append(time.thread_time() - begun)
    return statistics.median(costs[1:])
