"""A folder of compiled graphs that may vanish, rot or fill up without anyone noticing.

OpenVINO's own cache (CACHE_DIR) loads a blob whose weights were altered on disk and computes
nonsense with it (measured with 2026.4), so ours keeps a SHA-256 with each blob. A cache is never
needed: whatever goes wrong with it is a warning, and the graph is compiled again.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import tempfile
from pathlib import Path

logger = logging.getLogger(__name__)

LIMIT_BYTES = 4 << 30
"""Blobs used longest ago are removed beyond this: each export of a bundle leaves its own behind."""
_DIGEST_BYTES = hashlib.sha256().digest_size


class BlobCache:
    """Blobs by key, each in a file that begins with the SHA-256 of the rest."""

    def __init__(self, folder: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes

    def get(self, key: str) -> bytes | None:
        """The blob of that key, or None when it is absent or damaged."""
        path = self._path(key)
        try:
            content = path.read_bytes()
            os.utime(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            logger.warning("cache %s cannot be read (%s): compiling instead", path, error)
            return None
        digest, blob = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if hashlib.sha256(blob).digest() != digest:
            logger.warning("cache %s is damaged: compiling again", path)
            return None
        return blob

    def put(self, key: str, blob: bytes) -> None:
        """Keep a blob; readers see the whole of it or nothing."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._write(self._path(key), hashlib.sha256(blob).digest() + blob)
            self._prune()
        except OSError as error:
            logger.warning(
                "cache %s cannot be written (%s): graphs are compiled at each start",
                self._folder,
                error,
            )

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.blob"

    def _write(self, path: Path, content: bytes) -> None:
        handle, temporary = tempfile.mkstemp(dir=self._folder, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            os.replace(temporary, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise

    def _prune(self) -> None:
        blobs = sorted(
            ((p.stat(), p) for p in self._folder.glob("*.blob")), key=lambda pair: pair[0].st_mtime
        )
        total = sum(stat.st_size for stat, _ in blobs)
        for stat, path in blobs[:-1]:
            if total <= self._limit_bytes:
                return
            path.unlink(missing_ok=True)
            total -= stat.st_size
