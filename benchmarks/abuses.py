"""Abuses: what careless and hostile clients do to a server, each for some seconds.

    python -m benchmarks.abuses NAME HOST:PORT SECONDS

Run in a process of their own by `chaos.py` and `soak.py`, so that good clients beside them are as
quick as ever. Knows sockets, gRPC and messages; nothing of the engine but the sizes of a pose. What
comes of each call is counted by its status and printed as JSON.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc.aio
from contrapose.v1 import generation_pb2, generation_pb2_grpc, interaction_pb2_grpc, types_pb2
from contrapose.v1 import interaction_pb2 as pb

SEED = 1
CONNECTION_COUNT, HEADERLESS_COUNT, CANCELLED_COUNT = 30, 200, 200
CALLER_COUNT, CROWD, SLOW_COUNT = 40, 40, 4
PING_COUNT = 100_000
MOST_TARGETS, TOO_MANY_TARGETS = 64, 1100
MOTION_FRAMES = 6000
WRITE_FAILED = "Internal error from Core"
"""What this library makes of a call that ends while it is written to; its status is lost."""
RETRY_S = 0.05
"""How soon a caller who was refused is back: sooner than it was told to be."""

Outcomes = Counter[str]
Abuse = Callable[[str, float], Awaitable[Outcomes]]


# ----------------------------------------------------------------------------------------- messages
def still_body() -> types_pb2.BodyPose:
    return types_pb2.BodyPose(root_translation=[0, 1.2, 0], rotations=[0, 0, 0, 1] * 22)


def posed(sequence: int, rate: float) -> pb.StreamInteractionRequest:
    pose = pb.PlayerPose(sequence=sequence, time_code=(sequence - 1) / rate, body=still_body())
    return pb.StreamInteractionRequest(pose=pose)


def controlled(**control: Any) -> pb.StreamInteractionRequest:
    return pb.StreamInteractionRequest(control=pb.SessionControl(**control))


def wanted(count: int, first: int) -> list[pb.PoseTarget]:
    body = still_body()
    return [
        pb.PoseTarget(frame_index=first + frame, partner=body, player=body)
        for frame in range(count)
    ]


@asynccontextmanager
async def opened(address: str, **header: Any) -> AsyncIterator[Any]:
    """A session's call after its header, over a connection of its own; cancelled with the block."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        stub = interaction_pb2_grpc.InteractionServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
        call = stub.StreamInteraction()
        try:
            first = pb.SessionHeader(client_name="abuse", **header)
            await call.write(pb.StreamInteractionRequest(header=first))
            yield call
        finally:
            call.cancel()


async def read(call: Any) -> Outcomes:
    """How the call ended, all it said left aside."""
    try:
        while await call.read() is not grpc.aio.EOF:
            pass
    except grpc.aio.AioRpcError as error:
        return Counter([status_of(error)])
    except asyncio.CancelledError:
        if not call.cancelled():
            raise
        return Counter(["CANCELLED"])
    return Counter(["OK"])


def status_of(error: grpc.aio.AioRpcError) -> str:
    return "ended" if error.details() == WRITE_FAILED else str(error.code().name)


async def talked(address: str, says: Callable[[Any], Awaitable[None]], **header: Any) -> Outcomes:
    """One session of a client who says this and reads all; how it ended."""
    async with opened(address, **header) as call:
        reading = asyncio.create_task(read(call))
        with suppress(asyncio.InvalidStateError, grpc.aio.AioRpcError):
            await says(call)
            await call.done_writing()
        return await reading


# ------------------------------------------------------------------------------------ without gRPC
async def garbage(address: str, seconds: float) -> Outcomes:
    """Random bytes."""
    rng = random.Random(SEED)
    return await _sent(address, seconds, lambda: rng.randbytes(rng.randrange(1, 20_000)))


async def http1(address: str, seconds: float) -> Outcomes:
    """Requests of HTTP/1.1."""
    return await _sent(address, seconds, lambda: b"GET / HTTP/1.1\r\nHost: server\r\n\r\n")


