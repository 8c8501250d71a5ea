"""Laws of plain data: what goes in comes out, to the bit, and nothing else gets in."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.arrays import Array
from engine.body.shape import load_body
from engine.errors import InputError
from engine.session.config import SessionConfig
from engine.session.direction import ContactTarget, Direction, Mode
from engine.session.plain import packed, unpacked

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.integers(0, 99) | st.text(), inner)
        | st.lists(inner, max_size=3).map(lambda values: deque(values, maxlen=3))
    ),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_packed_comes_back(value: object) -> None:
    back = unpacked(packed(value))
    assert back == value
    assert type(back) is type(value)


@given(st.binary(max_size=64))
def test_bytes_that_nobody_packed_raise_one_kind_of_error(data: bytes) -> None:
    with suppress(InputError):
        unpacked(data)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.bool_])
def test_arrays_keep_shape_type_and_bits(dtype: type) -> None:
    array = (np.random.default_rng(0).standard_normal((3, 0, 2)) * 5).astype(dtype)
    for value in (array, array[:2], np.ones((4, 3), dtype).T, np.array(dtype(1))):
        back = unpacked(packed(value))
        assert (back.dtype, back.shape) == (value.dtype, value.shape)
        assert back.tobytes() == value.tobytes()
        assert back.flags.writeable


def test_numbers_that_are_no_numbers_keep_their_bits() -> None:
    back = unpacked(packed([np.float32(0.1), np.array([np.nan, -0.0, np.inf]), float("-inf")]))
    assert isinstance(back[0], np.float32)
    assert back[1].tobytes() == np.array([np.nan, -0.0, np.inf]).tobytes()
    assert back[2] == float("-inf")


def test_one_array_is_one_array_again() -> None:
    shared: Array = np.arange(3.0)
    first, (second, other) = unpacked(packed([shared, (shared, shared.copy())]))
    assert first is second
    assert first is not other


def test_settings_and_enums_come_back_as_their_classes() -> None:
    config = SessionConfig(horizon_frames=9)
    target = ContactTarget(partner_joint=20, player_joint=16, frame=7)
    direction = Direction(mode=Mode.PAUSED, text=np.ones(4, np.float32), contact=target)
    back = unpacked(packed({Mode.REACT: config, "direction": direction}))
    assert back[Mode.REACT] == config
    assert back["direction"].mode is Mode.PAUSED
    assert back["direction"].contact == target
    body = load_body()
    np.testing.assert_array_equal(unpacked(packed(body)).template, body.template)


@dataclass
class Stranger:
    value: int


@pytest.mark.parametrize("value", [Stranger(1), print, Path("/"), object(), 2**70])
def test_what_is_not_ours_is_refused(value: object) -> None:
    with pytest.raises((TypeError, OverflowError)):
        packed(value)


@pytest.mark.parametrize(
    "name",
    [
        "os:system",
        "engine.session.plain:importlib",
        "engine.cli:main",
        "engine.errors:InputError",
        "engine.no:A",
    ],
)
def test_a_name_that_is_no_class_of_ours_is_refused(name: str) -> None:
    import msgpack

    data = msgpack.packb(msgpack.ExtType(5, msgpack.packb([name, {}])))
    with pytest.raises(InputError):
        unpacked(data)
