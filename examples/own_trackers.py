"""A player of three tracked points: put your own devices into `worn`, the server makes the body.

Run it:
    contrapose serve &
    python examples/own_trackers.py --seconds 10
"""

import argparse
import asyncio

import numpy as np
from contrapose_client import Device, calibrate, connect

AHEAD = np.array([0.0, 0.0, 0.0, 1.0])  # x, y, z, w


def worn(seconds: float) -> dict[str, Device]:
    """By role: right-handed, Y up, metres, as OpenXR has it. Here a hand goes up and down."""
    return {  # a role that is missing counts as lost: its joint is held, then guessed
        "head": Device(np.array([0.0, 1.62, 0.1]), AHEAD),
        "left_hand": Device(np.array([0.3, 0.9, 0.0]), AHEAD),
        "right_hand": Device(np.array([-0.3, 1.1 + 0.2 * np.sin(seconds), 0.2]), AHEAD, 0.9),
    }


async def main(server: str, frames: int) -> None:
    size = calibrate(height=1.75, axes="joints")  # better: calibrate(worn(0)) in a T pose
    async with connect(server) as client, client.interact(calibration=size) as session:
        await session.send_trackers(worn(0))
        async for frame in session.frames(frames):
            await session.send_trackers(worn(session.session_time()))
            print(f"{frame.time_code:.1f} s: partner at {frame.transl.round(2)}, {frame.quality}")


parser = argparse.ArgumentParser()
parser.add_argument("--server", default="127.0.0.1:50051")
parser.add_argument("--seconds", type=float, default=10)
args = parser.parse_args()
asyncio.run(main(args.server, round(10 * args.seconds)))
