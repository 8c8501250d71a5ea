"""The joints of common rigs are found by name and by their place in the tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.body.skeleton import JOINT_NAMES, PARENTS
from engine.errors import InputError
from engine.formats.rig import RigMap, match_joints, read_rig_map, words_of

SIDED = ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist")
MIDDLE = ("pelvis", "spine1", "spine2", "spine3", "neck", "head")
RIGS = {
    "mixamo": (
        "mixamorig:{Side}{part}",
        "UpLeg Leg Foot ToeBase Shoulder Arm ForeArm Hand",
        "mixamorig:{part}",
        "Hips Spine Spine1 Spine2 Neck Head",
    ),
    "100style and xsens": (
        "{Side}{part}",
        "Hip Knee Ankle Toe Collar Shoulder Elbow Wrist",
        "{part}",
        "Hips Chest Chest2 Chest3 Neck Head",
    ),
    "rokoko": (
        "{Side}{part}",
        "Thigh Shin Foot Toe Shoulder Arm ForeArm Hand",
        "{part}",
        "Hips Spine1 Spine2 Spine3 Neck Head",
    ),
    "lafan1": (
        "{Side}{part}",
        "UpLeg Leg Foot Toe Shoulder Arm ForeArm Hand",
        "{part}",
        "Hips Spine Spine1 Spine2 Neck Head",
    ),
    "blender": (
        "{part}.{S}",
        "thigh shin foot toe shoulder upper_arm forearm hand",
        "{part}",
        "spine spine.001 spine.002 spine.003 spine.004 head",
    ),
    "unreal": (
        "{part}_{s}",
        "thigh calf foot ball clavicle upperarm lowerarm hand",
        "{part}",
        "pelvis spine_01 spine_02 spine_03 neck_01 head",
    ),
    "biped": (
        "Bip01 {S} {part}",
        "Thigh Calf Foot Toe0 Clavicle UpperArm Forearm Hand",
        "Bip01 {part}",
        "Pelvis Spine Spine1 Spine2 Neck Head",
    ),
    "vrm": (
        "J_Bip_{S}_{part}",
        "UpperLeg LowerLeg Foot ToeBase Shoulder UpperArm LowerArm Hand",
        "J_Bip_C_{part}",
        "Hips Spine Chest UpperChest Neck Head",
    ),
    "smpl": (
        "{S}_{part}",
        "Hip Knee Ankle Foot Collar Shoulder Elbow Wrist",
        "{part}",
        "Pelvis Spine1 Spine2 Spine3 Neck Head",
    ),
    "poser": (
        "{s}{part}",
        "Thigh Shin Foot Toe Collar Shldr ForeArm Hand",
        "{part}",
        "hip abdomen abdomen2 chest neck head",
    ),
    "ours": ("{side}_{part}", " ".join(SIDED), "{part}", " ".join(MIDDLE)),
}


def tree(rig: str) -> tuple[list[str], list[int]]:
    """Names and parents of our tree of joints with the names of a rig."""
    sided_form, sided, middle_form, middle = RIGS[rig]
    names = {
        ours: middle_form.format(part=part)
        for ours, part in zip(MIDDLE, middle.split(), strict=True)
    }
    for side in ("left", "right"):
        forms = {"Side": side.capitalize(), "side": side, "S": side[0].upper(), "s": side[0]}
        for ours, part in zip(SIDED, sided.split(), strict=True):
            names[f"{side}_{ours}"] = sided_form.format(part=part, **forms)
    return [names[joint] for joint in JOINT_NAMES], list(PARENTS)


@pytest.mark.parametrize("rig", RIGS)
def test_all_joints_of_a_common_rig_are_found(rig: str) -> None:
    names, parents = tree(rig)
    found = match_joints(names, parents, RigMap(), "x.bvh")
    missing = {"neck"} if rig == "blender" else set()  # Blender's neck is one more spine bone
    expected = {joint: i for i, joint in enumerate(JOINT_NAMES) if joint not in missing}
    assert found == expected


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mixamorig:LeftUpLeg", ("left", "upleg")),
        ("upper_arm.R", ("right", "upperarm")),
        ("lShldr", ("left", "shldr")),
        ("Bip01 R Toe0", ("right", "toe")),
        ("LHipJoint", ("left", "hipjoint")),
        ("Root", ("", "root")),
        ("spine.001", ("", "spine")),
    ],
)
def test_a_name_is_taken_apart_into_side_and_word(name: str, words: tuple[str, str]) -> None:
    assert words_of(name) == words


def test_a_rig_without_known_names_is_refused_with_the_way_out() -> None:
    names = [f"bone{i}" for i in range(22)]
    with pytest.raises(InputError, match=r"x\.bvh: no joint found for left_hip, .*--rig map\.toml"):
        match_joints(names, list(PARENTS), RigMap(), "x.bvh")


def test_a_rig_map_overrides_what_names_say() -> None:
    names, parents = tree("mixamo")
    spare = names.index("mixamorig:Spine1")
    found = match_joints(names, parents, RigMap(joints={"spine3": names[spare]}), "x.bvh")
    assert found["spine3"] == spare


def test_a_rig_map_must_name_joints_that_exist() -> None:
    names, parents = tree("mixamo")
    with pytest.raises(InputError, match="says head is 'Kopf', which the file does not have"):
        match_joints(names, parents, RigMap(joints={"head": "Kopf"}), "x.bvh")


def test_a_limb_that_is_the_root_is_refused() -> None:
    names, parents = tree("ours")
    rig = RigMap(joints={"left_hip": "pelvis", "pelvis": "left_hip"})
    with pytest.raises(InputError, match="do not hang from one tree"):
        match_joints(names, parents, rig, "x.bvh")


def test_a_rig_map_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    path.write_text('up = "z"\nmetres_per_unit = 1\n[joints]\nhead = "Kopf"\n')
    assert read_rig_map(path) == RigMap(joints={"head": "Kopf"}, up="z", metres_per_unit=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("up = x", "is no TOML file"),
        ('up = "x"', "up is 'x', expected 'y' or 'z'"),
        ("metres_per_unit = 0", "metres_per_unit is 0"),
        ("joints = 3", "joints is no table"),
        ('[joints]\nkopf = "Head"', "joints.kopf is unknown; expected pelvis"),
        ("[joints]\nhead = 3", "joints.head is 3, expected a name"),
        ('head = "Head"', "head is unknown; expected joints, up, metres_per_unit"),
    ],
)
def test_a_wrong_rig_map_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "map.toml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_rig_map(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


def test_a_rig_map_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_rig_map(tmp_path / "none.toml")
