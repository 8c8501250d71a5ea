"""Records of sessions: all of a state comes back to the bit; what no session wrote says so."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.body.canonical import CanonicalFrame
from engine.body.capsules import Capsules, fitted_capsules
from engine.body.shape import load_body
from engine.body.touch import Spot
from engine.errors import ContraposeError, InputError
from engine.motion.answers import Answer
from engine.motion.company import Companion
from engine.motion.contacts import Contact, ContactsState, Look
from engine.motion.footsteps import Foot
from engine.motion.intent import IntentNet
from engine.motion.track import Track
from engine.motion.walk import Steps
from engine.sampling.models import Models
from engine.sampling.request import WindowRequest, WindowTrace
from engine.sampling.steering import KeepAway
from engine.sampling.windows import Window
from engine.serving.resume import TOKEN, VERSION
from engine.session import records
from engine.session.asking import Expected, UnderWay, WindowsState
from engine.session.codec import Kind, packed, read_as, unpacked
from engine.session.config import SessionConfig
from engine.session.direction import (
    ContactTarget,
    Direction,
    Mode,
    PlaceTarget,
    PoseTarget,
    TargetEvent,
)
from engine.session.manners import Intent, MannersState
from engine.session.plan import Frames, KnownAhead, PlanState
from engine.session.player import PlayerStamp, PlayerState
from engine.session.recording import FORMAT, SUFFIX, RecordedSession, Recorder
from engine.session.records import BEGINNING, CALL, CHUNK, STATE
from engine.session.replay import read_recording, replayed
from engine.session.responding import Offer
from engine.session.session import Chunk, Session
from engine.session.state import SessionState
from engine.session.targets.pursuit import Pursuit, Touch, Walk
from engine.testing import noisy_windows
from tests.builders import REST, player_at
from tests.engine.broken import OTHERS, changed, places_in
from tests.engine.playing import answer

DATA = Path(__file__).parents[2] / "data" / "records"
BODY = load_body()
CAPSULES = (fitted_capsules(BODY, np.zeros(10)), fitted_capsules(BODY, 0.5 * np.ones(10)))
SAMPLE = noisy_windows(0.04)


class Played:
    """A session that is asked for much, and all that came of it."""

    def __init__(self, config: SessionConfig) -> None:
        self.session = Session(config, rest_joints=REST, seed=2, capsules=CAPSULES)
        self.came: list[bytes] = []

    def put_away(self) -> None:
        """And take it up again, from bytes."""
        data = packed(STATE, self.session.state())
        self.session = Session.restored(unpacked(STATE, data), rest_joints=REST, capsules=CAPSULES)

    def run(self, frames: range, put_away: Callable[[], bool] = lambda: False) -> None:
        for frame in frames:
            for step in (self._feed, self._answer, self._direct, self._tick):
                if put_away():
                    self.put_away()
                step(frame)

    def _feed(self, frame: int) -> None:
        self.session.feed(frame / 10, player_at(frame / 10))

    def _answer(self, frame: int) -> None:
        for wanted in self.session.wanted:
            if wanted.ticket % 7 == 6:
                self.session.fail(wanted.ticket)
            elif wanted.ticket % 3 < frame % 3:
                answer(self.session, wanted, SAMPLE)

    def _direct(self, frame: int) -> None:
        change = CHANGES.get(frame)
        if change is not None:
            self.session.direct(change(frame))
        if frame == 48:
            self.session.update(replace(self.session.config, zone_radius=0.3))

    def _tick(self, frame: int) -> None:
        tick = self.session.tick(frame / 10 + 0.01)
        if tick.chunk is not None:
            self.came.append(packed(CHUNK, tick.chunk))
        self.came += [repr((w.ticket, w.deadline)).encode() for w in tick.wanted]
        self.came += [wanted.request.known.tobytes() for wanted in tick.wanted]
        self.came.append(repr((tick.frame, tick.events, self.session.status())).encode())


def a_place(frame: int) -> Direction:
    return Direction(place=PlaceTarget(position=np.array([1.5, 0.0, 1.0]), heading=0.3))


def a_touch(frame: int) -> Direction:
    contact = ContactTarget(partner_joint=20, player_joint=16, frame=frame + 8)
    return Direction(contact=contact, text=np.ones(8, np.float32), energy=1.2)


def two_poses(frame: int) -> Direction:
    poses = (
        PoseTarget(frame=frame + 12, partner=player_at(1.0)),
        PoseTarget(frame=frame + 25, partner=player_at(1.2), player=player_at(0.5)),
    )
    return Direction(mode=Mode.INBETWEEN, poses=poses)


CHANGES: dict[int, Callable[[int], Direction]] = {
    8: a_touch,
    22: a_place,
    30: two_poses,
    40: lambda _: Direction(mode=Mode.FOLLOW_PLAN),
    52: lambda _: Direction(mode=Mode.PAUSED),
    57: lambda _: Direction(),
}
CONFIG = SessionConfig(
    steps=4, warm_steps=2, departure_threshold=0.01, start_distance=0.8, horizon_frames=26
)


@pytest.fixture(scope="module")
def whole() -> list[bytes]:
    """What comes of a session that is never put away."""
    played = Played(CONFIG)
    played.run(range(66))
    assert len(played.came) > 100
    return played.came


@given(st.integers(0, 1000))
@settings(max_examples=6)
def test_a_session_that_is_restored_at_any_time_goes_on_to_the_bit(
    whole: list[bytes], seed: int
) -> None:
    rng = random.Random(seed)
    played = Played(CONFIG)
    played.run(range(66), put_away=lambda: rng.random() < 0.2)
    assert played.came == whole


def test_a_session_goes_on_from_its_state_in_memory_and_leaves_it_as_it_is() -> None:
    played = Played(CONFIG)
    played.run(range(20))
    state = played.session.state()
    before = packed(STATE, state)
    played.run(range(20, 30))
    came = played.came[:]
    again = Played(CONFIG)
    again.session = Session.restored(state, rest_joints=REST, capsules=CAPSULES)
    again.run(range(20, 30))
    assert again.came == came[-len(again.came) :]
    assert packed(STATE, state) == before


# ------------------------------------------------------------------------------------- the schema
@pytest.mark.parametrize(
    ("name", "told"),
    [
        (f"recording-{FORMAT}", f"{BEGINNING.told}\n{CALL.told}\n"),
        (f"token-{VERSION}", f"{TOKEN.told}\n"),
    ],
)
def test_a_format_is_what_it_was(name: str, told: str) -> None:
    """Another schema is another format: raise its number, and store the new one beside the old
    (`python -m tests.engine.session.test_records`)."""
    assert (DATA / f"{name}.txt").read_text() == told


RECORDS = {
    "CONFIG": SessionConfig,
    "DIRECTION": Direction,
    "CONTACT_TARGET": ContactTarget,
    "PLACE_TARGET": PlaceTarget,
    "POSE_TARGET": PoseTarget,
    "EVENT": TargetEvent,
    "PLAYER_STAMP": PlayerStamp,
    "PLAYER": PlayerState,
    "FRAMES": Frames,
    "PLAN": PlanState,
    "SPOT": Spot,
    "STEPS": Steps,
    "WALK": Walk,
    "TOUCH": Touch,
    "PURSUIT": Pursuit,
    "INTENT": Intent,
    "ANSWER": Answer,
    "OFFER": Offer,
    "FOOT": Foot,
    "COMPANION": Companion,
    "MANNERS": MannersState,
    "INTENT_NET": IntentNet,
    "TRACK": Track,
    "KEEP_AWAY": KeepAway,
    "CANONICAL": CanonicalFrame,
    "REQUEST": WindowRequest,
    "WINDOW": Window,
    "AHEAD": KnownAhead,
    "UNDER_WAY": UnderWay,
    "EXPECTED": Expected,
    "WINDOWS": WindowsState,
    "TRACE": WindowTrace,
    "CONTACT": Contact,
    "LOOK": Look,
    "CONTACTS": ContactsState,
    "STATE": SessionState,
    "CAPSULES": Capsules,
    "CHUNK": Chunk,
}
MADE_AGAIN = {"rest_joints", "far", "_made", "_coming", "curls", "cover"}


@pytest.mark.parametrize("name", RECORDS)
def test_no_attribute_is_forgotten(name: str) -> None:
    """Each has a tag, but for those of a session's body, of a cache, and of what frames tell or
    what works out another."""
    kind: Kind[Any] = getattr(records, name)
    tags = re.findall(r"^  (\w+):", kind.told, re.MULTILINE)
    attributes = {field.name for field in fields(RECORDS[name])}
    assert all(tag in attributes or hasattr(RECORDS[name], tag) for tag in tags)
    assert attributes - set(tags) <= MADE_AGAIN


# ------------------------------------------------------------------------------------ broken input
@cache
def plain() -> Any:
    """A session in the midst of it, as msgpack has it."""
    played = Played(CONFIG)
    played.run(range(33))
    assert played.session.wanted
    state = played.session.state()
    beginning = {"rest_joints": REST, "capsules": CAPSULES, "intent": None, "state": state}
    return msgpack.unpackb(packed(BEGINNING, beginning))


@given(st.data())
@settings(max_examples=200)
def test_a_state_that_was_changed_anywhere_is_refused_or_runs(data: st.DataObject) -> None:
    """Whatever it says, nothing else is raised, and it takes neither long nor much."""
    place = data.draw(st.sampled_from(list(places_in(plain()))))
    other = data.draw(st.sampled_from(OTHERS))
    with suppress(ContraposeError):
        beginning = read_as(BEGINNING, changed(plain(), place, other))
        _run_on(beginning["state"])


def _run_on(state: SessionState) -> None:
    session = Session.restored(state, rest_joints=REST, capsules=CAPSULES)
    with np.errstate(all="ignore"):
        for wanted in session.wanted:
            answer(session, wanted, SAMPLE)
        for frame in (33, 34):
            session.feed(frame / 10 + 0.001, player_at(frame / 10))
            session.tick(frame / 10 + 0.01)


@pytest.mark.parametrize(
    "record",
    [
        None,
        [],
        ["feed"],
        ["jump", []],
        [3, []],
        ["feed", [0.0, [["f8", [22, 3, 3], b""], ["f8", [3], bytes(24)]]]],
        ["tick", [float("nan"), None, []]],
        ["tick", [1e300, None, []]],
        ["accept", [0, {"condition": [10**9, 0], "denoiser": []}, bytes(16)]],
        ["accept", [0, None, bytes(17)]],
        ["fail", [-1]],
        ["end", [1]],
    ],
)
def test_a_record_that_is_no_call_is_refused(record: Any) -> None:
    with pytest.raises(InputError):
        unpacked(CALL, msgpack.packb(record))


# ------------------------------------------------------------------------------- what was written
def a_recording(folder: Path) -> Path:
    """Of a session of a tenth of a second."""
    session = Session(SessionConfig(horizon_frames=4, commit_frames=1), rest_joints=REST, seed=2)
    recorder = Recorder(folder, about={"engine_version": "0"})
    recorded = RecordedSession(session, recorder.tape("a", {}))
    recorded.feed(0.0, player_at(0.0))
    recorded.tick(0.0)
    recorded.fail(0)
    recorded.direct(Direction(mode=Mode.PAUSED))
    recorded.close()
    recorder.close()
    (path,) = folder.glob(f"*{SUFFIX}")
    return path


def test_a_recording_of_this_format_is_read_and_runs(models: Models) -> None:
    """It was written elsewhere: other bits of its frames are no fault of the format."""
    recording = read_recording(DATA / f"recording-{FORMAT}{SUFFIX}")
    assert [call[0] for call in recording.calls] == ["feed", "tick", "fail", "direct", "end"]
    assert replayed(recording, models).frames > 0


if __name__ == "__main__":
    DATA.mkdir(exist_ok=True)
    (DATA / f"recording-{FORMAT}.txt").write_text(f"{BEGINNING.told}\n{CALL.told}\n")
    (DATA / f"token-{VERSION}.txt").write_text(f"{TOKEN.told}\n")
    with TemporaryDirectory() as made:
        a_recording(Path(made)).rename(DATA / f"recording-{FORMAT}{SUFFIX}")
