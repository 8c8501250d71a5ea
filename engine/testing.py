"""Testing: fakes that ship, for our tests and those of anyone who builds on the engine.

They are real implementations of the seams: graphs that answer x0 = 0, a connection that delays and
loses by a seed, a clock that is set. Nothing here is patched into anything.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

import numpy as np

from engine.arrays import Array, IntArray
from engine.backends import Graph
from engine.backends.ports import out_of_memory
from engine.body.pose import Pose, stacked
from engine.body.shape import load_body
from engine.motion.floor import floor_height
from engine.motion.motion import POSE_FEATURES, WINDOW_FRAMES, features_from_pose
from engine.motion.standing import standing_partner, standing_pose
from engine.sampling.executor import Executor
from engine.sampling.models import Animator, Models, Network
from engine.sampling.request import WindowRequest
from engine.sampling.schedule import ddim_update
from engine.sampling.scheduler import CallCosts
from engine.serving.session_thread import SessionThread

P = ParamSpec("P")
T = TypeVar("T")
GraphInputs = Mapping[str, Array | IntArray]
CONDITION_INPUTS = ("anchor", "anchor_joints", "timesteps", "text")


# ------------------------------------------------------------------------------------------ models
def still_windows(requests: list[WindowRequest]) -> Array:
    """A sampler whose network predicts no motion: x0 = 0, everyone stays at the anchor."""
    return np.zeros((len(requests), 2, WINDOW_FRAMES, POSE_FEATURES), np.float32)


def noisy_windows(scale: float) -> Callable[[list[WindowRequest]], Array]:
    """A sampler whose windows are smooth random motion around the anchor, a function of the seed.

    scale  standard deviation of the residual features at the ends of a window
    """
    time = np.linspace(-1, 1, WINDOW_FRAMES)
    waves = np.stack([time, time**2, np.sin(np.pi * time), np.cos(np.pi * time) - 1])

    def sample(requests: list[WindowRequest]) -> Array:
        weights = np.stack(
            [
                np.random.default_rng(request.seed).standard_normal((2, len(waves), POSE_FEATURES))
                for request in requests
            ]
        )
        motion = np.einsum("wt,npwd->nptd", waves, weights)
        return np.asarray(scale / 2 * motion, np.float32)

    return sample


def still_models() -> Models:
    """Models whose networks need no weights: windows without motion, pairs that stand face to face.

    They go through the real sampler, executor and service; only the graphs are simple.
    """
    return Models(
        animator=Animator(condition=_still_condition, step=_still_window_step),
        generator=Network(condition=_still_condition, step=_still_pair_step),
    )


def with_animator(models: Models, **changes: Any) -> Models:
    """The models with another animator: `changes` by the fields of `Animator`."""
    return replace(models, animator=replace(models.animator, **changes))


def _still_condition(inputs: GraphInputs) -> dict[str, Array]:
    rows = len(inputs["anchor" if "anchor" in inputs else "text"])
    return {"modulation": np.zeros((rows, len(inputs["timesteps"]), 4), np.float32)}


def _still_window_step(inputs: GraphInputs) -> dict[str, Array]:
    x_t, abar_t, abar_s = (inputs[name].astype(np.float32) for name in ("x_t", "abar_t", "abar_s"))
    x0 = np.zeros_like(x_t)
    return {"x_s": ddim_update(x_t, x0, abar_t, abar_s), "x0": x0}


def _still_pair_step(inputs: GraphInputs) -> dict[str, Array]:
    return {"x0": np.broadcast_to(_standing_pair(), inputs["x_t"].shape).astype(np.float32)}


def small_memory(graph: Graph, most_rows: int) -> Graph:
    """A graph on a device that has room for that many rows, and is full with more."""

    def run(inputs: GraphInputs) -> dict[str, Array]:
        rows = len(next(iter(inputs.values())))
        if rows > most_rows:
            raise out_of_memory(Path("small"), rows)
        return graph(inputs)

    return run


class LoopOf:
    """A whole-window loop over a bundle's two graphs, step by step: what a device's must equal."""

    def __init__(self, condition: Graph, step: Graph) -> None:
        self._condition, self._step = condition, step
        self.calls: list[tuple[int, int]] = []
        """Rows and steps of each call so far."""

    def is_ready(self, steps: int) -> bool:
        return True

    def prepare(self, bucket: int, steps: int) -> None:
        """Nothing is compiled."""

    def __call__(self, inputs: GraphInputs) -> Array:
        given = {k: inputs[k] for k in CONDITION_INPUTS if k in inputs}
        modulation = self._condition(given)["modulation"]
        x_t = x0 = inputs["x_t"].astype(np.float32)
        self.calls.append((len(x_t), len(inputs["timesteps"])))
        for step in range(len(inputs["timesteps"])):
            outputs = self._step(
                {
                    "x_t": x_t,
                    "modulation": modulation[:, step],
                    **{name: inputs[name] for name in ("known", "known_mask", "anchor")},
                    **{
                        name: np.repeat(inputs[name][step], len(x_t))
                        for name in ("abar_t", "abar_s")
                    },
                }
            )
            x_t, x0 = outputs["x_s"], outputs["x0"]
        return x0


def _standing_pair() -> Array:
    """(2, 201): the first person at the canonical origin, the second 1 m before it."""
    rest = load_body().rest_joints(np.zeros((2, 10)))
    player = Pose(standing_pose(), np.zeros(3))
    player = Pose(player.rotmats, -floor_height(player, rest[0]) * np.array([0, 1, 0]))
    partner = standing_partner(player, rest, 1.0, 0.0)
    features = features_from_pose(stacked([player, partner]))
    return np.concatenate([features, rest.reshape(2, -1)], axis=-1)


# -------------------------------------------------------------------------------------------- time
@dataclass
class VirtualClock:
    """A clock that moves when told; call it for the time in seconds."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> float:
        self.now += seconds
        return self.now


