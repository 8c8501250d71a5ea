"""Packets of the partner as a VMC performer. Knows bones, Unity's axes and OSC; no socket.

A frame is some 55 messages of which only seven numbers change. They are laid out once; a frame is
then one copy of all numbers into their places. The root goes along the floor and the hips up and
down: so receivers that turn bones and do not move them have the partner where it is.
Source: protocol.vmc.info, performer specification: /VMC/Ext/OK, T, Root/Pos, Bone/Pos.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.arrays import Array, IntArray
from engine.body.fingers import CURLS, ORDER, straight_hands
from engine.body.skeleton import HAND_PARENTS, JOINT_COUNT, JOINT_NAMES, PARENTS
from engine.vmc.bones import BONE_NAMES, FINGER_BONE_NAMES
from engine.vmc.osc import bundle, message

LARGEST = 1400
"""Bytes of a packet: it and its headers pass through networks whose frames are of 1,500 bytes."""
UNITY_PLACE = np.array([-1, 1, 1], np.float32)
UNITY_TURN = np.array([1, -1, -1, 1], np.float32)
"""Right-handed to left-handed: x is mirrored."""
UPWARD = np.array([0, 1, 0], np.float32)
ALONG_FLOOR = 1 - UPWARD
LOADED = 1
ALL_PARENTS = (*PARENTS, *HAND_PARENTS)
CURL_OF_JOINT = np.argsort(ORDER.ravel()) // (ORDER.size // CURLS)
"""(30,) which curl bends a finger joint."""


class PartnerPackets:
    """Makes the packets of each frame of one partner.

    rest_joints  (52, 3) of the partner at rest, fingers last; places of bones follow from it
    """

    def __init__(self, rest_joints: Array) -> None:
        self._rest_pelvis = rest_joints[0].astype(np.float32)
        offsets = rest_joints.astype(np.float32)
        offsets[1:] -= rest_joints[list(ALL_PARENTS[1:])]
        closing = straight_hands().closing
        self._closed = np.linalg.norm(closing, axis=-1)
        self._axes = closing / self._closed[:, None] * UNITY_TURN[:3]
        self._values = np.zeros((len(ALL_PARENTS), 7), np.float32)
        self._values[:, :3] = offsets * UNITY_PLACE
        self._values[:, 6] = 1
        still = (0.0,) * 6 + (1.0,)
        head = [
            message("/VMC/Ext/OK", LOADED),
            message("/VMC/Ext/T", 0.0),
            message("/VMC/Ext/Root/Pos", "root", *still),
        ]
        names = (*(BONE_NAMES[joint] for joint in JOINT_NAMES), *FINGER_BONE_NAMES)
        bones = [message("/VMC/Ext/Bone/Pos", name, *still) for name in names]
        self._packets = [
            np.frombuffer(bundle(group), np.uint8).copy() for group in _grouped([*head, *bones])
        ]
        self._time = _ends(self._packets, b"/VMC/Ext/T\0", 4)[0]
        self._root = _ends(self._packets, b"/VMC/Ext/Root/Pos\0", 28)[0]
        self._places = _ends(self._packets, b"/VMC/Ext/Bone/Pos\0", 28)
        self._firsts = np.cumsum([0, *(len(group[1]) for group in self._places)])

    def frame(
        self, time_s: float, quats_xyzw: Array, transl: Array, curls: Array | None = None
    ) -> Sequence[memoryview]:
        """The packets of one frame; they hold until the next call.

        time_s  seconds, of the sender
        quats_xyzw (22, 4) and transl (3,) of the partner, as in the plan
        curls   (10,) of its fingers; None: they stay as they are
        """
        self._values[:JOINT_COUNT, 3:] = quats_xyzw * UNITY_TURN
        if curls is not None:
            half = 0.5 * self._closed * curls[CURL_OF_JOINT]
            self._values[JOINT_COUNT:, 3:6] = np.sin(half)[:, None] * self._axes
            self._values[JOINT_COUNT:, 6] = np.cos(half)
        pelvis = (self._rest_pelvis + transl) * UNITY_PLACE
        self._values[0, :3] = pelvis * UPWARD
        _put(self._root, pelvis * ALONG_FLOOR)
        data = self._values.astype(">f4").view(np.uint8)
        _put(self._time, np.array([time_s]))
        for number, (packet, places) in enumerate(self._places):
            packet[places] = data[self._firsts[number] : self._firsts[number + 1]]
        return [packet.data for packet in self._packets]


def _put(message: tuple[IntArray, IntArray], numbers: Array) -> None:
    """Write a message's first numbers: a packet, and where in it the numbers lie."""
    packet, places = message
    data = np.frombuffer(numbers.astype(">f4").tobytes(), np.uint8)
    packet[places[0, : len(data)]] = data


def _grouped(parts: Sequence[bytes]) -> list[list[bytes]]:
    """The parts in order, in as few bundles as keep under LARGEST."""
    groups: list[list[bytes]] = [[]]
    for part in parts:
        if len(bundle([*groups[-1], part])) > LARGEST:
            groups.append([])
        groups[-1].append(part)
    return groups


def _ends(
    packets: Sequence[IntArray], address: bytes, size: int
) -> list[tuple[IntArray, IntArray]]:
    """Where the last `size` bytes of each message to an address lie: (messages, size) a packet."""
    found: list[tuple[IntArray, IntArray]] = []
    for packet in packets:
        data, places, at = packet.tobytes(), [], 16
        while at < len(data):
            length = int.from_bytes(data[at : at + 4], "big")
            end = at + 4 + length
            if data[at + 4 : end].startswith(address):
                places.append(np.arange(end - size, end))
            at = end
        if places:
            found.append((packet, np.stack(places)))
    return found
