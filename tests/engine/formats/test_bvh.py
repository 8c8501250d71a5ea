"""BVH text: what is read, what is refused and where, and that we read what we write."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.body.fingers import finger_rotmats
from engine.body.kinematics import forward_kinematics
from engine.body.rotations import geodesic_angle, quat_from_rotmat, rotmat_about
from engine.body.rotations import rotmat_from_axis_angle as from_axis_angle
from engine.body.shape import load_body
from engine.body.skeleton import HAND_JOINT_NAMES, JOINT_COUNT
from engine.errors import InputError
from engine.formats import WriteOptions, read_motion, write_motion
from engine.formats.bvh import mended_leaps, parse_bvh, read_bvh
from engine.formats.options import UNITS, Unit
from engine.motion.motion import Motion
from tests.data.make_motion_files import DATA
from tests.engine.formats.random_motion import random_motion

SMALL = """\
HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Yrotation Xrotation Zrotation
  JOINT Left Knee {
    OFFSET 0 -40 0
    CHANNELS 1 Xrotation
    End Site
    {
      OFFSET 0 -40 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.041667
0 80 0 90 0 0 0
1 80 2 90 0 0 90
"""


def line_of(text: str) -> int:
    return SMALL[: SMALL.index(text)].count("\n") + 1


def test_a_file_is_read_with_its_tree_channels_and_frame_rate() -> None:
    bvh = parse_bvh(SMALL, "small.bvh")
    assert bvh.names == ("Hips", "Left Knee", "Left Knee:end")
    assert bvh.parents == (-1, 0, 1)
    assert bvh.channels[1:] == (("Xrotation",), ())
    assert (bvh.values.shape, bvh.frame_rate) == ((2, 7), 24.0)


def test_channels_turn_in_the_order_in_which_they_stand() -> None:
    positions, orientations = parse_bvh(SMALL, "small.bvh").world()
    np.testing.assert_allclose(orientations[0, 0], rotmat_about("y", np.pi / 2), atol=1e-12)
    np.testing.assert_allclose(positions[0], [[0, 80, 0], [0, 40, 0], [0, 0, 0]], atol=1e-9)
    # The knee turns by 90 degrees about its own X, which the root has turned to the world's -Z.
    np.testing.assert_allclose(positions[1, 2], [1 - 40, 40, 2], atol=1e-9)


def test_spacing_case_and_line_ends_do_not_matter() -> None:
    text = SMALL.replace("  ", "\t").replace("\n", "\r\n").replace("Frames:", "frames:\t")
    found, expected = parse_bvh(text, "x"), parse_bvh(SMALL, "x")
    assert found.names == expected.names
    np.testing.assert_array_equal(found.values, expected.values)


@pytest.mark.parametrize(
    ("old", "new", "where", "message"),
    [
        ("HIERARCHY", "HIERACHY", "HIERARCHY", "expected HIERARCHY"),
        ("OFFSET 0 -40 0", "OFFSET 0 -4O 0", "OFFSET 0 -40 0", "'-4O' is not a number"),
        ("OFFSET 0 -40 0", "OFFSET 0 nan 0", "OFFSET 0 -40 0", "not a finite number"),
        ("OFFSET 0 0 0", "OFFSET 0 0", "OFFSET 0 0 0", "expected OFFSET x y z"),
        ("CHANNELS 1", "CHANNELS 2", "CHANNELS 1", "says '2' but names 1"),
        ("1 Xrotation", "1 Wrotation", "CHANNELS 1", "each must be one of"),
        ("JOINT Left Knee", "JONT Left Knee", "JOINT", "expected JOINT, End Site or }"),
        ("JOINT Left Knee", "JOINT Hips", "JOINT", "a second joint is named 'Hips'"),
        ("Frames: 2", "Frames: 0", "Frames", "1 to 1000000"),
        ("Frames: 2", "Frames: 1", "1 80 2", "more follows after the 1 frames"),
        ("Frames: 2", "Frames: 3", "1 80 2", "the file ends where frame 3 of 3 was expected"),
        ("Frame Time: 0.041667", "Frame Time: -1", "Frame Time", "expected seconds, 0.0001 to 100"),
        ("1 80 2 90 0 0 90", "1 80 2 90", "1 80 2", "frame 2 has 4 values, expected 7"),
        ("1 80 2 90 0 0 90", "1 80 2 90 0 0 inf", "1 80 2", "'inf' is not a finite number"),
        ("MOTION", "ROOT Other\n{", "MOTION", "a second ROOT: one file holds one person"),
    ],
)
def test_a_mistake_is_named_with_its_line(old: str, new: str, where: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_bvh(SMALL.replace(old, new, 1), "small.bvh")
    assert str(caught.value).startswith(f"small.bvh:{line_of(where)}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", " \n\n", "HIERARCHY", SMALL[:60], "\x00\x01\x02", "{}{}{}"])
def test_what_is_no_bvh_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"^x\.bvh:\d+: "):
        parse_bvh(text, "x.bvh")


@given(st.data())
def test_no_cut_and_no_wrong_letter_makes_anything_but_an_input_error(data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(SMALL) - 1))
    letter = data.draw(st.characters(codec="latin-1"))
    for text in (SMALL[:cut], SMALL[:cut] + letter + SMALL[cut + 1 :]):
        with contextlib.suppress(InputError):
            parse_bvh(text, "x.bvh")


def test_golden_broken_files_are_refused_with_their_line() -> None:
    with pytest.raises(InputError, match=r"^broken_number\.bvh:\d+: 'l' is not a number"):
        read_bvh(DATA / "broken_number.bvh")
    with pytest.raises(InputError, match=r"^broken_truncated\.bvh:\d+: "):
        read_bvh(DATA / "broken_truncated.bvh")


def test_a_leap_that_comes_back_is_smoothed_and_a_turn_that_stays_is_kept() -> None:
    yaw = np.linspace(0, 0.3, 31)
    leaping, turning = yaw.copy(), yaw.copy()
    leaping[10:12] += [2.0, 3.0]
    turning[10:] += 2.0
    frames, turns = mended_leaps(rotmat_about("y", leaping), 30.0)
    np.testing.assert_array_equal(frames, [10, 11])
    np.testing.assert_allclose(turns, rotmat_about("y", yaw[10:12]), atol=1e-9)
    assert len(mended_leaps(rotmat_about("y", turning), 30.0)[0]) == 0


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(UNITS)))
def test_what_we_write_we_read(
    tmp_path_factory: pytest.TempPathFactory, seed: int, units: Unit
) -> None:
    random = np.random.default_rng(seed)
    steps = random.normal(0, 0.1, (2, 4, JOINT_COUNT, 3)).cumsum(axis=1)
    motion = Motion(
        quats_xyzw=quat_from_rotmat(from_axis_angle(steps)).astype(np.float32),
        transl=random.normal(0, 1, (2, 4, 3)).astype(np.float32),
        betas=random.normal(0, 1, (2, 10)).astype(np.float32),
        frame_rate=30.0,
    )
    path = tmp_path_factory.mktemp("bvh") / "pair.bvh"
    paths = write_motion(path, motion, load_body(), options=WriteOptions(units=units))
    assert [p.name for p in paths] == ["pair_person0.bvh", "pair_person1.bvh"]
    for person, written in enumerate(paths):
        found = read_motion(written)
        assert found.frame_rate == 30.0
        assert geodesic_angle(found.rotmats[0], motion.rotmats[person]).max() < 1e-3
        joints = [
            forward_kinematics(load_body().rest_joints(b), r, t)[0]
            for b, r, t in (
                (found.betas[0], found.rotmats[0], found.transl[0]),
                (motion.betas[person], motion.rotmats[person], motion.transl[person]),
            )
        ]
        np.testing.assert_allclose(joints[0], joints[1], atol=1e-3)


def test_fingers_are_written_and_do_not_disturb_who_reads(tmp_path: Path) -> None:
    body, motion = load_body(), random_motion(4, people=1, has_curls=True)
    options = WriteOptions(frame_rate=10.0, units="m")
    (path,) = write_motion(tmp_path / "a.bvh", motion, body, options=options)
    written = read_bvh(path)
    assert set(HAND_JOINT_NAMES) <= set(written.names)
    joints, _ = written.world()
    there = [written.names.index(name) for name in HAND_JOINT_NAMES]
    rotmats = np.tile(np.eye(3), (motion.frames, len(body.parents), 1, 1))
    rotmats[:, :JOINT_COUNT] = motion.rotmats[0]
    assert body.fingers is not None
    assert motion.curls is not None
    rotmats[:, -len(there) :] = finger_rotmats(body.fingers, motion.curls[0].astype(np.float64))
    rest = body.all_rest_joints(motion.betas[0])
    expected, _ = forward_kinematics(rest, rotmats, motion.transl[0], body.parents)
    np.testing.assert_allclose(joints[:, there], expected[:, -len(there) :], atol=1e-4)
    assert geodesic_angle(read_motion(path).rotmats[0], motion.rotmats[0]).max() < 1e-3
