"""Motion files of the client: what it writes the engine reads, and the other way round."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from contrapose_client import People, standing

from engine.body.shape import load_body
from engine.formats import read_motion, write_motion

QUATS, TRANSL = standing()
PAIR = People(
    quats_xyzw=np.stack([QUATS, QUATS]),
    transl=np.stack([TRANSL, TRANSL + np.float32([0, 0, 1])]),
    betas=np.float32([[0.5] * 10, [0] * 10]),
)


def test_the_engine_reads_a_pair_as_a_motion_of_one_frame(tmp_path: Path) -> None:
    PAIR.save(tmp_path / "pair.npz")
    motion = read_motion(tmp_path / "pair.npz", body=load_body())
    assert (motion.people, motion.frames, motion.frame_rate) == (2, 1, 10)
    np.testing.assert_array_equal(motion.transl[:, 0], PAIR.transl)
    np.testing.assert_array_equal(motion.betas, PAIR.betas)


def test_what_the_engine_writes_comes_back_the_same(tmp_path: Path) -> None:
    PAIR.save(tmp_path / "pair.npz")
    body = load_body()
    motion = read_motion(tmp_path / "pair.npz", body=body)
    write_motion(tmp_path / "again.npz", motion, body)
    people = People.load(tmp_path / "again.npz")
    np.testing.assert_allclose(people.quats_xyzw[:, 0], PAIR.quats_xyzw, atol=1e-6)
    np.testing.assert_array_equal(people.transl[:, 0], PAIR.transl)
    assert people.frame_rate == 10


@pytest.mark.parametrize("suffix", [".npz", ".glb"])
def test_hands_go_into_files_and_come_back(tmp_path: Path, suffix: str) -> None:
    curls = np.linspace(0.1, 0.9, 20, dtype=np.float32).reshape(2, 10)
    replace(PAIR, curls=curls).save(tmp_path / f"pair{suffix}")
    back = People.load(tmp_path / f"pair{suffix}")
    assert back.curls is not None
    np.testing.assert_allclose(back.curls[:, 0], curls, atol=1e-4)
    assert read_motion(tmp_path / f"pair{suffix}").curls is not None


@pytest.mark.parametrize(
    ("change", "problem"),
    [({"version": 2}, "version is 2, this client reads 1"), ({"format": "other"}, "convert")],
)
def test_what_is_no_motion_of_ours_is_refused(
    tmp_path: Path, change: dict[str, object], problem: str
) -> None:
    path = tmp_path / "motion.npz"
    PAIR.save(path)
    with np.load(path) as file:
        np.savez(path, **({name: file[name] for name in file.files} | change))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=problem) as refusal:
        People.load(path)
    assert str(path) in str(refusal.value)


def test_an_array_file_of_something_else_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "poses.npz", poses=np.zeros((3, 156)))
    with pytest.raises(ValueError, match="contrapose convert"):
        People.load(tmp_path / "poses.npz")


def test_other_kinds_of_files_are_written_and_read_by_the_engine(tmp_path: Path) -> None:
    (path,) = PAIR.save(tmp_path / "pair.glb")
    again = People.load(path)
    np.testing.assert_allclose(again.transl[:, 0], PAIR.transl, atol=1e-3)


def test_joints_are_where_the_engine_has_them() -> None:
    joints = PAIR.joints()
    assert joints.shape == (2, 22, 3)
    assert 0.0 < joints[0, :, 1].min() < 0.1
    assert 1.4 < joints[0, :, 1].max() < 1.8


def test_people_say_in_short_what_they_are() -> None:
    assert repr(PAIR) == "People(2 people, a pose)"
    motion = People(
        quats_xyzw=np.repeat(PAIR.quats_xyzw[:, None], 30, axis=1),
        transl=np.repeat(PAIR.transl[:, None], 30, axis=1),
        betas=PAIR.betas,
    )
    assert repr(motion) == "People(2 people, 30 frames, 3 s)"


def test_without_the_engine_other_kinds_end_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contrapose_client.people.entry_points", lambda **_: ())
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'contrapose\[engine\]'"):
        PAIR.save(tmp_path / "pair.glb")
    assert PAIR._repr_html_() == repr(PAIR)
