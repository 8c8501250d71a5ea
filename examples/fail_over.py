"""Two servers, one dies: the session goes on at the other, and the player sees no jump.

Run it:
    python examples/fail_over.py --seconds 6
    # servers with the same --resume-key go on with each other's sessions, on any machine
"""

import argparse
import asyncio
import secrets
import tempfile
from subprocess import PIPE, Popen

import numpy as np
from contrapose_client import connect, standing


async def play(dies: Popen[str], addresses: list[str], frames: int) -> None:
    async with connect(addresses[0]) as client, client.interact(seed=7) as session:
        await session.send_pose(*standing())
        before = [frame async for frame in session.frames(frames // 2)][-1]
    dies.kill()
    async with connect(addresses[1]) as client, client.resume(session) as session:
        await session.send_pose(*standing())
        after = await anext(session.frames())
    moved = 100 * np.linalg.norm(after.transl - before.transl)
    print(f"a server died; from frame {before.index} to {after.index} {moved:.1f} cm")


parser = argparse.ArgumentParser()
parser.add_argument("--seconds", type=float, default=6)
args = parser.parse_args()
with tempfile.NamedTemporaryFile(buffering=0) as key:
    key.write(secrets.token_bytes(32))
    serve = f"contrapose serve --port 0 --no-http --stop-on-eof --resume-key {key.name}".split()
    servers = [Popen(serve, stdin=PIPE, stdout=PIPE, text=True) for _ in range(2)]
    addresses = [server.stdout.readline().split()[-1] for server in servers if server.stdout]
    asyncio.run(play(servers[0], addresses, round(10 * args.seconds)))
    servers[1].communicate()  # the end of its input ends it
