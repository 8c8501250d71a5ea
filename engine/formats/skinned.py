"""Skinned people: a motion's bodies as other tools want them, a mesh that hangs on 22 joints, and
on the 30 of its fingers where the body has them.

Knows bodies and motions; which file they go into is the business of the formats that use them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import Array, IntArray
from engine.body.fingers import first_finger, quats_of_curls
from engine.body.shape import Body
from engine.body.skeleton import (
    HAND_JOINT_NAMES,
    HAND_PARENTS,
    JOINT_COUNT,
    JOINT_NAMES,
    PARENTS,
)
from engine.motion.motion import Motion

INFLUENCES = 4
"""Joints that move one vertex, at most: what real-time engines take."""
PAIR_NAMES = ("player", "partner")
COLOURS = np.array([[240, 136, 98], [84, 150, 205], [128, 178, 104], [176, 132, 196]], np.float32)
"""Player, partner, and further people: red, green, blue, 0..255."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SkinnedBody:
    """One person at rest: mesh and skeleton, in metres.

    vertices, normals  (V, 3) float32
    faces              (F, 3) counter-clockwise from outside
    joints             (V, 4) which joints move a vertex, the strongest first; 0 where the weight is
    weights            (V, 4) float32, rows sum to 1
    names, parents     of J joints: our 22, then those of the fingers
    rest_joints        (J, 3) float32
    """

    vertices: Array
    normals: Array
    faces: IntArray
    joints: IntArray
    weights: Array
    names: tuple[str, ...]
    parents: tuple[int, ...]
    rest_joints: Array

    @property
    def offsets(self) -> Array:
        """(J, 3) joints at rest, seen from their parents; the pelvis from the origin."""
        offsets = self.rest_joints.copy()
        offsets[1:] -= self.rest_joints[list(self.parents[1:])]
        return offsets


def skinned_body(body: Body, betas: Array) -> SkinnedBody:
    """The mesh of shape betas (10,)."""
    chosen = list(range(JOINT_COUNT))
    names: tuple[str, ...] = JOINT_NAMES
    parents: tuple[int, ...] = PARENTS
    if (first := first_finger(body.parents)) is not None:
        chosen += range(first, len(body.parents))
        names, parents = names + HAND_JOINT_NAMES, parents + HAND_PARENTS
    weights = body.weights_of(chosen)
    joints = np.argsort(-weights, axis=1, kind="stable")[:, :INFLUENCES]
    weights = np.take_along_axis(weights, joints, axis=1)
    weights = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    vertices = body.rest_vertices(betas).astype(np.float32)
    return SkinnedBody(
        vertices=vertices,
        normals=vertex_normals(vertices, body.faces)[0],
        faces=body.faces,
        joints=np.where(weights > 0, joints, 0),
        weights=weights,
        names=names,
        parents=parents,
        rest_joints=body.all_rest_joints(betas)[chosen].astype(np.float32),
    )


def names_of(people: int) -> tuple[str, ...]:
    """What the people of a motion are called in files that hold more than one."""
    return PAIR_NAMES if people == 2 else tuple(f"person{i}" for i in range(people))


def finger_quats(motion: Motion, body: Body, person: int) -> Array | None:
    """(T, 30, 4) of the finger joints, x, y, z, w; None where nothing is known of the hands."""
    if motion.curls is None or body.fingers is None:
        return None
    return quats_of_curls(body.fingers, motion.curls[person].astype(np.float64))


def continuous_quats(motion: Motion, person: int, body: Body | None = None) -> Array:
    """(T, 22, 4) unit float32, neighbours in time on one side of the sphere: tools that interpolate
    number by number take the short way too.

    body  with the finger joints of this body, (T, 52, 4), where the motion has curls
    """
    quats = motion.quats_xyzw[person].astype(np.float64)
    fingers = None if body is None else finger_quats(motion, body, person)
    if fingers is not None:
        quats = np.concatenate([quats, fingers], axis=1)
    quats /= np.linalg.norm(quats, axis=-1, keepdims=True)
    turns_back = np.sum(quats[1:] * quats[:-1], axis=-1, keepdims=True) < 0
    quats[1:] *= np.cumprod(np.where(turns_back, -1.0, 1.0), axis=0)
    return np.asarray(quats, np.float32)


def pelvis_places(motion: Motion, body: Body, person: int) -> Array:
    """(T, 3) float32, in the world."""
    rest_pelvis = body.rest_joints(motion.betas[person])[0]
    return np.asarray(rest_pelvis + motion.transl[person], np.float32)


def vertex_normals(vertices: Array, faces: IntArray) -> tuple[Array, Array]:
    """Outward unit normals (V, 3) float32, and the area (V,) in m2 that belongs to each vertex."""
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    flat = faces.ravel()
    summed = np.stack(
        [np.bincount(flat, np.repeat(normals[:, axis], 3), len(vertices)) for axis in range(3)], -1
    )
    length = np.linalg.norm(summed, axis=-1)
    is_flat = length < 1e-12
    normals = np.where(is_flat[:, None], [0.0, 1.0, 0.0], summed)
    normals = normals / np.where(is_flat, 1.0, length)[:, None]
    return normals.astype(np.float32), (length / 6).astype(np.float32)
