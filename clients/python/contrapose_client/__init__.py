"""Contrapose from Python: stream a player, show the partner that the server answers with.

A complete example; the player stands still and the partner reacts for five seconds:

    from contrapose_client import connect, run, standing

    async def main():
        async with connect("127.0.0.1:50051") as client, client.interact(seed=7) as session:
            await session.send_pose(*standing())
            async for frame in session.frames(20):  # each when its time comes
                await session.send_pose(*standing())
                print(frame.index, frame.transl, frame.quats_xyzw[0])

    run(main())

`run` is `asyncio.run`, but a refusal ends the script with one line. `contrapose_client.sync` does
the same for scripts and notebooks without `async`.

Knows the wire contract (`contrapose.v1`), grpc and numpy; nothing of the engine.
"""

from contrapose_client.client import Client, Generated, Tls, connect
from contrapose_client.devices import Device, calibrate
from contrapose_client.errors import ServerError
from contrapose_client.intent import Intent, Offer
from contrapose_client.interaction import Interaction
from contrapose_client.people import People
from contrapose_client.playout import ClockSync, PlanFrame, PlayoutBuffer, PlayoutReport
from contrapose_client.scripts import run
from contrapose_client.standing import standing
from contrapose_client.targets import Place, PoseAt, Touch
from contrapose_client.versions import own_version

__all__ = [
    "Client",
    "ClockSync",
    "Device",
    "Generated",
    "Intent",
    "Interaction",
    "Offer",
    "People",
    "Place",
    "PlanFrame",
    "PlayoutBuffer",
    "PlayoutReport",
    "PoseAt",
    "ServerError",
    "Tls",
    "Touch",
    "__version__",
    "calibrate",
    "connect",
    "run",
    "standing",
]

__version__ = own_version()
