"""The build backend: setuptools, after the stubs have been generated from the protos beside it.

Every hook of PEP 517 and 660 looks for the packages, so the stubs must be there before each.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any

from generate import generate  # type: ignore[import-not-found]  # beside us: backend-path
from setuptools import build_meta


def _after_generating(hook: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(hook)
    def run(*args: Any, **kwargs: Any) -> Any:
        generate()
        with warnings.catch_warnings():
            # It warns of folders that would hide our packages: in a checkout they are our packages.
            warnings.filterwarnings("ignore", "Editable installation")
            return hook(*args, **kwargs)

    return run


get_requires_for_build_wheel = _after_generating(build_meta.get_requires_for_build_wheel)
get_requires_for_build_editable = _after_generating(build_meta.get_requires_for_build_editable)
get_requires_for_build_sdist = _after_generating(build_meta.get_requires_for_build_sdist)
prepare_metadata_for_build_wheel = _after_generating(build_meta.prepare_metadata_for_build_wheel)
prepare_metadata_for_build_editable = _after_generating(
    build_meta.prepare_metadata_for_build_editable
)
build_wheel = _after_generating(build_meta.build_wheel)
build_editable = _after_generating(build_meta.build_editable)
build_sdist = _after_generating(build_meta.build_sdist)
