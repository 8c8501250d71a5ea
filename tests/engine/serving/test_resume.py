"""Tokens: what goes in comes out, as near as they promise; and no altered bit is believed."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from contrapose.v1 import interaction_pb2 as pb
from contrapose.v1 import types_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.body.capsules import fitted_capsules
from engine.body.pose import Pose, stacked
from engine.body.rotations import geodesic_angle, rotmat_from_axis_angle
from engine.body.shape import load_body
from engine.errors import ConfigError, ContraposeError, InputError, SessionError
from engine.motion.answers import Answer
from engine.motion.contacts import Contact, ContactsState
from engine.serving.resume import (
    EXPIRES_SECONDS,
    MOST_BYTES,
    SIGNATURE_BYTES,
    VERSION,
    ResumeKeys,
    StreamState,
    opened,
    packed_poses,
    random_keys,
    read_keys,
    sealed,
    unpacked_poses,
)
from engine.serving.tracked_player import calibration_from_wire
from engine.session.asking import WindowsState
from engine.session.config import SessionConfig
from engine.session.direction import ContactTarget, Direction, Mode, PlaceTarget, PoseTarget
from engine.session.manners import Intent, MannersState
from engine.session.plan import LABEL, Frames, plan_of
from engine.session.player import STAMP, PlayerStamp, PlayerState
from engine.session.responding import Offer
from engine.session.session import Session
from engine.session.state import SessionState, carried, taken_up
from engine.session.targets.pursuit import Pursuit
from tests.engine.broken import OTHERS, changed, places_in

DATA = Path(__file__).parents[2] / "data" / "records"
BODY = load_body()
REST = BODY.rest_joints(np.zeros((2, 10)))
CAPSULES = (fitted_capsules(BODY, np.zeros(10)), fitted_capsules(BODY, np.zeros(10)))
KEYS = random_keys()
ENGINE = b"this bundle and body"
MOST_ANGLE, MOST_METRES = np.radians(0.1), 0.001
Change = Callable[[bytes], bytes]


def poses(seed: int, frames: int, speed: float = 0.05, far: float = 900.0) -> Pose:
    """A body whose joints wander from anywhere, `speed` radians and metres a frame."""
    rng = np.random.default_rng(seed)
    turns = rng.uniform(-3, 3, (1, 22, 3)) + speed * rng.standard_normal((frames, 22, 3)).cumsum(0)
    places = rng.uniform(-far, far, (1, 3)) + speed * rng.standard_normal((frames, 3)).cumsum(0)
    return Pose(rotmat_from_axis_angle(turns), places)


def a_state(
    seed: int = 0,
    *,
    speed: float = 0.05,
    horizon: int = 20,
    text: str = "hug",
    far: float = 900.0,
) -> StreamState:
    config = SessionConfig(horizon_frames=horizon, steps=4, zone_radius=0.25)
    now, history = 100, 17
    player = poses(seed, history, speed, far)
    first, count = now - history + 1, history + horizon + 11
    people = stacked([poses(seed + person, 200, speed, far)[:count] for person in (1, 2)])
    labels = np.zeros(count, LABEL)
    for row in range(count):
        labels[row] = row % 3, row // 7, 4, row, row / 10
    frames = Frames(first=first, pose=people, labels=labels)
    pair = people[0, :2]
    direction = Direction(
        mode=Mode.INBETWEEN,
        text=np.ones(384, np.float32),
        energy=1.25,
        contact=ContactTarget(partner_joint=20, player_joint=16, frame=130),
        place=PlaceTarget(position=np.array([1.0, 0.0, 2.0]), heading=0.5, frame=140),
        poses=(
            PoseTarget(frame=120, partner=pair[0]),
            PoseTarget(frame=125, partner=pair[0], player=pair[1]),
        ),
    )
    contact = Contact(
        id=9,
        player_joint=16,
        partner_joint=20,
        start=98,
        end=104,
        closing_speed=0.5,
        point=np.array([1.0, 2.0, 3.0]),
        is_open=True,
    )
    session = SessionState(
        config=config,
        windows=WindowsState(seed=2**64 - 1, tickets=57, delays=(0, 1, 2), accepted=55, failed=1),
        pursuit=Pursuit(direction=direction),
        frame=now,
        revision=31,
        sent_until=now + horizon,
        floors=(0.3, -0.01),
        player=PlayerState(
            last_frame=now,
            pose=player,
            stamps=np.zeros(history, STAMP),
            stamp=PlayerStamp(400, 10.04),
            newest=player[-1],
        ),
        plan=plan_of(frames),
        manners=MannersState(
            intent=Intent(kind="wave", probability=0.9, since=95),
            answer=Answer(kind="wave", begins=98, arrives=104, apart=1.5, bearing=0.2),
            offer=Offer(number=3, kind="wave", since=95, until=105, is_confirmed=True),
            offers=3,
        ),
        contacts=ContactsState(contacts=(contact,), ids=12),
        due=(80, 10, 10),
    )
    header = pb.SessionHeader(
        calibration=types_pb2.Calibration(size=types_pb2.PlayerSize(height=1.8, arm_span=1.75))
    )
    return StreamState(
        session=session,
        session_id="mine",
        run=1_800_000_000_000_000,
        text=text,
        calibration=calibration_from_wire(header, BODY),
        partner_betas=np.linspace(-1, 1, 10).astype(np.float32),
        first_time_code=3.25,
        sequence=401,
        time_code=13.3,
    )


def assert_near(found: Pose, expected: Pose) -> None:
    assert found.transl.shape == expected.transl.shape
    assert geodesic_angle(found.rotmats, expected.rotmats).max() < MOST_ANGLE
    assert np.abs(found.transl - expected.transl).max() < MOST_METRES


def directed(state: StreamState, **changes: Any) -> StreamState:
    direction = replace(state.session.pursuit.direction, **changes)
    return replace(state, session=replace(state.session, pursuit=Pursuit(direction=direction)))


def through(state: StreamState, **changes: float) -> StreamState:
    token = sealed(KEYS, state, engine=ENGINE, now=1000.0)
    return opened(KEYS, token, engine=ENGINE, now=1000.0 + changes.get("later", 0.0), body=BODY)


# ------------------------------------------------------------------------------------- round trips
@given(st.integers(0, 10_000), st.integers(1, 60), st.sampled_from([0.0, 0.05, 3.0]))
def test_poses_come_back_within_a_tenth_of_a_degree_and_a_millimetre(
    seed: int, frames: int, speed: float
) -> None:
    some = poses(seed, frames, speed)
    back = unpacked_poses(packed_poses(some))
    assert geodesic_angle(back.rotmats, some.rotmats).max() < MOST_ANGLE
    assert np.linalg.norm(back.transl - some.transl, axis=-1).max() < MOST_METRES


def test_no_poses_are_no_poses() -> None:
    back = unpacked_poses(packed_poses(Pose(np.zeros((0, 22, 3, 3)), np.zeros((0, 3)))))
    assert (back.rotmats.shape, back.transl.shape) == ((0, 22, 3, 3), (0, 3))


@pytest.mark.parametrize("mode", [Mode.REACT, Mode.FOLLOW_PLAN])
@given(st.integers(0, 1000))
@settings(max_examples=10)
def test_a_token_holds_what_the_client_and_the_next_window_see(mode: Mode, seed: int) -> None:
    state = directed(a_state(seed), mode=mode)
    back = through(state)
    for name in ("session_id", "run", "text", "first_time_code", "sequence", "time_code"):
        assert getattr(back, name) == getattr(state, name)
    np.testing.assert_array_equal(back.partner_betas, state.partner_betas)
    was, now = carried(state.session), back.session
    for name in ("config", "frame", "revision", "sent_until", "leads_from", "floors", "due"):
        assert getattr(now, name) == getattr(was, name)
    for name in ("seed", "tickets", "delays", "accepted", "failed"):
        assert getattr(now.windows, name) == getattr(was.windows, name)
    assert (now.player.last_frame, now.player.stamp) == (was.player.last_frame, was.player.stamp)
    assert now.plan.frames.first == was.plan.frames.first
    np.testing.assert_array_equal(now.plan.frames.labels, was.plan.frames.labels)
    assert_near(now.plan.frames.pose, was.plan.frames.pose)
    assert_near(now.player.pose, was.player.pose)
    assert now.player.newest is not None
    assert was.player.newest is not None
    assert_near(now.player.newest, was.player.newest)
    for name in ("intent", "answer", "offer", "offers"):
        assert getattr(now.manners, name) == getattr(was.manners, name)
    assert now.contacts.ids == was.contacts.ids
    (old,), (new,) = was.contacts.contacts, now.contacts.contacts
    assert new.parts == old.parts
    np.testing.assert_array_equal(new.point, old.point)


def test_a_token_holds_what_was_asked_for_but_not_the_vector_of_the_words() -> None:
    state = a_state()
    was, now = (each.session.pursuit.direction for each in (state, through(state)))
    assert (now.mode, now.energy, now.contact) == (was.mode, was.energy, was.contact)
    assert now.text is None
    assert now.place is not None
    assert now.place.heading == 0.5
    assert [target.frame for target in now.poses] == [120, 125]
    assert now.poses[0].player is None
    for old, new in zip(was.poses, now.poses, strict=True):
        assert geodesic_angle(new.partner.rotmats, old.partner.rotmats).max() < MOST_ANGLE
    assert now.poses[1].player is not None
    assert was.poses[1].player is not None
    moved = now.poses[1].player.transl - was.poses[1].player.transl
    assert np.abs(moved).max() < MOST_METRES


def test_a_token_holds_how_the_player_wears_his_devices() -> None:
    state = a_state()
    was, now = state.calibration, through(state).calibration
    np.testing.assert_allclose(now.worn.rest_joints, was.worn.rest_joints, atol=1e-9)
    np.testing.assert_allclose(now.worn.turns, was.worn.turns, atol=1e-6)
    np.testing.assert_allclose(now.worn.offsets, was.worn.offsets, atol=1e-6)
    np.testing.assert_allclose(now.humanoid, was.humanoid, atol=1e-6)
    assert now.worn.sole == pytest.approx(was.worn.sole, abs=1e-9)


# -------------------------------------------------------------------------------------------- size
@pytest.mark.parametrize("horizon", [6, 20, 29, 100])
@pytest.mark.parametrize("speed", [0.02, 0.3, 3.0])
def test_a_token_is_never_too_large(horizon: int, speed: float) -> None:
    """Even for plans of noise, the longest text, many targets and contacts."""
    rng = np.random.default_rng(0)
    text = "".join(chr(rng.integers(0x10000, 0x10FFFF)) for _ in range(1000))
    state = a_state(speed=speed, horizon=horizon, text=text)
    session = state.session
    session = replace(
        session,
        contacts=ContactsState(contacts=session.contacts.contacts * 100),
    )
    state = directed(replace(state, session=session), poses=session.pursuit.direction.poses * 50)
    token = sealed(KEYS, state, engine=ENGINE, now=0.0)
    assert len(token) <= MOST_BYTES
    back = opened(KEYS, token, engine=ENGINE, now=0.0, body=BODY).session
    assert back.plan.frames.last >= session.frame + session.config.commit_frames


# -------------------------------------------------------------------------------------------- trust
TOKEN = sealed(KEYS, a_state(), engine=ENGINE, now=1000.0)


def refusal(
    token: bytes, *, keys: ResumeKeys = KEYS, engine: bytes = ENGINE, now: float = 1000.0
) -> ContraposeError:
    with pytest.raises(ContraposeError) as error:
        opened(keys, token, engine=engine, now=now, body=BODY)
    assert error.value.field == "header.resume_token"
    assert "open a new session" in str(error.value)
    return error.value


@given(st.integers(0, 8 * len(TOKEN) - 1))
@settings(max_examples=300)
def test_any_flipped_bit_is_refused(bit: int) -> None:
    altered = bytearray(TOKEN)
    altered[bit // 8] ^= 1 << bit % 8
    assert refusal(bytes(altered)).reason == "RESUME_BAD_TOKEN"


@given(st.integers(0, len(TOKEN) - 1))
def test_a_truncated_token_is_refused(length: int) -> None:
    assert refusal(TOKEN[:length]).reason == "RESUME_BAD_TOKEN"


@given(st.binary(max_size=2000))
def test_bytes_that_no_server_made_are_refused(data: bytes) -> None:
    assert isinstance(refusal(data), InputError)


def test_a_token_that_is_too_long_is_refused_unread() -> None:
    assert refusal(TOKEN + bytes(MOST_BYTES)).reason == "RESUME_BAD_TOKEN"


def test_another_version_says_so() -> None:
    assert f"version 2, this server reads {VERSION}" in str(refusal(b"\x02" + TOKEN[1:]))


def test_another_key_is_refused() -> None:
    assert refusal(TOKEN, keys=random_keys()).reason == "RESUME_BAD_TOKEN"


def test_another_bundle_is_refused() -> None:
    error = refusal(TOKEN, engine=b"another")
    assert (type(error), error.reason) == (SessionError, "RESUME_OTHER_BUNDLE")


@pytest.mark.parametrize("age", [EXPIRES_SECONDS + 1, -120.0])
def test_an_old_token_and_one_of_the_future_are_refused(age: float) -> None:
    assert refusal(TOKEN, now=1000.0 + age).reason == "RESUME_EXPIRED"
    assert opened(KEYS, TOKEN, engine=ENGINE, now=1000.0 + age / 2, body=BODY).session_id == "mine"


def test_keys_can_be_changed_without_losing_a_session() -> None:
    """A server that signs with the new key still takes the old one's tokens."""
    new = ResumeKeys((*random_keys().secrets, *KEYS.secrets))
    assert opened(new, TOKEN, engine=ENGINE, now=1000.0, body=BODY).session_id == "mine"
    renewed = sealed(new, a_state(), engine=ENGINE, now=1000.0)
    assert refusal(renewed).reason == "RESUME_BAD_TOKEN"


