"""What the golden set runs: sessions of every mode, device and mishap; motions; pairs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from contrapose.v1 import generation_pb2 as generation
from contrapose.v1 import interaction_pb2 as pb
from contrapose.v1 import types_pb2 as types
from google.protobuf.message import Message

from tests.golden.adapter import Answers, Script, Sent, generated, replay_of, streamed
from tests.golden.players import (
    Motion,
    bodies,
    humanoids,
    openxr_bd,
    openxr_meta,
    recorded,
    t_pose,
    trackers,
)

SECONDS = 10.0
Controls = Mapping[float, Mapping[str, Any]]
"""Seconds -> fields of a SessionControl."""
Header = dict[str, Any]
"""Fields of a SessionHeader."""
INPUTS = {
    types.BodyPose: "body",
    types.TrackerSet: "trackers",
    types.HumanoidPose: "humanoid",
    types.OpenXrBody: "openxr",
}
SHORT, TALL = [-1.5, 0.5] + [0.0] * 8, [1.5, -0.5, 0.8] + [0.0] * 7
LEFT_WRIST, RIGHT_WRIST, LEFT_SHOULDER, RIGHT_SHOULDER = 20, 21, 16, 17
HANDSHAKE, HUG = "two people shake hands", "they hug each other"


# ---------------------------------------------------------------------------------------- sessions
def script(
    poses: Sequence[Message],
    controls: Controls | None = None,
    *,
    first: int = 0,
    rate: float = 10.0,
    silent: Collection[int] = (),
    together: Mapping[int, int] | None = None,
    **header: Any,
) -> Script:
    """A client's messages: a header, then poses that come a little late, each as late as chance has
    it, with pings and controls (at seconds) in between, then the end.

    first     the pose with which a resumed session goes on
    silent    poses that are never sent
    together  poses that come when another one does: too late, or too early
    """
    if "seed" in header:
        header["session_id"] = f"golden-{header['seed']}"
    lags = np.random.default_rng(header.get("seed", 0)).uniform(0.04, 0.44, len(poses)) / rate
    sent = [(0.0, pb.StreamInteractionRequest(header=pb.SessionHeader(**header)))]
    begun = 0.05 - first / rate
    for number in range(first, len(poses)):
        comes = (together or {}).get(number, number)
        at = begun + comes / rate + (lags[comes] if number > first else 0.0)
        body: Any = {INPUTS[type(poses[number])]: poses[number]}
        pose = pb.PlayerPose(sequence=number + 1, time_code=number / rate, **body)
        if number in silent:
            continue
        sent.append((at, pb.StreamInteractionRequest(pose=pose)))
        if number % 20 == 5:
            ping = pb.ClockPing(ping_id=number, client_time=number / rate)
            sent.append((at, pb.StreamInteractionRequest(ping=ping)))
    for at, control in (controls or {}).items():
        changes = pb.SessionControl(**control)
        sent.append((begun + at, pb.StreamInteractionRequest(control=changes)))
    sent.sort(key=lambda entry: entry[0])
    return [*sent, (sent[-1][0] + 0.1, pb.StreamInteractionRequest(end=pb.EndOfInput()))]


def player(first: int = 0, seconds: float = SECONDS, turn: float = 0.0) -> Motion:
    return recorded(round(10 * seconds), first).moved(turn, (0.3 * turn, 0, -0.2 * turn))


def walking(speed: float) -> Motion:
    """A player who walks towards the partner, metres a second; away from him, below 0."""
    motion = player()
    shift = np.zeros_like(motion.transl)
    shift[:, 2] = speed / 10 * np.clip(np.arange(len(shift)) - 20, 0, 60)
    return motion.moved(shift=shift)


def jumping() -> Motion:
    """Someone else's place, all at once, and later a turn on the spot."""
    motion = player()
    jumped = player().moved(0.0, (2.0, 0.0, -1.0))
    turned = player().moved(2.5)
    parts = [(motion, 0, 40), (jumped, 40, 70), (turned, 70, 100)]
    return Motion(
        np.concatenate([part.quats[a:b] for part, a, b in parts]),
        np.concatenate([part.transl[a:b] for part, a, b in parts]),
    )


