"""Humanoids in glTF scenes: whose joints are whose, and their motion on our bodies.

Knows scenes, names of joints and VRM's table of bones. What our own exporter wrote comes back as it
was; everybody else is retargeted (`retarget.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Literal, Self

import numpy as np

from engine.arrays import Array
from engine.body.fingers import FingerJoints, curls_from_rotmats, straight_hands
from engine.body.shape import Body
from engine.body.skeleton import HAND_JOINT_NAMES, HAND_PARENTS, JOINT_NAMES
from engine.errors import InputError
from engine.formats.gltf import GENERATOR
from engine.formats.gltf_reading import GltfScene, read_scene
from engine.formats.npz import SAME_BODY
from engine.formats.retarget import motion_from_bvh
from engine.formats.rig import RigMap
from engine.formats.vrma import VRM_BONES, VRM_FINGERS
from engine.motion.motion import Motion

SCENE = "scene"
"""Name of the joint over all others, which stands still."""
UNTURNED = 1e-5
"""Of a rotation that is none, its entries' difference from the identity's."""
VRM_EXTENSIONS = ("VRMC_vrm_animation", "VRMC_vrm", "VRM")


@dataclass(frozen=True, kw_only=True, eq=False)
class GltfSkeleton:
    """One person's joints, as `retarget.py` wants them: turned by nothing in the rest pose.

    rest          (J, 3) in the world
    positions     (T, J, 3) in the world
    orientations  (T, J, 3, 3) from the rest pose to the frame
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    frame_rate: float
    rest: Array
    positions: Array
    orientations: Array

    def rest_positions(self) -> Array:
        return self.rest

    @property
    def frames(self) -> int:
        return len(self.positions)

    def part(self, joints: Iterable[int]) -> tuple[Self, dict[int, int]]:
        """All of it: the reader has left out what turns nobody."""
        return self, {joint: joint for joint in range(len(self.names))}

    def world(self, frames: slice, turned: Array | None = None) -> tuple[Array, Array]:
        positions, orientations = self.positions[frames], self.orientations[frames]
        if turned is None:
            return positions, orientations
        return positions @ turned.T, turned @ orientations


def read_gltf(
    path: Path,
    body: Body,
    rig: RigMap,
    up: Literal["y", "z"] | None = None,
    tell: Callable[[str], None] | None = None,
) -> Motion:
    """All people of a .glb or .vrma in its first animation; raises InputError that names the file.

    up    of files that are wrong about it: glTF itself says that Y is up
    tell  told in one line what was guessed of each person
    One person's feet are put on the floor; of several, the file's own places are kept.
    """
    scene = read_scene(path)
    groups = _joint_groups(scene)
    if not groups:
        raise InputError(f"{path}: holds no skin and no node that turns", field="path")
    try:
        times, rate = scene.times()
    except InputError as exc:
        raise InputError(f"{path}: {exc}", field="path") from exc
    bones = _vrm_bones(scene)
    is_ours = scene.json.get("asset", {}).get("generator") == GENERATOR
    if is_ours:  # in metres, however long the legs of its people
        rig = replace(rig, metres_per_unit=rig.metres_per_unit or 1.0)
    rest, moving = scene.rest(), scene.moving(times)
    people, hands = [], []
    for joints in groups:
        chosen = _with_ancestors(scene, joints)
        names = _names(scene, chosen, joints, bones if is_ours else {})
        skeleton = _skeleton(scene, chosen, names, rest, moving, rate)
        named = {
            ours: names[chosen.index(bones[bone])]
            for ours, bone in VRM_BONES.items()
            if bone in bones and bones[bone] in chosen and not is_ours
        }
        motion = motion_from_bvh(
            skeleton,
            body,
            replace(rig, joints={**named, **rig.joints}),
            source=path.name,
            up=up or rig.up or "y",
            keeps_place=len(groups) > 1,
            tell=None if is_ours else tell,
        )
        people.append(_with_shape_of(scene, chosen, skeleton, motion, body) if is_ours else motion)
        joints_of = straight_hands() if bones else body.fingers
        hands.append(_curls_of(skeleton, joints_of) if is_ours and joints_of else None)
    curls = [hand for hand in hands if hand is not None]
    return Motion(
        quats_xyzw=np.concatenate([person.quats_xyzw for person in people]),
        transl=np.concatenate([person.transl for person in people]),
        betas=np.concatenate([person.betas for person in people]),
        frame_rate=rate,
        curls=np.stack(curls) if len(curls) == len(groups) else None,
    )


def _curls_of(skeleton: GltfSkeleton, joints_of: FingerJoints) -> Array | None:
    """(T, 10) of the fingers, as we wrote them; None where they do not move from their rest."""
    if not set(HAND_JOINT_NAMES) <= set(skeleton.names):
        return None
    names = JOINT_NAMES + HAND_JOINT_NAMES
    of = [skeleton.names.index(names[joint]) for joint in HAND_PARENTS]
    joints = [skeleton.names.index(name) for name in HAND_JOINT_NAMES]
    above, turns = skeleton.orientations[:, of], skeleton.orientations[:, joints]
    local = np.swapaxes(above, -1, -2) @ turns
    if np.abs(local - np.eye(3)).max() < UNTURNED:
        return None
    return curls_from_rotmats(joints_of, local).astype(np.float32)


