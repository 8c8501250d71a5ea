"""Many motions from words: a file of prompts in, a folder of motions out, several under way.

Run it:
    contrapose serve &
    python examples/batch_of_prompts.py --count 100 -o motions
    python examples/batch_of_prompts.py --prompts one_a_line.txt
"""

import argparse
import asyncio
from pathlib import Path

from contrapose_client import Client, connect

SOME = ["two people shake hands", "they hug", "one pushes, the other stumbles", "they waltz"]


async def main(server: str, prompts: list[str], out: Path) -> None:
    places = asyncio.Semaphore(4)  # requests under way share calls; live sessions still go first

    async def make(client: Client, text: str, seed: int) -> None:
        async with places:
            made = await client.generate(text, frames=30, seed=seed)
        made.people.save(out / f"{seed:04}.npz")
        print(f"{seed:04}.npz: {text}")

    async with connect(server) as client:  # same bundle, words and seed: the same motion
        await asyncio.gather(*(make(client, text, seed) for seed, text in enumerate(prompts)))


parser = argparse.ArgumentParser()
parser.add_argument("--server", default="127.0.0.1:50051")
parser.add_argument("--prompts", type=Path, help="a text file; default: some, again and again")
parser.add_argument("--count", type=int, default=100)
parser.add_argument("-o", "--out", type=Path, default=Path("motions"))
args = parser.parse_args()
args.out.mkdir(exist_ok=True)
given = args.prompts.read_text().splitlines() if args.prompts else SOME * args.count
asyncio.run(main(args.server, given[: args.count], args.out))
