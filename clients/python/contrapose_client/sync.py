"""The client for scripts and notebooks, which wait for each answer:

    from contrapose_client import sync

    with sync.connect() as client:
        client.generate("two people shake hands", seconds=3, seed=1).save("shake.npz")

Knows the asynchronous client, which does the work on a thread of its own; no message.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from contrapose.v1 import server_info_pb2

from contrapose_client.client import WAIT_SECONDS, Client, Tls
from contrapose_client.client import connect as connect_asynchronously
from contrapose_client.errors import ServerError
from contrapose_client.intent import Offer
from contrapose_client.interaction import Interaction
from contrapose_client.people import People
from contrapose_client.playout import Array, PlanFrame

ADDRESS = "127.0.0.1:50051"
T = TypeVar("T")


def connect(
    address: str = ADDRESS,
    *,
    token: str | None = None,
    tls: Tls | Path | str | bool = False,
    wait: float = WAIT_SECONDS,
) -> SyncClient:
    """A client of the server at "host:port"; use it in a `with`. As `contrapose_client.connect`."""
    return SyncClient(lambda: connect_asynchronously(address, token=token, tls=tls, wait=wait))


class SyncClient:
    """Each call returns when the server has answered. Refusals raise ServerError."""

    def __init__(self, connecting: Callable[[], Client]) -> None:
        self._connecting = connecting
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="contrapose-client", daemon=True
        )

    def __enter__(self) -> SyncClient:
        self._thread.start()
        try:
            self._client = self._wait_for(self._entered())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        try:
            self._wait_for(self._client.__aexit__(None, None, None))
        finally:
            self._stop()

    async def _entered(self) -> Client:
        return await self._connecting().__aenter__()  # a channel belongs to the loop it is made on

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except ServerError as error:
            refusal = error.with_traceback(None)  # where in the client it arose helps nobody
        except BaseException:
            future.cancel()
            raise
        raise refusal

    def _each(self, answers: AsyncIterator[T]) -> Iterator[T]:
        """What an asynchronous generator yields; it is closed if nobody wants the rest."""

        async def step() -> list[T]:
            return [answer async for answer in _first(answers)]

        async def close() -> None:
            if hasattr(answers, "aclose"):
                await answers.aclose()

        try:
            while found := self._wait_for(step()):
                yield found[0]
        finally:
            self._wait_for(close())

    def server_info(self) -> server_info_pb2.GetServerInfoResponse:
        """Versions, limits, bundle and skeleton."""
        return self._wait_for(self._client.server_info())

    def generate(
        self,
        text: str,
        *,
        seconds: float = 3.0,
        seed: int | None = None,
        steps: int | None = None,
    ) -> People:
        """A motion of two people from words."""
        frames = frames_of(seconds)
        made = self._client.generate(text, frames=frames, seed=seed, steps=steps)
        return self._wait_for(made).people

    def generate_many(
        self,
        texts: Sequence[str],
        *,
        seconds: float = 3.0,
        seed: int | None = None,
        steps: int | None = None,
        at_once: int = 4,
    ) -> Iterator[People]:
        """A motion for each of many texts, in their order, with `at_once` of them under way.

        seed  of the first; the others get the numbers after it. None: a random one each
        """
        frames = frames_of(seconds)
        answers = self._client.generate_many(
            texts, frames=frames, seed=seed, steps=steps, at_once=at_once
        )
        for made in self._each(answers):
            yield made.people

    def pose(
        self, text: str = "", *, single: People | None = None, seed: int | None = None
    ) -> People:
        """A pair from words, from a single person's pose, or from both."""
        made = self._client.generate_pair(text=text, single=single, seed=seed)
        return self._wait_for(made).people

    def animate(
        self,
        pair: People,
        *,
        seconds: float = 3.0,
        at: int = 0,
        text: str = "",
        seed: int | None = None,
    ) -> People:
        """The motion around a pair, which stands unchanged at frame `at`."""
        frames = frames_of(seconds)
        made = self._client.generate_motion(
            pair, frames=frames, anchor_index=at, text=text, seed=seed
        )
        return self._wait_for(made).people

    def live(
        self,
        player: Iterable[tuple[Array, Array]],
        *,
        agrees: Callable[[Offer], bool] | None = None,
        **settings: Any,
    ) -> Iterator[PlanFrame]:
        """A live session: yields the partner's frames, each when it is due, ten a second.

        player    (22, 4) unit quaternions and (3,) metres, ten poses a second: one is taken and
                  sent for each frame that is yielded. The session ends with them
        agrees    with respond="ask": whether the partner is to answer an offer
        settings  as `Client.interact` takes them
        """
        yield from self._each(self._live(iter(player), agrees, settings))

    async def _live(
        self,
        player: Iterator[tuple[Array, Array]],
        agrees: Callable[[Offer], bool] | None,
        settings: dict[str, Any],
    ) -> AsyncIterator[PlanFrame]:
        first = next(player, None)
        if first is None:
            return
        session: Interaction
        async with self._client.interact(**settings) as session:
            await session.send_pose(*first)
            async for frame in session.frames():
                yield frame
                while agrees is not None and session.offers:
                    offer = session.offers.popleft()
                    if agrees(offer):
                        await session.confirm(offer.id)
                pose = next(player, None)
                if pose is None:
                    return
                await session.send_pose(*pose)


def frames_of(seconds: float) -> int:
    """Raises ValueError for less than a frame."""
    frames = round(10 * seconds)
    if frames < 1:
        raise ValueError(f"{seconds:g} seconds are not one frame; there are ten a second")
    return frames


async def _first(answers: AsyncIterator[T]) -> AsyncIterator[T]:
    """The next one alone, or nothing at the end."""
    try:
        yield await anext(answers)
    except StopAsyncIteration:
        return
