"""A connection to a Contrapose server: sessions, motions, pairs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import grpc
import grpc.aio
import numpy as np
from contrapose.v1 import (
    generation_pb2,
    generation_pb2_grpc,
    interaction_pb2,
    interaction_pb2_grpc,
    server_info_pb2,
    server_info_pb2_grpc,
    types_pb2,
)

from contrapose_client.errors import ServerError, translated
from contrapose_client.intent import kinds_message, respond_number
from contrapose_client.interaction import Interaction
from contrapose_client.people import People
from contrapose_client.playout import Array, curls_array, pose_arrays
from contrapose_client.targets import body_pose, mode_number

CONNECT_TIMEOUT = 10.0
WAIT_SECONDS = 30.0
"""A server loads its bundle in six to twenty."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 1.0
"""Seconds between two questions whether a server is ready."""
HEALTH = "/grpc.health.v1.Health/Check"
SERVING = b"\x08\x01"
"""The answer's bytes: field 1 is 1. Its types come with a package that a client has no need of."""


@dataclass(frozen=True, kw_only=True)
class Generated:
    """What a server made, and how."""

    people: People
    """A pair (2, 22, 4), or a motion (2, frames, 22, 4)."""
    info: generation_pb2.GenerationInfo
    """`info.notice` tells of words that are far from all that the server's bundle knows."""


