"""Two people drawn apart where one has sunk into the other.

Networks leave bodies a few centimetres inside each other, which no viewer forgives. Both stay in
their poses and are moved along the ground, as little as helps. Knows poses and skins; knows no
window, session or network. For a partner who must not touch at all: `space.py`.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Array, BoolArray
from engine.body.capsules import Segments, near_pairs
from engine.body.easing import frames_from
from engine.body.skins import Skins

GIVE = 0.01
"""Metres that skin gives way: hands that press and chests that hug sink in so far."""
MOST = 0.12
"""Metres that two people are drawn apart at most: deeper than that a pose is wrong, not a place."""
STEP = 0.03
"""Metres by which this may change from one frame to the next."""
ROUNDS, FURTHER = 3, 1.5
"""Rounds, each of which goes so many times as far as its depths ask: what was not deep before, and
is then, makes every round fall short. Three so reach as far as five of 1."""
DAMPING = 0.3
"""Added to the normal equations, whose diagonal counts the overlapping pairs of capsules."""
SMOOTH = np.array([0.25, 0.5, 0.25])


def parted(transl: Array, posed: tuple[Array, Array], given: BoolArray, skins: Skins) -> Array:
    """Translations (2, frame, 3) at which nobody is deeper than GIVE in the other, where possible;
    nobody goes up or down. Or those of n pairs (2 n, frame, 3), all players before all partners.

    transl (2 n, frame, 3)  as they are; posed: joints and orientations of all people there
    given (2 n, frame)      poses that must stay; if only one may move, that one goes all the way
    skins                   of the n pairs

    Least squares on depths d_i past GIVE, with n_i along the ground from axis to axis:
        minimise  sum_i (d_i - n_i . r)^2 + DAMPING |r|^2  over r, the way apart in one frame
    """
    pairs, count = len(given) // 2, given.shape[1]
    joints, world = (values.reshape(2, pairs, *values.shape[1:]) for values in posed)
    of_pair, at = np.nonzero(skins.may_be_near(joints, world, -GIVE))
    if not len(at):
        return transl
    capsules = skins.capsules(of_pair)
    first, second = (
        one.posed(joints[side, of_pair, at], world[side, of_pair, at])
        for side, one in enumerate(capsules)
    )
    is_given = given.reshape(2, pairs, count)
    share = np.where(is_given, 0.0, 1.0)
    share /= np.maximum(share.sum(axis=0), 1.0)
    fixed = np.asarray(is_given.all(axis=0))
    most = np.minimum(np.stack([frames_from(frames) for frames in fixed]) * STEP, MOST)
    apart: Array = np.zeros((pairs, count, 3))
    apart[of_pair, at] = _ways_apart(
        first, capsules[0].radii, second, capsules[1].radii, most[of_pair, at]
    )
    if not apart.any():
        return transl
    apart = _shortened(_smoothed(apart), most)
    signs = np.array([-1.0, 1.0])[:, None, None]
    return np.asarray(transl + ((signs * share)[..., None] * apart).reshape(transl.shape))


def _ways_apart(
    first: Segments, first_radii: Array, second: Segments, second_radii: Array, most: Array
) -> Array:
    """(frame, 3) for the second person seen from the first; `most` long at most."""
    apart: Array = np.zeros((len(most), 3))
    frames = np.arange(len(most))
    for _ in range(ROUNDS):
        moved = _moved(second[frames], apart[frames])
        step = _way_apart(first[frames], first_radii[frames], moved, second_radii[frames])
        # Where nobody is in the other any more, nothing changes in the next round.
        goes_on = step.any(axis=-1)
        frames, step = frames[goes_on], step[goes_on]
        if not len(frames):
            break
        apart[frames] = _shortened(apart[frames] + FURTHER * step, most[frames])
    return apart


def _way_apart(first: Segments, first_radii: Array, second: Segments, second_radii: Array) -> Array:
    """(frame, 3) along the ground, for the second person seen from the first."""
    pairs = near_pairs(first, first_radii, second, second_radii, -GIVE)
    frames = len(first.starts)
    along = (pairs.points[:, 1] - pairs.points[:, 0])[:, [0, 2]]
    along /= np.maximum(np.linalg.norm(pairs.points[:, 1] - pairs.points[:, 0], axis=-1), 1e-6)[
        :, None
    ]
    normal = np.zeros((frames, 2, 2)) + DAMPING * np.eye(2)
    np.add.at(normal, pairs.frames, along[:, :, None] * along[:, None])
    wanted = np.zeros((frames, 2))
    np.add.at(wanted, pairs.frames, (-pairs.gaps - GIVE)[:, None] * along)
    way = np.zeros((frames, 3))
    way[:, [0, 2]] = np.linalg.solve(normal, wanted[..., None])[..., 0]
    return way


def _moved(segments: Segments, by: Array) -> Segments:
    return Segments(starts=segments.starts + by[:, None], axes=segments.axes)


def _shortened(vectors: Array, most: Array) -> Array:
    length = np.linalg.norm(vectors, axis=-1)
    return np.asarray(vectors * np.minimum(1.0, most / np.maximum(length, 1e-12))[..., None])


def _smoothed(vectors: Array) -> Array:
    """Smoothed over frames (..., frame, 3) by a short binomial window."""
    padded = np.concatenate([vectors[..., :1, :], vectors, vectors[..., -1:, :]], axis=-2)
    before, after = padded[..., :-2, :], padded[..., 2:, :]
    return np.asarray(SMOOTH[0] * before + SMOOTH[1] * vectors + SMOOTH[2] * after)
