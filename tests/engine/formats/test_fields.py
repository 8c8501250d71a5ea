"""Look-ups in files: right shapes come as float64, and a mistake names file, field and wish."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import InputError
from engine.formats.fields import Archive, Fields

VALUES: dict[str, Any] = {
    "trans": np.zeros((4, 3), np.float32),
    "list": [[1, 2, 3]],
    "ragged": [[1, 2], [3]],
    "words": np.array(["a", "b", "c"]),
    "hole": np.array([[0.0, np.inf, 0.0]]),
    "none": None,
}


def test_numbers_are_float64_of_the_shape_that_was_asked_for() -> None:
    fields = Fields(Path("walk.npz"), VALUES)
    assert fields.numbers("trans", (None, 3)).dtype == np.float64
    assert fields.numbers("list", (3,), extra_axes=1).shape == (1, 3)
    assert [fields.shape(key) for key in ("trans", "ragged", "absent")] == [(4, 3), (), ()]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("absent", "is missing, or pickled; the file has trans, list"),
        ("none", "is missing, or pickled"),
        ("ragged", "is no array, its rows differ in length"),
        ("words", r"has shape \(3,\), expected \(n, 3\)"),
        ("hole", r"is not finite at index \(0, 1\)"),
    ],
)
def test_a_mistake_names_file_field_and_wish(key: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"^walk\.npz: person1\.{key} {message}") as caught:
        Fields(Path("walk.npz"), VALUES, "person1.").numbers(key, (None, 3))
    assert caught.value.field == f"person1.{key}"


@pytest.mark.parametrize("rate", [0.0, -1.0, np.array([30.0, 30.0]), 1e9])
def test_a_frame_rate_is_one_number_above_zero(rate: Any) -> None:
    with pytest.raises(InputError, match=r"expected frames a second, 0\.01"):
        Fields(Path("walk.npz"), {"fps": rate}).rate()
    assert Fields(Path("walk.npz"), {"mocap_framerate": np.array(59.94)}).rate() == 59.94


def test_pickled_extras_of_an_archive_are_left_alone(tmp_path: Path) -> None:
    extra = np.array([{"a": 1}], object)
    np.savez(tmp_path / "walk.npz", trans=np.zeros((4, 3)), extra=extra)
    assert Archive(tmp_path / "walk.npz")["extra"] is None
