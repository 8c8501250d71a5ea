"""A motion told in a foreign rig comes back as it was, whatever its names, pose, axes and unit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.arrays import Array
from engine.body.canonical import yaw_of
from engine.body.rotations import geodesic_angle, rotmat_about, rotmat_from_axis_angle
from engine.body.shape import load_body
from engine.body.skeleton import JOINT, JOINT_COUNT, JOINT_NAMES
from engine.formats.bvh import parse_bvh, read_bvh
from engine.formats.retarget import guess_unit, motion_from_bvh
from engine.formats.rig import RigMap
from engine.motion.motion import Motion
from tests.builders import joints_of_motion
from tests.data.make_motion_files import DATA, foreign_bvh, mixamo_name, t_pose, wave

MIXAMO = {name: mixamo_name(name) for name in JOINT_NAMES}


def read(text: str, **options: object) -> Motion:
    bvh = parse_bvh(text, "foreign.bvh")
    return motion_from_bvh(bvh, load_body(), RigMap(**options), source="foreign.bvh")  # type: ignore[arg-type]


def assert_same_motion(found: Motion, expected: Motion, metres: float = 0.02) -> None:
    """Joints in the same places, but for the height, which the floor decides."""
    moved = joints_of_motion(found)[0] - joints_of_motion(expected)[0]
    moved[..., 1] -= np.median(moved[..., 1])
    assert np.linalg.norm(moved, axis=-1).max() < metres


def a_pose() -> Array:
    pose = t_pose()
    for side, sign in (("left", -1), ("right", 1)):
        for joint in ("shoulder", "elbow", "wrist"):
            pose[JOINT[f"{side}_{joint}"]] = rotmat_about("z", sign * 0.8)
        for joint in ("hip", "knee"):
            pose[JOINT[f"{side}_{joint}"]] = rotmat_about("z", -sign * 0.2)
    return pose


def knot() -> Array:
    """A rest pose that is none: every joint has axes of its own, as in LaFAN1."""
    random = np.random.default_rng(7)
    return rotmat_from_axis_angle(random.normal(0, 2, (JOINT_COUNT, 3)))


@pytest.mark.parametrize("metres_per_unit", [1.0, 0.01, 0.0254])
def test_a_t_pose_rig_in_any_unit(metres_per_unit: float) -> None:
    text = foreign_bvh(wave(), MIXAMO, t_pose(), metres_per_unit=metres_per_unit)
    assert_same_motion(read(text), wave())


def test_an_a_pose_rig() -> None:
    assert_same_motion(read(foreign_bvh(wave(), MIXAMO, a_pose())), wave())


def test_a_rig_that_faces_backwards_at_rest() -> None:
    backwards = rotmat_about("y", np.pi) @ a_pose()
    assert_same_motion(read(foreign_bvh(wave(), MIXAMO, backwards)), wave())


def test_a_rig_with_z_up_is_noticed() -> None:
    text = foreign_bvh(wave(), MIXAMO, t_pose(), up=rotmat_about("x", np.pi / 2))
    assert_same_motion(read(text), wave())


@pytest.mark.parametrize("up", [None, rotmat_about("x", np.pi / 2)])
def test_a_rig_whose_rest_pose_is_a_knot_is_read_from_its_best_frame(up: Array | None) -> None:
    found = read(foreign_bvh(wave(), MIXAMO, knot(), up=up))
    assert_same_motion(found, wave(), metres=0.05)
    angles = np.degrees(geodesic_angle(found.rotmats, wave().rotmats))
    assert angles.max() < 25


def test_a_rig_without_collars_neck_and_most_of_the_spine_keeps_the_limbs() -> None:
    lost = ("left_collar", "right_collar", "neck", "spine1", "spine2")
    names = {ours: theirs for ours, theirs in MIXAMO.items() if ours not in lost}
    assert_same_motion(read(foreign_bvh(wave(), names, t_pose())), wave(), metres=0.08)


def test_a_spine_that_is_missing_bends_evenly() -> None:
    names = {k: v for k, v in MIXAMO.items() if k not in ("spine1", "spine2")}
    found = read(foreign_bvh(wave(), names, t_pose())).rotmats[0]
    turns = [geodesic_angle(found[-1, JOINT[j]], np.eye(3)) for j in ("spine1", "spine2", "spine3")]
    np.testing.assert_allclose(turns, np.mean(turns), rtol=1e-3)
    assert min(turns) > 0.01


def test_names_that_say_nothing_need_a_rig_map() -> None:
    names = {ours: f"b{index}" for index, ours in enumerate(JOINT_NAMES)}
    assert_same_motion(read(foreign_bvh(wave(), names, t_pose()), joints=names), wave())


def test_the_golden_mixamo_file_reads_as_it_was_made() -> None:
    bvh = read_bvh(DATA / "wave_mixamo.bvh")
    found = motion_from_bvh(bvh, load_body(), RigMap(), source="wave_mixamo.bvh")
    assert_same_motion(found, wave())
    assert found.frame_rate == 10.0


def test_the_unit_is_guessed_from_the_legs() -> None:
    assert [guess_unit(leg) for leg in (0.8, 85.0, 850.0, 33.5)] == [1.0, 0.01, 0.001, 0.0254]
    assert guess_unit(4.2) * 4.2 == pytest.approx(0.83)
    assert guess_unit(0.55) * 0.55 == pytest.approx(0.83), "metres would make a child of it"


ACCLAIM = {"hip": "femur", "knee": "tibia", "ankle": "foot", "foot": "toes"}
ACCLAIM |= {"collar": "clavicle", "shoulder": "humerus", "elbow": "radius", "wrist": "wrist"}


def test_the_names_of_cmu_and_of_character_creator_are_known() -> None:
    names = {name: name for name in JOINT_NAMES} | {"pelvis": "root", "neck": "lowerneck"}
    names |= {f"{s}_{a}": f"{s[0]}{b}" for s in ("left", "right") for a, b in ACCLAIM.items()}
    assert_same_motion(read(foreign_bvh(wave(), names, t_pose())), wave())
    creator = {"hip": "Thigh", "knee": "Calf", "ankle": "Foot", "foot": "ToeBase"}
    creator |= {"shoulder": "Upperarm", "elbow": "Forearm", "wrist": "Hand", "collar": "Clavicle"}
    names |= {
        f"{s}_{a}": f"CC_Base_{s[0].upper()}_{b}"
        for s in ("left", "right")
        for a, b in creator.items()
    }
    names |= {"neck": "CC_Base_NeckTwist01", "head": "CC_Base_Head"}
    assert_same_motion(read(foreign_bvh(wave(), names, t_pose())), wave())


def test_a_height_that_is_given_overrides_the_guess_and_what_was_guessed_is_told() -> None:
    told: list[str] = []
    bvh = parse_bvh(foreign_bvh(wave(), MIXAMO, t_pose()), "foreign.bvh")
    for height in (1.5, 1.85):
        rig = RigMap(height=height)
        motion = motion_from_bvh(bvh, load_body(), rig, source="foreign.bvh", tell=told.append)
        tall = np.ptp(load_body().rest_vertices(motion.betas[0])[:, 1])
        assert tall == pytest.approx(height, abs=0.01)
        assert f"a person of {tall:.2f} m" in told[-1]
    assert told[-1].startswith("foreign.bvh: taken as 0.0")
    assert "Y up, 10 frames a second" in told[-1]


# ----------------------------------------------------------------------------- recordings of others
@pytest.mark.parametrize("name", ["100style_example.bvh", "idle/000_genuine.bvh"])
def test_real_recordings_stand_upright_with_their_feet_on_the_floor(
    recordings_dir: Path, name: str
) -> None:
    bvh = read_bvh(recordings_dir / name)
    motion = motion_from_bvh(bvh, load_body(), RigMap(), source=name)
    joints = joints_of_motion(motion)[0]
    feet = joints[:, [JOINT[f"{side}_foot"] for side in ("left", "right")], 1].min(axis=1)
    head = joints[:, JOINT["head"], 1]
    assert feet.min() > -0.05
    assert 0.0 < np.median(feet) < 0.08
    assert head.min() > 0.9
    assert head.max() < 1.9
    assert np.abs(motion.betas).max() <= 3


def test_a_walking_recording_walks_the_way_it_faces(recordings_dir: Path) -> None:
    bvh = read_bvh(recordings_dir / "100style_example.bvh")
    motion = motion_from_bvh(bvh, load_body(), RigMap(), source="100style")
    joints = joints_of_motion(motion)[0][100:2000:30]
    step = np.diff(joints[:, 0], axis=0)
    yaw = yaw_of(joints[:-1])
    ahead = step[:, 0] * np.sin(yaw) + step[:, 2] * np.cos(yaw)
    assert np.mean(ahead / np.linalg.norm(step[:, [0, 2]], axis=-1)) > 0.9


def test_a_recording_with_wrapped_angles_spins_nobody(recordings_dir: Path) -> None:
    bvh = read_bvh(recordings_dir / "100style_example.bvh")
    joints = joints_of_motion(motion_from_bvh(bvh, load_body(), RigMap(), source="100style"))[0]
    speed = np.linalg.norm(np.diff(joints, axis=0), axis=-1).max(axis=1) * bvh.frame_rate
    assert speed[40:].max() < 10  # the turn on the spot in frames 29 to 32 is in the take itself


def test_who_keeps_the_place_walks_as_far_as_in_the_file() -> None:
    text = foreign_bvh(wave(), MIXAMO, t_pose())
    bvh = parse_bvh(text, "foreign.bvh")
    found = motion_from_bvh(bvh, load_body(), RigMap(), source="foreign.bvh", keeps_place=True)
    hips = [joints_of_motion(motion)[0][:, [1, 2]].mean(axis=1) for motion in (found, wave())]
    np.testing.assert_allclose(hips[0][:, [0, 2]], hips[1][:, [0, 2]], atol=2e-3)
    np.testing.assert_allclose(hips[0][:, 1], hips[1][:, 1], rtol=0.03)
