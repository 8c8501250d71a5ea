"""Plays episodes to a real server, as a game does, and keeps what the client showed.

It takes as long as the episodes do: nothing is faster on the wire than the clock on the wall. Knows
the client and asyncio; no session and no measure.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import grpc
import numpy as np
from contrapose_client import Client, Interaction, ServerError

from engine.arrays import Array
from engine.body.pose import Pose
from engine.body.rotations import quat_from_rotmat, rotmat_from_quat
from engine.commands.live_client import connected
from engine.commands.server_process import ServerAddress
from engine.motion.motion import FRAME_RATE
from trainer.evaluation.live.episode import Episode, standing_still
from trainer.evaluation.live.playing import Played

RETRY_S = 1.0
"""Before a session that the server has no room for is asked for again."""


async def play_on_wire(
    server: ServerAddress, episodes: Sequence[Episode], steps: int | None
) -> list[Played]:
    """Each episode once, as many side by side as the server takes.

    steps  denoiser calls a window; None: the bundle's
    Raises ServerError for what the server refuses for another reason than want of room.
    """
    async with connected(server) as client:
        info = await client.server_info()
        places = asyncio.Semaphore(max(info.max_sessions, 1))

        async def played(episode: Episode) -> Played:
            async with places:
                while True:
                    try:
                        return await _played(client, episode, steps)
                    except ServerError as error:
                        if error.code is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                            raise
                        await asyncio.sleep(RETRY_S)

        return await asyncio.gather(*(played(episode) for episode in episodes))


async def _played(client: Client, episode: Episode, steps: int | None) -> Played:
    still = standing_still(episode)
    rotmats, transl = still.rotmats.astype(np.float32), still.transl.astype(np.float32)
    window = np.zeros(episode.frames, np.int64)
    start = quat_from_rotmat(episode.start.rotmats), episode.start.transl
    async with client.interact(
        seed=episode.seed,
        steps=steps,
        player_betas=episode.betas[0],
        partner_betas=episode.betas[1],
        partner_start=start,
        client_name="contrapose-eval-live",
    ) as session:
        quats = quat_from_rotmat(episode.pose.rotmats)
        begun = time.monotonic()
        await session.send_pose(quats[0], episode.pose.transl[0], 0.0)
        sender = asyncio.create_task(_send(session, episode, quats, begun))
        try:
            async for frame in session.frames(episode.frames):
                rotmats[frame.index] = rotmat_from_quat(frame.quats_xyzw)
                transl[frame.index] = frame.transl
                window[frame.index] = frame.window
            await sender
            await session.finish()
        finally:
            sender.cancel()
    late = session.playout.report().late_frames
    pose = Pose(rotmats, transl)
    return Played(episode=episode, pose=pose, window=window, late_frames=late)


async def _send(session: Interaction, episode: Episode, quats: Array, begun: float) -> None:
    """Pose k, and the words that come with it, at begun + k / 10 seconds."""
    words = dict(episode.words)
    for index in range(1, episode.frames):
        await asyncio.sleep(max(begun + index / FRAME_RATE - time.monotonic(), 0.0))
        if index in words:
            await session.control(text=words[index])
        await session.send_pose(quats[index], episode.pose.transl[index], index / FRAME_RATE)
