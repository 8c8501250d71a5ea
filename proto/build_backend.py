"""The build backend: setuptools, after the stubs have been generated from the protos beside it."""

from __future__ import annotations

from typing import Any

from generate import generate  # type: ignore[import-not-found]  # beside us: backend-path
from setuptools import build_meta
from setuptools.build_meta import (
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]


def prepare_metadata_for_build_wheel(*args: Any, **kwargs: Any) -> str:
    generate()
    return str(build_meta.prepare_metadata_for_build_wheel(*args, **kwargs))


def prepare_metadata_for_build_editable(*args: Any, **kwargs: Any) -> str:
    generate()
    return str(build_meta.prepare_metadata_for_build_editable(*args, **kwargs))


def build_wheel(*args: Any, **kwargs: Any) -> str:
    generate()
    return str(build_meta.build_wheel(*args, **kwargs))


def build_editable(*args: Any, **kwargs: Any) -> str:
    generate()
    return str(build_meta.build_editable(*args, **kwargs))


def build_sdist(*args: Any, **kwargs: Any) -> str:
    generate()
    return str(build_meta.build_sdist(*args, **kwargs))
