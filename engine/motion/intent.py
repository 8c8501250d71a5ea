"""Intent: what a player is about, from the last second of motion. Names, features and a small net.

The net is two hidden layers over what people see of each other: hands, elbows, head and trunk in
the player's own upright frame, the way that the player has come, and where the partner stands.
Plain arrays with the session as first axis. Knows poses; knows no session and no wire.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from engine.arrays import Array
from engine.body.arms import CHEST, palms_of
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
    "dance",
    "other",
)
"""What the player may be about; the first is nothing that calls for an answer, the last is
something that has no name here."""
PALMS_UP = "high_five_both"
"""Both palms held up to be clapped: what the net takes for open arms, told by where palms look."""
SEEN = (*KINDS, PALMS_UP)
LOOKBACK = (0, 1, 2, 4, 6, 9)
"""Frames back from the newest that are looked at."""
LIMBS = [JOINT[name] for name in ("left_elbow", "right_elbow", "head", "neck")]
PELVIS = JOINT["pelvis"]
HANDS, POINTS, FACES, FRONT = slice(0, 2), slice(2, 8), slice(8, 10), 10
HEAD_SEEN, CHEST_SEEN = POINTS.start + LIMBS.index(JOINT["head"]), POINTS.start + len(LIMBS)
SIGHT = 11
"""Vectors of what is seen in a frame, and which are which: see `sight_of`."""
BORDERS = tuple(
    len(LOOKBACK) * each
    for each in (0, 6, 12, 12 + 3 * len(LIMBS), 18 + 3 * len(LIMBS), 21 + 3 * len(LIMBS))
)
"""Of hands, their speeds, points, where the palms look and where the chest was, among the
features."""
FEATURES = BORDERS[-1] + 5
FAR = 4.0
"""Metres to the partner beyond which it is all the same."""


def sight_of(joints: Array, world: Array, rest_joints: Array) -> Array:
    """(..., SIGHT, 3) what is seen of a posed player in one frame: palms, elbows, head and neck,
    chest and pelvis; then where the palms look and where the chest does.

    joints, world  (..., 22, 3), (..., 22, 3, 3) as forward kinematics has them
    rest_joints    (22, 3)
    """
    sight = np.empty((*joints.shape[:-2], SIGHT, 3))
    sight[..., HANDS, :], _, sight[..., FACES, :] = palms_of(joints, world, rest_joints)
    sight[..., POINTS, :] = joints[..., [*LIMBS, CHEST, PELVIS], :]
    sight[..., FRONT, :] = world[..., CHEST, :, 2]
    return sight


def features_of(sights: Array, rest_joints: Array, partner: Array) -> Array:
    """(..., FEATURES) of a player's last frames.

    sights       (..., LOOKBACK, SIGHT, 3) of `sight_of`, newest first
    rest_joints  (22, 3)
    partner      (..., 3) x, z and yaw of the partner's hips now
    All lengths in parts of the player's height of the shoulders.
    """
    front, hips = sights[..., 0, FRONT, :], sights[..., 0, POINTS.stop - 1, :]
    chest = sights[..., CHEST_SEEN, None, :]
    yaw = np.arctan2(front[..., 0], front[..., 2])
    scale = rest_joints[JOINT["left_shoulder"], 1] - rest_joints[JOINT["left_ankle"], 1]
    # A row of vectors times a rotation is seen by what is so turned.
    seen_by = rotmat_about("y", yaw)[..., None, :, :]
    now = chest[..., :1, :, :]
    near = (sights[..., : HANDS.stop + len(LIMBS), :] - now) @ seen_by / scale
    features = np.empty((*yaw.shape, FEATURES), np.float32)
    hands, speed, points, faces, way = (
        features[..., first:last].reshape(*yaw.shape, len(LOOKBACK), -1, 3)
        for first, last in pairwise(BORDERS)
    )
    hands[...], points[...] = near[..., HANDS, :], near[..., HANDS.stop :, :]
    speed[..., :-1, :, :] = (near[..., :-1, HANDS, :] - near[..., 1:, HANDS, :]) * 3
    speed[..., -1, :, :] = 0.0
    faces[...] = sights[..., FACES, :] @ seen_by * 0.3
    way[...] = (chest - now) @ seen_by / scale
    away = partner[..., :2] - hips[..., ::2]
    bearing = np.arctan2(away[..., 0], away[..., 1]) - yaw
    facing = partner[..., 2] - yaw
    features[..., -5] = np.minimum(np.hypot(away[..., 0], away[..., 1]), FAR) / FAR
    features[..., -4], features[..., -3] = np.sin(bearing), np.cos(bearing)
    features[..., -2], features[..., -1] = np.sin(facing), np.cos(facing)
    return features


def intent_features(rotmats: Array, transl: Array, rest_joints: Array, partner: Array) -> Array:
    """`features_of` frames that are not posed: rotmats (..., LOOKBACK, 22, 3, 3), transl
    (..., LOOKBACK, 3), newest first."""
    posed = forward_kinematics(rest_joints, rotmats, transl)
    return features_of(sight_of(*posed, rest_joints), rest_joints, partner)


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
