"""A server's process is told to stop, and told of, where signals and /proc are missing, too."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.serving.process import busy_seconds, stop_event, usage_of
from tests.conftest import REPOSITORY


class LoopWithoutSignals(asyncio.SelectorEventLoop):
    """As those of Windows."""

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: Any) -> None:
        raise NotImplementedError


@pytest.fixture
def handlers() -> Iterator[None]:
    """The test process keeps its own."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("loop", [asyncio.SelectorEventLoop, LoopWithoutSignals])
def test_a_signal_stops_a_server_on_any_loop(
    number: signal.Signals, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def wait() -> None:
        stop = stop_event(on_eof=False)
        signal.raise_signal(number)
        await stop.wait()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(wait())


def test_the_end_of_its_input_stops_a_server_and_nothing_that_comes_before() -> None:
    code = (
        "import asyncio\n"
        "from engine.serving.process import stop_event\n"
        "async def main():\n"
        "    stop = stop_event(on_eof=True)\n"
        "    print('waits', flush=True)\n"
        "    await stop.wait()\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"waits\n"
        process.stdin.write(b"not the end\n")
        process.stdin.flush()
        assert process.poll() is None
        process.stdin.close()
        assert process.wait() == 0


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="this system has no /proc")
def test_usage_is_that_of_a_process() -> None:
    mine = usage_of()
    assert mine is not None
    assert mine == usage_of(os.getpid()) or mine.cpu_s > 0
    assert mine.resident_mb > 10
    assert mine.cpu_s > 0


@pytest.mark.skipif(not Path("/proc/self/schedstat").is_file(), reason="this kernel does not say")
def test_processor_time_is_counted_finely() -> None:
    before, until = busy_seconds(os.getpid()), time.thread_time() + 0.004
    while time.thread_time() < until:
        pass
    after = busy_seconds(os.getpid())
    assert before is not None
    assert after is not None
    assert after - before > 0.0035


def test_of_a_process_that_is_not_there_nothing_is_known() -> None:
    assert usage_of(2**22 + 1) is None
    assert busy_seconds(2**22 + 1) is None


def test_commands_are_listed_without_what_windows_lacks_and_without_what_takes_long() -> None:
    code = (
        "import os, sys\n"
        "del os.sysconf\n"
        "sys.modules.update(dict.fromkeys(['fcntl', 'resource', 'pwd', 'grp', 'termios']))\n"
        "from engine.cli import build_parser\n"
        "build_parser('serve').format_help()\n"
        "heavy = ['asyncio', 'grpc', 'openvino', 'engine.formats', 'starlette', 'torch', 'ssl']\n"
        "print([name for name in heavy if name in sys.modules])\n"
        "build_parser('bench').format_help()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"
