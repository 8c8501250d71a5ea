"""What windows become: chains laid end to start, and sessions revised as they go.

Knows how the engine chains and revises; knows no socket and no clock. Seams are the question here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.arrays import Array, BoolArray
from engine.body.skeleton import JOINT_COUNT
from engine.motion.cleanup import CleanupConfig, cleaned
from engine.motion.motion import WINDOW_FRAMES, pose_from_features
from engine.motion.track import Track
from engine.sampling.generation import Anchor, SampleWindows, generate_motion
from engine.sampling.windows import Window, close_window, open_window
from trainer.data.shards import Clips
from trainer.evaluation.animated import features_of
from trainer.evaluation.measures import (
    TRUTH,
    Draw,
    EvaluationSettings,
    Rows,
    estimates,
    label_of,
    points_of,
)
from trainer.evaluation.metrics import joints as joint_metrics
from trainer.evaluation.metrics.distributions import Estimate

CHAIN_FRAMES = 70
SESSION_FRAMES = 50
HISTORY_FRAMES, COMMIT_FRAMES, REVISION_FRAMES = 10, 3, 5
"""A session as it is by default: what it has seen, what it may not change, how often it revises."""


# ----------------------------------------------------------------------------------------- chains
def chain_table(sample: SampleWindows, drawn: Sequence[Draw], settings: EvaluationSettings) -> Rows:
    """Seven seconds from single anchors, as `contrapose animate` makes them."""
    return {
        label_of(steps): estimates([_chains(sample, draw, steps, settings) for draw in drawn])
        for steps in settings.steps
    }


def _chains(
    sample: SampleWindows, draw: Draw, steps: int, settings: EvaluationSettings
) -> dict[str, float]:
    is_seam = np.zeros(CHAIN_FRAMES, np.bool_)
    is_seam[WINDOW_FRAMES :: WINDOW_FRAMES - settings.history_frames] = True
    ratios, skating = [], []
    for row in range(min(settings.chains, len(draw.batch.motion))):
        rest = draw.batch.rest_joints[row]
        made = generate_motion(
            Anchor(
                pair=pose_from_features(draw.batch.clean_anchor[row].astype(np.float64)),
                rest_joints=rest,
                seed=draw.seed + row,
            ),
            anchor_index=0,
            frames=CHAIN_FRAMES,
            steps=steps,
            sample=sample,
            history_frames=settings.history_frames,
        )
        joints, _ = made.in_world(rest[:, None])
        ratios.append(joint_metrics.seam_jerk_ratio(joints, is_seam))
        skating.append(joint_metrics.foot_skating(joints))
    return {"seam_jerk_ratio": float(np.mean(ratios)), "foot_skating_cm_s": float(np.mean(skating))}


# --------------------------------------------------------------------------------------- sessions
def session_table(sample: SampleWindows, clips: Clips, settings: EvaluationSettings) -> Rows:
    """Seams, skating and jerk of the partner of whole sessions; empty if no clip is long enough."""
    test = [int(c) for c in clips.subset("test") if clips.frames(int(c)) >= SESSION_FRAMES]
    long = test[: settings.sessions]
    if not long:
        return {}
    motion = np.stack([clips.motion_of(clip)[:SESSION_FRAMES] for clip in long])
    motion, rest = motion.transpose(0, 2, 1, 3), clips.rest_joints[long]

    def row(made: Array, is_seam: BoolArray) -> dict[str, Estimate]:
        partner = points_of(made, rest)[:, 1, HISTORY_FRAMES:, :JOINT_COUNT]
        measures = {
            "seam_jerk_ratio": joint_metrics.seam_jerk_ratio(partner, is_seam[HISTORY_FRAMES:]),
            "foot_skating_cm_s": joint_metrics.foot_skating(partner),
            "jerk_m_s3": joint_metrics.mean_jerk(partner),
            "top_speed_m_s": joint_metrics.top_speed(partner),
            "floor_error_cm": joint_metrics.floor_error(partner),
        }
        return estimates([measures])

    table: Rows = {}
    for steps in settings.steps:
        made, is_seam = reacted(sample, motion, rest, steps=steps, seed=settings.seed)
        table.setdefault(TRUTH, row(motion, is_seam))
        table[label_of(steps)] = row(made, is_seam)
    return table


def reacted(
    sample: SampleWindows, motion: Array, rest: Array, *, steps: int, seed: int
) -> tuple[Array, BoolArray]:
    """The partner re-made as in a session, from its own history and what was seen of the player.

    motion (batch, 2, frame, 135) true, its first HISTORY_FRAMES given; rest (batch, 2, 22, 3)
    returns motion with the partner's later frames replaced; seams (frame,)
    """
    result, is_seam = motion.copy(), np.zeros(motion.shape[2], np.bool_)
    for first in range(0, motion.shape[2] - WINDOW_FRAMES + 1, REVISION_FRAMES):
        committed = HISTORY_FRAMES + (COMMIT_FRAMES if first else 0)
        is_known = np.zeros((2, WINDOW_FRAMES), np.bool_)
        is_known[0, :HISTORY_FRAMES] = is_known[1, :committed] = True
        shown = result[:, :, first : first + WINDOW_FRAMES]
        opened = [
            _revision(shown[row], is_known, rest[row], seed + row, steps, first)
            for row in range(len(motion))
        ]
        for row, x0 in enumerate(sample([window.request for window in opened])):
            joined = close_window(opened[row], x0)
            made = features_of(cleaned(joined, is_known, rest[row], CleanupConfig()))
            result[row, 1, first + committed : first + WINDOW_FRAMES] = made[1, committed:]
        is_seam[first + committed] = True
    return result, is_seam


def _revision(
    poses: Array, is_known: BoolArray, rest: Array, seed: int, steps: int, clock: int
) -> Window:
    return open_window(
        Track(pose_from_features(poses.astype(np.float64)), is_known),
        first=0,
        anchor=HISTORY_FRAMES - 1,
        rest_joints=rest,
        seed=seed,
        steps=steps,
        clock=clock,
    )
