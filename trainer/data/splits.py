"""Splits: which clips train, which choose between runs, which are only ever measured on."""

from __future__ import annotations

import hashlib
from typing import Literal, get_args

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


def split_by_name(name: str) -> Split:
    """A split if there is no official one: 90 % train, 5 % val, 5 % test, by a hash of the name."""
    share = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) / 2**32
    return "train" if share < 0.9 else "val" if share < 0.95 else "test"
