"""What is missing, damaged or of another shape is refused by file and field, in every layout."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import InputError
from tests.data.make_motion_files import RunsACommand
from tests.trainer.data.readers import layouts
from trainer.data.readers import READERS, Source

INTERX = f"motions/{layouts.INTERX_NAME}/P2.npz"
RAW = "motions/7.pkl"
PROCESSED = "motions_processed/person2/7.npy"
HI4D = "pair32/hug32/smpl/000020.npz"
META = "pair32/hug32/meta.npz"
CHI3D = "train/s03/smplx/Grab 12.json"
DD100 = "motion/smplx/all/Rumba_05_01_00.npy"
AMASS = "val/meet_P2.npz"


def write(reader: str, root: Path) -> None:
    if reader.startswith("interhuman"):
        layouts.write_interhuman_lists(root)
    writers: dict[str, Callable[[Path], None]] = {
        "interx": layouts.write_interx,
        "interhuman": layouts.write_interhuman_raw,
        "interhuman-processed": layouts.write_interhuman_processed,
        "hi4d": layouts.write_hi4d,
        "chi3d": layouts.write_chi3d,
        "dd100": layouts.write_dd100,
        "amass-pair": layouts.write_amass,
        "bvh-pair": layouts.write_bvh,
        "asf-amc-pair": layouts.write_cmu,
    }
    writers[reader](root)


def the_source(reader: str, root: Path) -> tuple[str, Source]:
    name = reader.removesuffix("-processed")
    return name, READERS[name].sources(root)[-1]


def changed(path: Path, key: str, value: Any) -> None:
    """A field of a file set, or taken out where value is None; "a.b" is b in the dict a."""
    if path.suffix == ".npz":
        with np.load(path) as archive:
            whole: Any = dict(archive)
    elif path.suffix == ".json":
        whole = json.loads(path.read_text())
    else:
        whole = np.load(path, allow_pickle=True)
        whole = whole.item() if isinstance(whole, np.ndarray) and whole.shape == () else whole
    table = whole
    *outer, last = key.split(".")
    for name in outer:
        table = table[name]
    if value is None:
        del table[last]
    else:
        table[last] = value(table[last]) if callable(value) else value
    if path.suffix == ".npz":
        np.savez(path, **whole)
    elif path.suffix == ".json":
        path.write_text(json.dumps(whole))
    elif path.suffix == ".pkl":
        path.write_bytes(pickle.dumps(whole))
    else:
        np.save(path, whole)


def not_a_number(array: Any) -> Any:
    array = np.array(array)
    array.flat[5] = np.nan
    return array


BROKEN: list[tuple[str, str, str, Any, str]] = [
    ("interx", INTERX, "trans", None, "trans is missing"),
    ("interx", INTERX, "pose_body", np.zeros((121, 20, 3)), r"expected \(121, 21, 3\)"),
    ("interx", INTERX, "root_orient", not_a_number, r"root_orient is not finite at index \(1, 2\)"),
    ("interx", INTERX, "betas", np.zeros((1, 4)), r"betas has shape \(1, 4\), expected \(at least"),
    ("interx", INTERX, "betas", np.array("none"), "betas has shape"),
    ("interhuman", RAW, "person2", None, "person2 is no dict of a person"),
    ("interhuman", RAW, "person1.trans", None, r"person1\.trans is missing"),
    ("interhuman", RAW, "person2.pose_body", np.zeros((3, 63)), r"expected \(61, 63\)"),
    ("interhuman", RAW, "fps", 0.0, r"fps is 0\.0, expected frames a second"),
    ("hi4d", HI4D, "joints_3d", None, "joints_3d is missing"),
    ("hi4d", HI4D, "global_orient", np.zeros((1, 3)), r"expected \(2, 3\)"),
    ("hi4d", META, "genders", None, r"genders has shape \(0,\)"),
    ("chi3d", CHI3D, "betas", None, "betas is missing"),
    ("chi3d", CHI3D, "body_pose", lambda p: [p[0], p[1][:-1]], "body_pose is no array"),
    ("chi3d", CHI3D, "transl", lambda t: t[0], r"one person, of an older archive"),
    ("chi3d", CHI3D, "transl", lambda t: t[:1], r"one person, of an older archive"),
    ("chi3d", CHI3D, "transl", lambda t: "text", r"transl has shape \(\)"),
    ("dd100", DD100, "poses", np.zeros((31, 72)), r"poses has shape \(31, 72\)"),
    ("dd100", DD100, "transl", None, "transl is missing"),
    ("amass-pair", AMASS, "trans", np.zeros((7, 3)), r"trans has shape \(7, 3\), expected \(61"),
    ("amass-pair", AMASS, "poses", np.zeros((61, 72)), r"expected \(frames, 156\)"),
    ("amass-pair", AMASS, "mocap_framerate", None, "expected one of mocap_frame_rate"),
    ("amass-pair", AMASS, "mocap_framerate", 30.0, "differ in frame rate, 59.94 and 30.0"),
]


@pytest.mark.parametrize(("reader", "file", "key", "value", "message"), BROKEN)
def test_a_wrong_field_is_named(
    tmp_path: Path, reader: str, file: str, key: str, value: Any, message: str
) -> None:
    write(reader, tmp_path)
    changed(tmp_path / file, key, value)
    name, source = the_source(reader, tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        READERS[name].read(source)
    assert Path(file).name in str(caught.value)
    assert caught.value.field


FILES = [
    ("interx", INTERX),
    ("interhuman", RAW),
    ("interhuman-processed", PROCESSED),
    ("hi4d", HI4D),
    ("chi3d", CHI3D),
    ("dd100", DD100),
    ("amass-pair", AMASS),
    ("bvh-pair", "P2/meet.bvh"),
    ("asf-amc-pair", "19_07.amc"),
    ("asf-amc-pair", "19.asf"),
]


@pytest.mark.parametrize(("reader", "file"), FILES)
def test_a_truncated_file_is_named(tmp_path: Path, reader: str, file: str) -> None:
    write(reader, tmp_path)
    name, source = the_source(reader, tmp_path)
    whole = (tmp_path / file).read_bytes()
    for share in (0.0, 0.1, 0.5, 0.9):
        (tmp_path / file).write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(InputError, match=Path(file).name):
            READERS[name].read(source)


@pytest.mark.parametrize(("reader", "file"), FILES)
def test_a_file_that_has_gone_is_named(tmp_path: Path, reader: str, file: str) -> None:
    write(reader, tmp_path)
    name, source = the_source(reader, tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(InputError, match=Path(file).name):
        READERS[name].read(source)


@pytest.mark.parametrize("reader", READERS)
def test_a_folder_without_clips_is_refused(tmp_path: Path, reader: str) -> None:
    with pytest.raises(InputError, match=str(tmp_path)):
        READERS[reader].sources(tmp_path)


@pytest.mark.parametrize(("reader", "file"), [("interhuman", RAW), ("dd100", DD100)])
def test_a_pickle_that_runs_a_command_runs_nothing(tmp_path: Path, reader: str, file: str) -> None:
    write(reader, tmp_path)
    mark = tmp_path / "was_here"
    evil = {"poses": RunsACommand(f"touch {mark}")}
    if file.endswith(".pkl"):
        (tmp_path / file).write_bytes(pickle.dumps(evil))
    else:
        np.save(tmp_path / file, evil)
    name, source = the_source(reader, tmp_path)
    with pytest.raises(InputError, match="wants to use") as caught:
        READERS[name].read(source)
    assert caught.value.reason == "UNSAFE_PICKLE"
    assert not mark.exists()


def test_split_files_of_clips_that_are_not_there_are_refused(tmp_path: Path) -> None:
    layouts.write_interhuman_lists(tmp_path)
    with pytest.raises(
        InputError, match=r"none of the 4 clips .*/motions_processed/person1/<name>\.npy or "
    ):
        READERS["interhuman"].sources(tmp_path)


def test_rows_taken_for_columns_do_not_pass_for_rotations_of_the_joints(tmp_path: Path) -> None:
    write("interhuman-processed", tmp_path)
    path = tmp_path / PROCESSED
    rows = np.load(path)
    rotations = rows[:, 186:312].reshape(-1, 21, 3, 2)
    rows[:, 186:312] = np.swapaxes(rotations, -1, -2).reshape(len(rows), -1)
    np.save(path, rows)
    name, source = the_source("interhuman", tmp_path)
    with pytest.raises(InputError, match="are not the rotations of the joints"):
        READERS[name].read(source)


def test_joints_of_hi4d_that_do_not_fit_its_rotations_are_refused(tmp_path: Path) -> None:
    write("hi4d", tmp_path)
    for path in (tmp_path / HI4D).parent.iterdir():
        changed(
            path,
            "joints_3d",
            lambda joints: joints + np.random.default_rng(0).normal(size=joints.shape),
        )
    name, source = the_source("hi4d", tmp_path)
    with pytest.raises(InputError, match="joints_3d of person 0"):
        READERS[name].read(source)


def test_a_gap_between_the_frames_of_hi4d_is_named(tmp_path: Path) -> None:
    write("hi4d", tmp_path)
    (tmp_path / HI4D).unlink()
    name, source = the_source("hi4d", tmp_path)
    with pytest.raises(InputError, match="frame 000020 is missing among 30"):
        READERS[name].read(source)


def test_a_mirror_is_no_rotation(tmp_path: Path) -> None:
    write("chi3d", tmp_path)
    changed(tmp_path / CHI3D, "body_pose", lambda pose: (np.array(pose) * [1, 1, -1]).tolist())
    name, source = the_source("chi3d", tmp_path)
    with pytest.raises(InputError, match=r"body_pose is no rotation matrix at index \(0, 0, 0\)"):
        READERS[name].read(source)


def test_takes_of_different_length_are_no_pair(tmp_path: Path) -> None:
    write("dd100", tmp_path)
    path = tmp_path / DD100
    changed(path, "poses", lambda poses: poses[:20])
    changed(path, "transl", lambda transl: transl[:20])
    name, source = the_source("dd100", tmp_path)
    with pytest.raises(InputError, match="last 31 and 20 frames; expected one take"):
        READERS[name].read(source)


def test_a_wrong_role_in_the_order_of_interx_is_named(tmp_path: Path) -> None:
    layouts.write_interx(tmp_path, actor=2)
    name, source = the_source("interx", tmp_path)
    with pytest.raises(InputError, match=r"interaction_order\.pkl: .* is 2, expected 0"):
        READERS[name].read(source)


def test_a_recording_without_its_skeleton_is_named(tmp_path: Path) -> None:
    write("asf-amc-pair", tmp_path)
    (tmp_path / "19.asf").unlink()
    name, source = the_source("asf-amc-pair", tmp_path)
    with pytest.raises(InputError, match=r"neither 19_07\.asf nor 19\.asf is beside it"):
        READERS[name].read(source)