class VirtualEventLoop(asyncio.SelectorEventLoop):
    """An event loop on a clock of its own that jumps to whatever is due next.

    A session of minutes takes as long as its computing, and always the same turns. For what runs on
    the loop alone: time does not wait for other threads.
    """

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return self._now

    def jump(self, seconds: float) -> None:
        self._now += seconds


class _Jumping(selectors.SelectSelector):
    def __init__(self, loop: VirtualEventLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:  # nothing will ever be due: only another thread can go on
            return super().select(None)
        ready = super().select(0)
        if not ready:
            self._loop.jump(max(timeout, 0.0))
        return ready


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, on a VirtualEventLoop."""
    with asyncio.Runner(loop_factory=VirtualEventLoop) as runner:
        return runner.run(main)


class InlineSessionThread(SessionThread):
    """Runs sessions on the event loop itself, in no time of a virtual clock."""

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return function(*args, **kwargs)


def virtual_executor(models: Models, costs: CallCosts) -> Executor:
    """An executor whose denoiser calls take, on a VirtualEventLoop, exactly what its costs say.

    The scheduling is the real one; the results are those of `models`, without a thread.
    """
    turns = _VirtualTurns()
    return Executor(models, costs=costs, clock=asyncio.get_running_loop().time, turns=turns)


class _VirtualTurns:
    """Turns on the running event loop."""

    def __init__(self) -> None:
        self._is_turning = self._is_over = False

    def start(self, executor: Executor) -> None:
        self._executor, self._loop = executor, asyncio.get_running_loop()

    def wake(self) -> None:
        if not (self._is_turning or self._is_over):
            self._is_turning = True
            self._loop.call_soon(self._turn)

    def stop(self) -> None:
        self._is_over = True

    def _turn(self) -> None:
        rows = self._executor.begin_turn()
        seconds = self._executor.costs.seconds(rows) if rows else 0.0
        self._loop.call_later(seconds, self._end_turn)

    def _end_turn(self) -> None:
        self._executor.end_turn()
        self._is_turning = False
        if self._executor.has_work:
            self.wake()


# -------------------------------------------------------------------------------------------- wire
@dataclass(frozen=True, kw_only=True)
class BadNetwork:
    """What TCP makes of a bad network: bytes come late, but all come, and in order."""

    jitter_s: float = 0.0
    """Each segment takes from 0 to so long."""
    loss: float = 0.0
    """Part of the segments that are lost and sent again, after RETRANSMIT_S, then after twice that,
    and so on. What was sent behind a lost one waits for it."""
    stall_s: float = 0.0
    """Nothing arrives for so long,"""
    stall_every_s: float = 5.0
    """every so often; for the first time after one such period."""
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.jitter_s >= 0 and 0 <= self.loss < 1):
            raise ValueError(f"{self.jitter_s=} must be at least 0, {self.loss=} lie in 0..1")
        if not 0 <= self.stall_s < self.stall_every_s:
            raise ValueError(f"{self.stall_s=} must lie in 0..{self.stall_every_s=}")


SEGMENT_BYTES = 1400
"""About what one packet carries."""
RETRANSMIT_S = 0.2
MOST_SEGMENTS = 1024
"""On their way at once; a sender of more waits."""
Travelling = asyncio.Queue[tuple[float, bytes]]
"""Segments and when they arrive."""


class LossyLink:
    """One direction of a connection over a bad network: when each of its segments arrives.

    seed  beside the network's own, so that no two links lose the same segments
    """

    def __init__(self, network: BadNetwork, *seed: int) -> None:
        self._network = network
        self._rng = np.random.default_rng([network.seed, *seed])
        self._newest = 0.0

    def arrival(self, sent: float) -> float:
        """When the next segment arrives, sent at a time; seconds since the network began."""
        network, timeout = self._network, RETRANSMIT_S
        at = sent + self._rng.uniform(0, network.jitter_s)
        while self._rng.random() < network.loss:
            at, timeout = at + timeout, 2 * timeout
        period, into = divmod(at, network.stall_every_s)
        if period >= 1 and into < network.stall_s:
            at += network.stall_s - into
        self._newest = max(self._newest, at)
        return self._newest


class LossyProxy:
    """A TCP proxy on a free loopback port; what goes through it crosses a bad network both ways.

    Use as `async with LossyProxy("host:port", network) as proxy`, and connect to `proxy.address`.
    The network begins with the block, and stalls for all connections at once.
    """

    def __init__(self, target: str, network: BadNetwork) -> None:
        host, _, port = target.rpartition(":")
        self._target = host.strip("[]"), int(port)
        self._network = network
        self._numbers = count()
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> LossyProxy:
        self._loop = asyncio.get_running_loop()
        self._begun = self._loop.time()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(task)

        def on_done(task: asyncio.Task[None]) -> None:
            self._connections.discard(task)
            writer.close()  # here, for a task that is cancelled before it runs closes nothing

        task.add_done_callback(on_done)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = next(self._numbers)
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            return
        try:
            async with asyncio.TaskGroup() as tasks:
                for up_or_down, source, sink in (
                    (0, reader, far_writer),
                    (1, far_reader, writer),
                ):
                    link = LossyLink(self._network, number, up_or_down)
                    travelling: Travelling = asyncio.Queue(MOST_SEGMENTS)
                    tasks.create_task(self._send(source, link, travelling))
                    tasks.create_task(self._deliver(travelling, sink))
        except* ConnectionError:
            pass  # one end has gone, and the connection with it
        finally:
            far_writer.close()

    async def _send(
        self, source: asyncio.StreamReader, link: LossyLink, travelling: Travelling
    ) -> None:
        """Put segments on their way; the last is empty."""
        segment = b"..."
        while segment:
            segment = await source.read(SEGMENT_BYTES)
            await travelling.put((link.arrival(self._now()), segment))

    async def _deliver(self, travelling: Travelling, sink: asyncio.StreamWriter) -> None:
        while True:
            at, segment = await travelling.get()
            await asyncio.sleep(max(at - self._now(), 0.0))
            if not segment:
                sink.write_eof()
                return
            sink.write(segment)
            await sink.drain()

    def _now(self) -> float:
        return self._loop.time() - self._begun
