"""Small files that would eat the machine, and numbers that no motion has: one line, at once."""

from __future__ import annotations

import io
import pickle
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.body.shape import load_body
from engine.errors import InputError
from engine.formats import read_motion, read_rig_map, resampled
from engine.formats.npz import read_npz
from engine.formats.pickles import load_numeric_npy, load_numeric_pickle
from engine.motion.motion import Motion
from tests.data.make_motion_files import DATA, wave

MIXAMO = (DATA / "wave_mixamo.bvh").read_text()


@contextmanager
def refused(within_mb: int = 20) -> Iterator[pytest.ExceptionInfo[InputError]]:
    """The block raises InputError of one line, and takes no more memory than that."""
    load_body()  # is kept for all
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as caught:
            yield caught
        assert tracemalloc.get_traced_memory()[1] < within_mb * 2**20
    finally:
        tracemalloc.stop()
    assert len(str(caught.value).splitlines()) == 1


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


# ------------------------------------------------------------------------------------------ pickles
def test_lists_within_lists_are_counted_as_often_as_they_stand_there(tmp_path: Path) -> None:
    lists: list[Any] = []
    for _ in range(14):
        lists = [lists] * 10
    path = written(tmp_path / "bomb.pkl", pickle.dumps({"humans": lists}))
    assert path.stat().st_size < 1000
    with pytest.raises(InputError) as caught:  # 500,000 items, which tracemalloc is slow with
        load_numeric_pickle(path)
    assert "holds more than 500000 items" in str(caught.value)


def test_a_tuple_of_shared_tuples_is_never_hashed(tmp_path: Path) -> None:
    key: tuple[Any, ...] = ()
    for _ in range(60):
        key = (key, key)
    # pickle.dumps would hash it as well, so the dict around it is written by hand.
    content = b"}" + pickle.dumps(key, 2)[2:-1] + b"K\x01s."
    with refused() as caught:
        load_numeric_pickle(written(tmp_path / "bomb.pkl", content))
    assert "a tuple as the key of a dict" in str(caught.value)


def test_a_memo_of_a_number_is_no_table_of_that_size(tmp_path: Path) -> None:
    path = written(tmp_path / "memo.pkl", b"\x80\x02Nr\xff\xff\xff\x0f.")
    with refused() as caught:
        read_motion(path)
    assert "holds a NoneType, expected a dict" in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x05\x96" + (2**40).to_bytes(8, "little") + b".",  # a bytearray of a terabyte
        b"\x80\x04\x8e" + (2**40).to_bytes(8, "little") + b".",
        b"\x80\x04\x95" + (2**40).to_bytes(8, "little") + b"N.",
        b"Fnot\\u0020a number\n.",
        b"I" + b"9" * 5000 + b"\n.",
        b"(" * 30_000 + b".",
        b"",
    ],
)
def test_sizes_that_a_pickle_claims_cost_nothing(tmp_path: Path, content: bytes) -> None:
    with refused(within_mb=40):
        read_motion(written(tmp_path / "claims.pkl", content))


def test_a_shape_that_the_file_does_not_hold_is_not_made_room_for(tmp_path: Path) -> None:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<f8", "fortran_order": False, "shape": (10**9, 100)}
    )
    with refused() as caught:
        load_numeric_npy(written(tmp_path / "rows.npy", file.getvalue() + bytes(800)))
    assert "do not fit into the 800 bytes that follow" in str(caught.value)


def test_an_array_that_is_shared_is_unpacked_once(tmp_path: Path) -> None:
    array = np.zeros(2**17)
    path = written(tmp_path / "shared.pkl", pickle.dumps({"humans": [array] * 5000}))
    with refused():
        read_motion(path)


# ---------------------------------------------------------------------------------------------- npz
def npz(path: Path, **arrays: Any) -> Path:
    np.savez_compressed(path, **arrays)
    return path


def own(**changes: Any) -> dict[str, Any]:
    motion = wave()
    arrays = {"quats_xyzw": motion.quats_xyzw, "transl": motion.transl, "betas": motion.betas}
    return arrays | {"frame_rate": np.array(10.0)} | changes


def test_an_array_that_nobody_asks_for_is_not_unpacked(tmp_path: Path) -> None:
    path = npz(tmp_path / "extra.npz", **own(extra=np.zeros(3 * 2**20)))
    tracemalloc.start()
    read_npz(path, load_body())
    assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    tracemalloc.stop()


def test_an_archive_that_would_fill_the_machine_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (40 * 2**20,)}
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("transl.npy", header.getvalue() + bytes(40 * 2**20))
    with refused() as caught:
        read_npz(path, load_body())
    assert "would unpack to" in str(caught.value)


def test_an_archive_of_thousands_of_entries_is_refused_before_they_are_listed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "many.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for index in range(1500):
            archive.writestr(f"{index}.npy", b"")
    with refused() as caught:
        read_npz(path, load_body())
    assert "holds over 1000 arrays" in str(caught.value)


