"""Direct the partner, and feel the touch: words, a place, a hand; haptics told ahead of time.

Run it:
    contrapose serve &
    python examples/touch_and_feel.py --seconds 8
"""

import argparse
import asyncio

import numpy as np
from contrapose_client import Place, Touch, connect, standing


async def main(server: str, frames: int) -> None:
    async with connect(server) as client, client.interact(seed=7) as session:
        await session.send_pose(*standing())  # at the origin, looking along +Z
        parts = session.accepted.player_skeleton.joint_names
        pat = Touch("right_wrist", "left_shoulder", frame=frames // 2, hold_frames=10)
        place = Place(np.array([0.3, 0.0, 0.7]))
        await session.control(text="one pats the other's shoulder", place=place, contact=pat)
        told = set()
        async for frame in session.frames(frames):
            await session.send_pose(*standing())
            for touch in session.contacts:  # a later plan may still move it, or drop it
                if touch.contact_id not in told:
                    ahead = (touch.start_frame_index - frame.index) / 10
                    where = f"{parts[touch.partner_joint]} on {parts[touch.player_joint]}"
                    print(f"in {ahead:.1f} s {where}, {touch.closing_speed:.1f} m/s")
                told.add(touch.contact_id)
        print(*(event.text for event in session.events), sep="\n")


parser = argparse.ArgumentParser()
parser.add_argument("--server", default="127.0.0.1:50051")
parser.add_argument("--seconds", type=float, default=8)
args = parser.parse_args()
asyncio.run(main(args.server, round(10 * args.seconds)))
