"""A cache folder keeps what fits and never hands out what it did not store."""

from __future__ import annotations

import os
from pathlib import Path

from engine.backends.cache import BlobCache


def test_a_blob_comes_back_as_it_went_in(tmp_path: Path) -> None:
    cache = BlobCache(tmp_path)
    cache.put("a", b"graph")
    assert cache.get("a") == b"graph"
    assert cache.get("b") is None


def test_the_blobs_used_longest_ago_make_room(tmp_path: Path) -> None:
    cache = BlobCache(tmp_path, limit_bytes=3 * 132)  # each takes its 100 bytes and a digest
    for age, key in enumerate(("old", "used", "young")):
        cache.put(key, bytes(100))
        os.utime(tmp_path / f"{key}.blob", (age, age))
    assert cache.get("old") is not None  # used again, so no longer the oldest
    cache.put("new", bytes(100))
    assert {p.stem for p in tmp_path.iterdir()} == {"old", "young", "new"}


def test_one_blob_over_the_limit_is_kept(tmp_path: Path) -> None:
    cache = BlobCache(tmp_path, limit_bytes=10)
    cache.put("large", bytes(100))
    assert cache.get("large") == bytes(100)
