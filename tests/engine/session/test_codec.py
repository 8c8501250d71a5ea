"""Laws of kinds: what is written comes back, to the bit; what else there is is refused by place."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.body.pose import Pose
from engine.errors import InputError
from engine.session.codec import (
    FLAG,
    Kind,
    array,
    entries,
    number,
    one_of,
    optional,
    packed,
    poses,
    raw,
    record,
    row,
    several,
    table,
    text,
    unpacked,
    whole,
    word,
)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Point:
    x: float
    name: str = ""

    def __post_init__(self) -> None:
        if self.x == 13:
            raise ValueError("x is 13")


POINT = record(Point, {"x": number(-100, 100), "label": text(5)}, label="name")
STAMPS = np.dtype([("number", "<i8"), ("time", "<f8")])
ALL: Kind[dict[str, Any]] = entries(
    {
        "count": whole(0, 10),
        "part": number(0, math.inf),
        "word": word("one", "two"),
        "colour": one_of(Colour),
        "bytes": raw(3),
        "flag": FLAG,
        "points": several(POINT, 3),
        "pair": row(optional(POINT), whole()),
    }
)
VALUES = st.fixed_dictionaries(
    {
        "count": st.integers(0, 10),
        "part": st.floats(0, math.inf),
        "word": st.sampled_from(["one", "two"]),
        "colour": st.sampled_from(Colour),
        "bytes": st.binary(max_size=3),
        "flag": st.booleans(),
        "points": st.lists(st.builds(Point, st.floats(-9, 9), st.text(max_size=5)), max_size=3).map(
            tuple
        ),
        "pair": st.tuples(st.none() | st.just(Point(1.0)), st.integers(-(2**40), 2**40)),
    }
)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text()
    # The kinds of real values, too, so that not all is refused at once.
    | st.sampled_from(["f8", "f4", "b1", "red", "x"])
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(list("xy")), inner),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_written_comes_back(value: dict[str, Any]) -> None:
    back = unpacked(ALL, packed(ALL, value))
    assert back == value
    assert {tag: type(part) for tag, part in back.items()} == {
        tag: type(part) for tag, part in value.items()
    }


@given(st.binary(max_size=64))
def test_bytes_that_nobody_wrote_raise_one_kind_of_error(data: bytes) -> None:
    with suppress(InputError):
        unpacked(ALL, data)


KINDS: list[Kind[Any]] = [ALL, POINT, array(None, 3), poses(2, None), table(STAMPS, {})]


@pytest.mark.parametrize("kind", KINDS)
@given(data=ANYTHING)
def test_data_of_another_shape_raise_one_kind_of_error(kind: Kind[Any], data: object) -> None:
    with suppress(InputError):
        unpacked(kind, msgpack.packb(data))


@pytest.mark.parametrize("dtype", ["<f8", "<f4", "<i8", "?"])
def test_arrays_keep_shape_type_and_bits(dtype: str) -> None:
    values = (np.random.default_rng(0).standard_normal((3, 0, 2)) * 5).astype(dtype)
    kind = array(*[None] * 3, dtypes=("f8", "f4", "i8", "b1"))
    for value in (values, values[:2], np.ones((4, 3, 2), dtype).T, np.full((1, 1, 1), -0.0, dtype)):
        back = unpacked(kind, packed(kind, value))
        assert (back.dtype, back.shape) == (value.dtype, value.shape)
        assert back.tobytes() == value.tobytes()
        assert back.flags.writeable


def test_poses_and_tables_come_back() -> None:
    pose = Pose(np.ones((2, 5, 22, 3, 3), np.float32), np.ones((2, 5, 3)))
    back = unpacked(poses(2, None), packed(poses(2, None), pose))
    assert back.rotmats.tobytes() == pose.rotmats.tobytes()
    assert back.transl.dtype == np.float64
    rows = np.array([(1, 0.5), (2, -math.inf)], STAMPS)
    kind = table(STAMPS, {"number": (0, 9), "time": (-math.inf, 1)})
    assert unpacked(kind, packed(kind, rows)).tobytes() == rows.tobytes()


GOOD: dict[str, Any] = {
    "count": 1,
    "part": 0.5,
    "word": "one",
    "colour": "red",
    "bytes": b"",
    "flag": True,
    "points": [{"x": 1.0, "label": "a"}],
    "pair": [None, 3],
}


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("count", 11),
        ("count", 2**64 - 1),
        ("count", True),
        ("count", 1.0),
        ("part", math.nan),
        ("part", "1"),
        ("word", "three"),
        ("colour", "green"),
        ("colour", []),
        ("bytes", b"1234"),
        ("flag", 1),
        ("points", None),
        ("points", [{"x": 1.0, "label": "a"}] * 4),
        ("points.0", [3]),
        ("points.0.x", [{"x": 1000.0, "label": "a"}]),
        ("points.0.label", [{"x": 1.0, "label": "abcdef"}]),
        ("points.0", [{"x": 1.0}]),
        ("points.0", [{"x": 1.0, "label": "a", "y": 1}]),
        ("points.0", [{"x": 13.0, "label": "a"}]),
        ("pair", [None]),
        ("pair.1", [None, None]),
    ],
)
def test_what_is_wrong_is_named(where: str, found: object) -> None:
    assert unpacked(ALL, msgpack.packb(GOOD))["points"] == (Point(1.0, "a"),)
    with pytest.raises(InputError) as error:
        unpacked(ALL, msgpack.packb({**GOOD, where.split(".")[0]: found}))
    assert str(error.value).startswith(f"{where}: ")
    assert "\n" not in str(error.value)


ONES = np.ones(6).tobytes()


@pytest.mark.parametrize(
    "data",
    [
        ["f8", [2, 3], ONES[1:]],
        ["f8", [3, 2], ONES],
        ["f8", [6], ONES],
        ["f8", [True, 3], ONES[:24]],
        ["f8", [2**62, 3], ONES],
        ["f8", [-2, 3], ONES],
        ["f4", [2, 3], ONES[:24]],
        ["O", [2, 3], ONES],
        ["f8", [2, 3]],
        ["f8", [1, 3], np.array([1, math.nan, 1]).tobytes()],
        ["f8", [1, 3], np.array([1, math.inf, 1]).tobytes()],
        ["f8", [1, 3], np.array([1, 1e9, 1]).tobytes()],
    ],
)
def test_arrays_of_another_shape_or_without_sense_are_refused(data: list[Any]) -> None:
    with pytest.raises(InputError):
        unpacked(array(None, 3), msgpack.packb(data))


def test_what_is_no_truth_value_is_none() -> None:
    kind = array(2, dtypes=("b1",))
    assert unpacked(kind, msgpack.packb(["b1", [2], b"\0\1"])).tolist() == [False, True]
    with pytest.raises(InputError):
        unpacked(kind, msgpack.packb(["b1", [2], b"\0\2"]))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (whole(), 1.0),
        (whole(), True),
        (number(0, 1), "a"),
        (POINT, (1.0, "a")),
        (array(3), np.zeros(4)),
        (array(3), np.zeros(3, np.complex128)),
        (array(3), np.zeros(3, object)),
    ],
)
def test_what_is_of_another_sort_is_not_written(kind: Kind[Any], value: object) -> None:
    with pytest.raises(TypeError):
        packed(kind, value)
