"""TOML files of strangers: their tables, or one line that names the file. Knows no key."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from engine.errors import ContraposeError

MAX_BYTES = 64 * 2**10
"""A key of many dots takes time with the square of their number."""


def read_toml(path: Path, error: type[ContraposeError], field: str | None = None) -> dict[str, Any]:
    """The tables of a file; raises an `error` that names it and says what is wrong."""
    try:
        content = path.read_bytes()
        if len(content) > MAX_BYTES:
            raise error(f"{path}: is larger than {MAX_BYTES >> 10} KiB", field=field)
        return tomllib.loads(content.decode())
    except OSError as exc:
        raise error(
            f"{path}: cannot be read ({exc.strerror}); name a TOML file", field=field
        ) from exc
    except (ValueError, RecursionError) as exc:
        raise error(f"{path}: is no TOML file: {exc}", field=field) from exc