def _joint_groups(scene: GltfScene) -> list[set[int]]:
    """The joints of each person: a humanoid's bones, else skins that share joints, else whatever
    turns."""
    bones = set(_vrm_bones(scene).values()) & set(scene.parents)
    if bones:
        return [bones]
    groups: list[set[int]] = []
    for skin in scene.json.get("skins", ()):
        joints = set(skin["joints"]) & set(scene.parents)
        shared = [group for group in groups if group & joints]
        groups = [group for group in groups if not group & joints]
        groups.append(joints.union(*shared))
    if not groups:
        groups = [{channel.node for channel in scene.channels if channel.path == "rotation"}]
    return [group for group in groups if group]


def _with_ancestors(scene: GltfScene, joints: set[int]) -> list[int]:
    """The joints and all nodes above them, parents first."""
    wanted: set[int] = set()
    for joint in joints:
        while joint >= 0 and joint not in wanted:
            wanted.add(joint)
            joint = scene.parents[joint]
    return [node for node in scene.order if node in wanted]


def _vrm_bones(scene: GltfScene) -> dict[str, int]:
    """VRM's human bone -> node, in animations and avatars of VRM 1.0 and avatars of VRM 0."""
    extensions = scene.json.get("extensions", {})
    for name in VRM_EXTENSIONS:
        bones = extensions.get(name, {}).get("humanoid", {}).get("humanBones")
        if isinstance(bones, Mapping):
            return {bone: entry["node"] for bone, entry in bones.items()}
        if bones:
            return {entry["bone"]: entry["node"] for entry in bones}
    return {}


def _names(
    scene: GltfScene, chosen: Sequence[int], joints: set[int], bones: Mapping[str, int]
) -> list[str]:
    """A name of its own for each node, without what all joints begin with, such as partner_.

    bones  VRM's, where they are ours
    """
    known = VRM_BONES | VRM_FINGERS
    ours = {bones[bone]: joint for joint, bone in known.items() if bone in bones}
    raw = {node: str(scene.node(node).get("name") or f"node{node}") for node in chosen}
    prefix = _common_prefix([raw[node] for node in joints])
    names: list[str] = []
    for node in chosen:
        name = ours.get(node) or (raw[node].removeprefix(prefix) if node in joints else raw[node])
        names.append(name if name not in names else f"{name}.{node}")
    return names


def _common_prefix(names: Sequence[str]) -> str:
    """What all begin with, up to the last mark that is no letter or digit."""
    first, last = min(names), max(names)
    same = [
        a for a, b in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    ]
    return re.sub(r"[A-Za-z0-9]*$", "", "".join(same))


def _skeleton(
    scene: GltfScene,
    chosen: Sequence[int],
    names: Sequence[str],
    rest: tuple[Mapping[int, Array], Mapping[int, Array]],
    moving: tuple[Mapping[int, Array], Mapping[int, Array]],
    frame_rate: float,
) -> GltfSkeleton:
    """The chosen nodes under one that stands still; rest and moving are matrices and turns."""
    index = {node: number for number, node in enumerate(chosen, start=1)}
    frames = len(moving[0][chosen[0]])
    still = np.broadcast_to(np.eye(3), (frames, 3, 3))
    return GltfSkeleton(
        names=(SCENE, *names),
        parents=(-1, *(index.get(scene.parents[node], 0) for node in chosen)),
        frame_rate=frame_rate,
        rest=np.stack([np.zeros(3), *(rest[0][node][:3, 3] for node in chosen)]),
        positions=np.stack(
            [np.zeros((frames, 3)), *(moving[0][node][:, :3, 3] for node in chosen)], axis=1
        ),
        orientations=np.stack(
            [still, *(moving[1][node] @ rest[1][node].T for node in chosen)], axis=1
        ),
    )


def _with_shape_of(
    scene: GltfScene, chosen: Sequence[int], skeleton: GltfSkeleton, motion: Motion, body: Body
) -> Motion:
    """The motion in the very shape that our exporter noted, if that is a shape of this body."""
    notes = [scene.node(node).get("extras") for node in chosen]
    notes.append(scene.json["scenes"][scene.json.get("scene", 0)].get("extras"))
    noted = [note["betas"] for note in notes if isinstance(note, Mapping) and "betas" in note]
    betas = np.array(noted[:1], np.float32)
    if betas.shape != (1, 10):
        return motion
    ours = body.rest_joints(betas)[0]
    theirs = skeleton.rest[[skeleton.names.index(name) for name in JOINT_NAMES]]
    if np.abs((ours - ours[0]) - (theirs - theirs[0])).max() > SAME_BODY:
        return motion
    moved = body.rest_joints(motion.betas)[0, 0] - ours[0]
    return replace(motion, betas=betas, transl=(motion.transl + moved).astype(np.float32))
