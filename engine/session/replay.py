"""Replay: a recorded session run again, and whether it does the same, bit for bit.

Reads what `recording.py` writes. Knows sessions and the sampler's models; no socket and no server.
Every call into the session is made again with what it was given; every window is denoised again by
the bundle's graphs, its row standing in each call where it stood then.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, get_args

import msgpack
import numpy as np

from engine.backends.protocol import Precision
from engine.body.rotations import geodesic_angle
from engine.body.skeleton import JOINT_NAMES
from engine.errors import ConfigError, ContraposeError, InputError
from engine.sampling.models import Models
from engine.sampling.request import SampledWindow, WindowTrace
from engine.sampling.sampler import sample_again
from engine.session.codec import (
    Kind,
    optional,
    packed,
    read_as,
    record,
    several,
    text,
    unpacked,
    whole,
    word,
)
from engine.session.plan import Frames
from engine.session.recording import FORMAT, SUFFIX, digest
from engine.session.records import BEGINNING, CALL, CHUNK, MOST_PLACES
from engine.session.session import Chunk, Session

logger = logging.getLogger(__name__)

MOST_OF_ABOUT = 10_000
"""Things in a list or map of what a file says about itself."""
PEOPLE = ("player", "partner")


# ------------------------------------------------------------------------------------------ reading
@dataclass(frozen=True, kw_only=True)
class RecordingFile:
    """A file of a recorded session.

    about      what was recorded, and how it was computed
    beginning  of BEGINNING: the session when the file begins
    calls      of CALL, as `RecordedSession` puts them
    is_cut     whether the last record is incomplete: the server was killed, or still writes
    """

    path: Path
    about: dict[str, Any]
    beginning: dict[str, Any]
    calls: list[tuple[Any, ...]]
    is_cut: bool

    def made_with(self) -> MadeWith:
        """Raises InputError if that is not in the file."""
        about = {tag: value for tag, value in self.about.items() if tag in _MADE_WITH}
        try:
            return read_as(MADE_WITH, about)
        except InputError as exc:
            raise InputError(f"{self.path}: {exc}", field="recording") from exc


@dataclass(frozen=True, kw_only=True)
class MadeWith:
    """What decides the bits of windows."""

    bundle: str
    bundle_digest: str
    bundle_path: str
    backend: str
    device: str
    precision: Precision
    threads: int | None
    buckets: tuple[int, ...]


_WORD, _ROWS = text(200), whole(1, MOST_PLACES)
_MADE_WITH: dict[str, Kind[Any]] = {
    "bundle": _WORD,
    "bundle_digest": _WORD,
    "bundle_path": text(4096),
    "backend": _WORD,
    "device": _WORD,
    "precision": word(*get_args(Precision)),
    "threads": optional(_ROWS),
    "buckets": several(_ROWS, 100),
}
MADE_WITH = record(MadeWith, _MADE_WITH)


def recordings_in(path: Path) -> list[Path]:
    """The files of a folder in order, or the one file. Raises InputError for an empty folder."""
    found = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]
    if not found:
        raise InputError(f"{path}: holds no {SUFFIX} file", field="recording")
    return found


def read_recording(path: Path) -> RecordingFile:
    """Raises InputError, which names the file, if it is no recording, or one of another format."""
    try:
        with path.open("rb") as file:
            parts, is_cut = _parts(file)
    except OSError as exc:
        raise InputError(f"{path}: cannot be read: {exc.strerror}", field="recording") from exc
    about = parts[0] if parts else None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise InputError(
            f"{path}: no recording of format {FORMAT}; {_of_what(about)}", field="recording"
        )
    if len(parts) < 2:
        raise InputError(f"{path}: ends before the session begins", field="recording")
    kinds: list[Kind[Any]] = [BEGINNING, *[CALL] * (len(parts) - 2)]
    records = []
    for number, (kind, part) in enumerate(zip(kinds, parts[1:], strict=True)):
        try:
            records.append(unpacked(kind, part))
        except InputError as exc:
            raise InputError(f"{path}: record {number}: {exc}", field="recording") from exc
    return RecordingFile(
        path=path, about=about, beginning=records[0], calls=records[1:], is_cut=is_cut
    )


def _of_what(about: object) -> str:
    """What to do with a file of another format."""
    if not isinstance(about, dict) or type(about.get("format")) is not int:
        return "made by `contrapose serve --record`?"
    version = str(about.get("engine_version"))[:40]
    return f"replay it with the version that recorded it, {version!r}"


def _parts(file: IO[bytes]) -> tuple[list[Any], bool]:
    """All whole msgpack objects of a file, and whether something follows that is not whole."""
    unpacker = msgpack.Unpacker(
        file,
        max_buffer_size=0,
        max_array_len=MOST_OF_ABOUT,
        max_map_len=MOST_OF_ABOUT,
        max_ext_len=0,
    )
    parts, end = [], 0
    try:
        for part in unpacker:
            parts.append(part)
            end = unpacker.tell()
    except (ValueError, TypeError):  # no msgpack: what was read so far counts
        return parts, True
    return parts, end < os.fstat(file.fileno()).st_size


# ---------------------------------------------------------------------------------------- replaying
@dataclass(frozen=True, kw_only=True)
class Difference:
    """The first thing that came out otherwise.

    frame, joint, amount  of the first frame that differs: radians of a joint, metres of `transl`;
                          None where no pose differs
    """

    what: str
    frame: int | None = None
    person: str | None = None
    joint: str | None = None
    amount: float | None = None


@dataclass(frozen=True, kw_only=True)
class ReplayReport:
    calls: int
    frames: int
    """Frames sent, compared bit for bit; those that were sent again count again."""
    windows: int
    """Windows denoised again and compared bit for bit."""
    difference: Difference | None


def replayed(recording: RecordingFile, models: Models) -> ReplayReport:
    """Run a recording again, up to its end or the first frame that differs.

    models  of the same bundle, backend, precision and device: else all will differ
    Raises InputError, which names the file, for a window of which was not written down how it was
    computed, and for calls that no session ever answered.
    """
    replay = None
    try:
        with np.errstate(all="ignore"):
            replay = _Replay(recording, models)
            for call in recording.calls:
                replay.run(call)
                if replay.difference is not None:
                    break
    except (InputError, ConfigError) as exc:
        raise InputError(f"{recording.path}: {exc}", field="recording") from exc
    except (ArithmeticError, AssertionError, LookupError, TypeError, ValueError) as exc:
        calls = 0 if replay is None else replay.calls
        problem = " ".join(f"{type(exc).__name__}: {exc}".split())
        what = f"call {calls} cannot be made again: {problem}"
        raise InputError(f"{recording.path}: {what}", field="recording") from exc
    return ReplayReport(
        calls=replay.calls,
        frames=replay.frames,
        windows=replay.windows,
        difference=replay.difference or replay.window_difference,
    )


class _Replay:
    """A session on its second run."""

    def __init__(self, recording: RecordingFile, models: Models) -> None:
        beginning = recording.beginning
        self._session = Session.restored(
            beginning["state"],
            rest_joints=beginning["rest_joints"],
            capsules=beginning["capsules"],
            intent=beginning["intent"],
        )
        self._models = models
        self.calls = self.frames = self.windows = 0
        self.difference: Difference | None = None
        self.window_difference: Difference | None = None
        """Kept until a frame shows it; a window may be replaced before any of it is sent."""
        self._answers: dict[str, Callable[..., object]] = {
            "feed": self._session.feed,
            "update": self._session.update,
            "direct": self._session.direct,
            "confirm": self._session.confirm,
            "fail": self._session.fail,
            "accept": self._accept,
            "tick": self._tick,
            "plan_again": self._plan_again,
            "end": self._session.close,
        }

    def run(self, call: tuple[Any, ...]) -> None:
        name, *arguments = call
        self.calls += 1
        try:
            self._answers[name](*arguments)
        except InputError:
            raise  # nobody raised that the first time
        except ContraposeError as error:
            logger.debug("call %d, %s: %s", self.calls, name, error)  # as the first time

    def _accept(self, ticket: int, trace: WindowTrace | None, recorded: bytes) -> None:
        asked = [wanted for wanted in self._session.wanted if wanted.ticket == ticket]
        if trace is None or not asked:
            raise InputError(f"window {ticket}: was not written down how it was computed")
        x0 = sample_again(self._models, asked[0].request, trace)
        self.windows += 1
        if digest(x0) != recorded and self.window_difference is None:
            self.window_difference = Difference(what=f"window {ticket + 1}")
        self._session.accept(ticket, SampledWindow(x0=x0, trace=trace))

    def _tick(self, now: float, recorded: Chunk | None, tickets: tuple[int, ...]) -> None:
        tick = self._session.tick(now)
        self._compare(tick.chunk, recorded)
        found = tuple(wanted.ticket for wanted in tick.wanted)
        if self.difference is None and found != tickets:
            what = f"windows asked for at frame {tick.frame}: {found}, recorded {tickets}"
            self.difference = Difference(what=what, frame=tick.frame)

    def _plan_again(self, recorded: Chunk) -> None:
        self._compare(self._session.plan_again(), recorded)

    def _compare(self, chunk: Chunk | None, recorded: Chunk | None) -> None:
        if chunk is None or recorded is None:
            if chunk is not None:
                self.difference = Difference(
                    what="a chunk, and none was recorded", frame=chunk.frames.first
                )
            elif recorded is not None:
                self.difference = Difference(
                    what="no chunk, and one was recorded", frame=recorded.frames.first
                )
            return
        frames, before = chunk.frames, recorded.frames
        same = _same_frames(frames, before)
        self.frames += same
        if same < min(len(frames), len(before)):
            self.frames += 1
            self.difference = _frame_difference(frames, before, same)
        elif len(frames) != len(before):
            self.difference = Difference(what="the length of a chunk", frame=frames.first)
        elif packed(CHUNK, chunk) != packed(CHUNK, recorded):
            self.difference = Difference(what="revision or contacts", frame=frames.first)


def _same_frames(frames: Frames, before: Frames) -> int:
    """How many frames are the same, all bits of them, until the first that is not."""
    count = min(len(frames), len(before))
    return next((row for row in range(count) if _bits(frames, row) != _bits(before, row)), count)


def _bits(frames: Frames, row: int) -> tuple[int, bytes, bytes, bytes]:
    pair = frames.pose[:, row]
    return (
        frames.first,
        pair.rotmats.tobytes(),
        pair.transl.tobytes(),
        frames.labels[row].tobytes(),
    )


def _frame_difference(frames: Frames, before: Frames, row: int) -> Difference:
    """The first joint of two frames whose bits are not the same, and by how much."""
    index = frames.first + row
    if frames.first != before.first:
        return Difference(what=f"frame {before.first} was recorded", frame=index)
    for person, name in enumerate(PEOPLE):
        now, then = frames.pose[person, row], before.pose[person, row]
        if now.transl.tobytes() != then.transl.tobytes():
            off = float(np.linalg.norm(now.transl - then.transl))
            return Difference(what="a pose", frame=index, person=name, joint="transl", amount=off)
        for joint, joint_name in enumerate(JOINT_NAMES):
            if now.rotmats[joint].tobytes() != then.rotmats[joint].tobytes():
                return Difference(
                    what="a pose",
                    frame=index,
                    person=name,
                    joint=joint_name,
                    amount=float(geodesic_angle(now.rotmats[joint], then.rotmats[joint])),
                )
    return Difference(what="quality, window or stamp of a frame", frame=index)
