"""Warming up: live seconds of a session before there is one. Knows sessions; no stream."""

from __future__ import annotations

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
from engine.serving.load import PythonCost
from engine.serving.wire import MIN_STEPS
from engine.session.config import SessionConfig
from engine.session.session import Session

WARM_UP_SECONDS = 5
"""Of session time; some tenths of a second in truth."""


def warmed_up(loaded: LoadedBundle, settings: SessionConfig) -> PythonCost:
    """Live seconds of a session: first calls allocate, and nobody's first reaction should wait.

    settings  the usual ones
    Returns what they cost of the interpreter, without the first second. Messages, some tenth of it,
    are not among it.
    """
    betas = np.zeros((2, SHAPE_COUNT), np.float32)
    session = Session(
        replace(settings, steps=MIN_STEPS),
        rest_joints=loaded.body.rest_joints(betas),
        seed=0,
        capsules=loaded.fitted_capsules(betas),
        intent=loaded.intent,
    )
    costs: list[float] = []
    windows = 0
    for frame in range(int(WARM_UP_SECONDS * FRAME_RATE)):
        begun = time.thread_time()
        walking = Pose(standing_pose(), np.array([0.0, 0.0, 0.1 * frame]))
        session.feed(frame / FRAME_RATE, walking)
        for wanted in session.tick(frame / FRAME_RATE).wanted:
            (x0,) = sampled(loaded.executor, [wanted.request])
            session.accept(wanted.ticket, SampledWindow(x0=x0))
            windows += frame >= FRAME_RATE
        costs.append(time.thread_time() - begun)
    later = sorted(costs[int(FRAME_RATE) :])
    plain_s = later[len(later) // 10]  # most frames ask for a window, or take one in
    window_s = max(sum(later) - plain_s * len(later), 0.0) / max(windows, 1)
    return PythonCost(second_s=FRAME_RATE * plain_s, window_s=window_s)
