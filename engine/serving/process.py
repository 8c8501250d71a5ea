"""A server as a process: the line that says it is ready, and what tells it to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

READY = "listening on "
"""What `contrapose serve` prints, before its address, once it accepts sessions."""
PAGE = "page on "
"""And on the next line, before the address of its page, if it has one."""


def stop_event(*, on_eof: bool) -> asyncio.Event:
    """Set by SIGTERM, by SIGINT and, with `on_eof`, by the end of standard input."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def on_readable() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            stop.set()

    if on_eof:
        loop.add_reader(sys.stdin.fileno(), on_readable)
    return stop
