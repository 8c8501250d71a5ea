"""What steering saves the final correction of, with the starter bundle; `pytest -s` prints it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from engine.arrays import Array, BoolArray
from engine.backends import open_backend
from engine.body.capsules import fitted_capsules
from engine.body.pose import Pose, stacked
from engine.body.shape import load_body
from engine.bundle import STARTER, load_bundle
from engine.commands.recorded_player import DEMO_PLAYER
from engine.formats.files import read_motion
from engine.motion.track import Track
from engine.sampling.models import load_models
from engine.sampling.request import WindowRequest
from engine.sampling.sampler import sample_windows
from engine.session.asking import WantedWindow
from engine.session.config import SessionConfig
from engine.session.session import Session
from engine.session.zone import SpaceKeeper
from tests.engine.playing import SentFrame, answer, each
from trainer.evaluation.metrics.joints import foot_skating, mean_jerk

pytestmark = pytest.mark.long

BODY = load_body()
REST = BODY.rest_joints(np.zeros((2, 10), np.float32))
CAPSULES = fitted_capsules(BODY, np.zeros(10, np.float32))
TICKS = 120
SPEED = 0.05
"""Metres a frame at which the player walks up to the partner, for six seconds, and away again."""
SEEDS = 2
"""Sessions of each kind; docs/contacts.md has 4."""

Sample = Callable[[list[WindowRequest]], Array]


@dataclass
class Figures:
    moved: list[float] = field(default_factory=list)
    """How far the last correction moves each generated frame of a window, metres."""
    skating: list[float] = field(default_factory=list)
    jerk: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        moved = 100 * np.array(self.moved)
        return (
            f"mean {moved.mean():.2f} cm, max {moved.max():.0f} cm, frames {(moved > 0).mean():.3f}"
            f", skating {np.mean(self.skating):.1f} cm/s, jerk {np.mean(self.jerk):.1f} m/s^3"
        )


def play(config: SessionConfig, sample: Sample, figures: Figures, seed: int) -> None:
    """A session whose player, the shipped recording, walks up to the partner and away again."""
    session = Session(config, rest_joints=REST, seed=seed, capsules=(CAPSULES, CAPSULES))
    player = read_motion(DEMO_PLAYER, body=BODY)
    place, held, under_way = np.zeros(3), dict[int, SentFrame](), tuple[WantedWindow, ...]()
    for frame in range(TICKS):
        at = (frame + 37 * seed) % player.frames
        place[1] = player.transl[0, at, 1]
        session.feed(frame / 10, Pose(player.rotmats[0, at], place.copy()))
        for wanted in under_way:
            answer(session, wanted, sample)
        tick = session.tick(frame / 10)
        under_way = tick.wanted
        held |= {new.index: new for new in each(tick.chunk.frames)} if tick.chunk else {}
        gap = (held[frame].transl[1] - place) * [1, 0, 1]
        distance = np.linalg.norm(gap)
        walks = 1 if frame // 60 % 2 == 0 else -1 if distance < 1.6 else 0
        place += walks * SPEED * gap / distance
    frames = [held[frame] for frame in range(TICKS)]
    joints, _ = stacked([frame.pose[1] for frame in frames]).in_world(REST[1])
    joints[..., 1] -= np.median(joints[..., 1].min(axis=-1))
    figures.skating.append(foot_skating(joints[20:]))
    figures.jerk.append(mean_jerk(joints[20:]))


@pytest.mark.parametrize("radius", [0.0, 0.5])
def test_steering_leaves_less_to_correct(radius: float, monkeypatch: pytest.MonkeyPatch) -> None:
    models = load_models(load_bundle(STARTER), open_backend(threads=1), buckets=(1,))
    config = SessionConfig(allow_contact=False, zone_radius=radius)

    def steered(requests: list[WindowRequest]) -> Array:
        assert all(request.keep_away is not None for request in requests)
        return sample_windows(models, requests)

    def unsteered(requests: list[WindowRequest]) -> Array:
        return sample_windows(models, [replace(request, keep_away=None) for request in requests])

    corrected = SpaceKeeper.spaced

    def noted(keeper: SpaceKeeper, track: Track, given: BoolArray) -> Track:
        result = corrected(keeper, track, given)
        moved = np.linalg.norm(result.transl - track.transl, axis=-1)
        figures.moved += moved[1, ~given[1]].tolist()
        return result

    monkeypatch.setattr(SpaceKeeper, "spaced", noted)
    found = Figures(), Figures()
    for figures, sample in zip(found, (unsteered, steered), strict=True):
        for seed in range(SEEDS):
            play(config, sample, figures, seed)
        print(f"\nradius {radius} m, {sample.__name__}: {figures}")
    assert np.mean(found[1].moved) < 0.5 * np.mean(found[0].moved)