def test_an_entry_that_is_no_array_is_named(tmp_path: Path) -> None:
    path = npz(tmp_path / "text.npz", **own())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("rest_joints", b"hello")
    with refused() as caught:
        read_npz(path, load_body())
    assert "rest_joints is no array" in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (own(joint_names=np.array("pelvis")), "joint_names are others than ours"),
        (own(transl=np.full((1, 11, 3), 1e300)), "transl holds numbers over 1e+09"),
        (own(transl=np.full((1, 11, 3), 1e7)), "somebody is 1e+07 m from the origin"),
        (own(frame_rate=np.array(1e-9)), "frame_rate is 1e-09, expected frames a second"),
        (own(betas=np.array(1.0)), "betas has shape ()"),
        (
            {"poses": np.zeros((2, 11, 156)), "trans": np.zeros((11, 3)), "mocap_framerate": 60.0},
            "trans is of 1 people, the poses are of 2",
        ),
        (
            {"root_orient": np.zeros((2, 11, 3)), "pose_body": np.zeros((11, 63)), "fps": 60.0},
            "pose_body has shape (11, 63), expected (2, 11, 63)",
        ),
        (
            {"root_orient": np.zeros((11, 3)), "pose_body": np.zeros((2, 11, 63)), "fps": 60.0},
            "pose_body has shape (2, 11, 63), expected (11, 63)",
        ),
        (
            {
                "poses": np.zeros((11, 156)),
                "trans": np.zeros((11, 3)),
                "betas": np.array(1.0),
                "fps": 60.0,
            },
            "betas has shape ()",
        ),
    ],
)
def test_numbers_that_no_motion_has_are_named(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    with refused() as caught:
        read_motion(npz(tmp_path / "odd.npz", **arrays))
    assert message in str(caught.value)


# ---------------------------------------------------------------------------------------------- BVH
def bvh(path: Path, old: str, new: str) -> Path:
    assert old in MIXAMO
    return written(path, MIXAMO.replace(old, new, 1).encode())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Frame Time: ", "Frame Time: 5e-324\n", "Frame Time: 4.94066e-324, expected seconds"),
        ("Frame Time: ", "Frame Time: 1e9\n", "Frame Time: 1e+09, expected seconds"),
        ("CHANNELS 6", "CHANNELS " + "6" * 5000, "but names 6"),
        ("OFFSET 0.000000", "OFFSET 1e300", "'1e300' is not within 1e+09"),
        ("Frames: ", "Frames: 1e8\n", "Frames: 1e+08, expected a whole number"),
    ],
)
def test_numbers_that_no_recording_has_are_named(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with refused() as caught:
        read_motion(bvh(tmp_path / "odd.bvh", old, new))
    assert message in str(caught.value)


@pytest.mark.parametrize(("joints", "nested"), [(20_000, True), (50_000, False)])
def test_a_tree_that_no_body_has_is_not_read_to_its_end(
    tmp_path: Path, joints: int, nested: bool
) -> None:
    joint = "JOINT j{0}\n{{\nOFFSET 0 1 0\nCHANNELS 1 Xrotation\n" + ("" if nested else "}}\n")
    text = "HIERARCHY\nROOT r\n{\nOFFSET 0 0 0\nCHANNELS 1 Xrotation\n"
    text += "".join(joint.format(i) for i in range(joints))
    with refused() as caught:
        read_motion(written(tmp_path / "tree.bvh", text.encode()))
    assert "expected at most 1000 and 100, as any body has" in str(caught.value)


def test_a_long_recording_takes_memory_in_proportion_to_its_text(tmp_path: Path) -> None:
    head, _, rows = MIXAMO.partition("Frames: ")
    row = " ".join(["0"] * len(rows.splitlines()[2].split()))
    text = head + "Frames: 4000\nFrame Time: 0.0333333\n" + f"{row}\n" * 4000
    path = written(tmp_path / "long.bvh", text.encode())
    load_body()
    read_motion(DATA / "wave_mixamo.bvh")
    tracemalloc.start()
    read_motion(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Matrices of 1,024 frames are in it, whatever the length: 20 bytes a byte come on top.
    assert peak < 16e6 + 20 * path.stat().st_size


# ------------------------------------------------------------------------------------- rates, rigs
def test_a_rate_that_makes_billions_of_frames_is_refused() -> None:
    motion = wave()
    slow = Motion(
        quats_xyzw=motion.quats_xyzw, transl=motion.transl, betas=motion.betas, frame_rate=0.01
    )
    with refused() as caught:
        resampled(slow, 10_000.0)
    assert "are 10,000,001 at 10000" in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"[" * 20_000, b"a = " + b"[" * 20_000, b"\xff", b"a" * 70_000]
)
def test_a_rig_map_of_brackets_is_no_toml(tmp_path: Path, content: bytes) -> None:
    with refused():
        read_rig_map(written(tmp_path / "rig.toml", content))
