"""Arrays into an npz archive that is not compressed: as `numpy.savez`, in a part of the time.

The same arrays are the same bytes, whenever they are written, so a hash tells whether two motions
are one. Knows arrays and the two layouts; no motion.
Source: PKWARE, "APPNOTE.TXT - .ZIP File Format Specification" 6.3.10, 4.3; NumPy's NEP 1.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

MADE_BY, NEEDED, NO_FLAGS, STORED, NO_TIME, FIRST_DAY = 20, 20, 0, 0, 0, 33
"""Version 2.0 of the format; not compressed; midnight of 1 January 1980, its first."""


def archive_of(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """An archive with a member NAME.npy an array, in their order; names are ASCII. Raises
    ValueError from 4 GiB on.

    Each member: a header, then the array's file; behind all of them a directory with every header
    again and where it is, and where the directory is.
    """
    parts: list[bytes] = []
    directory: list[bytes] = []
    at = 0
    for name, array in arrays.items():
        file = f"{name}.npy".encode("ascii")
        data = _array_header(array.dtype.str, array.shape) + array.tobytes()
        if at + len(data) >= 2**32:
            raise ValueError("arrays of 4 GiB and more do not fit into this kind of archive")
        described = struct.pack("<5H", NEEDED, NO_FLAGS, STORED, NO_TIME, FIRST_DAY)
        described += struct.pack("<3L2H", zlib.crc32(data), len(data), len(data), len(file), 0)
        parts += [b"PK\x03\x04", described, file, data]
        places = struct.pack("<3H2L", 0, 0, 0, 0, at)  # no comment, disk or attributes; the header
        directory.append(b"PK\x01\x02" + struct.pack("<H", MADE_BY) + described + places + file)
        at += 4 + len(described) + len(file) + len(data)
    size, count = sum(map(len, directory)), len(directory)
    end = b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, count, count, size, at, 0)
    return b"".join([*parts, *directory, end])


@lru_cache(maxsize=256)
def _array_header(descr: str, shape: tuple[int, ...]) -> bytes:
    header = io.BytesIO()
    fields = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, fields)
    return header.getvalue()
