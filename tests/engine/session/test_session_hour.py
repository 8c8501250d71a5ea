"""A simulated hour of a session, and a minute of one with the starter's real network.

Players at many rates, every mode, targets on the way; windows late, lost and failed.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

from engine.arrays import Array
from engine.backends import open_backend
from engine.body.capsules import fitted_capsules
from engine.body.shape import load_body
from engine.bundle import STARTER, load_bundle
from engine.motion.feet import sole_heights
from engine.motion.standing import standing_partner
from engine.sampling.models import load_models
from engine.sampling.request import SampledWindow, WindowRequest
from engine.sampling.sampler import sample_windows
from engine.session.asking import WantedWindow
from engine.session.codec import packed
from engine.session.config import SessionConfig
from engine.session.direction import ContactTarget, Direction, Mode, PlaceTarget, PoseTarget
from engine.session.records import STATE
from engine.session.session import Session, Tick
from engine.testing import noisy_windows
from tests.builders import REST, player_at, standing_player
from tests.engine.playing import Sample

pytestmark = pytest.mark.slow

BODY = load_body()
CAPSULES = (fitted_capsules(BODY, np.zeros(10)), fitted_capsules(BODY, 0.5 * np.ones(10)))
DEEPEST = 0.01
"""Metres that a sole may be under the floor."""
MODES = (Mode.REACT, Mode.FOLLOW_PLAN, Mode.INBETWEEN, Mode.PAUSED)


class Hour:
    """Drives a session second by second, and looks at each frame that it sends."""

    def __init__(self, config: SessionConfig, sample: Sample) -> None:
        self.session = Session(config, rest_joints=REST, seed=11, capsules=CAPSULES)
        self.sample = sample
        self.waiting: list[WantedWindow] = []
        self.lowest = np.inf
        self.farthest = 0.0
        self.reached = 0
        self.missed = 0

    def minute(self, number: int, rate: float, ticks: float) -> None:
        """A minute with `rate` player poses and `ticks` ticks a second."""
        events = sorted(
            [(60 * number + k / rate, "feed") for k in range(int(60 * rate))]
            + [(60 * number + (k + 0.5) / ticks, "tick") for k in range(int(60 * ticks))]
        )
        for time_s, event in events:
            if event == "feed":
                self.session.feed(time_s + 1e-3, player_at(time_s))
            else:
                self.tick(time_s)

    def tick(self, now: float) -> None:
        for wanted in self.waiting:
            if wanted.ticket % 23 == 22:
                self.session.fail(wanted.ticket)
            else:
                self.session.accept(
                    wanted.ticket, SampledWindow(x0=self.sample([wanted.request])[0])
                )
        tick = self.session.tick(now)
        self.waiting = list(tick.wanted)
        self.reached += sum(event.is_reached for event in tick.events)
        self.missed += sum(not event.is_reached for event in tick.events)
        self.look(tick)

    def look(self, tick: Tick) -> None:
        if tick.chunk is None:
            return
        partner = tick.chunk.frames.pose[1, -3:]
        assert np.isfinite(partner.rotmats).all()
        assert np.isfinite(partner.transl).all()
        posed = partner.in_world(REST[1])
        self.lowest = min(self.lowest, float(sole_heights(*posed, REST[1]).min()))
        self.farthest = max(self.farthest, float(np.abs(partner.transl).max()))

    def direct(self, number: int) -> None:
        """Another mode each minute, and something to do in it."""
        frame = self.session.status().frame
        pose = standing_partner(standing_player(0.0), REST, 1.2, 0.0)
        self.session.direct(
            Direction(
                mode=MODES[number % len(MODES)],
                energy=(1.0, 0.6, 1.4)[number % 3],
                place=PlaceTarget(position=np.array([1.0, 0.0, 1.0 + number % 3])),
                contact=ContactTarget(partner_joint=20, player_joint=16, frame=frame + 300),
                poses=(PoseTarget(frame=frame + 100, partner=pose),),
            )
        )

    def size(self) -> int:
        """Bytes of all that the session remembers."""
        return len(packed(STATE, self.session.state()))


@pytest.mark.long
def test_a_simulated_hour_never_sinks_and_takes_no_more_room() -> None:
    hour = Hour(SessionConfig(revision_frames=20, refill_frames=6), noisy_windows(0.03))
    rates = (1.0, 2.0, 5.0, 10.0, 0.7)
    sizes, allocated = [], []
    for number in range(60):
        hour.direct(number)
        hour.minute(number, rates[number % len(rates)], ticks=1.0)
        sizes.append(hour.size())
        if number == 50:
            gc.collect()
            tracemalloc.start()
        if number in (52, 59):
            gc.collect()
            allocated.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert hour.lowest > -DEEPEST
    assert hour.farthest < 100
    assert hour.session.status().windows_accepted > 700
    assert hour.session.status().windows_failed > 20
    assert hour.reached > 20
    assert max(sizes[-12:]) <= 1.1 * max(sizes[:12])
    assert allocated[1] < allocated[0] + 200_000


@pytest.fixture(scope="module")
def starter() -> Iterator[Sample]:
    models = load_models(load_bundle(STARTER), open_backend(threads=1), buckets=(1,))

    def sample(requests: list[WindowRequest]) -> Array:
        return sample_windows(models, requests)

    return iter([sample])


@pytest.mark.long
def test_a_minute_with_the_starter_never_sinks(starter: Iterator[Sample]) -> None:
    hour = Hour(SessionConfig(steps=4), next(starter))
    for number, rate in enumerate((30.0, 10.0)):
        hour.direct(number)
        hour.minute(number, rate, ticks=10.0)
    assert hour.lowest > -DEEPEST
    assert hour.farthest < 20
    assert hour.session.status().windows_accepted > 100
