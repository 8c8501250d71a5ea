"""Plays episodes to real sessions on a virtual clock, many at once, and keeps what was shown.

Every session is the engine's own, with its windows sampled by the bundle's graphs; sessions that
want a window in the same frame share the calls. A window arrives one frame after it was asked for.
Knows sessions and episodes; no measure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

import numpy as np

from engine.arrays import Array, IntArray
from engine.body.capsules import Capsules, fitted_capsules
from engine.body.pose import Pose
from engine.body.shape import load_body
from engine.motion.intent import IntentNet
from engine.motion.motion import FRAME_RATE
from engine.sampling.request import SampledWindow, WindowRequest
from engine.session.config import SessionConfig
from engine.session.session import Session
from trainer.evaluation.live.episode import Episode

AT_ONCE = 24
"""Sessions that are played side by side: enough to fill the graphs' largest bucket."""
TICK_S = 0.01
"""After the player's frame, so that a tick knows it."""

SampleWindows = Callable[[list[WindowRequest]], Array]
EncodeWords = Callable[[str], tuple[Array, str | None]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Played:
    """What a partner did in an episode.

    rotmats (frame, 22, 3, 3), transl (frame, 3); window (frame,) number of the window that each
    frame comes from, 0 where there is none; late_frames that were not there when they were due,
    None on a virtual clock, where all are
    """

    episode: Episode
    rotmats: Array
    transl: Array
    window: IntArray
    late_frames: int | None = None


def as_played(episode: Episode, motion: tuple[Array, Array]) -> Played:
    """A partner whose motion is known beforehand, such as the truth."""
    rotmats, transl = motion
    window = np.zeros(len(transl), np.int64)
    return Played(episode=episode, rotmats=rotmats, transl=transl, window=window)


class _Seat:
    """A session, its episode, and what its client has seen."""

    def __init__(
        self,
        episode: Episode,
        config: SessionConfig,
        encode: EncodeWords | None,
        intent: IntentNet | None,
    ) -> None:
        self.episode = episode
        self._encode = encode
        capsules = (_capsules(episode.betas[0].tobytes()), _capsules(episode.betas[1].tobytes()))
        self.session = Session(
            config,
            rest_joints=episode.rest_joints,
            seed=episode.seed,
            capsules=capsules,
            partner_start=Pose(*episode.start),
            intent=intent,
        )
        self._words = dict(episode.words)
        self._frame = 0
        self.waiting: tuple[int, Array] | None = None
        self._held: dict[int, tuple[Pose, int]] = {}
        self._rotmats = np.empty((episode.frames, 22, 3, 3), np.float32)
        self._transl = np.empty((episode.frames, 3), np.float32)
        self._window = np.zeros(episode.frames, np.int64)

    @property
    def is_over(self) -> bool:
        return self._frame == self.episode.frames

    def step(self) -> list[tuple[int, WindowRequest]]:
        """The next frame of the client's life; returns the windows that the session wants."""
        episode, session, frame = self.episode, self.session, self._frame
        now = frame / FRAME_RATE
        if (words := self._words.get(frame)) is not None and self._encode is not None:
            text, act = self._encode(words) if words else (None, None)
            session.direct(replace(session.direction, text=text, act=act))
        session.feed(now, Pose(episode.rotmats[frame], episode.transl[frame]))
        if self.waiting is not None:
            ticket, x0 = self.waiting
            session.accept(ticket, SampledWindow(x0=x0))
            self.waiting = None
        tick = session.tick(now + TICK_S)
        if tick.chunk is not None:
            frames = tick.chunk.frames
            for row, index in enumerate(range(frames.first, frames.last + 1)):
                window = int(frames.labels["window"][row])
                self._held[index] = frames.pose[1, row], window
        pose, self._window[frame] = self._held.pop(frame)
        self._rotmats[frame], self._transl[frame] = pose.rotmats, pose.transl
        self._frame += 1
        return [(wanted.ticket, wanted.request) for wanted in tick.wanted]

    def played(self) -> Played:
        return Played(
            episode=self.episode, rotmats=self._rotmats, transl=self._transl, window=self._window
        )


@lru_cache(maxsize=4096)
def _capsules(betas: bytes) -> Capsules:
    return fitted_capsules(load_body(), np.frombuffer(betas, np.float32))


def play(
    episodes: Iterable[Episode],
    configs: Mapping[str, SessionConfig],
    sample: SampleWindows,
    *,
    encode: EncodeWords | None = None,
    intent: IntentNet | None = None,
    on_played: Callable[[str, Played], None],
) -> None:
    """Play each episode once with each partner, AT_ONCE sessions at a time; those that end make
    room for the next.

    configs  of the sessions, by the partner's name, which `on_played` is told
    sample  requests -> residual windows (n, 2, 30, 135)
    encode  words -> text vector, and the act that they ask for; None: there are no words
    """
    coming = (
        (name, _Seat(episode, config, encode, intent))
        for episode in episodes
        for name, config in configs.items()
    )
    seats: list[tuple[str, _Seat]] = []
    while True:
        seats += islice(coming, AT_ONCE - len(seats))
        if not seats:
            return
        asked = [(seat, ticket, request) for _, seat in seats for ticket, request in seat.step()]
        if asked:
            windows = sample([request for _, _, request in asked])
            for (seat, ticket, _), x0 in zip(asked, windows, strict=True):
                seat.waiting = ticket, x0
        for name, seat in seats:
            if seat.is_over:
                on_played(name, seat.played())
        seats = [(name, seat) for name, seat in seats if not seat.is_over]
