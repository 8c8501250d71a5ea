"""Recordings: whole, bounded, and of no concern to the session; and what runs again is the same."""

from __future__ import annotations

import logging
import resource
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.arrays import Array
from engine.body.capsules import fitted_capsules
from engine.body.shape import load_body
from engine.body.skeleton import JOINT
from engine.bundle import INTENT_FILE, STARTER
from engine.errors import ConfigError, InputError
from engine.motion.intent import load_intent
from engine.sampling.models import Models
from engine.sampling.request import SampledWindow
from engine.sampling.sampler import WindowInProgress, advance_windows, begin_windows
from engine.session.config import SessionConfig
from engine.session.direction import ContactTarget, Direction, Mode, PlaceTarget, PoseTarget
from engine.session.recording import (
    FORMAT,
    MOST_WAITING,
    SUFFIX,
    RecordedSession,
    Recorder,
    digest,
)
from engine.session.replay import (
    RecordingFile,
    ReplayReport,
    read_recording,
    recordings_in,
    replayed,
)
from engine.session.session import Session
from engine.testing import with_animator
from tests import builders
from tests.engine.broken import OTHERS, changed, places_in

BODY = load_body()
REST = BODY.rest_joints(np.zeros((2, 10)))
player_at = partial(builders.player_at, dtype=np.float32)
CAPSULES = (fitted_capsules(BODY, np.zeros(10)), fitted_capsules(BODY, np.zeros(10)))
INTENT = load_intent(STARTER / INTENT_FILE)
MADE_WITH: Mapping[str, object] = {
    "bundle": "parity",
    "bundle_digest": "0" * 64,
    "bundle_path": "parity.bundle",
    "backend": "torch",
    "device": "a processor",
    "precision": "f32",
    "threads": None,
    "buckets": [1, 2],
}
ABOUT: Mapping[str, object] = {"engine_version": "0", "bundle": "parity"}


def to_the_side() -> PlaceTarget:
    return PlaceTarget(position=np.array([2.0, 0.0, 1.0]), heading=0.3)


def a_touch() -> ContactTarget:
    wrist, shoulder = JOINT["right_wrist"], JOINT["left_shoulder"]
    return ContactTarget(partner_joint=wrist, player_joint=shoulder, frame=10**6)


class Played:
    """Sessions whose windows share denoiser calls, and are written down; every second one has the
    layers over the network."""

    def __init__(self, recorder: Recorder, models: Models, count: int = 2) -> None:
        self._models = models
        self.sessions = [
            RecordedSession(
                Session(
                    SessionConfig(
                        steps=2 + number,
                        history_frames=3,
                        guard=number % 2 == 1,
                        company=number % 2 == 1,
                        responses=number % 2 == 1,
                    ),
                    rest_joints=REST,
                    seed=number,
                    capsules=CAPSULES,
                    intent=INTENT if number % 2 == 1 else None,
                ),
                recorder.tape(f"s/{number}", {"seed": number}),
            )
            for number in range(count)
        ]
        self._under_way: list[tuple[RecordedSession, int, WindowInProgress]] = []

    def run(self, frames: range) -> None:
        for frame in frames:
            for session in self.sessions:
                session.feed(frame / 10, player_at(frame / 10))
                tick = session.tick(frame / 10 + 0.01)
                windows = begin_windows(self._models, [w.request for w in tick.wanted])
                for wanted, window in zip(tick.wanted, windows, strict=True):
                    self._under_way.append((session, wanted.ticket, window))
            advance_windows(self._models, [window for _, _, window in self._under_way])
            for session, ticket, window in self._under_way:
                if window.is_done:
                    assert window.x0 is not None
                    session.accept(ticket, SampledWindow(x0=window.x0, trace=window.trace))
            self._under_way = [entry for entry in self._under_way if not entry[2].is_done]

    def close(self) -> None:
        for session in self.sessions:
            session.close()


