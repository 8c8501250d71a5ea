"""Windows from what a batch says is known, along the engine's own way to a user's frames.

Knows how the engine opens, reads and finishes a window. Knows no measure and no network.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.arrays import Array
from engine.body.skins import Skins
from engine.motion.cleanup import CleanupConfig, cleaned
from engine.motion.floor import floor_height
from engine.motion.motion import WINDOW_FRAMES, features_from_pose, pose_from_features
from engine.motion.seams import MARGIN
from engine.motion.track import Track
from engine.sampling.generation import SampleWindows
from engine.sampling.windows import Window, close_window, open_window, read_window
from trainer.data.windows import WindowBatch


def animated(
    sample: SampleWindows,
    batch: WindowBatch,
    skins: Skins,
    steps: int,
    seed: int,
    text: Array | None = None,
) -> tuple[Array, Array]:
    """Windows (n, 2, 30, 135) from what a batch says is known: finished, and as the network left
    them. Finished is what a user gets: joined to the known frames and cleaned up by the engine.

    skins   of the pair of each window
    text    (n, width) what the two do, for an animator that takes words
    """
    opened = [_opened(batch, row, steps, seed + row) for row in range(len(batch.motion))]
    if text is not None:
        requests = [replace(window.request, text=t) for window, t in zip(opened, text, strict=True)]
        opened = [replace(w, request=request) for w, request in zip(opened, requests, strict=True)]
    x0 = sample([window.request for window in opened])
    pairs = [skins.of_pair(row) for row in range(len(opened))]
    finished, raw = zip(*map(_closed, opened, x0, pairs), strict=True)
    return np.stack(finished), np.stack(raw)


def _opened(batch: WindowBatch, row: int, steps: int, seed: int) -> Window:
    pose = pose_from_features(batch.motion[row].astype(np.float64))
    is_known = batch.known_mask[row, ..., 0] > 0
    return open_window(
        Track(pose, is_known),
        first=0,
        anchor=int(batch.anchor_index[row]),
        rest_joints=batch.rest_joints[row],
        seed=seed,
        steps=steps,
    )


def _closed(window: Window, x0: Array, skins: Skins) -> tuple[Array, Array]:
    known = window.known.cut(MARGIN, WINDOW_FRAMES)
    anchor = int(np.flatnonzero(known.is_known.all(axis=0))[0])
    floor = floor_height(known.pose[:, anchor], window.rest_joints)
    cleanup = CleanupConfig(floor=float(floor.min()), skins=skins)
    finished = cleaned(close_window(window, x0), known.is_known, window.rest_joints, cleanup)
    raw = read_window(window, x0).cut(MARGIN, WINDOW_FRAMES)
    return features_of(finished), features_of(raw)


def features_of(track: Track) -> Array:
    """(2, frames, 135)"""
    return features_from_pose(track.pose)
