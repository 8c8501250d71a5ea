"""A live session whose partner leaves as VMC packets, and whose player may come as such.

Knows sockets, the client and asyncio; the packets' bytes are `engine/vmc`'s.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from contrapose_client import Interaction, PlanFrame, calibrate
from contrapose_client.devices import humanoid_pose

from engine.arrays import Array
from engine.body.shape import SHAPE_COUNT, load_body
from engine.body.skeleton import HAND_JOINT_NAMES, JOINT
from engine.commands.live_client import connected, rest_joints_of
from engine.commands.recorded_player import looped
from engine.commands.server_process import ServerAddress
from engine.errors import InputError
from engine.formats import resampled
from engine.motion.motion import FRAME_RATE, Motion
from engine.vmc import PartnerPackets, PerformerState

SHOWN_RATE = 60
"""Frames a second that are sent; each sixth is one of the plan."""
POSE_RATE = 20
"""Poses a second of a performer that are passed on."""
SILENCE_S = 5.0
"""Without a packet for so long the performer is said to be silent."""
Feed = Callable[[Interaction], Coroutine[Any, Any, None]]
Address = tuple[str, int]


async def perform(
    server: ServerAddress,
    *,
    player: Motion | None,
    listens_at: Address | None,
    sends_to: Address,
    frames: int | None,
    **settings: Any,
) -> None:
    """A session from the first pose to the last packet.

    player      a recording; None: a VMC performer that sends to `listens_at`
    frames      of the plan, 10 a second; None: until it is cancelled
    settings    as `Client.interact` takes them
    Raises InputError for addresses that cannot be used.
    """
    target = _resolved(sends_to)
    if player is not None:
        there = resampled(player, FRAME_RATE).frames
        recording = looped(player, max(2 * there - 2, 1))  # there and back
        header: dict[str, Any] = {"player_betas": player.betas[0]}
        await _session(server, _recorded(recording), target, frames, {**settings, **header})
        return
    assert listens_at is not None
    async with _performer(listens_at) as heard:
        host, port = listens_at
        print(f"waiting for a VMC performer at {host}:{port} ...", file=sys.stderr)
        await heard.whole()
        still = dict.fromkeys(heard.state.rotations(), np.array([0.0, 0.0, 0.0, 1.0]))
        t_pose = humanoid_pose(still, heard.state.rest_hips(), is_local=True)
        header = {"calibration": calibrate(t_pose)}
        await _session(server, heard.feed, target, frames, {**settings, **header})


async def _session(
    server: ServerAddress, feed: Feed, target: Any, frames: int | None, settings: dict[str, Any]
) -> None:
    async with connected(server) as client, client.interact(**settings) as session:
        feeding = asyncio.create_task(feed(session))
        try:
            await _shown(session, target, frames)
        finally:
            feeding.cancel()


async def _shown(session: Interaction, target: Any, count: int | None) -> None:
    """Send every frame of the plan when it is due, and those between it and the next."""
    packets = PartnerPackets(with_fingers(rest_joints_of(session.accepted.partner_skeleton)))
    family, address = target
    host, port = address[:2]
    until = "; Ctrl-C ends it" if count is None else ""
    print(
        f"the partner goes to {host}:{port}, {SHOWN_RATE} frames a second{until}", file=sys.stderr
    )
    rate = session.accepted.frame_rate
    steps = round(SHOWN_RATE / rate)
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        async for frame in session.frames(count):
            following = session.playout.upcoming()
            for step in range(steps):
                due = session.playout.due(frame.index, rate) + step / SHOWN_RATE
                left = due - session.session_time()
                if left < -1 / rate and step > 0:
                    break  # behind: the next frame of the plan is due already
                await asyncio.sleep(max(left, 0.0))
                quats, transl, curls = between(frame, following, step / steps)
                for packet in packets.frame(due, quats, transl, curls):
                    sender.sendto(packet, address)
    report = session.playout.report()
    print(f"{report.frames} frames, {report.late_frames} late", file=sys.stderr)


def with_fingers(rest_joints: Array) -> Array:
    """(22, 3) joints at rest with the finger joints of the open body on their wrists (52, 3)."""
    open_body = load_body().all_rest_joints(np.zeros(SHAPE_COUNT))
    fingers = open_body[-len(HAND_JOINT_NAMES) :]
    wrists = [JOINT[f"{name.split('_')[0]}_wrist"] for name in HAND_JOINT_NAMES]
    return np.concatenate([rest_joints, rest_joints[wrists] + fingers - open_body[wrists]])


def between(
    frame: PlanFrame, following: PlanFrame | None, part: float
) -> tuple[Array, Array, Array | None]:
    """Rotations (22, 4), transl (3,), curls (10,) at a part of the way to the frame that follows.

    Over a tenth of a second the shortest chord is as good as the arc.
    """
    if following is None or part == 0:
        return frame.quats_xyzw, frame.transl, frame.curls
    dots = np.sum(frame.quats_xyzw * following.quats_xyzw, axis=-1, keepdims=True)
    near = np.where(dots < 0, -following.quats_xyzw, following.quats_xyzw)
    quats = (1 - part) * frame.quats_xyzw + part * near
    quats /= np.linalg.norm(quats, axis=-1, keepdims=True)
    curls = following.curls
    if curls is not None and frame.curls is not None:
        curls = frame.curls + part * (curls - frame.curls)
    return quats, frame.transl + part * (following.transl - frame.transl), curls


def _recorded(recording: Motion) -> Feed:
    """Pose k at k / 10 seconds, over and over."""

    async def feed(session: Interaction) -> None:
        begun, index = time.monotonic(), 0
        while True:
            time_code, row = index / FRAME_RATE, index % recording.frames
            await asyncio.sleep(max(begun + time_code - time.monotonic(), 0.0))
            pose = recording.quats_xyzw[0, row], recording.transl[0, row]
            await session.send_pose(*pose, time_code)
            index += 1

    return feed


# -------------------------------------------------------------------------------------- a performer
@dataclass(kw_only=True, eq=False)
class _Heard(asyncio.DatagramProtocol):
    """A performer's avatar, kept up to date."""

    state: PerformerState = field(default_factory=PerformerState)
    packets: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if self.state.receive(data):
            self.packets += 1
            self.news.set()

    async def whole(self) -> None:
        """Until every bone was heard of that a humanoid has."""
        while not self.state.is_whole:
            self.news.clear()
            await self.news.wait()

    async def feed(self, session: Interaction) -> None:
        """Pass poses on as they come, at most POSE_RATE a second."""
        while True:
            self.news.clear()
            bones, hips = self.state.rotations(), self.state.hips()
            await session.send_humanoid(bones, hips, is_local=True)
            await asyncio.sleep(1 / POSE_RATE)
            try:
                await asyncio.wait_for(self.news.wait(), SILENCE_S)
            except TimeoutError:
                print("the performer is silent; the player stands still", file=sys.stderr)
                await self.news.wait()


@asynccontextmanager
async def _performer(address: Address) -> AsyncIterator[_Heard]:
    loop = asyncio.get_running_loop()
    try:
        transport, heard = await loop.create_datagram_endpoint(_Heard, local_addr=address)
    except OSError as exc:
        host, port = address
        raise InputError.at("--listen", f"{host}:{port} cannot be listened at: {exc}") from exc
    try:
        yield heard
    finally:
        transport.close()


def _resolved(address: Address) -> tuple[Any, Any]:
    """Family and address of a socket. Raises InputError for a host that is not found."""
    host, port = address
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    except OSError as exc:
        raise InputError.at("--send", f"{host}:{port} is not found: {exc}") from exc
    return found[0], found[4]
