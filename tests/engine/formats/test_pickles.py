"""Safe pickles in .npy files; those of plain pickles are tested with the estimators' results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import InputError
from engine.formats.pickles import load_numeric_npy
from tests.data.make_motion_files import RunsACommand


def saved(folder: Path, value: Any) -> Path:
    np.save(folder / "value.npy", value)
    return folder / "value.npy"


@pytest.mark.parametrize(
    "value", [np.arange(6.0).reshape(2, 3), np.asfortranarray(np.eye(3)), np.array(["a", "b"])]
)
def test_arrays_are_read_as_they_are(tmp_path: Path, value: Any) -> None:
    np.testing.assert_array_equal(load_numeric_npy(saved(tmp_path, value)), value)


def test_a_dict_that_numpy_pickled_is_read(tmp_path: Path) -> None:
    value = {"poses": np.ones((2, 165), np.float32), "meta": {"gender": "male"}, "rate": 30}
    np.testing.assert_equal(load_numeric_npy(saved(tmp_path, value)), value)


def test_an_array_of_dicts_is_read(tmp_path: Path) -> None:
    found = load_numeric_npy(saved(tmp_path, np.array([{"a": 1}, {"a": np.zeros(2)}], object)))
    np.testing.assert_equal(found.tolist(), [{"a": 1}, {"a": np.zeros(2)}])


def test_a_command_in_an_array_is_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "was_here"
    path = saved(tmp_path, {"poses": [RunsACommand(f"touch {mark}")]})
    with pytest.raises(InputError, match=r"value\.npy: the pickle wants to use (posix|nt)\.system"):
        load_numeric_npy(path)
    assert not mark.exists()


@pytest.mark.parametrize("value", [{"poses": np.ones((2, 165))}, np.ones((2, 165))])
def test_no_cut_makes_anything_but_an_input_error(tmp_path: Path, value: Any) -> None:
    whole = saved(tmp_path, value).read_bytes()
    for size in range(0, len(whole) - 1, 37):
        (tmp_path / "value.npy").write_bytes(whole[:size])
        with pytest.raises(InputError, match=r"value\.npy: is no \.npy file, or a damaged one"):
            load_numeric_npy(tmp_path / "value.npy")
