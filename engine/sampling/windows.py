"""Windows: what the animator is asked for, and its answer turned back into world motion.

Knows the canonical frame, which frames are known, and how a sampled window is read. Knows no
session, no clock and not who runs the denoiser. Everything is pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.arrays import Array, BoolArray
from engine.body.canonical import CanonicalFrame, canonical_frame_of, from_canonical, to_canonical
from engine.body.pose import Pose, in_a_row, stacked
from engine.errors import BackendError
from engine.motion.motion import WINDOW_FRAMES, features_from_pose, pose_from_features
from engine.motion.seams import MARGIN, joined_to
from engine.motion.track import Track, joined, known_track
from engine.sampling.request import WINDOW_SHAPE, WindowRequest


@dataclass(frozen=True, kw_only=True)
class Window:
    """A question to the animator, and what is needed to read its answer.

    known   track of WINDOW_FRAMES + 2 MARGIN frames, from MARGIN frames before the window on: the
            seams' other side
    """

    request: WindowRequest
    frame: CanonicalFrame
    rest_joints: Array
    known: Track


@dataclass(frozen=True, kw_only=True)
class Windows:
    """The same of n pairs of which the same frames are asked.

    frame        of each pair
    rest_joints  (2, n, 22, 3)
    known        as of one; all players before all partners
    """

    requests: list[WindowRequest]
    frame: CanonicalFrame
    rest_joints: Array
    known: Track


def open_window(
    track: Track,
    *,
    first: int,
    anchor: int,
    rest_joints: Array,
    seed: int,
    steps: int,
    told: BoolArray | None = None,
    clock: int = 0,
    skip: int = 0,
) -> Window:
    """Ask for frames first .. first + 29 of a track, built around the pair at `anchor`.

    first, anchor  indices into the track; both people are known at the anchor
    rest_joints    (2, 22, 3)
    told           (2, 30) known frames the network sees; None: all. The anchor always is. Known
                   frames that it is not told of still hold in the result.
    clock          index of the track's first frame on the caller's clock
    skip           steps that are left out, because unknown frames too are as a plan of before had
                   them: the window starts from there
    Raises ValueError when the anchor is unknown or outside the window.

    The features of known frames are absolute, in the canonical frame of the anchor pair, as in
    training (design.md 4).
    """
    windows = open_windows(
        track,
        first=first,
        anchor=anchor,
        rest_joints=rest_joints[:, None],
        seeds=[seed],
        steps=steps,
        told=told,
        clock=clock,
        skip=skip,
    )
    return Window(
        request=windows.requests[0],
        frame=CanonicalFrame(windows.frame.rotation[0], windows.frame.shift[0]),
        rest_joints=rest_joints,
        known=windows.known,
    )


def open_windows(
    track: Track,
    *,
    first: int,
    anchor: int,
    rest_joints: Array,
    seeds: Sequence[int],
    steps: int,
    told: BoolArray | None = None,
    clock: int = 0,
    skip: int = 0,
) -> Windows:
    """The same of n pairs at once: rest_joints (2, n, 22, 3), a seed each, told (2 n, 30)."""
    index = anchor - first
    if not (0 <= index < WINDOW_FRAMES and 0 <= anchor < track.frames):
        raise ValueError(f"anchor {anchor} lies outside the window of frames {first}..{first + 29}")
    if not track.is_known[:, anchor].all():
        raise ValueError(f"frame {anchor} cannot be the anchor: one person is not known there")
    known = track.cut(first - MARGIN, WINDOW_FRAMES + 2 * MARGIN)
    window = known.cut(MARGIN, WINDOW_FRAMES)
    shape = 2, len(seeds), WINDOW_FRAMES
    pose = Pose(window.rotmats.reshape(*shape, -1, 3, 3), window.transl.reshape(*shape, 3))
    pairs = pose[:, :, index]
    joints, _ = pairs.in_world(rest_joints)
    frame = canonical_frame_of(joints, pairs.transl, rest_joints)
    features = features_from_pose(to_canonical(frame, pose, rest_joints))
    shown = window.is_known if told is None else window.is_known & told
    shown = (shown | (np.arange(WINDOW_FRAMES) == index)).reshape(*shape, 1)
    shown_features, mask = features * shown, shown.astype(np.float32)
    joints = (joints @ frame.rotation.swapaxes(-1, -2) + frame.shift[:, None]).astype(np.float32)
    requests = [
        WindowRequest(
            known=shown_features[:, pair],
            known_mask=mask[:, pair],
            anchor=features[:, pair, index],
            anchor_joints=joints[:, pair],
            seed=seed,
            steps=steps,
            first_frame=clock + first,
            start=features[:, pair] - features[:, pair, index, None] if skip else None,
            skip=skip,
        )
        for pair, seed in enumerate(seeds)
    ]
    return Windows(requests=requests, frame=frame, rest_joints=rest_joints, known=known)


def close_window(window: Window, x0: Array, known: Track | None = None) -> Track:
    """The sampled residual window (2, 30, 135) as 30 world frames that run into the known ones.

    known  as `window.known`, where more has become known since; None: what was known when asked
    Known frames come back exactly as they were given. Raises BackendError as `read_window` does.
    """
    return joined_to(read_window(window, x0), window.known if known is None else known)


def read_window(window: Window, x0: Array) -> Track:
    """What the network predicts for all 30 frames and the margins, in the world.

    x0 (2, 30, 135). Raises BackendError when it has another shape, or gives no finite pose.
    """
    frame = CanonicalFrame(window.frame.rotation[None], window.frame.shift[None])
    windows = Windows(
        requests=[window.request],
        frame=frame,
        rest_joints=window.rest_joints[:, None],
        known=window.known,
    )
    return read_windows(windows, x0[None])


def read_windows(windows: Windows, x0: Array) -> Track:
    """The same of several windows, x0 (n, 2, 30, 135): all players before all partners."""
    if x0.shape[1:] != WINDOW_SHAPE:
        shape = x0.shape[1:]
        raise BackendError(f"the denoiser gave a window of shape {shape}, expected (2, 30, 135)")
    anchors = np.stack([request.anchor for request in windows.requests])
    features = (x0 + anchors[:, :, None]).swapaxes(0, 1).astype(np.float64, order="C")
    with np.errstate(all="ignore"):
        pose = pose_from_features(features)
    if not (np.isfinite(pose.rotmats).all() and np.isfinite(pose.transl).all()):
        raise BackendError("the denoiser gave a window that is not finite", reason="BAD_WINDOW")
    world = from_canonical(windows.frame, pose, windows.rest_joints)
    return _with_margins(in_a_row(world))


def _with_margins(window: Pose) -> Track:
    """Continue at steady velocity MARGIN frames beyond both ends, to compare with what is there."""

    def ahead(pose: Pose) -> Pose:
        last, before = pose[:, -1], pose[:, -2]
        turn = np.swapaxes(before.rotmats, -1, -2) @ last.rotmats
        new = [Pose(last.rotmats @ turn, 2 * last.transl - before.transl)]
        for _ in range(MARGIN - 1):
            transl = new[-1].transl + last.transl - before.transl
            new.append(Pose(new[-1].rotmats @ turn, transl))
        return stacked(new, axis=1)

    parts = [ahead(window[:, ::-1])[:, ::-1], window, ahead(window)]
    return joined([known_track(part) for part in parts])
