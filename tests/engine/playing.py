"""A session driven as a service would drive it, for tests: a virtual clock, a client, a player."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.arrays import Array
from engine.body.pose import Pose, stacked
from engine.sampling.request import SampledWindow, WindowRequest
from engine.session.asking import WantedWindow
from engine.session.config import SessionConfig
from engine.session.direction import TargetEvent
from engine.session.plan import Frames, Quality, stamp_of
from engine.session.player import PlayerStamp
from engine.session.session import Session, Tick
from engine.testing import still_windows
from tests.builders import REST, player_at

Sample = Callable[[list[WindowRequest]], Array]


def noted_windows() -> tuple[list[WindowRequest], Sample]:
    """Requests as they come, and a sampler of windows without motion that notes them."""
    asked: list[WindowRequest] = []

    def sample(requests: list[WindowRequest]) -> Array:
        asked.extend(requests)
        return still_windows(requests)

    return asked, sample


@dataclass(frozen=True, kw_only=True, eq=False)
class SentFrame:
    """One frame of a chunk, and its pair."""

    index: int
    pose: Pose
    quality: Quality
    window: int
    steps: int
    based_on: PlayerStamp

    @property
    def rotmats(self) -> Array:
        return self.pose.rotmats

    @property
    def transl(self) -> Array:
        return self.pose.transl


def each(frames: Frames) -> list[SentFrame]:
    return [
        SentFrame(
            index=frames.first + row,
            pose=frames.pose[:, row],
            quality=Quality(int(label["quality"])),
            window=int(label["window"]),
            steps=int(label["steps"]),
            based_on=stamp_of(label),
        )
        for row, label in enumerate(frames.labels)
    ]


def answer(session: Session, wanted: WantedWindow, sample: Sample) -> None:
    """What the session asked for, sampled at once."""
    session.accept(wanted.ticket, SampledWindow(x0=sample([wanted.request])[0]))


@dataclass
class Play:
    """Drives a session as a service would and holds frames as a client would; checks its laws."""

    session: Session
    sample: Sample = still_windows
    player: Callable[[float], Pose] = player_at
    held: dict[int, SentFrame] = field(default_factory=dict)
    played: dict[int, SentFrame] = field(default_factory=dict)
    revisions: list[int] = field(default_factory=list)
    under_way: list[tuple[int, WantedWindow]] = field(default_factory=list)
    lost: list[WantedWindow] = field(default_factory=list)
    events: list[TargetEvent] = field(default_factory=list)

    def feed(self, time_s: float) -> int:
        return self.session.feed(time_s, self.player(time_s))

    def tick(self, now: float, window_takes: int | None = 1) -> Tick:
        """One tick; a window asked for now arrives `window_takes` ticks later (None: never)."""
        frame = int(now * 10 + 1e-6)
        for _, wanted in [entry for entry in self.under_way if entry[0] <= frame]:
            answer(self.session, wanted, self.sample)
        self.under_way = [entry for entry in self.under_way if entry[0] > frame]
        tick = self.session.tick(now)
        self._hold(tick)
        self.events += tick.events
        if window_takes is None:
            self.lost += tick.wanted
        else:
            self.under_way += [(frame + window_takes, wanted) for wanted in tick.wanted]
        if frame in self.held:
            self.played[frame] = self.held[frame]
        return tick

    def _hold(self, tick: Tick) -> None:
        if tick.chunk is None:
            return
        first = tick.chunk.frames.first
        assert not self.held or first <= max(self.held) + 1
        frozen = tick.frame + self.session.config.commit_frames
        for frame in each(tick.chunk.frames):
            assert np.isfinite(frame.pose.rotmats).all()
            assert np.isfinite(frame.pose.transl).all()
            if frame.index in self.held and frame.index <= frozen:
                held = self.held[frame.index]
                np.testing.assert_array_equal(frame.pose.rotmats[1], held.pose.rotmats[1])
                np.testing.assert_array_equal(frame.pose.transl[1], held.pose.transl[1])
        if tick.chunk.revision > max(self.revisions, default=0):
            self.held = {index: held for index, held in self.held.items() if index < first}
        self.held |= {frame.index: frame for frame in each(tick.chunk.frames)}
        self.revisions.append(tick.chunk.revision)

    def run(self, frames: Sequence[int], window_takes: int | None = 1) -> None:
        for frame in frames:
            self.feed(frame / 10)
            self.tick(frame / 10 + 0.01, window_takes)


def new_play(config: SessionConfig | None = None, *, seed: int = 7, **kwargs: object) -> Play:
    session = Session(config or SessionConfig(), rest_joints=REST, seed=seed)
    return Play(session, **kwargs)  # type: ignore[arg-type]


def joints_played(play: Play, frames: Sequence[int], person: int = 1) -> Array:
    """World joints (frame, 22, 3) of what was played."""
    played = stacked([play.played[index].pose[person] for index in frames])
    return played.in_world(REST[person])[0]


def fastest_steps(joints: Array) -> Array:
    """Metres that the fastest joint travels from each frame to the next."""
    return np.asarray(np.linalg.norm(np.diff(joints, axis=0), axis=-1).max(axis=-1))
