"""GLB files hold the people of a motion, as any reader of glTF finds them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.arrays import Array
from engine.body.fingers import finger_rotmats
from engine.body.kinematics import forward_kinematics, skin
from engine.body.pose import Pose
from engine.body.rotations import rotmat_from_axis_angle, rotmat_from_quat
from engine.body.shape import load_body
from engine.body.skeleton import (
    HAND_JOINT_NAMES,
    HAND_PARENTS,
    JOINT_COUNT,
    JOINT_NAMES,
    PARENTS,
)
from engine.formats.glb import body_glb, shares_of_255, write_glb
from engine.formats.humanoids import read_gltf
from engine.formats.rig import RigMap
from engine.formats.touches import touches_of
from engine.motion.motion import Motion
from tests.engine.formats.gltf_file import GltfFile
from tests.engine.formats.random_motion import random_motion, standing_pair

BODY = load_body()
ALL_NAMES = JOINT_NAMES + HAND_JOINT_NAMES


def written(path: Path, motion: Motion) -> GltfFile:
    write_glb(path / "a.glb", motion, BODY)
    return GltfFile(path / "a.glb")


def rest_of(file: GltfFile, prefix: str, names: tuple[str, ...] = JOINT_NAMES) -> Array:
    """(22, 3) joints by the translations of nodes and their children; others by their names."""
    nodes = file.gltf.nodes
    places: dict[int, Array] = {file.node(f"{prefix}pelvis"): np.zeros(3)}
    for number in list(places):
        places[number] = np.array(nodes[number].translation)
    waiting = list(places)
    while waiting:
        number = waiting.pop()
        for child in nodes[number].children or []:
            places[child] = places[number] + nodes[child].translation
            waiting.append(child)
    return np.stack([places[file.node(prefix + name)] for name in names])


@pytest.mark.parametrize("has_curls", [False, True])
def test_joints_and_skin_stand_where_the_motion_has_them(tmp_path: Path, has_curls: bool) -> None:
    motion = random_motion(3, has_curls=has_curls)
    file = written(tmp_path, motion)
    tracks = file.tracks()
    still = np.tile(np.array([0.0, 0.0, 0.0, 1.0], np.float32), (motion.frames, 1))
    for person, prefix in enumerate(("player_", "partner_")):
        rest = rest_of(file, prefix, ALL_NAMES)
        rotations = [tracks.get((prefix + name, "rotation"), still) for name in ALL_NAMES]
        assert (rotations[-1] is still) is not has_curls
        quats = np.stack(rotations, axis=1)
        pelvis = tracks[prefix + "pelvis", "translation"]
        joints, turns = forward_kinematics(
            rest, rotmat_from_quat(quats), pelvis - rest[0], PARENTS + HAND_PARENTS
        )
        pose = Pose(motion.rotmats[person], motion.transl[person])
        expected, _ = pose.in_world(BODY.rest_joints(motion.betas[person]))
        np.testing.assert_allclose(joints[:, :JOINT_COUNT], expected, atol=1e-5)

        part = file.gltf.meshes[person].primitives[0].attributes
        shares = file.array(part.WEIGHTS_0) / 255
        weights = np.zeros((len(shares), len(ALL_NAMES)))
        rows = np.arange(len(shares))[:, None]
        np.add.at(weights, (rows, file.array(part.JOINTS_0)), shares)
        vertices = skin(file.array(part.POSITION), rest, joints[-1], turns[-1], weights)
        curls = None if motion.curls is None else motion.curls[person, -1]
        whole = BODY.vertices(pose[-1], motion.betas[person], curls)
        assert np.linalg.norm(vertices - whole, axis=-1).max() < 0.003


def test_each_person_has_a_top_node_and_a_mesh_beside_it(tmp_path: Path) -> None:
    file = written(tmp_path, random_motion(4))
    nodes, roots = file.gltf.nodes, file.gltf.scenes[0].nodes
    assert [nodes[i].name for i in roots] == ["player", "player_body", "partner", "partner_body"]
    for root in roots:
        node = nodes[root]
        assert (node.translation, node.rotation, node.scale, node.matrix) == (None,) * 4
    assert nodes[roots[0]].extras["body"] == "contrapose"


def test_neighbouring_quaternions_never_lie_apart(tmp_path: Path) -> None:
    for (_, path), values in written(tmp_path, random_motion(5, frames=40)).tracks().items():
        if path == "rotation":
            assert np.sum(values[1:] * values[:-1], axis=-1).min() > 0


def test_contacts_come_as_extras_in_seconds(tmp_path: Path) -> None:
    pair = standing_pair(frames=25, apart=0.25)
    file = written(tmp_path, pair)
    extras = file.gltf.animations[0].extras
    assert extras["frame_rate"] == 10
    assert extras["contacts"] == touches_of(pair, BODY) != []
    assert extras["contacts"][0]["start"] == 0
    assert max(touch["end"] for touch in extras["contacts"]) == 2.4


def test_a_body_alone_has_our_joints_and_no_animation(tmp_path: Path) -> None:
    betas = np.full(10, 0.5, np.float32)
    data = body_glb(BODY, betas)
    (tmp_path / "body.glb").write_bytes(data)
    file = GltfFile(tmp_path / "body.glb")
    assert file.gltf.animations == []
    joints = [file.gltf.nodes[i].name for i in file.gltf.skins[0].joints]
    assert tuple(joints) == ALL_NAMES
    rest = rest_of(file, "", ALL_NAMES)
    np.testing.assert_allclose(rest, BODY.all_rest_joints(betas), atol=1e-6)
    assert len(data) < 240_000


def test_a_body_tells_how_a_curl_turns_its_fingers(tmp_path: Path) -> None:
    """What a client needs to draw hands: exp(curl closing) straight, by what nodes say."""
    (tmp_path / "body.glb").write_bytes(body_glb(BODY, np.zeros(10, np.float32)))
    file = GltfFile(tmp_path / "body.glb")
    curls = np.linspace(0.1, 1.0, 10)
    assert BODY.fingers is not None
    expected = finger_rotmats(BODY.fingers, curls)
    for row, name in enumerate(HAND_JOINT_NAMES):
        told = file.gltf.nodes[file.node(name)].extras
        bent = rotmat_from_axis_angle(curls[told["curl"]] * np.array(told["closing"]))
        found = bent @ rotmat_from_quat(np.array(told["straight"]))
        np.testing.assert_allclose(found, expected[row], atol=1e-5)


def test_curls_come_back_from_the_finger_joints(tmp_path: Path) -> None:
    motion = random_motion(6, has_curls=True)
    write_glb(tmp_path / "a.glb", motion, BODY)
    back = read_gltf(tmp_path / "a.glb", BODY, RigMap())
    assert motion.curls is not None
    assert back.curls is not None
    np.testing.assert_allclose(back.curls, motion.curls, atol=1e-4)
    write_glb(tmp_path / "b.glb", random_motion(6), BODY)
    assert read_gltf(tmp_path / "b.glb", BODY, RigMap()).curls is None


@pytest.mark.parametrize("weights", [[[1, 0, 0, 0]], [[1 / 3, 1 / 3, 1 / 3, 0]], [[0.25] * 4]])
def test_shares_add_up_to_255(weights: list[list[float]]) -> None:
    shares = shares_of_255(np.array(weights))
    assert shares.sum() == 255
    assert np.abs(shares / 255 - weights).max() < 1 / 255
