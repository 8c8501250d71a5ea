"""A process of a server: what it says, what tells it to stop, what it uses, on any system.

The only module that knows what Linux, macOS and Windows do differently about processes. Knows no
socket and nothing of what is served.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

READY = "listening on "
"""What `contrapose serve` prints, before its address, once it accepts sessions."""
PAGE = "page on "
"""And on the next line, before the address of its page, if it has one."""


def stop_event(*, on_eof: bool) -> asyncio.Event:
    """Set by SIGTERM, by SIGINT and, with `on_eof`, by the end of standard input."""
    import asyncio  # not for those who want a name of this module alone

    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def tell(*_: object) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows: its loops know no signals
            signal.signal(number, tell)

    def read_to_the_end() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        tell()

    if on_eof:  # a thread, as no loop of Windows waits for a pipe
        threading.Thread(target=read_to_the_end, name="contrapose-stdin", daemon=True).start()
    return stop


def own_group() -> dict[str, Any]:
    """Arguments for a child that Ctrl-C is not for: it is told by us."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


@dataclass(frozen=True, kw_only=True)
class Usage:
    """A process's resident megabytes, and seconds of processor time since it began."""

    resident_mb: float
    cpu_s: float


def usage_of(pid: int | None = None) -> Usage | None:
    """What a process uses, this one by default; None if it has gone, or where there is no /proc."""
    process = Path("/proc/self" if pid is None else f"/proc/{pid}")
    try:
        resident_pages = int((process / "statm").read_text().split()[1])
        after_name = (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    user, system = int(after_name[11]), int(after_name[12])
    return Usage(
        resident_mb=resident_pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        cpu_s=(user + system) / os.sysconf("SC_CLK_TCK"),
    )


def busy_seconds(pid: int) -> float | None:
    """Processor time of a process's threads, to the nanosecond where `usage_of` counts hundredths.
    None if it has gone, or where there is no /proc/PID/task/*/schedstat."""
    try:
        told = [file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    except OSError:
        return None
    return sum(int(text.split()[0]) for text in told) / 1e9 if told else None
