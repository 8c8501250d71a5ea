"""A live partner for a recorded player: stream the player's poses, show the partner, keep both.

Run it:
    contrapose serve &
    python examples/live_partner.py --seconds 10 -o live.npz    # see: contrapose convert
"""

import argparse
import asyncio
from pathlib import Path

import numpy as np
from contrapose_client import People, connect

PLAYER = Path(__file__).parents[1] / "engine/data/demo_player.npz"


async def react(server: str, player: People, frames: int) -> People:
    quats, transl, shown = player.quats_xyzw[0], player.transl[0], []
    async with connect(server) as client, client.interact(seed=7) as session:
        await session.send_pose(quats[0], transl[0])
        async for frame in session.frames(min(frames, len(quats))):  # each when its time comes
            await session.send_pose(quats[frame.index], transl[frame.index])
            shown.append(frame)
    played = [frame.index for frame in shown]
    return People(
        quats_xyzw=np.stack([quats[played], [frame.quats_xyzw for frame in shown]]),
        transl=np.stack([transl[played], [frame.transl for frame in shown]]),
        betas=np.stack([player.betas[0], np.zeros(10)]),
    )


parser = argparse.ArgumentParser()
parser.add_argument("--server", default="127.0.0.1:50051")
parser.add_argument("--player", default=PLAYER)
parser.add_argument("--seconds", type=float, default=10)
parser.add_argument("-o", "--out", default="live.npz")
args = parser.parse_args()
asyncio.run(react(args.server, People.load(args.player), round(10 * args.seconds))).save(args.out)
