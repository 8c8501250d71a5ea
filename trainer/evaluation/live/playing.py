"""Plays episodes to real sessions on a virtual clock, many at once, and keeps what was shown.

Every session is the engine's own, with its windows sampled by the bundle's graphs. A window arrives
one frame after it was asked for. No session waits for another's clock: each plays until it wants a
window, and all that want one share the calls. Knows sessions and episodes; no measure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain

import numpy as np

from engine.arrays import Array, IntArray
from engine.body.capsules import Capsules, fitted_capsules
from engine.body.pose import Pose
from engine.body.shape import load_body
from engine.motion.intent import IntentNet
from engine.motion.motion import FRAME_RATE
from engine.sampling.request import SampledWindow, WindowRequest
from engine.session.asking import WantedWindow
from engine.session.config import SessionConfig
from engine.session.session import Session
from trainer.evaluation.live.episode import Episode

AT_ONCE = 24
"""Sessions that are played side by side, and so windows that are sampled at once."""
TICK_S = 0.01
"""After the player's frame, so that a tick knows it."""

SampleWindows = Callable[[list[WindowRequest]], Array]
EncodeWords = Callable[[str], tuple[Array, str | None]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Played:
    """What a partner did in an episode.

    pose (frame); window (frame,) number of the window that each frame comes from, 0 where there is
    none; late_frames that were not there when they were due, None on a virtual clock, where all are
    """

    episode: Episode
    pose: Pose
    window: IntArray
    late_frames: int | None = None


def as_played(episode: Episode, pose: Pose) -> Played:
    """A partner whose motion is known beforehand, such as the truth."""
    return Played(episode=episode, pose=pose, window=np.zeros(len(pose.transl), np.int64))


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
            partner_start=episode.start,
            intent=intent,
        )
        self._words = dict(episode.words)
        self._frame = 0
        self._wanted: WantedWindow | None = None
        self.x0: Array | None = None
        """Of the window that was wanted; it arrives with the next frame."""
        self._held: dict[int, tuple[Pose, int]] = {}
        self._shown = Pose(
            np.empty((episode.frames, 22, 3, 3), np.float32),
            np.empty((episode.frames, 3), np.float32),
        )
        self._window = np.zeros(episode.frames, np.int64)

    def go_on(self) -> bool:
        """Play until the session wants a window; False: the episode has ended before that."""
        while self._frame < self.episode.frames:
            self._wanted = self._step()
            if self._wanted is not None:
                return self._frame < self.episode.frames
        return False

    @property
    def request(self) -> WindowRequest:
        assert self._wanted is not None
        return self._wanted.request

    def _step(self) -> WantedWindow | None:
        """The next frame of the client's life; returns the window that the session wants."""
        episode, session, frame = self.episode, self.session, self._frame
        now = frame / FRAME_RATE
        if (words := self._words.get(frame)) is not None and self._encode is not None:
            text, act = self._encode(words) if words else (None, None)
            session.direct(replace(session.direction, text=text, act=act))
        session.feed(now, episode.pose[frame])
        if self._wanted is not None and self.x0 is not None:
            session.accept(self._wanted.ticket, SampledWindow(x0=self.x0))
            self.x0 = None
        tick = session.tick(now + TICK_S)
        if tick.chunk is not None:
            frames = tick.chunk.frames
            for row, index in enumerate(range(frames.first, frames.last + 1)):
                window = int(frames.labels["window"][row])
                self._held[index] = frames.pose[1, row], window
        pose, self._window[frame] = self._held.pop(frame)
        self._shown.rotmats[frame], self._shown.transl[frame] = pose.rotmats, pose.transl
        self._frame += 1
        return tick.wanted[0] if tick.wanted else None

    def played(self) -> Played:
        return Played(episode=self.episode, pose=self._shown, window=self._window)


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
    waiting: list[tuple[str, _Seat]] = []
    while True:
        going, waiting = waiting, []
        for name, seat in chain(going, coming):
            if seat.go_on():
                waiting.append((name, seat))
            else:
                on_played(name, seat.played())
            if len(waiting) == AT_ONCE:
                break
        if not waiting:
            return
        windows = sample([seat.request for _, seat in waiting])
        for (_, seat), x0 in zip(waiting, windows, strict=True):
            seat.x0 = x0
