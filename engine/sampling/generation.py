"""Generation: whole motions from one pair, and pairs from words or a single pose.

Knows windows and bodies; how a window or a pair is sampled is handed in. Knows no session and no
socket. Chains as in the paper: the last pair of a window is the anchor of the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.arrays import Array
from engine.body.canonical import CanonicalFrame, canonical_frame, from_canonical, to_canonical
from engine.body.capsules import Capsules
from engine.body.pose import Pose, stacked
from engine.body.shape import Body, fit_betas
from engine.body.skeleton import JOINT_COUNT, PARENTS
from engine.errors import BackendError, InputError
from engine.motion.cleanup import CleanupConfig, cleaned
from engine.motion.floor import floor_height
from engine.motion.motion import (
    POSE_FEATURES,
    WINDOW_FRAMES,
    features_from_pose,
    pose_from_features,
)
from engine.motion.seams import MARGIN
from engine.motion.track import Track, joined, known_track
from engine.sampling.request import WindowRequest
from engine.sampling.windows import Window, anchor_window, close_window, reaction_window

PAIR_FEATURES = POSE_FEATURES + 3 * JOINT_COUNT
"""A pose (135) and the 22 rest joints of its body (66): one person of the generator."""

SampleWindows = Callable[[list[WindowRequest]], Array]
"""Requests -> residual windows (n, 2, 30, 135)."""
SamplePair = Callable[[Array, Array, Array, Array], Array]
"""noise (n, 2, 201), pose (n, 2, 201), pose_mask (n, 2), text (n, width) -> x0 (n, 2, 201)."""


# ---------------------------------------------------------------------------------------- motions
def generate_motion(
    pair: Pose,
    *,
    rest_joints: Array,
    anchor_index: int,
    frames: int,
    seed: int,
    steps: int,
    sample: SampleWindows,
    history_frames: int,
    text: Array | None = None,
    cleanup: CleanupConfig | None = None,
    foot_lock: bool = True,
    capsules: tuple[Capsules, Capsules] | None = None,
) -> Pose:
    """The motion of a pair, (2, frames), whose frame `anchor_index` is the given pair exactly.

    rest_joints     (2, 22, 3) of the pair, which is in the world
    history_frames  known frames that a later window starts from; 1 is the paper's chain
    text            (width,) what the two do, for an animator that takes text; None: no words
    cleanup         None: the floor is where the lowest sole or joint of the pair is
    foot_lock       with `cleanup` None: whether planted feet are held at one spot
    capsules        with `cleanup` None: of both bodies, to draw them out of each other
    Raises InputError for an anchor outside the motion, BackendError if a window is not finite.
    """
    if frames < 1:
        raise InputError(f"frames is {frames}, must be at least 1", field="frames")
    if not 0 <= anchor_index < frames:
        raise InputError(
            f"anchor_index is {anchor_index}, must lie in 0..{frames - 1}", field="anchor_index"
        )
    if cleanup is None:
        floor = float(floor_height(pair, rest_joints).min())
        cleanup = CleanupConfig(floor=floor, foot_lock=foot_lock, capsules=capsules)
    seeds = (int(seed) for seed in np.random.SeedSequence(seed).generate_state(frames + 1))

    def filled(window: Window) -> Track:
        result = close_window(window, sample([replace(window.request, text=text)])[0])
        given = window.known.cut(MARGIN, WINDOW_FRAMES).is_known
        return cleaned(result, given, rest_joints, cleanup)

    def around_anchor(track: Track, first: int) -> Track:
        return filled(
            anchor_window(
                track, first=first, anchor=0, rest_joints=rest_joints, seed=next(seeds), steps=steps
            )
        )

    def after(track: Track, history: int) -> Track:
        window = reaction_window(
            track, history_frames=history, rest_joints=rest_joints, seed=next(seeds), steps=steps
        )
        return filled(window).cut(history, WINDOW_FRAMES - history)

    pair = Pose(pair.rotmats.astype(np.float64), pair.transl.astype(np.float64))
    track = known_track(pair[:, None])
    before = _frames_before_anchor(anchor_index, frames)
    track = around_anchor(track, -before)
    start = anchor_index - before
    while start + track.frames < frames:
        track = joined([track, after(track, min(history_frames, WINDOW_FRAMES - 1))])
    while start > 0:
        track = joined([around_anchor(track, 1 - WINDOW_FRAMES).cut(0, WINDOW_FRAMES - 1), track])
        start -= WINDOW_FRAMES - 1
    return track.cut(-start, frames).pose


def _frames_before_anchor(anchor_index: int, frames: int) -> int:
    """Where the anchor stands in the first window: in its middle, or so that it covers an end."""
    middle = WINDOW_FRAMES // 2
    after = frames - 1 - anchor_index
    if anchor_index <= middle or frames <= WINDOW_FRAMES:
        return anchor_index
    return max(middle, WINDOW_FRAMES - 1 - after)


def _finite(x0: Array) -> Array:
    if not np.isfinite(x0).all():
        raise BackendError("the denoiser gave numbers that are not finite; try another precision")
    return x0


# ------------------------------------------------------------------------------------------ pairs
@dataclass(frozen=True, kw_only=True)
class People:
    """One person, or a pair (2,), at one instant: betas (..., 10)."""

    pose: Pose
    betas: Array


def generate_pair(
    *, body: Body, text: Array, single: People | None, seed: int, sample: SamplePair
) -> People:
    """An interactive pair for a text (width,), for one given person, for both, or for neither.

    text     the sentence vector; zeros for no text
    single   becomes person 0 of the result, exactly as given, where it stands
    The bodies stand on one floor: that of the given person, or y = 0.
    """
    (pair,) = generate_pairs(
        body=body, texts=np.asarray(text)[None], singles=[single], seeds=[seed], sample=sample
    )
    return pair


def generate_pairs(
    *,
    body: Body,
    texts: Array,
    singles: Sequence[People | None],
    seeds: Sequence[int],
    sample: SamplePair,
) -> list[People]:
    """The same for several, in one go: texts (n, width), and a single (or None) and a seed each."""
    shape = (1, 2, PAIR_FEATURES)
    noise = np.concatenate(
        [np.random.default_rng(seed).standard_normal(shape, np.float32) for seed in seeds]
    )
    pose, mask = np.zeros_like(noise), np.zeros((len(noise), 2), np.float32)
    frames: list[CanonicalFrame | None] = []
    for row, single in enumerate(singles):
        frames.append(None)
        if single is not None:
            rest = np.stack([body.rest_joints(single.betas)] * 2)
            twice = stacked([single.pose] * 2)
            frames[row] = frame = canonical_frame(twice, rest)
            canonical = features_from_pose(to_canonical(frame, twice, rest))
            pose[row] = np.concatenate([canonical, rest.reshape(2, -1)], axis=-1)
            mask[row, 0] = 1
    x0 = _finite(sample(noise, pose, mask, np.asarray(texts, np.float32))).astype(np.float64)
    return [
        _placed_pair(body, decoded_pair(body, row), single, frame)
        for row, single, frame in zip(x0, singles, frames, strict=True)
    ]


def _placed_pair(
    body: Body, pair: People, single: People | None, frame: CanonicalFrame | None
) -> People:
    """A pair on its floor: beside the given person, if there is one."""
    if single is None or frame is None:
        return _on_floor(body, pair, floor=0.0, people=(0, 1))
    rest = body.rest_joints(pair.betas)
    partner = from_canonical(frame, pair.pose, rest)[1]
    pair = People(
        pose=stacked([single.pose, partner]), betas=np.stack([single.betas, pair.betas[1]])
    )
    floor = floor_height(single.pose, body.rest_joints(single.betas))
    return _on_floor(body, pair, floor=float(floor), people=(1,))


def decoded_pair(body: Body, x0: Array) -> People:
    """The generator's answer (2, 201) as a pair of bodies.

    The 22 rest joints are only a proxy of the shape: the shape is the one whose bones fit best, and
    the pelvis stays where the answer has it.
    """
    pose = pose_from_features(x0[:, :POSE_FEATURES])
    rest = x0[:, POSE_FEATURES:].reshape(2, JOINT_COUNT, 3)
    lengths = np.linalg.norm(rest[:, 1:] - rest[:, list(PARENTS[1:])], axis=-1)
    betas = fit_betas(body, lengths)
    pelvis = rest[:, 0] - body.rest_joints(betas)[:, 0]
    return People(pose=Pose(pose.rotmats, pose.transl + pelvis), betas=betas)


def _on_floor(body: Body, pair: People, *, floor: float, people: tuple[int, ...]) -> People:
    height = floor_height(pair.pose, body.rest_joints(pair.betas))
    transl = pair.pose.transl.copy()
    for person in people:
        transl[person, 1] += floor - height[person]
    return replace(pair, pose=Pose(pair.pose.rotmats, transl))
