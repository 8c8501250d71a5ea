"""The promise about a player's space, through whole sessions: no frame is sent that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from scipy.spatial import cKDTree

from engine.arrays import Array
from engine.body.capsules import fitted_capsules
from engine.body.pose import Pose, stacked
from engine.body.rotations import rotmat_about, rotmat_from_axis_angle
from engine.body.shape import load_body
from engine.errors import ConfigError
from engine.motion.space import PUSH_STEP, PersonalSpace
from engine.motion.standing import standing_pose
from engine.sampling.request import SampledWindow, WindowRequest
from engine.session.asking import WantedWindow
from engine.session.config import SessionConfig
from engine.session.session import Session, Tick
from engine.session.zone import SpaceKeeper
from engine.testing import noisy_windows, still_windows
from tests.engine.playing import SentFrame, answer, each

BODY = load_body()
BETAS = np.stack([np.zeros(10), 0.6 * np.ones(10)]).astype(np.float32)
REST = BODY.rest_joints(BETAS)
CAPSULES = (fitted_capsules(BODY, BETAS[0]), fitted_capsules(BODY, BETAS[1]))

LEAP = 0.75
"""Metres; the partner goes further in a frame only when the player leaps into him."""


@dataclass
class Guarded:
    """Drives a session as a service would, and holds each sent frame against the zone."""

    session: Session
    player: Callable[[float], Pose]
    sample: Callable[[list[WindowRequest]], Array]
    checked: int = 0
    held: dict[int, SentFrame] = field(default_factory=dict)
    played: list[SentFrame] = field(default_factory=list)
    under_way: list[WantedWindow] = field(default_factory=list)

    def run(self, ticks: int) -> None:
        for frame in range(ticks):
            self.session.feed(frame / 10, self.player(frame / 10))
            for wanted in self.under_way:
                self.session.accept(
                    wanted.ticket, SampledWindow(x0=self.sample([wanted.request])[0])
                )
            tick = self.session.tick(frame / 10)
            self.under_way = list(tick.wanted)
            self.check(tick)
            self.played.append(self.held[frame])

    def check(self, tick: Tick) -> None:
        """All that the client holds from now on, what was just sent included."""
        if tick.chunk is not None:
            first = tick.chunk.frames.first  # what was held from here on is replaced
            self.held = {index: held for index, held in self.held.items() if index < first}
            self.held |= {frame.index: frame for frame in each(tick.chunk.frames)}
        config = self.session.config
        space = PersonalSpace(CAPSULES, REST, config.zone_radius)
        frames = [frame for index, frame in self.held.items() if index >= tick.frame]
        now = self.player(tick.frame / 10)
        expected = [now if f.index == tick.frame else f.pose[0] for f in frames]
        near = [f.index <= tick.frame + config.commit_frames for f in frames]
        poses = [stacked([e, now if n else e]) for e, n in zip(expected, near, strict=True)]
        partner = stacked([frame.pose[1] for frame in frames])
        assert np.isfinite(partner.rotmats).all()
        assert np.isfinite(partner.transl).all()
        assert not space.depths(partner, space.zone(stacked(poses))).any()
        self.checked += len(frames)

    def largest_step(self) -> float:
        transl = np.stack([frame.transl[1] for frame in self.played])
        return float(np.linalg.norm(np.diff(transl, axis=0), axis=-1).max())

    def mesh_gap(self, index: int) -> float:
        frame = self.played[index]
        poses = self.player(index / 10), frame.pose[1]
        skins = [BODY.vertices(pose, betas) for pose, betas in zip(poses, BETAS, strict=True)]
        return float(cKDTree(skins[0]).query(skins[1])[0].min())


def restless(seed: int, speed: float) -> Callable[[float], Pose]:
    """A player who wanders about within a metre and swings all his joints."""
    rng = np.random.default_rng(seed)
    turns, phases = rng.normal(0, 0.25, (2, 22, 3)), rng.uniform(0, 6, (2, 22, 3))
    rates = speed * np.array([[[1.3]], [[2.1]]])

    def at(time_s: float) -> Pose:
        swing = (turns * np.sin(rates * time_s + phases)).sum(axis=0)
        rotmats = standing_pose() @ rotmat_from_axis_angle(swing)
        place = [np.sin(0.7 * speed * time_s), 0.0, np.cos(0.45 * speed * time_s)]
        return Pose(rotmats, np.array(place))

    return at


def new_guarded(config: SessionConfig, **kwargs: object) -> Guarded:
    session = Session(config, rest_joints=REST, seed=5, capsules=CAPSULES)
    return Guarded(session, **kwargs)  # type: ignore[arg-type]


def intruding(requests: list[WindowRequest]) -> Array:
    """Windows that lead the partner into the player, with noise on all joints."""
    x0 = noisy_windows(0.05)(requests)
    for row, request in zip(x0, requests, strict=True):
        gap = request.anchor[0, -3:] - request.anchor[1, -3:]
        row[1, :, [-3, -1]] += np.linspace(0, 1.2, 30) * gap[[0, 2], None]
    return x0


@pytest.mark.parametrize(
    ("radius", "speed", "ticks", "horizon"),
    [(0.0, 1.0, 200, 20), (0.35, 0.5, 200, 24), (0.0, 2.5, 140, 20), (0.0, 2.5, 140, 24)],
)
def test_no_frame_is_sent_in_which_the_partner_is_in_the_zone(
    radius: float, speed: float, ticks: int, horizon: int
) -> None:
    config = SessionConfig(
        allow_contact=False,
        zone_radius=radius,
        departure_threshold=0.02,
        horizon_frames=horizon,
    )
    play = new_guarded(config, player=restless(int(10 * speed), speed), sample=intruding)
    play.run(ticks)  # Guarded holds each frame against the law
    assert play.checked > 15 * ticks
    assert play.largest_step() < LEAP * max(speed, 1.0)
    for index in range(0, ticks, 40):
        assert play.mesh_gap(index) > radius


def test_without_a_zone_the_same_partner_walks_into_the_player() -> None:
    play = new_guarded(SessionConfig(), player=restless(10, 0.0), sample=intruding)
    with pytest.raises(AssertionError):
        play.run(100)


def test_a_player_who_steps_into_a_still_partner_finds_him_gone_in_the_next_frame() -> None:
    def leaps(time_s: float) -> Pose:
        return Pose(standing_pose(), np.array([0.0, 0.0, 0.0 if time_s < 3 else 1.3]))

    play = new_guarded(SessionConfig(allow_contact=False), player=leaps, sample=still_windows)
    play.run(45)
    before, after = play.played[29], play.played[30]
    assert np.linalg.norm(after.transl[1] - before.transl[1]) > 0.2
    assert play.mesh_gap(30) > 0
    settled = np.stack([frame.transl[1] for frame in play.played[35:]])
    assert np.linalg.norm(np.diff(settled, axis=0), axis=-1).max() < PUSH_STEP + 0.02


def test_frozen_frames_that_the_player_came_into_are_sent_again_in_a_new_revision() -> None:
    session = Session(
        SessionConfig(allow_contact=False, departure_threshold=10.0),
        rest_joints=REST,
        seed=5,
        capsules=CAPSULES,
    )
    still = Pose(standing_pose(), np.zeros(3))
    revisions = []
    for frame in range(30):
        session.feed(frame / 10, still)
        tick = session.tick(frame / 10)
        for wanted in tick.wanted:
            answer(session, wanted, still_windows)
        revisions += [tick.chunk.revision] if tick.chunk else []
    session.feed(3.0, Pose(standing_pose(), np.array([0.0, 0.0, 1.2])))
    chunk = session.tick(3.0).chunk
    assert chunk is not None
    assert chunk.frames.first == 30
    assert chunk.revision == revisions[-1] + 1


def test_a_zone_holds_at_once_when_it_is_asked_for() -> None:
    play = new_guarded(SessionConfig(), player=restless(1, 0.0), sample=still_windows)
    play.run(20)
    play.session.update(SessionConfig(zone_radius=1.5))
    play.session.feed(2.0, play.player(2.0))
    play.check(play.session.tick(2.0))


def test_windows_are_steered_beyond_the_zone_but_never_beyond_the_leash() -> None:
    for radius, least in ((0.0, 0.5), (0.5, 1.0), (3.0, 2.4)):
        space = PersonalSpace(CAPSULES, REST, radius)
        distance = SpaceKeeper(space, REST, leash=2.4).keep_away.distance
        assert least <= distance <= min(radius + 1.0, 2.4)


def test_a_zone_needs_capsules() -> None:
    with pytest.raises(ConfigError) as caught:
        Session(SessionConfig(allow_contact=False), rest_joints=REST, seed=1)
    assert caught.value.field == "zone_radius"


def test_turned_players_have_the_same_space() -> None:
    def turned(time_s: float) -> Pose:
        rotmats = standing_pose()
        rotmats[0] = rotmat_about("y", 2.0 * time_s)
        return Pose(rotmats, np.zeros(3))

    play = new_guarded(SessionConfig(zone_radius=0.2), player=turned, sample=intruding)
    play.run(60)
    assert play.largest_step() < LEAP
