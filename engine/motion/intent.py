"""Intent: what a player is about, from the last second of motion. Names, features and a small net.

The net is two hidden layers over what people see of each other: hands, elbows, head and trunk in
the player's own upright frame, and where the partner stands. Plain arrays with the session as first
axis. Knows poses; knows no session and no wire.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.arrays import Array
from engine.body.arms import palms_of
from engine.body.kinematics import forward_kinematics
from engine.body.rotations import rotmat_about
from engine.body.skeleton import JOINT
from engine.errors import BundleError

KINDS = (
    "nothing",
    "right_hand",
    "left_hand",
    "both_hands",
    "high_five_right",
    "high_five_left",
    "open_arms",
    "wave",
    "bow",
    "push",
    "point",
    "other",
)
"""What the player may be about; the first is nothing that calls for an answer, the last is
something that has no name here."""
LOOKBACK = (0, 1, 2, 4, 6, 9)
"""Frames back from the newest that are looked at."""
POINTS = [JOINT[name] for name in ("left_elbow", "right_elbow", "head", "neck")]
FEATURES = len(LOOKBACK) * (6 + 6 + 3 * len(POINTS) + 6) + 5
FAR = 4.0
"""Metres to the partner beyond which it is all the same."""


def intent_features(rotmats: Array, transl: Array, rest_joints: Array, partner: Array) -> Array:
    """(..., FEATURES) of a player's last frames.

    rotmats, transl  (..., LOOKBACK, 22, 3, 3), (..., LOOKBACK, 3), newest first
    rest_joints      (22, 3)
    partner          (..., 3) x, z and yaw of the partner's hips now
    All lengths in parts of the player's height of the shoulders.
    """
    joints, world = forward_kinematics(rest_joints, rotmats, transl)
    palms, _, faces = palms_of(joints, world, rest_joints)
    chest = world[..., 0, JOINT["spine3"], :, 2]
    yaw = np.arctan2(chest[..., 0], chest[..., 2])
    seen_by = np.swapaxes(rotmat_about("y", yaw), -1, -2)[..., None, None, :, :]
    here = joints[..., :1, JOINT["spine3"], :][..., None, :]
    scale = rest_joints[JOINT["left_shoulder"], 1] - rest_joints[JOINT["left_ankle"], 1]

    def turned(vectors: Array) -> Array:
        return np.asarray((seen_by @ vectors[..., None])[..., 0])

    points = turned(joints[..., POINTS, :] - here) / scale
    hands = turned(palms - here) / scale
    speed = (hands - np.concatenate([hands[..., 1:, :, :], hands[..., -1:, :, :]], axis=-3)) * 3
    parts = [hands, speed, points, turned(faces) * 0.3]
    flat = [part.reshape(*part.shape[:-3], -1) for part in parts]
    away = partner[..., :2] - joints[..., 0, JOINT["pelvis"], :][..., [0, 2]]
    distance = np.minimum(np.hypot(away[..., 0], away[..., 1]), FAR)
    bearing = np.arctan2(away[..., 0], away[..., 1]) - yaw
    facing = partner[..., 2] - yaw
    place = np.stack(
        [distance / FAR, np.sin(bearing), np.cos(bearing), np.sin(facing), np.cos(facing)], axis=-1
    )
    return np.concatenate([*flat, place], axis=-1).astype(np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class IntentNet:
    """weights, biases of each layer; mean, scale (FEATURES,) of the inputs."""

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    mean: Array
    scale: Array

    def __call__(self, features: Array) -> Array:
        """(sessions, FEATURES) -> probabilities (sessions, KINDS)."""
        x = (features - self.mean) / self.scale
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = np.maximum(x @ weight + bias, 0.0)
        x = x @ self.weights[-1] + self.biases[-1]
        x = np.exp(x - x.max(axis=-1, keepdims=True))
        return np.asarray(x / x.sum(axis=-1, keepdims=True))


def load_intent(path: Path) -> IntentNet:
    """Raises BundleError unless the file holds a net of these features and kinds."""
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = {name: held[name].astype(np.float32) for name in held.files}
        layers = sum(name.startswith("weight") for name in arrays)
        net = IntentNet(
            weights=tuple(arrays[f"weight{i}"] for i in range(layers)),
            biases=tuple(arrays[f"bias{i}"] for i in range(layers)),
            mean=arrays["mean"],
            scale=arrays["scale"],
        )
        fits = net(np.zeros((1, FEATURES), np.float32)).shape == (1, len(KINDS))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as exc:
        raise BundleError(f"{path}: holds no intent network: {exc}", field="intent") from exc
    if not fits:
        raise BundleError(f"{path}: is of another version; export again", field="intent")
    return net