# ------------------------------------------------------------------------ signed, of another shape
def signed(plain: object) -> bytes:
    """As only a server with the key makes them."""
    body = zlib.compress(msgpack.packb(plain))
    head = bytes([VERSION])
    return head + KEYS.signature(head + body) + body


NEAR = sealed(KEYS, a_state(far=0.7), engine=ENGINE, now=1000.0)
"""A token of two people who are within reach of each other."""
PLAIN: dict[str, Any] = msgpack.unpackb(zlib.decompress(NEAR[1 + SIGNATURE_BYTES :]))


def test_a_token_of_this_version_is_read() -> None:
    """`python -m tests.engine.serving.test_resume` made it."""
    keys = ResumeKeys((bytes(range(32)),))
    token = (DATA / f"token-{VERSION}.bin").read_bytes()
    state, made_of = opened(keys, token, engine=ENGINE, now=0.0, body=BODY), a_state(far=0.7)
    assert state.session_id == made_of.session_id
    assert_near(state.session.plan.frames.pose, carried(made_of.session).plan.frames.pose)


def test_what_is_signed_is_read() -> None:
    assert signed(PLAIN) == NEAR


@given(st.data())
@settings(max_examples=200)
def test_a_signed_token_of_another_shape_is_refused_and_nothing_else(data: st.DataObject) -> None:
    """Or it is one of another session, which goes on."""
    place = data.draw(st.sampled_from(list(places_in(PLAIN))))
    other = data.draw(st.sampled_from(OTHERS))
    state = outcome(signed(changed(PLAIN, place, other)))
    if isinstance(state, ContraposeError):
        assert state.reason in ("RESUME_BAD_TOKEN", "RESUME_EXPIRED", "RESUME_OTHER_BUNDLE")
        assert "\n" not in str(state)
        return
    with suppress(ContraposeError), np.errstate(all="ignore"):
        session = Session.restored(taken_up(state.session), rest_joints=REST, capsules=CAPSULES)
        assert len(session.plan_again().frames)
        session.feed(11.0, state.session.player.pose[-1])
        session.tick(11.0)