async def idle(address: str, seconds: float) -> Outcomes:
    """Connections that say nothing."""
    host, port = address.rsplit(":", 1)
    pairs = [await asyncio.open_connection(host, port) for _ in range(CONNECTION_COUNT)]
    await asyncio.sleep(seconds)
    for _, writer in pairs:
        writer.close()
    return Counter(connections=len(pairs))


async def _sent(address: str, seconds: float, data: Callable[[], bytes]) -> Outcomes:
    """One connection after the other, each with some bytes."""
    host, port = address.rsplit(":", 1)
    outcomes: Outcomes = Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        reader, writer = await asyncio.open_connection(host, port)
        with suppress(ConnectionError):
            writer.write(data())
            await writer.drain()
            async with asyncio.timeout(1.0):
                await reader.read()
        writer.close()
        outcomes["connections"] += 1
        await asyncio.sleep(0.02)
    return outcomes


# ----------------------------------------------------------------------------------------- sessions
async def headerless(address: str, seconds: float) -> Outcomes:
    """Streams that are opened and say nothing."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = interaction_pb2_grpc.InteractionServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
        calls = [stub.StreamInteraction() for _ in range(HEADERLESS_COUNT)]
        reading = [asyncio.create_task(read(call)) for call in calls]
        await asyncio.sleep(seconds)
        for call in calls:
            call.cancel()
        return sum(await asyncio.gather(*reading), Outcomes())


async def fast_poses(address: str, seconds: float) -> Outcomes:
    """A player at 1 kHz."""

    async def says(call: Any) -> None:
        begun = time.monotonic()
        for sequence in range(1, int(1000 * seconds)):
            await asyncio.sleep(max(begun + sequence / 1000 - time.monotonic(), 0))
            await call.write(posed(sequence, 1000))

    return await talked(address, says)


async def pings(address: str, seconds: float) -> Outcomes:
    """As many pings as go through, a hundred thousand at most; more than are read wait unread."""

    async def says(call: Any) -> None:
        await call.write(posed(1, 10))
        for number in range(PING_COUNT):
            ping = pb.ClockPing(ping_id=number, client_time=1.0)
            await call.write(pb.StreamInteractionRequest(ping=ping))

    try:
        async with asyncio.timeout(seconds):
            return await talked(address, says)
    except TimeoutError:
        return Counter(["left"])


async def controls(address: str, seconds: float) -> Outcomes:
    """The largest controls that are allowed, back to back."""
    end = time.monotonic() + seconds

    async def says(call: Any) -> None:
        sequence = 1
        while time.monotonic() < end:
            await call.write(posed(sequence, 10))
            frame = int(10 * (seconds - end + time.monotonic()))
            targets = wanted(MOST_TARGETS, frame + 40)
            await call.write(
                controlled(mode=pb.SESSION_MODE_INBETWEEN, targets=targets, clear_targets=True)
            )
            sequence += 1

    return await talked(address, says)


async def huge_controls(address: str, seconds: float) -> Outcomes:
    """Controls of 824 KB, with far more targets than are allowed."""
    outcomes: Outcomes = Counter()
    control = controlled(targets=wanted(TOO_MANY_TARGETS, 40))
    end = time.monotonic() + seconds

    async def says(call: Any) -> None:
        for _ in range(12):
            await call.write(control)

    while time.monotonic() < end:
        outcomes += await talked(address, says, mode=pb.SESSION_MODE_INBETWEEN)
    return outcomes


async def far_walks(address: str, seconds: float) -> Outcomes:
    """Places a kilometre off, another one three times a second."""

    async def says(call: Any) -> None:
        for sequence in range(1, int(10 * seconds)):
            await call.write(posed(sequence, 10))
            if sequence % 3 == 0:
                side = 700.0 if sequence % 2 else -700.0
                await call.write(controlled(place=pb.PlaceTarget(position=[side, 0, 700])))
            await asyncio.sleep(0.1)

    return await talked(address, says)


async def slow_readers(address: str, seconds: float) -> Outcomes:
    """Players who read nothing of what they are sent."""

    async def one() -> Outcomes:
        async with opened(address) as call:
            with suppress(asyncio.InvalidStateError, grpc.aio.AioRpcError):
                for sequence in range(1, int(10 * seconds)):
                    await call.write(posed(sequence, 10))
                    await asyncio.sleep(0.1)
        return Counter(["left"])

    return sum(await asyncio.gather(*(one() for _ in range(SLOW_COUNT))), Outcomes())


async def cancelled(address: str, seconds: float) -> Outcomes:
    """Streams that are cancelled as soon as they are open."""
    rng = random.Random(SEED)

    async def one(number: int) -> Outcomes:
        await asyncio.sleep(seconds * number / CANCELLED_COUNT)
        async with opened(address) as call:
            await asyncio.sleep(rng.uniform(0.0, 0.1))
            call.cancel()
            return await read(call)

    return sum(await asyncio.gather(*map(one, range(CANCELLED_COUNT))), Outcomes())


async def crowd(address: str, seconds: float) -> Outcomes:
    """Forty players at once."""

    async def says(call: Any) -> None:
        for sequence in range(1, int(10 * seconds)):
            await call.write(posed(sequence, 10))
            await asyncio.sleep(0.1)

    return sum(await asyncio.gather(*(talked(address, says) for _ in range(CROWD))), Outcomes())


async def tokens(address: str, seconds: float) -> Outcomes:
    """A token that is altered in any bit, cut, or of a run of before."""
    rng = random.Random(SEED)
    outcomes: Outcomes = Counter()
    async with opened(address) as call:
        try:
            await call.write(posed(1, 10))
            while not (token := (await call.read()).status.resume_token):
                pass
        except grpc.aio.AioRpcError as error:
            return Counter([status_of(error)])
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        forged = bytearray(token)
        forged[rng.randrange(len(forged))] ^= 1 << rng.randrange(8)
        kept = forged[: rng.randrange(len(forged))] if rng.random() < 0.3 else forged
        async with opened(address, resume_token=bytes(kept)) as again:
            outcomes += await read(again)
    return outcomes


# ------------------------------------------------------------------------------------- generation
async def generations(address: str, seconds: float) -> Outcomes:
    """Callers of GenerateMotion with new shapes, words, and as many frames as are allowed."""
    rng = random.Random(SEED)
    outcomes: Outcomes = Counter()
    end = time.monotonic() + seconds

    def person() -> types_pb2.Person:
        return types_pb2.Person(pose=still_body(), betas=[rng.uniform(-2, 2) for _ in range(10)])

    async def one(stub: Any) -> None:
        while (left := end - time.monotonic()) > 0:
            request = generation_pb2.GenerateMotionRequest(
                pair=types_pb2.Pair(player=person(), partner=person()),
                frames=MOTION_FRAMES,
                text="two people shake hands",
            )
            try:
                async for _ in stub.GenerateMotion(request, timeout=left):
                    pass
            except grpc.aio.AioRpcError as error:
                outcomes[error.code().name] += 1
                await asyncio.sleep(RETRY_S)

    async with grpc.aio.insecure_channel(address) as channel:
        stub = generation_pb2_grpc.GenerationServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
        await asyncio.gather(*(one(stub) for _ in range(CALLER_COUNT)))
    return outcomes


ABUSES: dict[str, Abuse] = {
    "garbage": garbage,
    "http1": http1,
    "idle": idle,
    "headerless": headerless,
    "fast_poses": fast_poses,
    "pings": pings,
    "controls": controls,
    "huge_controls": huge_controls,
    "far_walks": far_walks,
    "generations": generations,
    "slow_readers": slow_readers,
    "cancelled": cancelled,
    "tokens": tokens,
    "crowd": crowd,
}


def main(arguments: list[str]) -> int:
    name, address, seconds = arguments
    print(json.dumps(asyncio.run(ABUSES[name](address, float(seconds)))))  # type: ignore[arg-type]
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