def recorded(folder: Path, models: Models, frames: int, *, limit_mb: int = 100) -> list[Path]:
    recorder = Recorder(folder, about=ABOUT, limit_mb=limit_mb)
    played = Played(recorder, models)
    played.run(range(frames // 2))
    first, second = played.sessions
    first.update(replace(first.config, zone_radius=0.4))
    second.direct(replace(second.direction, energy=1.2, place=to_the_side(), contact=a_touch()))
    played.run(range(frames // 2, frames))
    played.close()
    recorder.close()
    assert not recorder.is_over
    return recordings_in(folder)


def run_again(path: Path, models: Models) -> tuple[RecordingFile, ReplayReport]:
    recording = read_recording(path)
    return recording, replayed(recording, models)


# ---------------------------------------------------------------------------------------- the same
def test_a_session_that_shared_its_calls_is_the_same_when_run_alone(
    tmp_path: Path, models: Models
) -> None:
    paths = recorded(tmp_path, models, 60, limit_mb=400)
    assert len(paths) == 2
    for path in paths:
        assert path.stat().st_mode & 0o077 == 0  # of no concern to others
        recording, report = run_again(path, models)
        assert report.difference is None
        assert report.windows >= 4
        assert report.frames >= 60
        assert not recording.is_cut
        assert recording.about["session_id"] in ("s/0", "s/1")


@pytest.mark.parametrize("mode", list(Mode))
def test_every_mode_is_the_same_again(tmp_path: Path, models: Models, mode: Mode) -> None:
    recorder = Recorder(tmp_path, about=ABOUT)
    played = Played(recorder, models, 1)
    played.run(range(20))
    (session,) = played.sessions
    poses: tuple[PoseTarget, ...] = ()
    if mode is Mode.INBETWEEN:
        poses = (PoseTarget(frame=38, partner=player_at(1.0)),)
    session.direct(Direction(mode=mode, place=to_the_side(), poses=poses))
    played.run(range(20, 45))
    session.begin_file()  # the second file begins in the midst of it
    played.run(range(45, 70))
    played.close()
    recorder.close()
    paths = recordings_in(tmp_path)
    assert len(paths) == 2
    for path in paths:
        assert run_again(path, models)[1].difference is None


@pytest.mark.long
def test_every_file_of_a_long_session_runs_alone_and_the_oldest_go(
    tmp_path: Path, models: Models
) -> None:
    paths = recorded(tmp_path, models, 500, limit_mb=8)
    parts = {path.name[-len(SUFFIX) - 4 : -len(SUFFIX)] for path in paths}
    assert max(parts) > "0002"
    assert sum(path.stat().st_size for path in paths) <= 8_000_000
    reports = [run_again(path, models)[1] for path in paths]
    assert {report.difference for report in reports} == {None}
    assert sum(report.frames for report in reports) > 100


def test_no_more_is_written_than_the_limit_says_however_many_sessions_there_are(
    tmp_path: Path, models: Models, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(tmp_path, about=ABOUT, limit_mb=2)
    with caplog.at_level(logging.WARNING):
        played = Played(recorder, models, 6)
        for frame in range(0, 60, 20):
            played.run(range(frame, frame + 20))
            assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2_000_000
        played.close()
        recorder.close()
    assert not recorder.is_over
    assert len(caplog.records) == 1
    assert "2 sessions at once are as many as --record-limit holds" in caplog.text
    for path in recordings_in(tmp_path):
        assert run_again(path, models)[1].difference is None


def test_another_network_is_told_from_this_one(tmp_path: Path, models: Models) -> None:
    """The first frame and the joint that differ are named."""
    path = recorded(tmp_path, models, 30)[0]
    step = models.animator.step

    def other_step(inputs: Mapping[str, Array]) -> dict[str, Array]:
        outputs = dict(step(inputs))
        outputs["x0"] = outputs["x0"].copy()
        outputs["x0"][:, 1, 20, 3] += 1e-4
        return outputs

    difference = replayed(read_recording(path), with_animator(models, step=other_step)).difference
    assert difference is not None
    assert difference.frame is not None
    assert difference.person == "partner"
    assert difference.joint is not None
    assert difference.amount is not None
    assert 0 <= difference.amount < 0.01


def test_a_single_bit_of_a_window_is_a_difference(models: Models) -> None:
    x0 = np.zeros((2, 30, 135), np.float32)
    other = x0.copy()
    other.view(np.uint32)[1, 29, 134] = 1
    assert digest(x0) != digest(other)


# ---------------------------------------------------------------------------------------- accidents
def test_a_file_that_was_cut_anywhere_runs_up_to_there(tmp_path: Path, models: Models) -> None:
    path = recorded(tmp_path, models, 30)[0]
    whole = path.read_bytes()
    full = run_again(path, models)[1]
    for length in (len(whole) - 1, len(whole) * 3 // 4):
        path.write_bytes(whole[:length])
        recording, report = run_again(path, models)
        assert recording.is_cut
        assert report.difference is None
        assert report.calls < full.calls
    path.write_bytes(whole[:100])
    with pytest.raises(InputError):
        read_recording(path)


@pytest.mark.parametrize("data", [b"", b"no recording at all", bytes(1000)])
def test_what_is_no_recording_says_so(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / f"a{SUFFIX}"
    path.write_bytes(data)
    with pytest.raises(InputError, match="no recording"):
        read_recording(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_recording(tmp_path / "b")
    path.unlink()
    with pytest.raises(InputError, match="holds no"):
        recordings_in(tmp_path)


def test_a_file_of_another_format_says_which_version_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / f"a{SUFFIX}"
    about = {"format": 1, "engine_version": "0.3.1"}
    path.write_bytes(msgpack.packb(about) + msgpack.packb(b"x"))
    told = rf"a\.recording: no recording of format {FORMAT}; .*'0\.3\.1'"
    with pytest.raises(InputError, match=told):
        read_recording(path)


def test_a_file_that_does_not_say_how_it_was_computed_says_so(
    tmp_path: Path, models: Models
) -> None:
    recording = read_recording(recorded(tmp_path, models, 10)[0])
    with pytest.raises(InputError, match=r"recording: 'bundle_digest' is missing"):
        recording.made_with()
    told = {**MADE_WITH, "buckets": [1, 10**9]}
    with pytest.raises(InputError, match=r"recording: buckets\.1: found 1000000000"):
        replace(recording, about=told).made_with()
    assert replace(recording, about=MADE_WITH).made_with().buckets == (1, 2)


@pytest.fixture(scope="module")
def whole_file(tmp_path_factory: pytest.TempPathFactory, models: Models) -> bytes:
    return recorded(tmp_path_factory.mktemp("whole"), models, 16)[0].read_bytes()


@given(st.data())
@settings(max_examples=60)
def test_a_broken_file_is_refused_by_name_or_runs(
    whole_file: bytes, models: Models, data: st.DataObject
) -> None:
    """Bytes that flipped, pieces that are lost or come twice, records of other shapes."""
    parts = list(msgpack.Unpacker(BytesIO(whole_file), max_buffer_size=0))
    broken = bytearray(whole_file)
    match data.draw(st.sampled_from(["flip", "lose", "twice", "change"])):
        case "flip":
            at = data.draw(st.integers(0, len(broken) - 1))
            broken[at] ^= 1 << data.draw(st.integers(0, 7))
        case "lose":
            parts.pop(data.draw(st.integers(0, len(parts) - 1)))
            broken = bytearray(b"".join(map(msgpack.packb, parts)))
        case "twice":
            at = data.draw(st.integers(0, len(parts) - 1))
            parts.insert(data.draw(st.integers(0, len(parts))), parts[at])
            broken = bytearray(b"".join(map(msgpack.packb, parts)))
        case _:
            at = data.draw(st.integers(1, len(parts) - 1))
            plain = msgpack.unpackb(parts[at])
            place = data.draw(st.sampled_from(list(places_in(plain))))
            parts[at] = msgpack.packb(changed(plain, place, data.draw(st.sampled_from(OTHERS))))
            broken = bytearray(b"".join(map(msgpack.packb, parts)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{SUFFIX}"
        path.write_bytes(broken)
        error = failure(path, models)
    assert error is None or str(error).startswith(str(path))
    assert error is None or "\n" not in str(error)


def failure(path: Path, models: Models) -> InputError | None:
    try:
        run_again(path, models)
    except InputError as error:
        return error
    return None


def test_a_full_disk_ends_the_recording_and_not_the_session(
    models: Models, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The system refuses files over 400 KB, as a full disk refuses all."""
    recorder = Recorder(tmp_path, about=ABOUT)
    played = Played(recorder, models, 2)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
    try:
        with caplog.at_level(logging.WARNING):
            played.run(range(40))
            recorder.close()
            played.run(range(40, 60))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert recorder.is_over
    assert len(caplog.records) == 1
    assert "recording ends, sessions go on" in caplog.text
    assert [session.status().frame for session in played.sessions] == [59, 59]
    ran = [run_again(path, models) for path in recordings_in(tmp_path)]
    assert any(recording.is_cut for recording, _ in ran)
    assert [report.difference for _, report in ran] == [None] * len(ran)


def test_a_disk_that_is_too_slow_ends_the_recording_and_takes_no_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Thousands of megabytes at once, which no disk takes as fast as they are put."""
    recorder = Recorder(tmp_path, about=ABOUT)
    tape = recorder.tape("a", {})
    session = RecordedSession(Session(SessionConfig(), rest_joints=REST, seed=1), tape)
    megabyte = np.zeros(125_000)
    with caplog.at_level(logging.WARNING):
        for ticket in range(2 * MOST_WAITING):
            tape.put("accept", ticket, None, megabyte)
    assert recorder.is_over
    assert "too slow" in caplog.text
    session.feed(0.0, player_at(0.0))
    assert session.tick(0.0).chunk is not None
    recorder.close()


def test_a_session_that_cannot_be_written_down_goes_on(
    tmp_path: Path, models: Models, caplog: pytest.LogCaptureFixture
) -> None:
    session = Session(SessionConfig(), rest_joints=REST, seed=1)
    session.direct(Direction(text=np.zeros(3, np.complex128)))
    recorder = Recorder(tmp_path, about=ABOUT)
    with caplog.at_level(logging.WARNING):
        recorded_session = RecordedSession(session, recorder.tape("a", {}))
        recorder.close()
    recorded_session.feed(0.0, player_at(0.0))
    assert recorded_session.tick(0.0).chunk is not None
    assert recorder.is_over
    assert "recording ends, sessions go on: TypeError: an array" in caplog.text


def test_a_folder_that_cannot_be_and_a_limit_of_nothing_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"--record: .*cannot be written"):
        Recorder(tmp_path / "file" / "folder", about=ABOUT)
    with pytest.raises(ConfigError, match="--record-limit"):
        Recorder(tmp_path, about=ABOUT, limit_mb=0)


def test_what_is_asked_of_a_recorded_session_is_answered_by_the_session(
    tmp_path: Path, models: Models
) -> None:
    recorder = Recorder(tmp_path, about=ABOUT)
    played = Played(recorder, models, 1)
    played.run(range(10))
    (session,) = played.sessions
    session.direct(replace(session.direction, mode=Mode.PAUSED))
    assert session.direction.mode is Mode.PAUSED
    assert session.config.steps == 2
    assert session.state().frame == session.status().frame == 9
    recorder.close()
