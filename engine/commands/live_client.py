"""The live client: plays a recording to a server, and asks it for motions and pairs.

The only commands' module that knows the client; they import it when they run. Knows motions; no
session, no file and no flag but those it names in errors.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import grpc
import numpy as np
from contrapose.v1 import interaction_pb2, types_pb2
from contrapose_client import (
    Client,
    Generated,
    Interaction,
    People,
    PlanFrame,
    ServerError,
    connect,
)

from engine.arrays import Array
from engine.commands.server_process import ServerAddress
from engine.errors import (
    AccessError,
    BackendError,
    ContraposeError,
    InputError,
    OverloadedError,
    SessionError,
)
from engine.motion.motion import Motion

T = TypeVar("T")

ERRORS: dict[grpc.StatusCode, type[ContraposeError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InputError,
    grpc.StatusCode.FAILED_PRECONDITION: SessionError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: OverloadedError,
    grpc.StatusCode.UNAVAILABLE: OverloadedError,
    grpc.StatusCode.UNAUTHENTICATED: AccessError,
}


def finished(work: Coroutine[Any, Any, T]) -> T:
    """Run it; refusals of the server become our errors."""
    try:
        return asyncio.run(work)
    except ServerError as error:
        raise our_error(error) from error
    except ConnectionError as error:
        raise BackendError(str(error)) from error


def our_error(error: ServerError) -> ContraposeError:
    return ERRORS.get(error.code, BackendError)(str(error))


def connected(server: ServerAddress) -> Client:
    """Raises InputError for a certificate that cannot be read."""
    try:
        return connect(server.address, wait=0, token=server.token, tls=server.ca or False)
    except OSError as exc:
        raise InputError.at("--server-ca", f"cannot be read: {exc}") from exc


# ---------------------------------------------------------------------------------------- a session
@dataclass(frozen=True, kw_only=True)
class PlayedSession:
    """A session as it was shown, and what the server said about it."""

    motion: Motion
    """Both people at 10 frames a second."""
    frames: list[PlanFrame]
    rest_joints: Array
    """(22, 3) of the partner."""
    late_frames: int
    margin_s: Array
    overwritten: int
    accepted: interaction_pb2.SessionAccepted
    summary: interaction_pb2.SessionSummary


async def interact(
    server: ServerAddress, player: Motion, *, mode: str = "react", **settings: Any
) -> PlayedSession:
    """Play a motion of 10 frames a second to a server as if it were live; show what comes back.

    settings  as `Client.interact` takes them
    Raises BackendError if no frame came as long as the motion lasts.
    """
    betas = player.betas[0]
    async with (
        connected(server) as client,
        client.interact(player_betas=betas, mode=mode, **settings) as session,
    ):
        begun = time.monotonic()
        await _send_pose(session, player, 0)
        sender = asyncio.create_task(_send_poses(session, player, begun))
        try:
            frames = [frame async for frame in session.frames(player.frames)]
            await sender
            summary = await session.finish()
        finally:
            sender.cancel()
        for event in session.events:
            print(f"contrapose: the server says: {event.text}", file=sys.stderr)
        if not frames:
            raise BackendError(
                f"no frame came in the {player.frames / player.frame_rate:g} s that the player "
                "lasts; give more --seconds, or a server with less to do"
            )
        if mode == "follow_plan":
            player = _led(player, frames)
        return _played(session, player, frames, summary)


def _led(player: Motion, frames: list[PlanFrame]) -> Motion:
    """The player as planned."""
    quats, transl = player.quats_xyzw.copy(), player.transl.copy()
    for frame in frames:
        quats[0, frame.index] = frame.player_quats_xyzw
        transl[0, frame.index] = frame.player_transl
    return replace(player, quats_xyzw=quats, transl=transl)


async def _send_poses(session: Interaction, player: Motion, begun: float) -> None:
    """Pose k at begun + k / 10 seconds, as a game would."""
    for index in range(1, player.frames):
        time_code = index / player.frame_rate
        await asyncio.sleep(max(begun + time_code - time.monotonic(), 0.0))
        await _send_pose(session, player, index)


async def _send_pose(session: Interaction, player: Motion, index: int) -> None:
    curls = None if player.curls is None else player.curls[0, index]
    pose = player.quats_xyzw[0, index], player.transl[0, index]
    await session.send_pose(*pose, index / player.frame_rate, curls=curls)


def _played(
    session: Interaction,
    player: Motion,
    frames: list[PlanFrame],
    summary: interaction_pb2.SessionSummary,
) -> PlayedSession:
    skeleton, report = session.accepted.partner_skeleton, session.playout.report()
    shown = slice(frames[0].index, player.frames)  # from when there was something to show
    motion = Motion(
        quats_xyzw=np.stack(
            [player.quats_xyzw[0, shown], np.stack([f.quats_xyzw for f in frames])]
        ),
        transl=np.stack([player.transl[0, shown], np.stack([f.transl for f in frames])]),
        betas=np.stack([player.betas[0], np.array(skeleton.betas, np.float32)]),
        curls=_hands(player, frames, shown),
    )
    return PlayedSession(
        motion=motion,
        frames=frames,
        rest_joints=rest_joints_of(skeleton),
        late_frames=report.late_frames,
        margin_s=report.margin_s,
        overwritten=report.overwritten,
        accepted=session.accepted,
        summary=summary,
    )


def _hands(player: Motion, frames: list[PlanFrame], shown: slice) -> Array | None:
    """(2, frame, 10) of the player's fingers, as recorded or else as planned, and the partner's;
    None if a server does not tell."""
    partner = [frame.curls for frame in frames if frame.curls is not None]
    planned = [frame.player_curls for frame in frames if frame.player_curls is not None]
    if len(partner) < len(frames) or len(planned) < len(frames):
        return None
    own = np.stack(planned) if player.curls is None else player.curls[0, shown]
    return np.stack([own, np.stack(partner)])


def rest_joints_of(skeleton: types_pb2.Skeleton) -> Array:
    """(22, 3) from the offsets of a skeleton on the wire."""
    joints = np.array(skeleton.rest_offsets, np.float64).reshape(-1, 3)
    for joint, parent in enumerate(skeleton.parent_indices):
        if parent >= 0:
            joints[joint] += joints[parent]
    return joints


# --------------------------------------------------------------------------------------- generation
async def generate_motion(
    server: ServerAddress, pair: People | None, *, text: str, **settings: Any
) -> Generated:
    """Animate a pair; without one, the words make it first."""
    async with connected(server) as client:
        if pair is None:
            return await client.generate(text, **settings)
        return await client.generate_motion(pair, text=text, **settings)


async def generate_pair(server: ServerAddress, **settings: Any) -> Generated:
    async with connected(server) as client:
        return await client.generate_pair(**settings)


def people_at(motion: Motion, frame: int, count: int, path: Path) -> People:
    """The first `count` people of the motion in a file, at one frame."""
    if motion.people < count:
        raise InputError(
            f"{path}: holds {motion.people} person, {count} are needed; "
            "`contrapose pose --from` invents a partner",
            field="people",
        )
    if not 0 <= frame < motion.frames:
        raise InputError.at("--frame", f"{frame}, but {path} has frames 0..{motion.frames - 1}")
    return People(
        quats_xyzw=motion.quats_xyzw[:count, frame],
        transl=motion.transl[:count, frame],
        betas=motion.betas[:count],
        curls=None if motion.curls is None else motion.curls[:count, frame],
    )


def motion_of(people: People) -> Motion:
    """People at one instant, or (person, frame, ...) at several, as a motion."""
    quats, transl, curls = people.quats_xyzw, people.transl, people.curls
    if transl.ndim == 2:
        quats, transl = quats[:, None], transl[:, None]
        curls = None if curls is None else curls[:, None]
    return Motion(quats_xyzw=quats, transl=transl, betas=people.betas, curls=curls)
