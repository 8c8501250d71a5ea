"""Makes clients/web/test/vectors.json: what Python's clock, playout and kinematics say, for the
viewer's tests to compare with: `python -m tests.data.make_web_vectors`.

A playout is told as operations in order: "accept" (a chunk as base64, when it came), "begin"
(when), "ease", and "show" with what Python showed. One joint turns, the rest of the body is still.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
from contrapose.v1 import types_pb2
from contrapose_client import ClockSync, PlayoutBuffer, standing

from engine.body.fingers import CURLS, finger_rotmats
from engine.body.kinematics import forward_kinematics
from engine.body.rotations import quat_from_rotmat, rotmat_from_quat, slerp_rotmat
from engine.body.shape import load_body
from engine.body.skeleton import HAND_JOINT_NAMES, JOINT_COUNT, JOINT_NAMES, PARENTS
from engine.serving.wire import skeleton_to_wire

VECTORS = Path(__file__).resolve().parents[2] / "clients/web/test/vectors.json"
RATE, DELAY = 10.0, 0.2
NO_SHAPE = np.zeros(10, np.float32)


def vectors() -> dict[str, Any]:
    """All of the file."""
    rng = np.random.default_rng(7)
    return {
        "clock": _clock(rng),
        "playouts": [_playout(seed) for seed in range(6)],
        "kinematics": _kinematics(rng),
        "slerps": _slerps(rng),
        "hands": _hands(rng),
    }


def _clock(rng: np.random.Generator) -> list[dict[str, Any]]:
    clock, steps = ClockSync(), []
    clock.begin(5.0)
    for number in range(40):
        if number == 30:
            clock.carry_on()
            steps.append({"do": "carry_on", "offset": clock.offset})
        sent = 5.0 + number
        there, back = (float(value) for value in rng.uniform(0, 0.4, 2))
        told = sent + there - 5.0
        clock.add(sent=sent, received=sent + there + back, session_time=told)
        step = {"do": "add", "sent": sent, "received": sent + there + back, "session_time": told}
        steps.append(step | {"offset": clock.offset})
    return steps


# ------------------------------------------------------------------------------------------ playout
def _playout(seed: int) -> dict[str, Any]:
    """Chunks that come in time, late, twice, out of order or not at all."""
    rng = np.random.default_rng(seed)
    playout, steps = PlayoutBuffer(DELAY), []
    begins = float(rng.uniform(0.0, 0.6))

    def accept(time: float) -> None:
        first = max(round(time * RATE) + int(rng.integers(-2, 6)), 0)
        revision = max(int(time * 2) + int(rng.integers(-1, 2)), 0)
        message = _chunk(rng, first, int(rng.integers(1, 6)), revision)
        playout.accept(message, time)
        text = base64.b64encode(message.SerializeToString()).decode()
        steps.append({"do": "accept", "time": time, "chunk": text})

    accept(begins)
    playout.begin(begins, RATE)
    steps.append({"do": "begin", "time": begins})
    for _ in range(24):
        due = playout.due(playout.next_index, RATE)
        while rng.uniform() < 0.4:
            accept(due + float(rng.uniform(-0.3, 0.1)))
        if rng.uniform() < 0.05:
            playout.ease_in()
            steps.append({"do": "ease"})
        frame = playout.show(RATE)
        steps.append({"do": "show", "frame": None if frame is None else _told(frame)})
    report = playout.report()
    return {
        "delay": DELAY,
        "rate": RATE,
        "steps": steps,
        "late": report.late_frames,
        "overwritten": report.overwritten,
    }


def _chunk(rng: np.random.Generator, first: int, count: int, revision: int) -> types_pb2.FrameChunk:
    frames = []
    for _ in range(count):
        quats = np.tile([0.0, 0.0, 0.0, 1.0], (JOINT_COUNT, 1))
        quats[3] = _random_quats(rng, 1)[0]
        place, turns = rng.normal(size=3).tolist(), quats.ravel().tolist()
        curls = rng.uniform(size=CURLS).tolist()
        body = types_pb2.BodyPose(root_translation=place, rotations=turns, curls=curls)
        quality = int(rng.integers(0, 5))  # 4 is a newer server's
        frames.append(types_pb2.Frame(partner=body, player=body, quality=quality, window=3))
    return types_pb2.FrameChunk(first_frame_index=first, revision=revision, frames=frames)


def _told(frame: Any) -> dict[str, Any]:
    return {
        "index": frame.index,
        "quality": frame.quality,
        "revision": frame.revision,
        "is_late": frame.is_late,
        "transl": _rounded(frame.transl),
        "spine1": _rounded(frame.quats_xyzw[3]),
        "curls": _rounded(frame.curls),
    }


# ------------------------------------------------------------------------------------------- bodies
def _kinematics(rng: np.random.Generator) -> dict[str, Any]:
    body = load_body()
    betas = rng.normal(size=10).astype(np.float32)
    rest = body.rest_joints(betas)
    message = skeleton_to_wire(rest, betas)
    poses = []
    for _ in range(4):
        quats, transl = _random_quats(rng, JOINT_COUNT), rng.normal(size=3)
        places, _ = forward_kinematics(rest, rotmat_from_quat(quats), transl)
        poses.append(
            {"quats": _rounded(quats), "transl": _rounded(transl), "places": _rounded(places)}
        )
    quats, transl = standing(message, at=(0.4, -0.3), heading=0.7)
    return {
        "joint_names": list(JOINT_NAMES),
        "parents": list(PARENTS),
        "rest_joints": _rounded(rest),
        "rest_offsets": _rounded(np.array(message.rest_offsets)),
        "poses": poses,
        "standing": {"quats": _rounded(quats), "transl": _rounded(transl)},
    }


def _hands(rng: np.random.Generator) -> dict[str, Any]:
    """Where the finger joints of the average body are, of one who stands with such hands."""
    body = load_body()
    assert body.fingers is not None
    quats, transl = standing(skeleton_to_wire(body.rest_joints(NO_SHAPE), NO_SHAPE))
    curls = rng.uniform(size=CURLS)
    turns = np.concatenate([rotmat_from_quat(quats), finger_rotmats(body.fingers, curls)])
    places, _ = forward_kinematics(body.all_rest_joints(NO_SHAPE), turns, transl, body.parents)
    fingers = zip(HAND_JOINT_NAMES, places[JOINT_COUNT:], strict=True)
    return {
        "quats": _rounded(quats),
        "transl": _rounded(transl),
        "curls": _rounded(curls),
        "places": {name: _rounded(place) for name, place in fingers},
    }


def _slerps(rng: np.random.Generator) -> list[dict[str, Any]]:
    """Between two turns, the second told as q or -q."""
    made = []
    for _ in range(20):
        first, second = _random_quats(rng, 2)
        part = float(rng.uniform())
        mats = rotmat_from_quat(np.stack([first, second]))
        between = quat_from_rotmat(slerp_rotmat(mats[0], mats[1], np.array(part)))
        sign = 1 if rng.uniform() < 0.5 else -1
        made.append(
            {
                "first": _rounded(first),
                "second": _rounded(sign * second),
                "part": round(part, 6),
                "between": _rounded(between),
            }
        )
    return made


def _random_quats(rng: np.random.Generator, count: int) -> Any:
    quats = rng.normal(size=(count, 4))
    return quats / np.linalg.norm(quats, axis=-1, keepdims=True)


def _rounded(values: Any) -> list[float]:
    return [round(float(value), 6) for value in np.ravel(values)]


if __name__ == "__main__":
    VECTORS.write_text(json.dumps(vectors(), indent=None, separators=(",", ":")) + "\n")
    print(VECTORS)
