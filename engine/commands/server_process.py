"""A server of one's own: `contrapose serve` in a child process, for as long as a block lasts.

Knows the command line of `serve` and its ready line; no message and no socket.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from engine.commands.engine_options import engine_flags
from engine.errors import BackendError, ContraposeError, InputError
from engine.progress import waiting
from engine.serving.process import PAGE, READY

STOP_SECONDS = 10.0
WARNING = re.compile(r"\S+ \S+ WARNING \S+: (.*)")
"""A line of its log."""


@dataclass(frozen=True, kw_only=True)
class ServerProcess:
    address: str
    pid: int
    page: str | None = None
    """Where a browser finds it; None: nowhere."""


@dataclass(frozen=True, kw_only=True)
class ServerAddress:
    """Where a server is, and what it asks for."""

    address: str
    token: str | None = None
    ca: Path | None = None
    """What its certificate is signed by; None: it does not encrypt."""
    page: str | None = None
    """Where a browser finds it, if it is ours and has one."""


@contextmanager
def running_server(args: argparse.Namespace, *, has_page: bool = False) -> Iterator[ServerAddress]:
    """The one of --server, or one of our own that ends with the block."""
    if args.server is not None:
        yield ServerAddress(address=args.server, token=_token(args.server_token), ca=args.server_ca)
        return
    if args.server_token is not None or args.server_ca is not None:
        raise InputError(
            "--server-token and --server-ca: are for --server; give it, too", field="--server"
        )
    with own_server(engine_flags(args), has_page=has_page) as server:
        yield ServerAddress(address=server.address, page=server.page)


def _token(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise InputError.at("--server-token", f"{path}: cannot be read: {exc}") from exc


@contextmanager
def own_server(flags: Sequence[str], *, has_page: bool = False) -> Iterator[ServerProcess]:
    """A server with these flags of `serve` on free loopback ports, ended with the block."""
    fixed = ["--port", "0", "--drain-seconds", "0", "--stop-on-eof"]
    fixed += ["--http-port", "0"] if has_page else ["--no-http"]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "engine.cli", "serve", *fixed, *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            with waiting("starting a server"):
                address = _ready_address(process, log)
            page = _page(process) if has_page else None
            yield ServerProcess(address=address, pid=process.pid, page=page)
        finally:
            _stop(process)
            pass_on_warnings(log)


def _ready_address(process: subprocess.Popen[str], log: IO[str]) -> str:
    """Wait for the server's ready line. Raises its error in one line if it ends instead."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(READY):
            return line.removeprefix(READY).strip()
    code = process.wait()
    log.seek(0)
    lines = [line for line in log.read().splitlines() if line.strip()] or ["it said nothing"]
    last = lines[-1].removeprefix("contrapose: error: ")
    if code == 2:
        raise ContraposeError(last)
    raise BackendError(f"the server ended with code {code} before it was ready: {last}")


def _page(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().removeprefix(PAGE).strip()


def pass_on_warnings(log: IO[str]) -> None:
    """What it warned of would otherwise go with its log."""
    log.seek(0)
    for line in log:
        if found := WARNING.match(line):
            print(f"contrapose: {found[1]}", file=sys.stderr)


def _stop(process: subprocess.Popen[str]) -> None:
    """Closing its input ends our server, even if we are killed before we get here."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
