"""Recordings: every call into a session and what came of it, on disk, to be run again bit for bit.

Knows sessions, files and bytes; no socket, no message and no graph. One thread writes for all
sessions; a session never waits for it, and never ends because of it. `replay.py` reads.

A file is a msgpack stream: a map for people and programs (`about`), then one byte string a record
(`records.py`): the whole session, and then every call. So every file of a long session can be run
alone, and the oldest can go.
"""

from __future__ import annotations

import hashlib
import logging
import os
import queue
import re
import secrets
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Protocol

import msgpack
import numpy as np

from engine.arrays import Array
from engine.body.pose import Pose
from engine.errors import ConfigError, SessionError
from engine.sampling.request import SampledWindow
from engine.session.codec import packed
from engine.session.config import SessionConfig
from engine.session.direction import Direction
from engine.session.records import BEGINNING, CALL, DIGEST_BYTES
from engine.session.session import Chunk, Session, SessionStatus, Tick
from engine.session.state import SessionState

logger = logging.getLogger(__name__)

FORMAT = 11
"""2 and before were written without tags."""
SUFFIX = ".recording"
MOST_WAITING = 2048
"""Records that wait for the disk, of all sessions: some seconds of many. One more, and recording
ends."""
FILES_IN_LIMIT = 64
"""A file holds that part of the limit, 1 to 16 MB, before the session begins the next."""
LEAST_FILE_BYTES, MOST_FILE_BYTES = 1_000_000, 16_000_000
LEAST_CALLS_BYTES = 100_000
"""Calls in each file, after the session's state: a second of them."""
FLUSH_SECONDS = 1.0
MEGABYTE = 1_000_000

Record = tuple[Any, ...]


# ----------------------------------------------------------------------------------------- sessions
class AnySession(Protocol):
    """A session, whether it is written down or not; what its calls do is `Session`'s to say."""

    @property
    def config(self) -> SessionConfig: ...
    @property
    def direction(self) -> Direction: ...
    def status(self) -> SessionStatus: ...
    def state(self) -> SessionState: ...
    def feed(self, time_s: float, pose: Pose) -> int: ...
    def update(self, config: SessionConfig) -> None: ...
    def direct(self, direction: Direction) -> None: ...
    def confirm(self, offer: int) -> bool: ...
    def accept(self, ticket: int, sampled: SampledWindow) -> None: ...
    def fail(self, ticket: int) -> None: ...
    def tick(self, now: float) -> Tick: ...
    def plan_again(self) -> Chunk: ...
    def close(self) -> None: ...


class RecordedSession:
    """A session whose calls are written down; in all else a `Session`."""

    def __init__(self, session: Session, tape: Tape) -> None:
        self._session = session
        self._tape = tape
        self.begin_file()

    @property
    def config(self) -> SessionConfig:
        return self._session.config

    @property
    def direction(self) -> Direction:
        return self._session.direction

    def status(self) -> SessionStatus:
        return self._session.status()

    def state(self) -> SessionState:
        return self._session.state()

    def feed(self, time_s: float, pose: Pose) -> int:
        self._tape.put("feed", time_s, pose)
        return self._session.feed(time_s, pose)

    def update(self, config: SessionConfig) -> None:
        self._tape.put("update", config)
        self._session.update(config)

    def direct(self, direction: Direction) -> None:
        self._tape.put("direct", direction)
        self._session.direct(direction)

    def confirm(self, offer: int) -> bool:
        self._tape.put("confirm", offer)
        return self._session.confirm(offer)

    def accept(self, ticket: int, sampled: SampledWindow) -> None:
        self._tape.put("accept", ticket, sampled.trace, sampled.x0)
        self._session.accept(ticket, sampled)

    def fail(self, ticket: int) -> None:
        self._tape.put("fail", ticket)
        self._session.fail(ticket)

    def tick(self, now: float) -> Tick:
        if self._tape.is_full:
            self.begin_file()
        try:
            tick = self._session.tick(now)
        except SessionError:
            self._tape.put("tick", now, None, ())
            raise
        self._tape.put("tick", now, tick.chunk, tuple(wanted.ticket for wanted in tick.wanted))
        return tick

    def plan_again(self) -> Chunk:
        chunk = self._session.plan_again()
        self._tape.put("plan_again", chunk)
        return chunk

    def close(self) -> None:
        self._tape.put("end")

    def begin_file(self) -> None:
        """What comes next begins another file, which can be run again without those before it."""
        session = self._session
        beginning = {
            "rest_joints": session.rest_joints,
            "capsules": session.capsules,
            "intent": session.intent,
            "state": session.state(),
        }
        self._tape.put("begin", beginning)


# ------------------------------------------------------------------------------------------ on disk
class Tape:
    """The recording of one session. Any one thread may put; the recorder's thread writes."""

    def __init__(self, recorder: Recorder, name: str, about: Mapping[str, Any]) -> None:
        self._recorder = recorder
        self.name = name
        self.about = about
        self.part = 0
        self.file: IO[bytes] | None = None
        self.path: Path | None = None
        self.full_at = 0
        self.is_full = False
        """Whether the next file should begin."""
        self.is_at_end = False
        """Whether all is written that counts; a step under way may still put more."""

    def put(self, *record: Any) -> None:
        """Never waits. What is put must not change any more."""
        self._recorder.put(self, record)