def partner_poses(motion: Motion, frames: Sequence[int], distance: float) -> list[types.BodyPose]:
    """Someone before the player who does what he does then."""
    facing = motion.moved(np.pi)
    facing = facing.moved(shift=motion.transl - facing.transl + np.array([0, 0, distance]))
    every = bodies(facing)
    return [every[frame] for frame in frames]


def inbetween() -> Answers:
    motion = player(20)
    poses, frames = bodies(motion), (25, 45, 80)
    wanted = [
        pb.PoseTarget(
            frame_index=frame, partner=partner, player=poses[frame] if frame == 45 else None
        )
        for frame, partner in zip(frames, partner_poses(motion, frames, 1.0), strict=True)
    ]
    controls: Controls = {
        0.5: {"targets": wanted[:2]},
        4.0: {"targets": wanted[2:]},
        9.0: {"clear_targets": True},
    }
    return streamed(script(poses, controls, seed=4, mode=pb.SESSION_MODE_INBETWEEN))


def paused() -> Answers:
    modes = {
        2.0: pb.SESSION_MODE_PAUSED,
        4.5: pb.SESSION_MODE_REACT,
        6.0: pb.SESSION_MODE_FOLLOW_PLAN,
        8.0: pb.SESSION_MODE_PAUSED,
    }
    controls: Controls = {at: {"mode": mode} for at, mode in modes.items()}
    return streamed(script(bodies(player(60)), controls, seed=5))


def touching() -> Answers:
    touches = {
        1.0: pb.ContactTarget(
            partner_joint=RIGHT_WRIST, player_joint=LEFT_SHOULDER, frame_index=30, hold_frames=10
        ),
        5.0: pb.ContactTarget(partner_joint=LEFT_WRIST, player_joint=RIGHT_WRIST, frame_index=70),
    }
    controls: dict[float, dict[str, Any]] = {t: {"contact": touch} for t, touch in touches.items()}
    controls[8.5] = {"clear_targets": True}
    return streamed(script(bodies(player(10)), controls, seed=6))


def placed() -> Answers:
    controls: Controls = {
        0.5: {"place": pb.PlaceTarget(position=[1.2, 0, 0.8], heading=-2.0, frame_index=40)},
        5.0: {"place": pb.PlaceTarget(position=[-0.8, 0, 1.2])},
        9.0: {"contact": pb.ContactTarget(partner_joint=20, player_joint=16, frame_index=97)},
    }
    return streamed(script(bodies(player(40)), controls, seed=7, player_betas=TALL))


def with_devices(poses: Sequence[Message], seed: int, **calibration: Any) -> Answers:
    return streamed(script(poses, seed=seed, calibration=types.Calibration(**calibration)))


def out_of_reach() -> Answers:
    """Poses, touches and places that come too soon, are too far off, or not allowed."""
    motion = player(10)
    partners = partner_poses(motion, [10, 11, 60], 6.0)
    wanted = [
        pb.PoseTarget(frame_index=frame, partner=partner)
        for frame, partner in zip((2, 12, 30), partners, strict=True)
    ]
    touches = [
        pb.ContactTarget(partner_joint=RIGHT_WRIST, player_joint=LEFT_SHOULDER, frame_index=frame)
        for frame in (36, 80, 95)
    ]
    controls: Controls = {
        1.0: {"targets": wanted},
        2.5: {"mode": pb.SESSION_MODE_REACT, "contact": touches[0]},
        2.8: {"place": pb.PlaceTarget(position=[3, 0, 5], frame_index=40)},
        6.0: {"contact": touches[1]},
        6.5: {"zone_radius": 0.2},
        7.5: {"mode": pb.SESSION_MODE_PAUSED, "zone_radius": 0.0},
        8.0: {"contact": touches[2]},
    }
    return streamed(script(bodies(motion), controls, seed=37, mode=pb.SESSION_MODE_INBETWEEN))


def three_trackers() -> Answers:
    size = types.PlayerSize(height=1.68)
    return with_devices(trackers(player(), 3), 20, size=size, axes=types.DEVICE_AXES_JOINTS)


