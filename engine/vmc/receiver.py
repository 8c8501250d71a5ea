"""What a VMC performer says of its avatar, packet by packet. Knows OSC and bones; no socket.

Whatever is malformed, not finite or unknown is dropped and counted: anybody may send to a port.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from engine.arrays import Array
from engine.vmc.bones import BONE_NUMBERS
from engine.vmc.osc import OscError, Value, messages

MOST_METRES = 1000.0
UNIT = 0.05
"""How far a quaternion's length may be from 1."""
LIMBS = ("UpperLeg", "LowerLeg", "Foot", "UpperArm", "LowerArm", "Hand")
NEEDED = frozenset(
    ["Hips", "Spine", "Head", *(side + part for side in ("Left", "Right") for part in LIMBS)]
)
"""Bones that every humanoid has."""
SOLE_UNDER_ANKLE = 0.09
"""Metres, where the performer tells nothing of its toes."""
SOLE_UNDER_TOES = 0.02


@dataclass(kw_only=True, eq=False)
class PerformerState:
    """An avatar as far as it was told.

    bones    HumanBodyBones name -> (place (3,), quaternion (4,)), local, in Unity's axes
    root     the same of the avatar's root
    dropped  packets that were malformed
    """

    bones: dict[str, tuple[Array, Array]] = field(default_factory=dict)
    root: tuple[Array, Array] = field(
        default_factory=lambda: (np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]))
    )
    dropped: int = 0

    def receive(self, packet: bytes) -> bool:
        """Take a packet; whether it said where a bone is."""
        try:
            told = list(messages(packet))
        except OscError:
            self.dropped += 1
            return False
        return any([self._take(address, values) for address, values in told])

    def _take(self, address: str, values: tuple[Value, ...]) -> bool:
        if address not in ("/VMC/Ext/Bone/Pos", "/VMC/Ext/Root/Pos"):
            return False
        placed = _placed(values)
        if placed is None:
            self.dropped += 1
            return False
        if address == "/VMC/Ext/Root/Pos":
            self.root = placed
            return False
        name = str(values[0])
        if name not in BONE_NUMBERS:
            return False
        self.bones[name] = placed
        return True

    @property
    def is_whole(self) -> bool:
        return self.bones.keys() >= NEEDED

    def rotations(self) -> dict[int, Array]:
        """HumanBodyBones number -> local quaternion (4,); the hips' is in the world."""
        found = {BONE_NUMBERS[name]: turn for name, (_, turn) in self.bones.items()}
        found[BONE_NUMBERS["Hips"]] = product(self.root[1], self.bones["Hips"][1])
        return found

    def hips(self) -> Array:
        """(3,) in the world."""
        place, turn = self.root
        return np.asarray(place + turned(turn, self.bones["Hips"][0]))

    def rest_hips(self) -> Array:
        """(3,) where the hips are when the avatar stands in a T pose, by the places of its legs."""
        return np.array([0.0, max(self._hip_height(side) for side in ("Left", "Right")), 0.0])

    def _hip_height(self, side: str) -> float:
        """Metres from the hips to the sole of a straight leg."""
        upper, lower, foot = (self.bones[side + part][0] for part in LIMBS[:3])
        height = float(np.linalg.norm(lower) + np.linalg.norm(foot) - upper[1])
        toes = self.bones.get(f"{side}Toes")
        if toes is None or toes[0][1] >= 0:
            return height + SOLE_UNDER_ANKLE
        return height - float(toes[0][1]) + SOLE_UNDER_TOES


def _placed(values: tuple[Value, ...]) -> tuple[Array, Array] | None:
    """The place (3,) and the turn (4,) of a name and seven numbers; None if they are not that."""
    numbers = [float(value) for value in values[1:8] if isinstance(value, int | float)]
    if len(numbers) < 7:
        return None
    place, turn = np.array(numbers[:3], np.float64), np.array(numbers[3:], np.float64)
    length = float(np.linalg.norm(turn))
    if not (np.all(np.abs(place) < MOST_METRES) and abs(length - 1) < UNIT):
        return None
    return place, turn / length


def product(a: Array, b: Array) -> Array:
    """Quaternions x, y, z, w: first b, then a."""
    turn = a[3] * b[:3] + b[3] * a[:3] + np.cross(a[:3], b[:3])
    return np.append(turn, a[3] * b[3] - a[:3] @ b[:3])


def turned(quat: Array, vector: Array) -> Array:
    twice = 2 * np.cross(quat[:3], vector)
    return np.asarray(vector + quat[3] * twice + np.cross(quat[:3], twice))