def outcome(token: bytes) -> StreamState | ContraposeError:
    try:
        return opened(KEYS, token, engine=ENGINE, now=1000.0, body=BODY)
    except ContraposeError as error:
        return error


@pytest.mark.parametrize(
    "changes",
    [
        {"poses": b""},
        {"poses": PLAIN["poses"][:-4]},
        {"poses": bytes(len(PLAIN["poses"]) - 1) + b"\x7f"},
        {"people": [2**40] * 5},
        {"people": [0, 1, 0, 0, 0]},
        {"people": [*PLAIN["people"][:3], 0, PLAIN["people"][4]]},
        {"plan": [-(2**40), PLAIN["plan"][1]]},
        {"plan": [PLAIN["plan"][0], b""]},
        {"player": [2**40, PLAIN["player"][1]]},
        {"targets": []},
        {"session": {**PLAIN["session"], "frame": 10**6}},
        {"session": {**PLAIN["session"], "sent_until": 0}},
        {"session": {**PLAIN["session"], "floors": []}},
        {"session": {**PLAIN["session"], "config": {}}},
    ],
)
def test_parts_that_do_not_belong_together_are_refused(changes: dict[str, Any]) -> None:
    assert refusal(signed({**PLAIN, **changes})).reason == "RESUME_BAD_TOKEN"