def four_trackers() -> Answers:
    """With a hand that is lost for a while."""
    poses = trackers(player(50), 4)
    for pose in poses[30:55]:
        pose.trackers[1].confidence = 0.2
    size = types.PlayerSize(height=1.8, arm_span=1.75)
    return with_devices(poses, 21, size=size, axes=types.DEVICE_AXES_OPENXR)


def six_trackers() -> Answers:
    calibrated = types.TPose(trackers=trackers(t_pose(), 6)[0], height=1.7)
    return with_devices(trackers(player(80), 6), 22, t_pose=calibrated)


def humanoid() -> Answers:
    calibrated = types.TPose(humanoid=humanoids(t_pose())[0])
    return with_devices(humanoids(player(30)), 23, t_pose=calibrated)


def openxr_of_bd() -> Answers:
    """With a spine that is lost for a while."""
    poses = openxr_bd(player(65))
    for pose in poses[40:60]:
        pose.is_valid[:] = [joint not in (3, 6, 9) for joint in range(24)]
    return with_devices(poses, 24)


def openxr_of_meta() -> Answers:
    calibrated = types.TPose(openxr=openxr_meta(t_pose())[0])
    return with_devices(openxr_meta(player(15)), 25, t_pose=calibrated)


def cut(
    poses: Sequence[Message], controls: Controls, *, at: int = 50, gap: int = 3, **header: Any
) -> Answers:
    """Cut after so many poses, and resumed from the newest token so many later."""
    before = streamed(script(poses[:at], controls, **header))
    messages: list[Any] = [sent.message for sent in before[0]]
    token = [m.status.resume_token for m in messages if m.HasField("status")][-1]
    return [*before, *streamed(script(poses, first=at + gap, resume_token=token))]


def resumed() -> Answers:
    """With words, a zone and a place to go to under way."""
    place = pb.PlaceTarget(position=[1.0, 0, 1.5], frame_index=75)
    settings: Header = {"text": HANDSHAKE, "zone_radius": 0.1, "partner_betas": SHORT}
    return cut(bodies(player(25)), {4.0: {"place": place}}, seed=30, **settings)


def resumed_with_devices() -> Answers:
    """With a T pose, and poses to be in."""
    motion, frames = player(45), (40, 65, 85)
    partners = partner_poses(motion, frames, 1.1)
    wanted = [
        pb.PoseTarget(frame_index=frame, partner=partner, player=bodies(motion)[frame])
        for frame, partner in zip(frames, partners, strict=True)
    ]
    calibration = types.Calibration(t_pose=types.TPose(trackers=trackers(t_pose(), 6)[0]))
    return cut(
        trackers(motion, 6),
        {1.0: {"targets": wanted}},
        seed=35,
        calibration=calibration,
        mode=pb.SESSION_MODE_INBETWEEN,
    )


def recorded_session() -> Answers:
    """And what comes of its replay."""
    with tempfile.TemporaryDirectory() as folder:
        answers = streamed(
            script(
                bodies(player(70)),
                {3.0: {"text": HUG}, 6.0: {"steps": 2, "zone_radius": 0.2}},
                seed=31,
            ),
            recordings=Path(folder),
        )
        reports = [
            Sent(0.0, pb.SessionEvent(text=str(report))) for report in replay_of(Path(folder))
        ]
    return [*answers, reports]


