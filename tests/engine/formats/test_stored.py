"""Archives that are written by us and read by everybody."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from engine.formats.stored import archive_of

ARRAYS = st.dictionaries(
    st.text("abcdefgh_", min_size=1, max_size=12),
    arrays.arrays(
        st.sampled_from(["<f4", "<f8", "<i8", "|b1", "<U5"]),
        arrays.array_shapes(min_dims=0, min_side=0, max_side=5),
    ),
    max_size=6,
)


@given(ARRAYS)
def test_numpy_and_zipfile_read_what_was_put_in(stored: Mapping[str, npt.NDArray[Any]]) -> None:
    written = archive_of(stored)
    with zipfile.ZipFile(io.BytesIO(written)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"{name}.npy" for name in stored]
    with np.load(io.BytesIO(written)) as found:
        assert list(found) == list(stored)
        for name, array in stored.items():
            assert found[name].dtype == array.dtype
            np.testing.assert_array_equal(found[name], array)


def test_an_array_in_any_order_of_memory_is_the_same_bytes() -> None:
    array = np.arange(24.0).reshape(2, 3, 4)
    turned = np.asfortranarray(array)
    assert archive_of({"a": array}) == archive_of({"a": turned})
    assert archive_of({"a": array[:, ::2]}) == archive_of({"a": array[:, ::2].copy()})
