"""GLB files: skinned people who move, for Blender, Unity, Unreal, Godot and browsers.

Knows how our bodies become a glTF scene. Knows no other format. Each person is a mesh at the top of
the scene and a skeleton under a node of its own: without that node Blender makes one armature of
two people, and a mesh anywhere else would be moved twice (glTF 2.0, 3.7.3.2).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from engine.arrays import Array, IntArray
from engine.body.fingers import CURLS, ORDER
from engine.body.rotations import quat_from_rotmat
from engine.body.shape import Body
from engine.body.skeleton import JOINT_COUNT
from engine.formats.gltf import INDEX_BUFFER, VERTEX_BUFFER, GltfDocument
from engine.formats.skinned import (
    COLOURS,
    SkinnedBody,
    continuous_quats,
    names_of,
    pelvis_places,
    skinned_body,
)
from engine.formats.touches import touches_of
from engine.motion.motion import Motion

MOTION = "motion"
"""Name of the one animation."""
LEAST_INDEX = 65535
"""From so many vertices on, their numbers need 32 bits; 65535 itself ends a strip of triangles."""


def write_glb(path: Path, motion: Motion, body: Body) -> None:
    """Write all people of a motion, with one animation of them all.

    Joints have our names, after the person's where there is more than one: partner_left_hip.
    A person's top node keeps `betas` and the body's name, and the animation its frame rate and
    touches (`touches_of`), all as extras.
    """
    document = GltfDocument()
    joints = [
        _add_person(document, skinned_body(body, betas), name, prefix, COLOURS[i % len(COLOURS)])
        for i, (betas, name, prefix) in enumerate(
            zip(motion.betas, names_of(motion.people), _prefixes(motion.people), strict=True)
        )
    ]
    for nodes, betas in zip(joints, motion.betas, strict=True):
        top = document.json["nodes"][nodes[0] - 1]
        top["extras"] = {"body": body.name, "betas": betas.tolist()}
    animation = document.animation(
        MOTION, {"frame_rate": motion.frame_rate, "contacts": touches_of(motion, body)}
    )
    seconds = (np.arange(motion.frames) / motion.frame_rate).astype(np.float32)
    times = document.array(seconds, has_bounds=True)
    for person, nodes in enumerate(joints):
        animation.channel(nodes[0], "translation", times, pelvis_places(motion, body, person))
        quats = continuous_quats(motion, person, body)
        for joint, node in enumerate(nodes[: quats.shape[1]]):
            animation.channel(node, "rotation", times, quats[:, joint])
    path.write_bytes(document.to_bytes())


def body_glb(body: Body, betas: Array) -> bytes:
    """A person of shape betas (10,) at rest, as the bytes of a .glb: a mesh and its joints.

    Joints have our names; nothing is animated. A finger's joints say in their extras which `curl`
    of ten moves them, and how: exp(curl closing) straight, `closing` a rotation vector in radians
    and `straight` a quaternion x, y, z, w.
    """
    document = GltfDocument()
    nodes = _add_person(document, skinned_body(body, betas), "person", "", COLOURS[1])
    if body.fingers is not None:
        straight = quat_from_rotmat(body.fingers.straight)
        for curl, joint in enumerate(ORDER.reshape(CURLS, -1)):
            for row in joint:
                document.json["nodes"][nodes[JOINT_COUNT + row]]["extras"] = {
                    "curl": curl,
                    "closing": np.round(body.fingers.closing[row], 6).tolist(),
                    "straight": np.round(straight[row], 6).tolist(),
                }
    return document.to_bytes()


def _prefixes(people: int) -> list[str]:
    return [""] if people == 1 else [f"{name}_" for name in names_of(people)]


def _add_person(
    document: GltfDocument, person: SkinnedBody, name: str, prefix: str, colour: Array
) -> tuple[int, ...]:
    """The nodes of the new person's joints; the node before them is the top of its skeleton."""
    first = len(document.json.get("nodes", [])) + 1
    top = document.node(is_root=True, name=name, children=[first])
    names = [prefix + joint for joint in person.names]
    joints = document.joint_tree(names, person.parents, person.offsets)
    joint_from_rest = np.tile(np.eye(4, dtype=np.float32), (len(joints), 1, 1))
    joint_from_rest[:, :3, 3] = -person.rest_joints
    skin = {
        "joints": list(joints),
        "inverseBindMatrices": document.array(joint_from_rest),
        "skeleton": top,
    }
    linear = (colour / 255) ** 2.2
    surface = {
        "baseColorFactor": [*linear.tolist(), 1.0],
        "metallicFactor": 0.0,
        "roughnessFactor": 0.8,
    }
    material = document.add("materials", {"name": name, "pbrMetallicRoughness": surface})
    mesh = {"name": name, "primitives": [_triangles(document, person, material)]}
    document.node(
        is_root=True,
        name=f"{name}_body",
        mesh=document.add("meshes", mesh),
        skin=document.add("skins", skin),
    )
    return joints


def _triangles(document: GltfDocument, person: SkinnedBody, material: int) -> dict[str, Any]:
    shares = shares_of_255(person.weights)
    joints = np.where(shares > 0, person.joints, 0).astype(np.uint8)
    corners = person.faces.ravel()
    is_small = len(person.vertices) < LEAST_INDEX
    return {
        "attributes": {
            "POSITION": document.array(person.vertices, target=VERTEX_BUFFER, has_bounds=True),
            "NORMAL": document.array(person.normals, target=VERTEX_BUFFER),
            "JOINTS_0": document.array(joints, target=VERTEX_BUFFER),
            "WEIGHTS_0": document.array(shares, target=VERTEX_BUFFER, is_normalised=True),
        },
        "indices": document.array(
            corners.astype(np.uint16) if is_small else corners.astype(np.uint32),
            target=INDEX_BUFFER,
        ),
        "material": material,
    }


def shares_of_255(weights: Array) -> IntArray:
    """Weights (V, 4) whose rows sum to 1 as whole numbers whose rows sum to 255, uint8.

    The largest remainders are rounded up, as many as are wanting.
    """
    exact = weights.astype(np.float64) * 255
    shares = np.floor(exact).astype(np.int64)
    order = np.argsort(shares - exact, axis=1, kind="stable")
    wanting = 255 - shares.sum(axis=1, keepdims=True)
    rank = np.argsort(order, axis=1, kind="stable")
    return np.asarray(shares + (rank < wanting), np.uint8)