SESSIONS: dict[str, Callable[[], Answers]] = {
    "react": lambda: streamed(script(bodies(player()), seed=1)),
    "words": lambda: streamed(
        script(bodies(player(30)), {4.0: {"text": HUG}, 8.0: {"text": ""}}, seed=2, text=HANDSHAKE)
    ),
    "follow_plan": lambda: streamed(
        script(
            bodies(player(90)),
            {5.0: {"text": "one pushes the other"}},
            seed=3,
            mode=pb.SESSION_MODE_FOLLOW_PLAN,
            player_betas=SHORT,
            partner_betas=TALL,
        )
    ),
    "inbetween": inbetween,
    "paused": paused,
    "touching": touching,
    "placed": placed,
    "energy": lambda: streamed(
        script(bodies(player(5)), {4.0: {"energy": 0.5}, 7.0: {"energy": 1.0}}, seed=8, energy=1.5)
    ),
    "zone": lambda: streamed(
        script(bodies(walking(0.5)), {7.0: {"zone_radius": 0.1}}, seed=9, zone_radius=0.5)
    ),
    "zone_led": lambda: streamed(
        script(
            bodies(player(35)),
            {
                2.0: {"zone_radius": 0.6},
                4.0: {"mode": pb.SESSION_MODE_PAUSED},
                6.0: {"mode": pb.SESSION_MODE_FOLLOW_PLAN},
                8.0: {"zone_radius": 0.0},
            },
            seed=10,
        )
    ),
    "no_contact": lambda: streamed(
        script(
            bodies(walking(0.3)),
            {8.0: {"allow_contact": True}},
            seed=11,
            allow_contact=False,
            text=HUG,
        )
    ),
    "walks_off": lambda: streamed(script(bodies(walking(-1.0)), seed=12)),
    "jumps": lambda: streamed(script(bodies(jumping()), seed=13)),
    "falls_silent": lambda: streamed(
        script(bodies(player(2)), seed=14, silent=range(30, 55)), idle_seconds=5.0
    ),
    "stalls": lambda: streamed(
        script(
            bodies(player(2)),
            seed=34,
            together=dict.fromkeys(range(30, 45), 45) | dict.fromkeys(range(61, 75), 60),
            steps=1,
        )
    ),
    "is_idle": lambda: streamed(
        script(bodies(player(3, 12)), seed=15, silent=range(40, 119)), idle_seconds=3.0
    ),
    "short_horizon": lambda: streamed(
        script(bodies(player(44)), seed=16, horizon_frames=6, commit_frames=2)
    ),
    "long_horizon": lambda: streamed(
        script(bodies(player(44)), seed=17, horizon_frames=29, commit_frames=6, steps=8)
    ),
    "load_levels": lambda: streamed(
        script(bodies(player(11)), {5.0: {"steps": 10}}, seed=18, steps=8),
        levels=[(2.0, 4, None), (3.5, 2, 8), (6.5, 2, None), (8.0, None, None)],
    ),
    "slow_engine": lambda: streamed(script(bodies(player(17)), seed=19), call_seconds=3.0),
    "three_trackers": three_trackers,
    "four_trackers": four_trackers,
    "six_trackers": six_trackers,
    "humanoid": humanoid,
    "openxr_bd": openxr_of_bd,
    "openxr_meta": openxr_of_meta,
    "fast_input": lambda: streamed(
        script(bodies(recorded(400, 20)), seed=26, rate=60.0), session={"warm_steps": 2}
    ),
    "fast_trackers": lambda: streamed(
        script(trackers(recorded(300, 60), 3), seed=38, rate=45.0), call_seconds=0.05
    ),
    "out_of_reach": out_of_reach,
    "slow_client": lambda: streamed(script(bodies(player(26)), seed=39), write_seconds=0.45),
    "failing": lambda: streamed(script(bodies(player(48)), seed=40), fails_every=9),
    "partner_start": lambda: streamed(
        script(
            bodies(player(33, turn=2.0)),
            seed=27,
            partner_start=partner_poses(player(33, turn=2.0), [0], 1.8)[0],
        )
    ),
    "two_at_once": lambda: streamed(
        script(bodies(player(1)), seed=28),
        script(bodies(player(61)), seed=29, text=HANDSHAKE, steps=8),
    ),
    "resumed": resumed,
    "resumed_with_devices": resumed_with_devices,
    "resumed_led": lambda: cut(
        bodies(player(9)), {}, seed=36, mode=pb.SESSION_MODE_FOLLOW_PLAN, player_betas=TALL
    ),
    "resumed_late": lambda: cut(bodies(player(7)), {}, at=40, gap=45, seed=41),
    "recorded": recorded_session,
    "no_foot_lock": lambda: streamed(
        script(bodies(player(55)), seed=32), session={"foot_lock": False}
    ),
    "no_cleanup": lambda: streamed(
        script(bodies(player(55)), seed=33), session={"has_cleanup": False}
    ),
}


