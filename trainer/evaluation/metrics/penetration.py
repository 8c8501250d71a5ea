"""How far two bodies are in each other, or apart: signed distances between their meshes.

Knows meshes. Library: libigl (MPL-2.0), whose sign comes from fast winding numbers (Barill et al.
2018): sound for skinned meshes, which cut through themselves. One pair costs about 50 ms of one
core, hence measures look at a sample of frames, and pairs whose bounding boxes are apart cost none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.arrays import Array, IntArray
from engine.body.shape import Body
from engine.motion.motion import pose_from_features

CONTACT = 0.013
"""Surfaces nearer than this (metres) touch: facts/ponimator.md 4."""


def signed_distances(points: Array, vertices: Array, faces: IntArray) -> Array:
    """(n,) metres from points (n, 3) to a closed mesh (V, 3), (F, 3); negative inside.

    igl's own fast signing multiplies by 1 - 2 w with a winding number w that is not quite 0 or 1.
    """
    import igl

    points, vertices = points.astype(float), vertices.astype(float)
    apart = igl.signed_distance(points, vertices, faces, igl.SIGNED_DISTANCE_TYPE_UNSIGNED)[0]
    is_inside = igl.fast_winding_number(vertices, faces, points) > 0.5
    return np.asarray(np.where(is_inside, -apart, apart))


def mesh_gap(meshes: Sequence[Array], faces: IntArray, margin: float = CONTACT) -> float:
    """Least signed distance of any vertex of either mesh (V, 3) to the other, metres.

    Inf where the meshes' bounding boxes are more than `margin` apart: they do not touch. Negative:
    minus the depth of the deepest vertex.
    """
    gap = np.inf
    for mine, other in ((0, 1), (1, 0)):
        low, high = meshes[other].min(axis=0) - margin, meshes[other].max(axis=0) + margin
        near = meshes[mine][((meshes[mine] >= low) & (meshes[mine] <= high)).all(axis=-1)]
        if len(near):
            gap = min(gap, float(signed_distances(near, meshes[other], faces).min()))
    return gap


def pair_gaps(body: Body, pairs: Array, betas: Array) -> Array:
    """`mesh_gap` of each pair; pairs (n, 2, 135) features, betas (n, 2, 10) -> (n,) metres."""
    pose = pose_from_features(pairs)
    gaps = [
        mesh_gap([body.vertices(pose[row, i], betas[row, i]) for i in range(2)], body.faces)
        for row in range(len(pairs))
    ]
    return np.array(gaps)


def contact_ratio(gaps: Array) -> float:
    """Per cent of pairs that touch: CR of facts/ponimator.md 16."""
    return float(100 * (gaps < CONTACT).mean())


def penetration(gaps: Array) -> float:
    """Mean over pairs of the depth of the deepest vertex, centimetres; 0 for pairs apart.

    The paper gives no formula for its `Pene.`; a mean over all vertices would hide a hand in a
    chest, and a mean over the pairs that touch would forgive touching less.
    """
    return float(100 * np.maximum(-gaps, 0).mean())
