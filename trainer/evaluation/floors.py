"""Floors: what a window is worth that no network made.

Knows requests and clips. A network that does not clear these has learned nothing of use.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.arrays import Array
from engine.motion.motion import WINDOW_FRAMES
from engine.sampling.generation import SampleWindows
from engine.sampling.request import WINDOW_SHAPE, WindowRequest
from trainer.data.canonical import anchor_joints_of, canonicalised
from trainer.data.shards import Clips

MISPLACED = 100.0
"""Added to a candidate's distance (metres) for each frame that its pose stands from its place."""


def copy_sampler() -> SampleWindows:
    """The anchor, held still."""
    return lambda requests: np.zeros((len(requests), *WINDOW_SHAPE), np.float32)


def nearest_sampler(clips: Clips) -> SampleWindows:
    """The training window around the pair nearest to the one asked for, as its own bodies had it.

    Candidates are the interactive poses of the train split, and the same with the people exchanged;
    nearest is the least root mean square distance of the 44 joints, each pair in its own canonical
    frame. It must stand in its clip with as many frames before and after as in the window.
    """
    train = [int(c) for c in clips.subset("train") if clips.frames(int(c)) >= WINDOW_FRAMES]
    chosen = np.repeat(train, [len(clips.anchor_frames[c]) for c in train])
    frame = np.concatenate([clips.anchor_frames[c] for c in train])
    last = clips.lengths[chosen] - WINDOW_FRAMES
    pair = clips.frames_at(clips.starts[chosen] + frame)[:, :, None]
    joints = np.stack(
        [
            _canonical_joints(pair[:, order], clips.rest_joints[chosen][:, order])
            for order in ([0, 1], [1, 0])
        ]
    ).reshape(2 * len(frame), -1)

    def sample(requests: Sequence[WindowRequest]) -> Array:
        residuals = []
        for request in requests:
            index = int(np.flatnonzero(request.known_mask[..., 0].all(axis=0))[0])
            first = np.clip(frame - index, 0, last)
            error = ((joints - request.anchor_joints.reshape(-1)) ** 2).mean(axis=1) ** 0.5
            misplaced = np.abs(frame - index - first)
            best = int((error + MISPLACED * np.tile(misplaced, 2)).argmin())
            is_swapped, row = divmod(best, len(frame))
            order = [1, 0] if is_swapped else [0, 1]
            gather = clips.starts[chosen[row]] + first[row] + np.arange(WINDOW_FRAMES)
            motion = clips.frames_at(gather).transpose(1, 0, 2)[None, order]
            rest = clips.rest_joints[chosen[row]][None, order]
            window = canonicalised(motion, rest, np.array([frame[row] - first[row]]))[0]
            residuals.append(window - request.anchor[:, None])
        return np.stack(residuals).astype(np.float32)

    return sample


def _canonical_joints(pair: Array, rest_joints: Array) -> Array:
    """(n, 2, 1, 135), (n, 2, 22, 3) -> (n, 2, 22, 3)"""
    pair = canonicalised(pair, rest_joints, np.zeros(len(pair), np.int64))
    return anchor_joints_of(pair[:, :, 0], rest_joints)
