"""Makes tests/data/hands.json: what curls turn in the joints of fingers, for clients in other
languages to compare with: `python -m tests.data.make_hand_vectors`.

Of the open body and of an avatar whose fingers are straight in its T pose (docs/formats.md).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from engine.arrays import Array
from engine.body import fingers
from engine.body.fingers import FingerJoints, finger_rotmats, straight_hands
from engine.body.rotations import quat_from_rotmat
from engine.body.shape import load_body
from engine.body.skeleton import HAND_JOINT_NAMES

VECTORS = Path(__file__).resolve().parent / "hands.json"
SHAPES = ("RELAXED", "OPENED", "GRIP", "FLAT", "LAID", "POINT", "FIST")


def vectors() -> dict[str, Any]:
    """All of the file; rotations are quaternions x, y, z, w, turns rotation vectors in radians."""
    body = load_body().fingers
    assert body is not None
    bodies = {"open_body": body, "avatar": straight_hands()}
    sides = [f"{side}_{finger}" for side in ("left", "right") for finger in fingers.FINGERS]
    curl_of_joint = [sides.index(name[:-1]) for name in HAND_JOINT_NAMES]
    rng = np.random.default_rng(5)
    cases = [rng.uniform(0, 1, 10).astype(np.float32) for _ in range(6)]
    cases += [np.tile(getattr(fingers, name), 2).astype(np.float32) for name in SHAPES]
    return {
        "curls": sides,
        "joints": HAND_JOINT_NAMES,
        "curl_of_joint": curl_of_joint,
        **{name: _joints(joints) for name, joints in bodies.items()},
        "cases": [
            {"curls": _listed(curls)}
            | {name: _rotations(joints, curls) for name, joints in bodies.items()}
            for curls in cases
        ],
    }


def _joints(joints: FingerJoints) -> dict[str, Any]:
    straight = quat_from_rotmat(joints.straight)
    return {"closing": _listed(joints.closing), "straight": _listed(straight)}


def _rotations(joints: FingerJoints, curls: Array) -> Any:
    return _listed(quat_from_rotmat(finger_rotmats(joints, curls.astype(np.float64))))


def _listed(values: Array) -> Any:
    return np.round(values.astype(np.float64), 6).tolist()


if __name__ == "__main__":
    VECTORS.write_text(json.dumps(vectors(), separators=(",", ":")) + "\n", encoding="utf-8")
    print(VECTORS)
