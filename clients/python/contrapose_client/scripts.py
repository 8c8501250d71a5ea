"""The end of a script: what a server refused is one line, not a traceback. Knows no message."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

from contrapose_client.errors import ServerError

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` for scripts: a ServerError, or a connection that broke, ends the program with
    its message and exit code 1."""
    try:
        return asyncio.run(work)
    except (ServerError, ConnectionError) as error:
        problem = str(error)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(f"error: {problem}")
