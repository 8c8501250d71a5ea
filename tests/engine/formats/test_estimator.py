"""Pose estimates: upright, on the floor, placed as estimated; evil pickles are refused."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.body.pose import Pose
from engine.body.rotations import rotmat_from_axis_angle
from engine.body.shape import load_body
from engine.body.skeleton import JOINT
from engine.errors import InputError
from engine.formats.estimator import read_estimate
from engine.formats.pickles import load_numeric_pickle
from engine.motion.motion import Motion
from tests.builders import joints_of_motion
from tests.data.make_motion_files import DATA, RunsACommand, buddi_result, numpy_1_pickle

UPSIDE_DOWN = np.array([np.pi, 0.0, 0.0])


def smplestx_result() -> dict[str, Any]:
    return {
        "smplx_root_pose": UPSIDE_DOWN[None].astype(np.float32),
        "smplx_body_pose": np.full((1, 63), 0.1, np.float32),
        "smplx_shape": np.zeros((1, 10), np.float32),
        "cam_trans": np.array([[0.2, 0.1, 30.0]], np.float32),
        "focal": [np.float64(17681.9), 17681.9],
        "img_size_wh": [819, 1024],
    }


def motionx_result() -> dict[str, Any]:
    return {
        "root_pose": UPSIDE_DOWN.astype(np.float32),
        "body_pose": np.zeros(63, np.float32),
        "betas": np.zeros(10, np.float32),
        "trans": np.array([0.1, 0.2, 9.0], np.float32),
    }


def saved(folder: Path, value: Any, protocol: int = 4) -> Path:
    path = folder / "result.pkl"
    path.write_bytes(value if isinstance(value, bytes) else pickle.dumps(value, protocol))
    return path


def lowest_vertex(motion: Motion) -> float:
    poses = Pose(motion.rotmats, motion.transl)[:, 0]
    return min(
        float(load_body().vertices(poses[person], betas)[:, 1].min())
        for person, betas in enumerate(motion.betas)
    )


def assert_upright_on_the_floor(motion: Motion) -> None:
    joints = joints_of_motion(motion)[:, 0]
    assert np.all(joints[:, JOINT["head"], 1] > joints[:, JOINT["pelvis"], 1])
    assert lowest_vertex(motion) == pytest.approx(0, abs=1e-5)
    np.testing.assert_allclose(motion.transl[0, 0, [0, 2]], 0, atol=1e-6)


@pytest.mark.parametrize("result", [smplestx_result(), motionx_result(), buddi_result()])
def test_people_stand_upright_on_the_floor(tmp_path: Path, result: dict[str, Any]) -> None:
    motion = read_estimate(saved(tmp_path, result), load_body())
    assert motion.frames == 1
    assert motion.people == (2 if "humans" in result else 1)
    assert_upright_on_the_floor(motion)


def test_a_pair_stays_placed_as_estimated() -> None:
    motion = read_estimate(DATA / "pair_buddi.pkl", load_body())
    # In the camera person 1 is a metre to the right and 10 cm higher; both face the same way.
    first, second = joints_of_motion(motion)[:, 0, 0]
    np.testing.assert_allclose(second - first, [-1, 0.1, 0], atol=1e-5)
    np.testing.assert_allclose(motion.rotmats[:, 0, 0], [np.eye(3)] * 2, atol=1e-5)


def test_body_rotations_are_kept_exactly(tmp_path: Path) -> None:
    motion = read_estimate(saved(tmp_path, smplestx_result()), load_body())
    expected = rotmat_from_axis_angle(np.full((21, 3), 0.1))
    np.testing.assert_allclose(motion.rotmats[0, 0, 1:], expected, atol=1e-6)


def test_an_upright_motionx_result_is_not_turned_over(tmp_path: Path) -> None:
    upright = motionx_result() | {"root_pose": np.zeros(3, np.float32)}
    assert_upright_on_the_floor(read_estimate(saved(tmp_path, upright), load_body()))


@pytest.mark.parametrize(
    "name", ["buddi_couple", "buddi_kungfu", "motionx_dance", "smplestx_single"]
)
def test_real_estimates_stand_upright_on_the_floor(recordings_dir: Path, name: str) -> None:
    motion = read_estimate(recordings_dir / f"{name}.pkl", load_body())
    assert_upright_on_the_floor(motion)
    with (recordings_dir / f"{name}.pkl").open("rb") as file:
        raw = pickle.load(file)
    table = raw.get("humans", raw)
    pose = table["smplx_body_pose"] if "smplx_body_pose" in table else table["body_pose"]
    expected = rotmat_from_axis_angle(pose.reshape(motion.people, 21, 3).astype(np.float64))
    np.testing.assert_allclose(motion.rotmats[:, 0, 1:], expected, atol=1e-6)


# ------------------------------------------------------------------------------------------ pickles
VALUES: dict[str, Any] = {
    "matrix": np.arange(6, dtype=np.float32).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big endian": np.arange(3, dtype=">f8"),
    "whole": np.array([1, 2], np.int64),
    "scalar": np.float64(2.5),
    "text": np.array("neutral"),
    "list": [1, (2.0, np.float32(3)), {"a": np.zeros(2)}],
    "nothing": np.zeros((0, 3)),
    "objects": np.array([1, "a", None, 2.5], object),
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_numeric_pickles_of_every_protocol_load(tmp_path: Path, protocol: int) -> None:
    loaded = load_numeric_pickle(saved(tmp_path, VALUES, protocol))
    np.testing.assert_equal(loaded, VALUES)
    assert loaded["matrix"].dtype == np.float32


def test_pickles_of_numpy_1_load(tmp_path: Path) -> None:
    content = numpy_1_pickle(VALUES)
    assert b"numpy._core" not in content
    np.testing.assert_equal(load_numeric_pickle(saved(tmp_path, content)), VALUES)


class _Calls:
    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (_Calls(eval, "1"), ".eval"),
        (_Calls(getattr, "x", "encode"), ".getattr"),
        (_Calls(os.remove, "x"), ".remove"),
        (_Calls(np.load, "x"), "numpy.load"),
        (_Calls(io.open, "x"), "io.open"),
        ([{"deep": _Calls(eval, "1")}], ".eval"),
        (np.array([_Calls(eval, "1")], object), ".eval"),
        (np.zeros(2, [("a", "f4")]), "an array of |V4"),
        (Fraction(1, 2), "fractions.Fraction"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 5])
def test_whatever_is_no_number_is_refused_by_name(
    tmp_path: Path, value: Any, name: str, protocol: int
) -> None:
    with pytest.raises(InputError) as caught:
        load_numeric_pickle(saved(tmp_path, {"humans": value}, protocol))
    assert "the pickle wants to use " in str(caught.value)
    assert f"{name}; only" in str(caught.value)
    assert caught.value.reason == "UNSAFE_PICKLE"


def test_a_pickle_that_runs_a_command_runs_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "was_here"
    path = saved(tmp_path, {"humans": RunsACommand(f"touch {mark}")})
    with pytest.raises(InputError, match=r"wants to use (posix|nt)\.system; only numeric arrays"):
        read_estimate(path, load_body())
    assert not mark.exists()


def test_the_golden_evil_pickle_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"broken_evil\.pkl: the pickle wants to use posix\.system"
    ):
        read_estimate(DATA / "broken_evil.pkl", load_body())


@given(st.data())
def test_no_damaged_byte_makes_anything_but_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = bytearray(pickle.dumps(smplestx_result(), data.draw(st.sampled_from([0, 2, 4, 5]))))
    if data.draw(st.booleans()):
        del whole[data.draw(st.integers(0, len(whole) - 1)) :]
    else:
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("pkl") / "result.pkl"
    path.write_bytes(whole)
    with contextlib.suppress(InputError):
        read_estimate(path, load_body())


# -------------------------------------------------------------------------------------------- wrong
def changed(result: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {key: value for key, value in (result | changes).items() if value is not None}


@pytest.mark.parametrize(
    ("result", "field", "message"),
    [
        ([1, 2], "path", "holds a list, expected a dict"),
        ({}, "path", "holds nothing"),
        ({"a": 1}, "path", "holds a; expected humans"),
        ({"humans": 3}, "humans", "no dict"),
        ({"humans": {}}, "global_orient", "is missing"),
        (changed(smplestx_result(), cam_trans=None), "cam_trans", "is missing"),
        (changed(smplestx_result(), cam_trans=[1, 2, 3]), "cam_trans", "is a list"),
        (changed(smplestx_result(), cam_trans=np.zeros((1, 4))), "cam_trans", "expected (1, 3)"),
        (changed(smplestx_result(), smplx_shape=np.array(1.0)), "smplx_shape", "expected (1, 10)"),
        (changed(motionx_result(), betas=np.full(10, np.nan)), "betas", "not finite"),
        (changed(motionx_result(), body_pose=np.zeros((2, 63))), "body_pose", "expected (1, 63)"),
    ],
)
def test_a_wrong_result_is_named_with_file_and_key(
    tmp_path: Path, result: Any, field: str, message: str
) -> None:
    path = saved(tmp_path, result)
    with pytest.raises(InputError) as caught:
        read_estimate(path, load_body())
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert caught.value.field == field


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no pickle, or a damaged one"):
        read_estimate(saved(tmp_path, b""), load_body())
