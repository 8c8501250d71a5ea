"""Writes what the Unity project has in binary: `python assets.py [--check]`.

The open body and a recorded player, from the files that the engine ships, in Unity's axes (x
mirrored, so triangles are turned round).
"""

from __future__ import annotations

import argparse
import struct
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.body.fingers import ORDER
from engine.body.rotations import quat_from_rotmat
from engine.body.shape import load_body
from engine.body.skeleton import JOINT_COUNT

Array = npt.NDArray[np.floating]
PROJECT = Path(__file__).resolve().parents[1]
PACKAGE = PROJECT / "Packages/com.contrapose.client"
BODY = PACKAGE / "Runtime/Unity/Resources/Contrapose/body.bytes"
PLAYER = PROJECT / "Assets/Contrapose/player.bytes"
DEMO_PLAYER = PROJECT.parents[1] / "engine/data/demo_player.npz"
TENTHS_OF_MILLIMETRES = 10_000
BONES_A_VERTEX = 4


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="assets.py", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if stale")
    args = parser.parse_args(arguments)
    stale = 0
    for path, content in ((BODY, body()), (PLAYER, player())):
        if path.is_file() and path.read_bytes() == content:
            continue
        stale = 1
        if args.check:
            print(f"{path}: stale; run `python assets.py`")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return stale if args.check else 0


def body() -> bytes:
    """The average body on the floor: joints, what makes fingers straight, vertices, triangles, four
    bones a vertex. Fingers are in the order of curls."""
    whole = load_body()
    assert whole.fingers is not None
    order = [*range(JOINT_COUNT), *(len(whole.parents) - ORDER.size + ORDER.ravel())]
    betas = np.zeros(10, np.float32)
    vertices, joints = whole.rest_vertices(betas), whole.all_rest_joints(betas)[order]
    lift = np.array([0, -vertices[:, 1].min(), 0])
    faces = whole.faces[:, ::-1].astype("<u2")
    straight = quat_from_rotmat(whole.fingers.straight[ORDER.ravel()]) * [1, -1, -1, 1]
    bones, weights = strongest(whole.weights[:, order])
    return b"".join(
        [
            b"CPB2",
            _points(joints + lift),
            straight.astype("<f4").tobytes(),
            struct.pack("<i", len(vertices)),
            _points(vertices + lift),
            struct.pack("<i", len(faces)),
            faces.tobytes(),
            np.concatenate([bones, weights], axis=1).astype(np.uint8).tobytes(),
        ]
    )


def _points(points: Array) -> bytes:
    mirrored = points * [-1, 1, 1]
    return np.round(mirrored * TENTHS_OF_MILLIMETRES).astype("<i2").tobytes()


def strongest(weights: Array) -> tuple[Array, Array]:
    """Of (vertex, joint) weights the four greatest: bones (vertex, 4), and parts of 255 that are
    255 together."""
    bones = np.argsort(-weights, axis=1, kind="stable")[:, :BONES_A_VERTEX]
    chosen = np.take_along_axis(weights, bones, axis=1)
    exact = 255 * chosen / chosen.sum(axis=1, keepdims=True)
    parts = np.floor(exact)
    left = (255 - parts.sum(axis=1)).astype(int)
    order = np.argsort(np.argsort(parts - exact, axis=1, kind="stable"), axis=1, kind="stable")
    return bones, parts + (order < left[:, None])


def player() -> bytes:
    """91 floats a frame, 10 frames a second, in the wire's axes."""
    with np.load(DEMO_PLAYER) as kept:
        quats, transl = kept["quats_xyzw"][0], kept["transl"][0]
    quats = quats.reshape(len(transl), 88)
    return np.concatenate([quats, transl], axis=1).astype("<f4").tobytes()


if __name__ == "__main__":
    sys.exit(main())
