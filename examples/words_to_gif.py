"""From words to a picture: they make a two-person pose, then the motion around it, then a GIF.

Run it:
    contrapose serve &
    python examples/words_to_gif.py "two people shake hands" -o shake.gif --seconds 3
"""

import argparse
import asyncio
import subprocess
from pathlib import Path

from contrapose_client import Generated, connect


async def make(server: str, text: str, frames: int, seed: int) -> Generated:
    async with connect(server) as client:
        # The pose stands in the middle: the motion leads to it, and goes on from it.
        return await client.generate(text, frames=frames, anchor_index=frames // 2, seed=seed)


parser = argparse.ArgumentParser()
parser.add_argument("text", nargs="?", default="two people shake hands")
parser.add_argument("--server", default="127.0.0.1:50051")
parser.add_argument("--seconds", type=float, default=3)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("-o", "--out", type=Path, default=Path("shake.gif"))
args = parser.parse_args()

motion = asyncio.run(make(args.server, args.text, round(10 * args.seconds), args.seed))
print(f"seed {motion.info.seed}, {motion.info.steps} steps, {motion.info.bundle}")
arrays = args.out.with_suffix(".npz")
motion.people.save(arrays)
subprocess.run(["contrapose", "convert", str(arrays), "-o", str(args.out)], check=True)