@dataclass(frozen=True, kw_only=True)
class Tls:
    """An encrypted connection. Paths of PEM files; None: as the machine has it.

    ca         the certificate that the server's is signed by
    cert, key  of the client, for a server that asks for one
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        files = (self.ca, self.key, self.cert)
        parts = [None if path is None else path.read_bytes() for path in files]
        return grpc.ssl_channel_credentials(*parts)


def connect(
    address: str,
    *,
    token: str | None = None,
    tls: Tls | Path | str | bool = False,
    wait: float = WAIT_SECONDS,
) -> Client:
    """A client of the server at "host:port"; use it in an `async with`.

    token  of the server's token file, where it asks for one
    tls    True: encrypted, by a certificate that the machine trusts; the path of a PEM file: by one
           that is signed by this; a Tls: for more. False: in the clear
    wait   seconds that the `async with` may take until the server serves: it may still be loading;
           0: not asked, the first call tells
    """
    if isinstance(tls, str | Path):
        tls = Tls(ca=Path(tls))
    if tls is True:
        tls = Tls()
    return Client(address, token=token, tls=tls or None, wait=wait)


class Client:
    """One channel to one server. Refusals raise ServerError."""

    def __init__(
        self,
        address: str,
        *,
        token: str | None = None,
        tls: Tls | None = None,
        wait: float = WAIT_SECONDS,
    ) -> None:
        self.address = address
        self._wait = wait
        self._metadata = [] if token is None else [("authorization", f"Bearer {token}")]
        self._channel = (
            grpc.aio.insecure_channel(address)
            if tls is None
            else grpc.aio.secure_channel(address, tls.credentials())
        )

    async def __aenter__(self) -> Client:
        if self._wait > 0:
            try:
                await self._until_it_serves()
            except BaseException:
                await self._channel.close()
                raise
        return self

    async def _until_it_serves(self) -> None:
        """Raises ServerError if the server refuses us, or does not serve in time."""
        until, pause = time.monotonic() + self._wait, FIRST_PAUSE
        check: Any = self._channel.unary_unary(HEALTH)
        while True:
            problem = f"{self.address} is still loading"
            try:
                with translated(self.address):
                    health = await check(b"", timeout=CONNECT_TIMEOUT, metadata=self._metadata)
                if health == SERVING:
                    return
            except ServerError as error:
                if error.code is grpc.StatusCode.UNIMPLEMENTED:
                    return  # something between us and the server knows no health
                may_come = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
                if error.code not in may_come or "encrypted" in str(error):
                    raise
                problem = str(error)
            if time.monotonic() + pause > until:
                raise ServerError(
                    grpc.StatusCode.UNAVAILABLE, f"{problem} (after {self._wait:g} s)"
                )
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._channel.close()

    async def server_info(
        self, timeout: float = CONNECT_TIMEOUT
    ) -> server_info_pb2.GetServerInfoResponse:
        """Versions, limits, bundle and skeleton."""
        stub = server_info_pb2_grpc.ServerInfoServiceStub(self._channel)  # type: ignore[no-untyped-call]  # generated
        with translated(self.address):
            response: server_info_pb2.GetServerInfoResponse = await stub.GetServerInfo(
                server_info_pb2.GetServerInfoRequest(), timeout=timeout, metadata=self._metadata
            )
        return response

    def interact(
        self,
        *,
        text: str = "",
        seed: int | None = None,
        steps: int | None = None,
        player_betas: Array | None = None,
        partner_betas: Array | None = None,
        horizon_frames: int | None = None,
        calibration: types_pb2.Calibration | None = None,
        allow_contact: bool | None = None,
        zone_radius: float | None = None,
        mode: str | None = None,
        energy: float | None = None,
        partner_start: tuple[Array, Array] | None = None,
        respond: str | None = None,
        kinds: Sequence[str] | None = None,
        bundle: str = "",
        client_name: str = "contrapose-python",
    ) -> Interaction:
        """A live session; see Interaction.

        text         what the two do; a server whose bundle makes no use of it sends an event
        calibration  for a player sent as trackers, humanoid or OpenXR joints: see `calibrate`
        allow_contact, zone_radius  whether the partner may touch the player, and how many metres
                     around the player's body stay free of the partner's; None: as the server has it
        mode, energy, respond, kinds  as in Interaction.control
        partner_start  (22, 4) and (3,) of the partner at the beginning; None: a step in front of
                     the player, face to face
        """
        header = interaction_pb2.SessionHeader(
            text=text,
            seed=seed,
            steps=steps,
            horizon_frames=horizon_frames,
            player_betas=_listed(player_betas),
            partner_betas=_listed(partner_betas),
            calibration=calibration,
            allow_contact=allow_contact,
            zone_radius=zone_radius,
            mode=mode_number(mode),
            energy=energy,
            partner_start=None if partner_start is None else body_pose(*partner_start),
            respond=respond_number(respond),
            kinds=kinds_message(kinds),
            bundle=bundle,
            client_name=client_name,
        )
        stub = interaction_pb2_grpc.InteractionServiceStub(self._channel)  # type: ignore[no-untyped-call]  # generated
        return Interaction(stub.StreamInteraction(metadata=self._metadata), header, self.address)

    def resume(
        self, session: Interaction, *, client_name: str = "contrapose-python"
    ) -> Interaction:
        """The same session, on this client's server: that of `session` died, or cannot be reached.

        Enter it as you enter `interact`. It shares clock, numbers and playout with `session`, so
        that frames and poses go on. Raises ValueError if the server gave no token.
        """
        if not session.resume_token:
            raise ValueError("the server gave no resume token; open a new session")
        header = interaction_pb2.SessionHeader(
            resume_token=session.resume_token, client_name=client_name
        )
        stub = interaction_pb2_grpc.InteractionServiceStub(self._channel)  # type: ignore[no-untyped-call]  # generated
        stream = stub.StreamInteraction(metadata=self._metadata)
        return Interaction(stream, header, self.address, session)

    async def generate(
        self,
        text: str,
        *,
        frames: int = 30,
        anchor_index: int = 0,
        seed: int | None = None,
        steps: int | None = None,
    ) -> Generated:
        """A motion (2, frames, ...) from words: they make a pair, and the motion around it."""
        pair = await self.generate_pair(text=text, seed=seed)
        takes_text = (await self.server_info()).animator_takes_text
        made = await self.generate_motion(
            pair.people,
            frames=frames,
            anchor_index=anchor_index,
            text=text if takes_text else "",
            seed=seed,
            steps=steps,
        )
        made.info.notice = pair.info.notice
        return made

    async def generate_many(
        self,
        texts: Sequence[str],
        *,
        frames: int = 30,
        seed: int | None = None,
        steps: int | None = None,
        at_once: int = 4,
    ) -> AsyncIterator[Generated]:
        """`generate` for each of many texts, in their order, with `at_once` of them under way.

        seed  of the first; the others get the numbers after it. None: a random one each
        """
        waiting: list[asyncio.Task[Generated]] = []
        places = asyncio.Semaphore(at_once)

        async def made(index: int, text: str) -> Generated:
            async with places:
                own = None if seed is None else seed + index
                return await self.generate(text, frames=frames, seed=own, steps=steps)

        try:
            waiting = [asyncio.create_task(made(i, text)) for i, text in enumerate(texts)]
            for task in waiting:
                yield await task
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def generate_motion(
        self,
        pair: People,
        *,
        frames: int,
        anchor_index: int = 0,
        text: str = "",
        seed: int | None = None,
        steps: int | None = None,
    ) -> Generated:
        """Animate a pair: (2, frames, ...) with the pair at `anchor_index`, 10 frames a second.

        text  what the two do; a server whose animator takes no words refuses it (`server_info`)
        """
        request = generation_pb2.GenerateMotionRequest(
            pair=types_pb2.Pair(player=_person(pair, 0), partner=_person(pair, 1)),
            anchor_index=anchor_index,
            frames=frames,
            text=text,
            seed=seed,
            steps=steps,
        )
        stub = generation_pb2_grpc.GenerationServiceStub(self._channel)  # type: ignore[no-untyped-call]  # generated
        info = generation_pb2.GenerationInfo()
        played: list[types_pb2.Frame] = []
        with translated(self.address):
            async for response in stub.GenerateMotion(request, metadata=self._metadata):
                if response.HasField("info"):
                    info = response.info
                played.extend(response.frames.frames)
        poses = [[pose_arrays(frame.player), pose_arrays(frame.partner)] for frame in played]
        curls = [[curls_array(frame.player), curls_array(frame.partner)] for frame in played]
        return Generated(
            people=People(
                quats_xyzw=np.stack([[quats for quats, _ in both] for both in poses], axis=1),
                transl=np.stack([[transl for _, transl in both] for both in poses], axis=1),
                betas=pair.betas,
                curls=_stacked(curls),
            ),
            info=info,
        )

    async def generate_pair(
        self,
        *,
        text: str = "",
        single: People | None = None,
        seed: int | None = None,
        steps: int | None = None,
    ) -> Generated:
        """Invent a pair (2, 22, 4) from words, from a single person's pose, or from both."""
        request = generation_pb2.GeneratePairRequest(
            text=text,
            single=None if single is None else _person(single, 0),
            seed=seed,
            steps=steps,
        )
        stub = generation_pb2_grpc.GenerationServiceStub(self._channel)  # type: ignore[no-untyped-call]  # generated
        with translated(self.address):
            response: generation_pb2.GeneratePairResponse = await stub.GeneratePair(
                request, metadata=self._metadata
            )
        people = [response.pair.player, response.pair.partner]
        poses = [pose_arrays(person.pose) for person in people]
        curls = _stacked([[curls_array(person.pose) for person in people]])
        return Generated(
            people=People(
                quats_xyzw=np.stack([quats for quats, _ in poses]),
                transl=np.stack([transl for _, transl in poses]),
                betas=np.array([person.betas for person in people], np.float32),
                curls=None if curls is None else curls[:, 0],
            ),
            info=response.info,
        )


def _stacked(curls: list[list[Array | None]]) -> Array | None:
    """(2, frame, 10) of all frames; None unless all of them say it."""
    told = [[hand for hand in both if hand is not None] for both in curls]
    return np.stack(told, axis=1) if all(len(both) == 2 for both in told) else None


def _person(people: People, index: int) -> types_pb2.Person:
    curls = None if people.curls is None else people.curls[index]
    pose = body_pose(people.quats_xyzw[index], people.transl[index], curls)
    return types_pb2.Person(pose=pose, betas=people.betas[index].tolist())


def _listed(betas: Array | None) -> list[float]:
    return [] if betas is None else [float(value) for value in betas]