class Recorder:
    """Writes the tapes of all sessions into a folder, on a thread of its own. Close it.

    about     what all sessions have in common: plain numbers, texts and lists
    limit_mb  what all files in the folder may take together: the oldest go first, and sessions
              that would not fit beside those that are open are not written down
    Raises ConfigError if the folder cannot be written to, or for a limit under 1.

    Should the disk be full or too slow, recording ends with one line in the log, and sessions go
    on.
    """

    def __init__(self, folder: Path, *, about: Mapping[str, Any], limit_mb: int = 1000) -> None:
        if limit_mb < 1:
            raise ConfigError(
                f"--record-limit: {limit_mb} MB, expected at least 1", field="record_limit"
            )
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            (folder / f"probe{SUFFIX}").open("wb").close()
            (folder / f"probe{SUFFIX}").unlink()
        except OSError as exc:
            raise ConfigError(
                f"--record: {folder}: cannot be written to: {exc.strerror}", field="record"
            ) from exc
        self._folder = folder
        self._about = about
        self._limit = limit_mb * MEGABYTE
        part = self._limit // FILES_IN_LIMIT
        self._file_bytes = min(max(part, LEAST_FILE_BYTES), MOST_FILE_BYTES)
        self._tapes: set[Tape] = set()
        """That have a file open; the thread's own."""
        self._is_crowded = False
        """Whether it was said that not all sessions are written down."""
        self._queue: queue.Queue[tuple[Tape, Record] | None] = queue.Queue(MOST_WAITING)
        self.is_over = False
        self._thread = threading.Thread(target=self._run, name="contrapose-recorder", daemon=True)
        self._thread.start()

    def tape(self, session_id: str, about: Mapping[str, Any]) -> Tape:
        """For one session; about it, plain numbers, texts and lists."""
        began = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        safe = re.sub(r"[^A-Za-z0-9_.-]", "_", session_id)
        common = {**self._about, "session_id": session_id, "began": began}
        return Tape(self, f"{began}-{safe}-{secrets.token_hex(2)}", {**common, **about})

    def put(self, tape: Tape, record: Record) -> None:
        if self.is_over:
            return
        try:
            self._queue.put_nowait((tape, record))
        except queue.Full:
            self.give_up("the disk is too slow")

    def give_up(self, problem: str) -> None:
        """Record no more, in any session. Any thread."""
        if not self.is_over:
            self.is_over = True
            logger.warning("%s: recording ends, sessions go on: %s", self._folder, problem)

    def close(self) -> None:
        """Write what waits, and stop."""
        self._queue.put(None)
        self._thread.join()

    # -- the thread --------------------------------------------------------------------------------
    def _run(self) -> None:
        flushed = time.monotonic()
        while (taken := self._next()) is not None:
            try:
                if taken and not self.is_over:
                    self._write(*taken)
                if time.monotonic() - flushed > FLUSH_SECONDS:
                    flushed = time.monotonic()
                    for tape in self._tapes:
                        _file(tape).flush()
            except Exception as exc:  # the disk is full, or what was put is no record
                self.give_up(f"{type(exc).__name__}: {exc}")
            if self.is_over:
                self._close_all()
        self._close_all()

    def _next(self) -> tuple[Tape, Record] | tuple[()] | None:
        try:
            return self._queue.get(timeout=FLUSH_SECONDS)
        except queue.Empty:
            return ()

    def _write(self, tape: Tape, record: Record) -> None:
        kind = record[0]
        if tape.is_at_end:
            return
        if kind == "begin":
            data = packed(BEGINNING, record[1])
            if not self._open(tape):
                return
            tape.full_at = max(self._file_bytes * 7 // 8, len(data) + LEAST_CALLS_BYTES)
        elif kind == "accept":
            data = packed(CALL, (*record[:-1], digest(record[-1])))
        else:
            data = packed(CALL, record)
        file = _file(tape)
        file.write(msgpack.packb(data))
        tape.is_full = file.tell() > tape.full_at
        if kind == "end":
            tape.is_at_end = True
            self._close(tape)

    def _open(self, tape: Tape) -> bool:
        """Begin the tape's next file, if there may be one more."""
        self._close(tape)
        if (len(self._tapes) + 1) * self._file_bytes > self._limit:
            tape.is_at_end = True
            if not self._is_crowded:
                self._is_crowded = True
                problem = f"{len(self._tapes)} sessions at once are as many as --record-limit holds"
                logger.warning("%s: %s; others are not recorded", self._folder, problem)
            return False
        self._make_room()
        tape.path = self._folder / f"{tape.name}-{tape.part:04d}{SUFFIX}"
        tape.file = os.fdopen(os.open(tape.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")
        self._tapes.add(tape)
        tape.file.write(msgpack.packb({"format": FORMAT, "part": tape.part, **tape.about}))
        tape.part += 1
        return True

    def _make_room(self) -> None:
        """Remove the oldest files until the new one, and those that are open, can grow."""
        is_open = {tape.path for tape in self._tapes}
        room = self._limit - (len(is_open) + 1) * self._file_bytes
        closed = [path for path in self._folder.glob(f"*{SUFFIX}") if path not in is_open]
        sizes = {path: path.stat() for path in closed}
        total = sum(stat.st_size for stat in sizes.values())
        for path in sorted(closed, key=lambda path: (sizes[path].st_mtime_ns, path.name)):
            if total <= room:
                return
            total -= sizes[path].st_size
            path.unlink()

    def _close(self, tape: Tape) -> None:
        self._tapes.discard(tape)
        if tape.file is not None:
            with suppress(OSError):  # a full disk says so again
                tape.file.close()
            tape.file = None

    def _close_all(self) -> None:
        for tape in list(self._tapes):
            self._close(tape)


def _file(tape: Tape) -> IO[bytes]:
    assert tape.file is not None
    return tape.file


def digest(x0: Array) -> bytes:
    """What tells the bits of a window from any others."""
    return hashlib.sha256(np.ascontiguousarray(x0, np.float32).tobytes()).digest()[:DIGEST_BYTES]
