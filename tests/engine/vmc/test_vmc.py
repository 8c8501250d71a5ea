"""VMC packets, read and written, beside python-osc."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from engine.body.fingers import CURLS, finger_rotmats, straight_hands
from engine.body.rotations import geodesic_angle, rotmat_from_quat
from engine.body.shape import load_body
from engine.body.skeleton import HAND_JOINT_NAMES, JOINT_COUNT, JOINT_NAMES
from engine.devices.foreign import from_unity, humanoid_world, rotmats_from_unity
from engine.vmc import OscError, PartnerPackets, PerformerState, bundle, message, messages
from engine.vmc.bones import BONE_NAMES, BONE_NUMBERS, FINGER_BONE_NAMES
from engine.vmc.performer import LARGEST
from tests.engine.formats.random_motion import random_motion

REST = load_body().all_rest_joints(np.zeros(10))
MOTION = random_motion(1, people=1)
QUATS, TRANSL = MOTION.quats_xyzw[0], MOTION.transl[0]


def heard(packets: list[bytes]) -> dict[tuple[str, str], list[Any]]:
    """(address, first value if it is a name) -> the other values, as python-osc reads them."""
    found = {}
    for packet in packets:
        assert OscBundle.dgram_is_bundle(packet)
        for part in OscBundle(packet):
            params = list(part.params)
            name = params.pop(0) if isinstance(params[0], str) else ""
            found[part.address, name] = params
    return found


def test_a_frame_says_where_every_bone_is_in_unitys_axes() -> None:
    packets = PartnerPackets(REST)
    for frame in (0, 3):  # the second frame overwrites the first
        curls = np.linspace(0, 1, CURLS) ** frame
        told = heard([bytes(p) for p in packets.frame(1.5, QUATS[frame], TRANSL[frame], curls)])
    assert told["/VMC/Ext/OK", ""] == [1]
    assert told["/VMC/Ext/T", ""] == [1.5]
    root = told["/VMC/Ext/Root/Pos", "root"]
    assert (root[1], root[3:]) == (0, [0, 0, 0, 1])
    assert len(told) == 3 + JOINT_COUNT + len(HAND_JOINT_NAMES)
    for joint, name in enumerate(JOINT_NAMES):
        values = np.array(told["/VMC/Ext/Bone/Pos", BONE_NAMES[name]])
        ours = rotmats_from_unity(rotmat_from_quat(values[3:]))
        assert geodesic_angle(ours, MOTION.rotmats[0, 3, joint]) < 1e-4
    fingers = finger_rotmats(straight_hands(), curls)
    for joint, name in enumerate(FINGER_BONE_NAMES):
        values = np.array(told["/VMC/Ext/Bone/Pos", name])
        ours = rotmats_from_unity(rotmat_from_quat(values[3:]))
        assert geodesic_angle(ours, fingers[joint]) < 1e-4
        assert np.linalg.norm(values[:3]) < 0.12  # a hand's length, from the bone before it
    hips = np.array(told["/VMC/Ext/Bone/Pos", "Hips"][:3])
    assert hips[0] == hips[2] == 0
    np.testing.assert_allclose(from_unity(root[:3] + hips), REST[0] + TRANSL[3], atol=1e-6)


def test_packets_are_small_enough_for_every_network() -> None:
    sizes = [len(packet) for packet in PartnerPackets(REST).frame(0.0, QUATS[0], TRANSL[0])]
    assert len(sizes) == 4
    assert max(sizes) <= LARGEST


def test_fingers_of_which_a_frame_says_nothing_stay_as_they_are() -> None:
    packets = PartnerPackets(REST)
    packets.frame(0.0, QUATS[0], TRANSL[0], np.full(CURLS, 0.5))
    told = heard([bytes(p) for p in packets.frame(0.1, QUATS[1], TRANSL[1])])
    bent = told["/VMC/Ext/Bone/Pos", "LeftMiddleProximal"][3:]
    assert 2 * math.acos(bent[3]) == pytest.approx(math.radians(85) / 2, abs=1e-3)


def test_finger_bones_have_the_names_of_unity() -> None:
    assert FINGER_BONE_NAMES[0] == "LeftIndexProximal"
    assert len(set(FINGER_BONE_NAMES)) == 30
    assert {"RightThumbProximal", "RightThumbIntermediate", "LeftLittleDistal"} <= {
        *FINGER_BONE_NAMES
    }


def test_a_frame_costs_a_tenth_of_what_python_osc_takes() -> None:
    packets = PartnerPackets(REST)
    curls = np.full(CURLS, 0.3)
    ours = least_cpu(lambda: packets.frame(0.0, QUATS[0], TRANSL[0], curls))
    theirs = least_cpu(lambda: by_python_osc(QUATS[0]))
    assert ours < theirs / 10


def least_cpu(build: Callable[[], object]) -> float:
    """Seconds of this thread, the least of several rounds."""
    rounds = []
    for _ in range(8):
        begun = time.thread_time()
        for _ in range(10):
            build()
        rounds.append(time.thread_time() - begun)
    return min(rounds)


def by_python_osc(quats: Any) -> bytes:
    def part(address: str, *values: Any) -> Any:
        builder = OscMessageBuilder(address)
        for value in values:
            kind = {str: "s", int: "i"}.get(type(value), "f")
            builder.add_arg(value, kind)
        return builder.build()

    made = OscBundleBuilder(IMMEDIATELY)
    made.add_content(part("/VMC/Ext/OK", 1))
    made.add_content(part("/VMC/Ext/T", 1.0))
    made.add_content(part("/VMC/Ext/Root/Pos", "root", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0))
    fingers = [[0.0, 0.0, 0.0, 1.0]] * len(FINGER_BONE_NAMES)
    names = [*BONE_NAMES.values(), *FINGER_BONE_NAMES]
    for name, quat in zip(names, [*quats.tolist(), *fingers], strict=True):
        made.add_content(part("/VMC/Ext/Bone/Pos", name, 0.0, 0.0, 0.0, *quat))
    data: bytes = made.build().dgram
    return data


def test_a_performer_is_understood_and_its_root_counts() -> None:
    state = PerformerState()
    for packet in PartnerPackets(REST).frame(0.0, QUATS[2], TRANSL[2]):
        state.receive(bytes(packet))
    assert state.is_whole
    bones = {number: rotmat_from_quat(quat) for number, quat in state.rotations().items()}
    world = humanoid_world(bones, is_local=True)
    np.testing.assert_allclose(world[0], MOTION.rotmats[0, 2, 0], atol=1e-5)
    np.testing.assert_allclose(from_unity(state.hips()), REST[0] + TRANSL[2], atol=1e-5)
    half = math.sqrt(0.5)
    state.receive(message("/VMC/Ext/Root/Pos", "root", 1.0, 0.0, 0.0, 0.0, half, 0.0, half))
    state.receive(message("/VMC/Ext/Bone/Pos", "Hips", 0.1, 0.9, 0.2, 0.0, 0.0, 0.0, 1.0))
    np.testing.assert_allclose(state.hips(), [1.2, 0.9, -0.1], atol=1e-5)


def test_the_height_of_resting_hips_follows_from_the_legs() -> None:
    state = PerformerState()
    for packet in PartnerPackets(REST).frame(0.0, QUATS[0], TRANSL[0]):
        state.receive(bytes(packet))
    soles = load_body().template[:, 1].min()
    assert state.rest_hips()[1] == pytest.approx(REST[0, 1] - soles, abs=0.03)


@given(st.binary(max_size=120), st.integers(0, 60))
def test_whatever_comes_is_read_or_dropped(noise: bytes, cut: int) -> None:
    whole = bundle([message("/VMC/Ext/Bone/Pos", "Hips", *(0.0,) * 6, 1.0)])
    state = PerformerState()
    for packet in (noise, b"#bundle\0" + noise, whole[:cut] + noise, whole[:-cut]):
        state.receive(packet)
    assert set(state.bones) <= set(BONE_NUMBERS)


@pytest.mark.parametrize(
    "values",
    [
        ("Hips", 0.0, 0.0, 0.0),
        ("Hips", math.nan, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
        ("Hips", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
        ("Hips", 1e9, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
        ("Hips", "a", "b", "c", "d", "e", "f", "g"),
    ],
)
def test_bones_that_cannot_be_are_dropped(values: tuple[Any, ...]) -> None:
    state = PerformerState()
    assert not state.receive(message("/VMC/Ext/Bone/Pos", *values))
    assert state.bones == {}
    assert state.dropped == 1


@given(
    st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=9), st.floats(width=32)
)
def test_what_we_write_we_read(text: str, number: float) -> None:
    ((address, values),) = messages(bundle([message("/a/b", text, 7, number)]))
    assert (address, values[:2]) == ("/a/b", (text, 7))
    np.testing.assert_equal(values[2], number)


def test_malformed_packets_say_what_is_wrong() -> None:
    for packet, wrong in (
        (b"abc", "without an end"),
        (message("abc"), "does not begin with /"),
        (b"#bundle\0", "without a time tag"),
        (b"#bundle\0" + bytes(8) + b"\0\0\0\x08", "a part of 8 bytes"),
        (b"/a\0\0,f\0\0\0", "ends within a number"),
    ):
        with pytest.raises(OscError, match=wrong):
            list(messages(packet))
