"""Contrapose from Python: stream a player, play the partner who answers.

A complete example; the player stands in a T and the partner reacts for five seconds:

    import asyncio, numpy as np
    from contrapose_client import connect

    async def main():
        async with connect("127.0.0.1:50051") as client, client.interact(seed=7) as session:
            pose = np.tile(np.float32([0, 0, 0, 1]), (22, 1))  # unit quaternions x, y, z, w
            await session.send_pose(pose, np.zeros(3, np.float32))
            async for frame in session.frames(50):             # each when its time comes
                await session.send_pose(pose, np.zeros(3, np.float32))
                print(frame.index, frame.transl, frame.quats_xyzw[0])

    asyncio.run(main())

Knows the wire contract (`contrapose.v1`), grpc and numpy; nothing of the engine.
"""

from contrapose_client.client import Client, Generated, People, connect
from contrapose_client.devices import Device, calibrate
from contrapose_client.errors import ServerError
from contrapose_client.interaction import Interaction
from contrapose_client.playout import ClockSync, PlanFrame, PlayoutBuffer, PlayoutReport
from contrapose_client.targets import Place, PoseAt, Touch

__all__ = [
    "Client",
    "ClockSync",
    "Device",
    "Generated",
    "Interaction",
    "People",
    "Place",
    "PlanFrame",
    "PlayoutBuffer",
    "PlayoutReport",
    "PoseAt",
    "ServerError",
    "Touch",
    "calibrate",
    "connect",
]
