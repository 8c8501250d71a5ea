"""Generation: whole motions from one pair, and pairs from words or a single pose.

Knows windows and bodies; how a window or a pair is sampled is handed in. Knows no session and no
socket. Chains as in the paper: the last pair of a window is the anchor of the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from engine.arrays import Array, BoolArray
from engine.body.canonical import CanonicalFrame, canonical_frame, from_canonical, to_canonical
from engine.body.pose import Pose, in_a_row, no_poses, stacked
from engine.body.shape import Body, bone_lengths, fit_betas
from engine.body.skeleton import JOINT_COUNT
from engine.body.skins import Skins, skins_of_each
from engine.errors import BackendError, InputError
from engine.motion.cleanup import CleanupConfig, cleaned
from engine.motion.floor import floor_height
from engine.motion.motion import (
    POSE_FEATURES,
    WINDOW_FRAMES,
    features_from_pose,
    pose_from_features,
)
from engine.motion.seams import MARGIN, joined_to
from engine.motion.track import Track, joined, known_track
from engine.sampling.request import WindowRequest
from engine.sampling.windows import open_windows, read_windows

PAIR_FEATURES = POSE_FEATURES + 3 * JOINT_COUNT
"""A pose (135) and the 22 rest joints of its body (66): one person of the generator."""

SampleWindows = Callable[[list[WindowRequest]], Array]
"""Requests -> residual windows (n, 2, 30, 135)."""
SamplePair = Callable[[Array, Array, Array, Array], Array]
"""noise (n, 2, 201), pose (n, 2, 201), pose_mask (n, 2), text (n, width) -> x0 (n, 2, 201)."""


# ---------------------------------------------------------------------------------------- motions
@dataclass(frozen=True, kw_only=True)
class Anchor:
    """The pair (2,) that a motion is made around, in the world.

    rest_joints  (2, 22, 3)
    text         (width,) what the two do, for an animator that takes text; None: no words
    skins        of the pair, to draw them out of each other; None: they stay
    """

    pair: Pose
    rest_joints: Array
    seed: int
    text: Array | None = None
    skins: Skins | None = None


def generate_motion(
    anchor: Anchor,
    *,
    anchor_index: int,
    frames: int,
    steps: int,
    sample: SampleWindows,
    history_frames: int,
    foot_lock: bool = True,
) -> Pose:
    """The motion of a pair, (2, frames). See `generate_motions`."""
    made = generate_motions(
        [anchor],
        anchor_index=anchor_index,
        frames=frames,
        steps=steps,
        sample=sample,
        history_frames=history_frames,
        foot_lock=foot_lock,
    )
    return made[:, 0]


def generate_motions(
    anchors: Sequence[Anchor],
    *,
    anchor_index: int,
    frames: int,
    steps: int,
    sample: SampleWindows,
    history_frames: int,
    foot_lock: bool = True,
) -> Pose:
    """Motions of one length (2, motion, frames), whose frame `anchor_index` is each one's anchor
    exactly. The same as one by one, if the sampler's are; in a part of the time.

    anchors         all of them with skins, or none
    history_frames  known frames that a later window starts from; 1 is the paper's chain
    foot_lock       whether planted feet are held at one spot
    The floor is where the lowest sole or joint of a pair is. Raises InputError for an anchor
    outside the motion, BackendError if a window is not finite.
    """
    if frames < 1:
        raise InputError(f"frames is {frames}, must be at least 1", field="frames")
    if not 0 <= anchor_index < frames:
        raise InputError(
            f"anchor_index is {anchor_index}, must lie in 0..{frames - 1}", field="anchor_index"
        )
    of_pairs = np.stack([anchor.rest_joints for anchor in anchors], axis=1)
    rest_joints = of_pairs.reshape(-1, *of_pairs.shape[2:])
    pairs = _pairs(anchors)
    floors = np.tile(floor_height(pairs, of_pairs).min(axis=0), 2)[:, None, None]
    cleanup = CleanupConfig(floor=floors, foot_lock=foot_lock, skins=_skins_of(anchors))
    seeds = [np.random.SeedSequence(anchor.seed).generate_state(frames + 1) for anchor in anchors]
    opened = count()

    def filled(track: Track, first: int, anchor: int, told: BoolArray | None = None) -> Track:
        number = next(opened)
        windows = open_windows(
            track,
            first=first,
            anchor=anchor,
            rest_joints=of_pairs,
            seeds=[int(numbers[number]) for numbers in seeds],
            steps=steps,
            told=told,
        )
        asked = zip(windows.requests, anchors, strict=True)
        x0 = sample([replace(request, text=anchor.text) for request, anchor in asked])
        known = windows.known
        given = known.cut(MARGIN, WINDOW_FRAMES).is_known
        return cleaned(joined_to(read_windows(windows, x0), known), given, rest_joints, cleanup)

    def around_anchor(track: Track, first: int) -> Track:
        """As in the paper: the network is told the anchor, frame 0, and nothing else."""
        told = np.zeros((len(rest_joints), WINDOW_FRAMES), np.bool_)
        return filled(track, first, 0, told)

    before = _frames_before_anchor(anchor_index, frames)
    start = anchor_index - before
    # In one place from the beginning: what is left of a long motion's windows would fill the heap.
    made = no_poses(2 * len(anchors), frames)

    def put(track: Track, first: int) -> None:
        """Frames that the motion has, from `first` on; more are left out."""
        last = min(first + track.frames, frames)
        there, rows = slice(max(first, 0), last), slice(max(-first, 0), last - first)
        made.rotmats[:, there], made.transl[:, there] = (
            track.rotmats[:, rows],
            track.transl[:, rows],
        )

    front = latest = around_anchor(known_track(in_a_row(pairs)[:, None]), -before)
    put(front, start)
    history, end = min(history_frames, WINDOW_FRAMES - 1), start + front.frames
    while end < frames:
        new = filled(latest, latest.frames - history, latest.frames - 1)
        new = new.cut(history, WINDOW_FRAMES - history)
        put(new, end)
        # A window sees so much of what is before it, and a motion may be long.
        latest = joined([latest, new]).latest(WINDOW_FRAMES + MARGIN)
        end += new.frames
    while start > 0:
        front = around_anchor(front, 1 - WINDOW_FRAMES).cut(0, WINDOW_FRAMES - 1)
        start -= front.frames
        put(front, start)
    shape = 2, len(anchors)
    return Pose(
        made.rotmats.reshape(*shape, *made.rotmats.shape[1:]),
        made.transl.reshape(*shape, *made.transl.shape[1:]),
    )


def _pairs(anchors: Sequence[Anchor]) -> Pose:
    """(2, n)"""
    pairs = stacked([anchor.pair for anchor in anchors], axis=1)
    return Pose(pairs.rotmats.astype(np.float64), pairs.transl.astype(np.float64))


def _skins_of(anchors: Sequence[Anchor]) -> Skins | None:
    skins = [anchor.skins for anchor in anchors if anchor.skins is not None]
    return skins_of_each(skins) if len(skins) == len(anchors) else None


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
    """One person, a pair (2,), or several (..., 2), at one instant: betas (..., 10)."""

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
    pairs = decoded_pair(body, x0)
    standing = _on_floor(body, pairs)
    return [
        _row(standing, row)
        if single is None or frame is None
        else _beside(body, _row(pairs, row), single, frame)
        for row, (single, frame) in enumerate(zip(singles, frames, strict=True))
    ]


def _row(pairs: People, row: int) -> People:
    return People(pose=pairs.pose[row], betas=pairs.betas[row])


def _beside(body: Body, pair: People, single: People, frame: CanonicalFrame) -> People:
    """The given person with the pair's partner, on the same floor."""
    pose = from_canonical(frame, pair.pose, body.rest_joints(pair.betas))[1]
    floor = floor_height(single.pose, body.rest_joints(single.betas))
    partner = _on_floor(body, People(pose=pose, betas=pair.betas[1]), float(floor))
    return People(
        pose=stacked([single.pose, partner.pose]), betas=np.stack([single.betas, partner.betas])
    )


def decoded_pair(body: Body, x0: Array) -> People:
    """The generator's answers (..., 2, 201) as pairs of bodies.

    The 22 rest joints are only a proxy of the shape: the shape is the one whose bones fit best, and
    the pelvis stays where the answer has it.
    """
    pose = pose_from_features(x0[..., :POSE_FEATURES])
    rest = x0[..., POSE_FEATURES:].reshape(*x0.shape[:-1], JOINT_COUNT, 3)
    betas = fit_betas(body, bone_lengths(rest))
    pelvis = rest[..., 0, :] - body.rest_joints(betas)[..., 0, :]
    return People(pose=Pose(pose.rotmats, pose.transl + pelvis), betas=betas)


def _on_floor(body: Body, people: People, floor: float = 0.0) -> People:
    transl = people.pose.transl.copy()
    transl[..., 1] += floor - floor_height(people.pose, body.rest_joints(people.betas))
    return replace(people, pose=Pose(people.pose.rotmats, transl))