@pytest.mark.parametrize("plain", [None, [], [b"", 0.0, {}], {}, "a", 2**63])
def test_what_is_no_token_at_all_is_refused(plain: object) -> None:
    assert refusal(signed(plain)).reason == "RESUME_BAD_TOKEN"


# --------------------------------------------------------------------------------------------- keys
def test_a_key_file_is_a_key(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "key"
    path.write_bytes(bytes(range(40)))
    path.chmod(0o600)
    with caplog.at_level(logging.WARNING):
        assert read_keys([path]) == ResumeKeys((bytes(range(40)),))
    assert not caplog.records
    path.chmod(0o644)
    read_keys([path])
    assert "others can read the resume key" in caplog.text


@pytest.mark.parametrize("length", [0, 31])
def test_a_short_or_missing_key_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "key"
    if length:
        path.write_bytes(bytes(length))
    with pytest.raises(ConfigError, match=r"--resume-key: .*/key: .*; make one with"):
        read_keys([path])
    with pytest.raises(ConfigError, match="at least 32 bytes"):
        ResumeKeys((bytes(length),))


if __name__ == "__main__":
    kept = sealed(ResumeKeys((bytes(range(32)),)), a_state(far=0.7), engine=ENGINE, now=0.0)
    (DATA / f"token-{VERSION}.bin").write_bytes(kept)
