"""Makes the golden motion files of this folder: `python -m tests.data.make_motion_files`.

All are a second of our own: a person steps forward and raises the right hand. Files of other tools
are written as those tools do: joint names, axes, rest pose, units. Broken ones are cut from them.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

from engine.arrays import Array
from engine.body.kinematics import forward_kinematics
from engine.body.rotations import (
    euler_zxy_from_rotmat,
    quat_from_rotmat,
    rotmat_about,
    rotmat_from_axis_angle,
)
from engine.body.shape import load_body
from engine.body.skeleton import JOINT, JOINT_COUNT, JOINT_NAMES, PARENTS
from engine.formats.npz import write_npz
from engine.motion.motion import Motion

DATA = Path(__file__).parent
MIXAMO = {
    "pelvis": "Hips", "spine1": "Spine", "spine2": "Spine1", "spine3": "Spine2",
    "neck": "Neck", "head": "Head",
    "hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "foot": "ToeBase",
    "collar": "Shoulder", "shoulder": "Arm", "elbow": "ForeArm", "wrist": "Hand",
}  # fmt: skip


def mixamo_name(joint: str) -> str:
    side, _, part = joint.partition("_")
    return f"mixamorig:{side.capitalize()}{MIXAMO[part]}" if part else f"mixamorig:{MIXAMO[joint]}"


def wave(frames: int = 11) -> Motion:
    """One person on the floor, frame rate 10; the first frame stands with the arms down."""
    body = load_body()
    t = np.linspace(0, 1, frames)[:, None]
    axis_angle = np.zeros((frames, JOINT_COUNT, 3))
    axis_angle[:, JOINT["left_shoulder"]] = [0, 0, -1.2]
    axis_angle[:, JOINT["right_shoulder"]] = [0, 0, 1.2] + t * [0.0, 0.3, -1.5]
    axis_angle[:, JOINT["right_elbow"]] = t * [0, 1.1, 0]
    axis_angle[:, JOINT["left_hip"]] = t * [-0.4, 0, 0.05]
    axis_angle[:, JOINT["left_knee"]] = t * [0.5, 0, 0]
    axis_angle[:, JOINT["head"]] = t * [0.1, 0.3, 0]
    axis_angle[:, JOINT["spine2"]] = t * [0.1, 0.05, 0.02]
    rotmats = rotmat_from_axis_angle(axis_angle)
    rotmats[:, 0] = rotmat_about("y", 0.3 * t[:, 0]) @ rotmats[:, 0]
    ground = -float(body.template[:, 1].min())
    transl = np.concatenate([0.1 * t, np.full_like(t, ground), 0.6 * t], axis=1)
    return Motion(
        quats_xyzw=quat_from_rotmat(rotmats).astype(np.float32)[None],
        transl=transl.astype(np.float32)[None],
        betas=np.zeros((1, 10), np.float32),
    )


def foreign_bvh(
    motion: Motion,
    names: dict[str, str],
    rest_pose: Array,
    *,
    up: Array | None = None,
    metres_per_unit: float = 0.01,
) -> str:
    """The motion as the BVH file of a rig that stands in `rest_pose` when all its angles are zero.

    names      ours -> theirs; joints left out are missing, and what hangs from them hangs higher
    rest_pose  (22, 3, 3) world orientations of our joints in their rest pose
    up         (3, 3) their world from ours; None: Y up as ours

    A joint whose zero is not ours turns as  theirs_world(t) = ours_world(t) rest_pose^T, so its
    children are at  rest_pose (J_child - J_parent)  from it.
    """
    body = load_body()
    rest = body.rest_joints(motion.betas[0]).astype(np.float64)
    joints, world = forward_kinematics(rest, motion.rotmats[0].astype(float), motion.transl[0])
    turn = np.eye(3) if up is None else up
    theirs = turn @ world @ np.swapaxes(rest_pose, -1, -2) @ turn.T
    parents = {name: _present_parent(name, names) for name in names}
    header: list[str] = []
    columns: list[Array] = []

    def write(name: str, indent: str) -> None:
        joint, parent = JOINT[name], parents[name]
        offset = np.zeros(3)
        local = theirs[:, joint]
        if parent:
            local = np.swapaxes(theirs[:, JOINT[parent]], -1, -2) @ local
            offset = turn @ rest_pose[JOINT[parent]] @ (rest[joint] - rest[JOINT[parent]])
        else:
            columns.append(joints[:, 0] @ turn.T / metres_per_unit)
        columns.append(np.degrees(euler_zxy_from_rotmat(local)))
        positions = "" if parent else "Xposition Yposition Zposition "
        header.extend(
            [
                f"{indent}{'JOINT' if parent else 'ROOT'} {names[name]}",
                f"{indent}{{",
                indent + "\tOFFSET {:.6f} {:.6f} {:.6f}".format(*(offset / metres_per_unit)),
                f"{indent}\tCHANNELS {3 if parent else 6} {positions}Zrotation Xrotation Yrotation",
            ]
        )
        children = [child for child in names if parents[child] == name]
        for child in children:
            write(child, indent + "\t")
        if not children:
            header.extend([f"{indent}\tEnd Site", f"{indent}\t{{"])
            header.extend([f"{indent}\t\tOFFSET 0 1 0", f"{indent}\t}}"])
        header.append(f"{indent}}}")

    write("pelvis", "")
    rows = [" ".join(f"{value:.5f}" for value in row) for row in np.concatenate(columns, axis=1)]
    return (
        "\n".join(["HIERARCHY", *header, "MOTION", f"Frames: {motion.frames}"])
        + f"\nFrame Time: {1 / motion.frame_rate:.6f}\n"
        + "\n".join(rows)
        + "\n"
    )


def _present_parent(name: str, names: dict[str, str]) -> str:
    joint = PARENTS[JOINT[name]]
    while joint >= 0 and JOINT_NAMES[joint] not in names:
        joint = PARENTS[joint]
    return JOINT_NAMES[joint] if joint >= 0 else ""


def t_pose() -> Array:
    return np.repeat(np.eye(3)[None], JOINT_COUNT, axis=0)


def buddi_result() -> dict[str, dict[str, Array]]:
    """Two people a metre apart, upright but for the camera's axes (x right, y down, z forward)."""
    camera = [0.0, 0.0, np.pi]
    humans = {
        "betas": np.full((2, 10), 0.5),
        "global_orient": np.array([camera, camera]),
        "body_pose": np.zeros((2, 63)),
        "transl": np.array([[0.0, 0.3, 4.0], [1.0, 0.2, 4.0]]),
        "left_hand_pose": np.zeros((2, 6)),
    }
    return {"humans": {key: value.astype(np.float32) for key, value in humans.items()}}


def numpy_1_pickle(value: object) -> bytes:
    """The value as NumPy 1 pickles it: its modules were numpy.core, now numpy._core."""
    return pickle.dumps(value, protocol=2).replace(b"numpy._core", b"numpy.core")


class RunsACommand:
    """Pickles into a program that runs a shell command when it is loaded."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, (self.command,)


def main() -> None:
    motion = wave()
    write_npz(DATA / "wave.npz", motion, load_body())
    names = {name: mixamo_name(name) for name in JOINT_NAMES}
    text = foreign_bvh(motion, names, t_pose())
    (DATA / "wave_mixamo.bvh").write_text(text)
    (DATA / "broken_number.bvh").write_text(text.replace("OFFSET 0 1 0", "OFFSET 0 l 0", 1))
    (DATA / "broken_truncated.bvh").write_text(text[: len(text) * 3 // 4])
    (DATA / "pair_buddi.pkl").write_bytes(numpy_1_pickle(buddi_result()))
    humans = {"humans": RunsACommand("touch contrapose_was_here")}
    (DATA / "broken_evil.pkl").write_bytes(pickle.dumps(humans, protocol=2))


if __name__ == "__main__":
    main()