# ---------------------------------------------------------------------------------- motions, pairs
WORDS = (
    HANDSHAKE,
    HUG,
    "one pushes the other",
    "they dance a waltz",
    "two people high five",
    "one person pats the other on the shoulder",
    "a person bows to another",
    "they fight",
    "one leads the other by the hand",
    "two friends walk side by side",
)


def pair_request(number: int) -> generation.GeneratePairRequest:
    """Of words alone, of a person alone, of both, in turn."""
    request = generation.GeneratePairRequest(seed=100 + number)
    if number % 3 != 1:
        request.text = WORDS[number % len(WORDS)]
    if number % 3 != 0:
        pose = bodies(recorded(1, 11 * number).moved(0.4 * number, (0.1 * number, 0, 0)))[0]
        betas = TALL if number % 2 else SHORT
        request.single.CopyFrom(types.Person(pose=pose, betas=betas))
    if number % 4 == 3:
        request.steps = 3 + number
    return request


def motion_request(number: int) -> generation.GenerateMotionRequest:
    """From one window to a chain of five, around a pair that stands anywhere in them."""
    frames = (30, 1, 75, 12, 100, 45, 130)[number % 7]
    motion, at = recorded(120).moved(0.3 * number), 6 * number
    partner = partner_poses(motion, [at], 0.7 + 0.05 * number)[0]
    people = types.Pair(
        player=types.Person(pose=bodies(motion)[at], betas=SHORT if number % 5 == 0 else []),
        partner=types.Person(pose=partner, betas=TALL if number % 4 == 0 else []),
    )
    request = generation.GenerateMotionRequest(
        pair=people, frames=frames, anchor_index=(frames - 1) * (number % 3) // 2, seed=200 + number
    )
    if number % 2:
        request.text = WORDS[number % len(WORDS)]
    if number % 4 == 2:
        request.steps = (2, 10, 20)[number % 3]
    return request


def generated_motion(number: int) -> Answers:
    return [generated(motion_request(number), {"foot_lock": number % 6 != 4})]


def generated_pair(number: int) -> Answers:
    return [generated(pair_request(number))]


MOTIONS = {f"motion_{n:02d}": (lambda n=n: generated_motion(n)) for n in range(20)}
PAIRS = {f"pair_{n:02d}": (lambda n=n: generated_pair(n)) for n in range(20)}
ITEMS: dict[str, Callable[[], Answers]] = {**SESSIONS, **MOTIONS, **PAIRS}


# ------------------------------------------------------------------------------------- in the suite
def small_touch() -> Answers:
    """Words, and a hand to the player's."""
    touch = pb.ContactTarget(
        partner_joint=LEFT_WRIST, player_joint=RIGHT_WRIST, frame_index=32, hold_frames=6
    )
    return streamed(
        script(bodies(player(10, 4.5)), {1.0: {"contact": touch}}, seed=50, text=HANDSHAKE)
    )


def small_zone() -> Answers:
    """Six trackers, a zone, a place to go to, and a busy server."""
    place = pb.PlaceTarget(position=[1.2, 0, 0.8], heading=-2.0, frame_index=35)
    header: Header = {"zone_radius": 0.3, "calibration": types.Calibration(size={"height": 1.75})}
    sent = script(trackers(player(80, 4.5), 6), {0.5: {"place": place}}, seed=51, **header)
    return streamed(sent, levels=[(2.0, 2, None)])


def small_resumed() -> Answers:
    """Poses to be in, with energy; cut, and resumed from a token."""
    motion = player(20, 5.0)
    target = pb.PoseTarget(frame_index=40, partner=partner_poses(motion, [40], 1.0)[0])
    header: Header = {"mode": pb.SESSION_MODE_INBETWEEN, "energy": 1.3}
    return cut(bodies(motion), {0.5: {"targets": [target]}}, at=25, seed=52, **header)


SMALL: dict[str, Callable[[], Answers]] = {
    "small_touch": small_touch,
    "small_zone": small_zone,
    "small_resumed": small_resumed,
    **{name: ITEMS[name] for name in ("motion_03", "motion_05", "pair_02", "pair_03")},
}
"""A few that the suite runs each time."""
