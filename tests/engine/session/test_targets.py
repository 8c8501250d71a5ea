"""Places and touches: a session leads its partner there, with windows that need no network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from engine.arrays import Array
from engine.body.canonical import yaw_of
from engine.body.capsules import fitted_capsules
from engine.body.pose import Pose, stacked
from engine.body.shape import load_body
from engine.body.skeleton import JOINT
from engine.body.touch import part_of, skin_gap
from engine.errors import ConfigError
from engine.motion.floor import floor_height
from engine.session.config import SessionConfig
from engine.session.direction import ContactTarget, Direction, Mode, PlaceTarget
from engine.session.session import Session
from engine.testing import noisy_windows, still_windows
from tests.builders import REST, player_at, standing_player
from tests.engine.playing import Play, Sample, fastest_steps, joints_played

BODY = load_body()
CAPSULES = (fitted_capsules(BODY, np.zeros(10)), fitted_capsules(BODY, 0.5 * np.ones(10)))
RIGHT_HAND, LEFT_SHOULDER = JOINT["right_wrist"], JOINT["left_shoulder"]


def new_play(
    config: SessionConfig | None = None,
    *,
    sample: Sample = still_windows,
    player: Callable[[float], Pose] = standing_player,
) -> Play:
    session = Session(config or SessionConfig(), rest_joints=REST, seed=7, capsules=CAPSULES)
    play = Play(session, sample=sample, player=player)
    play.run(range(20))
    return play


# ------------------------------------------------------------------------------------------ places
@pytest.mark.parametrize(
    ("position", "heading"), [((2.5, 1.0), -1.57), ((1.4, 2.0), 2.0), ((-1.5, 3.0), None)]
)
@pytest.mark.parametrize("sample", [still_windows, noisy_windows(0.03)])
def test_the_partner_walks_to_a_place_and_faces_as_he_is_told(
    position: tuple[float, float], heading: float | None, sample: Sample
) -> None:
    play = new_play(sample=sample)
    place = PlaceTarget(position=np.array([position[0], 0.0, position[1]]), heading=heading)
    play.session.direct(Direction(place=place))
    frame = 20
    while not play.events:
        play.run([frame])
        frame += 1
        assert frame < 100
    (event,) = play.events
    assert event.is_reached
    assert play.session.direction.place is None
    joints = joints_played(play, range(frame))
    assert np.linalg.norm(joints[-1, 0, [0, 2]] - position) < 0.10
    if heading is not None:
        assert np.cos(yaw_of(joints[-1]) - heading) > np.cos(np.radians(10))
    assert fastest_steps(joints).max() < 0.5
    hips = np.linalg.norm(np.diff(joints[:, 0], axis=0), axis=-1)
    assert hips.max() < 0.2
    balls = joints[:, [JOINT["left_foot"], JOINT["right_foot"]]]
    steps = np.linalg.norm(np.diff(balls, axis=0), axis=-1)
    assert np.percentile(steps.min(axis=1), 95) < 0.09  # one foot stands
    partner = stacked([play.played[index].pose[1] for index in range(frame)])
    soles = floor_height(partner, REST[1])
    assert soles.min() > -0.01


def test_a_place_for_later_is_set_off_for_when_it_is_time() -> None:
    play = new_play()
    start = play.played[19].transl[1].copy()
    place = PlaceTarget(position=np.array([2.0, 0.0, 1.5]), frame=90)
    play.session.direct(Direction(place=place))
    play.run(range(20, 50))
    assert np.linalg.norm(play.played[49].transl[1] - start) < 0.05
    play.run(range(50, 95))
    (event,) = play.events
    assert event.is_reached
    hips = joints_played(play, [90])[0, 0]
    assert np.linalg.norm(hips[[0, 2]] - [2.0, 1.5]) < 0.1


def test_a_place_that_is_too_far_to_be_there_in_time_is_reached_later() -> None:
    play = new_play()
    place = PlaceTarget(position=np.array([4.0, 0.0, 2.0]), frame=30)
    play.session.direct(Direction(place=place))
    play.run(range(20, 120))
    (event,) = play.events
    assert event.is_reached
    assert fastest_steps(joints_played(play, range(120))).max() < 0.5


def test_the_partner_gets_to_a_place_although_the_player_departs_all_the_time() -> None:
    config = SessionConfig(departure_threshold=0.0)
    play = new_play(config, sample=noisy_windows(0.04), player=player_at)
    place = PlaceTarget(position=np.array([2.5, 0.0, 1.5]), heading=0.0)
    play.session.direct(Direction(place=place))
    play.run(range(20, 90))
    (event,) = play.events
    assert event.is_reached
    assert fastest_steps(joints_played(play, range(90))).max() < 0.5


# ----------------------------------------------------------------------------------------- touches
def gaps(play: Play, frames: range, contact: ContactTarget) -> Array:
    """Metres between the hand and the part of the player as he came, in each frame."""
    skins = []
    for person, joint in enumerate((contact.player_joint, contact.partner_joint)):
        poses = [
            play.player(frame / 10) if person == 0 else play.played[frame].pose[1]
            for frame in frames
        ]
        posed = stacked(poses).in_world(REST[person])
        skins.append(part_of(CAPSULES[person], joint, *posed))
    return skin_gap(skins[0], skins[1])


def touch(part: int = LEFT_SHOULDER, frame: int = 55, hold_frames: int = 8) -> ContactTarget:
    return ContactTarget(
        partner_joint=RIGHT_HAND, player_joint=part, frame=frame, hold_frames=hold_frames
    )


@pytest.mark.parametrize("part", ["left_shoulder", "right_shoulder", "spine3", "head"])
@pytest.mark.parametrize("sample", [still_windows, noisy_windows(0.03)])
def test_the_hand_lies_on_the_part_when_it_shall_and_as_long_as_it_shall(
    part: str, sample: Sample
) -> None:
    play = new_play(sample=sample)
    contact = touch(JOINT[part])
    play.session.direct(Direction(contact=contact))
    play.run(range(20, 90))
    apart = gaps(play, range(20, 90), contact)
    # Noise has the plan expect of the player what he does not do: the hand follows behind.
    assert abs(apart[35 : 35 + 8]).max() < (0.02 if sample is still_windows else 0.04)
    assert apart[:20].min() > 0.2
    assert apart[-10:].min() > 0.05
    (event,) = play.events
    assert event.is_reached
    assert play.session.direction.contact is None
    assert fastest_steps(joints_played(play, range(90))).max() < 0.4


def test_a_touch_is_told_as_a_contact_ahead_of_time() -> None:
    play = new_play()
    play.session.direct(Direction(contact=touch()))
    told = []
    for frame in range(20, 60):
        play.feed(frame / 10)
        tick = play.tick(frame / 10 + 0.01)
        if tick.chunk is not None:
            told += [
                frame
                for found in tick.chunk.contacts
                if found.partner_joint == RIGHT_HAND and found.player_joint == LEFT_SHOULDER
            ]
    assert told
    assert min(told) < 50


def test_the_hand_follows_the_player_who_moves() -> None:
    def swaying(time_s: float) -> Pose:
        still = standing_player(time_s)
        sway = np.array([0.06 * np.sin(1.5 * time_s), 0.0, 0.0])
        return Pose(still.rotmats, still.transl + sway)

    play = new_play(SessionConfig(departure_threshold=0.1), player=swaying)
    contact = touch(hold_frames=30)
    play.session.direct(Direction(contact=contact))
    play.run(range(20, 110))
    apart = gaps(play, range(55, 85), contact)
    assert abs(apart).max() < 0.05
    assert abs(apart).mean() < 0.02
    assert fastest_steps(joints_played(play, range(110))).max() < 0.4


def test_a_touch_that_comes_too_soon_comes_later_and_one_that_cannot_be_is_missed() -> None:
    play = new_play()
    play.session.direct(Direction(contact=touch(frame=22)))
    play.run(range(20, 80))
    (event,) = play.events
    assert event.is_reached

    def running_off(time_s: float) -> Pose:
        still = standing_player(time_s)
        way = np.array([0.0, 0.0, 3.0]) * max(time_s - 8.2, 0.0)
        return Pose(still.rotmats, still.transl - way)

    play.player = running_off
    play.session.direct(Direction(contact=touch(frame=110)))
    play.run(range(80, 150))
    assert [event.is_reached for event in play.events] == [True, False]
    assert fastest_steps(joints_played(play, range(150))).max() < 0.6


def test_a_touch_is_refused_where_there_is_a_zone_or_nothing_to_touch_with() -> None:
    for config in (SessionConfig(allow_contact=False), SessionConfig(zone_radius=0.3)):
        with pytest.raises(ConfigError) as caught:
            new_play(config).session.direct(Direction(contact=touch()))
        assert caught.value.field == "contact"
    with pytest.raises(ConfigError) as caught:
        new_play().session.direct(Direction(contact=replace(touch(), partner_joint=0)))
    assert caught.value.field == "contact.partner_joint"
    with pytest.raises(ConfigError) as caught:
        Session(SessionConfig(), rest_joints=REST, seed=1).direct(Direction(contact=touch()))
    assert caught.value.field == "contact"


def test_a_zone_that_comes_ends_a_touch() -> None:
    play = new_play()
    play.session.direct(Direction(contact=touch()))
    play.run(range(20, 42))
    play.session.update(replace(play.session.config, allow_contact=False))
    play.run(range(42, 70))
    (event,) = play.events
    assert not event.is_reached
    assert "not allowed" in event.text
    assert gaps(play, range(60, 70), touch()).min() > 0


def test_a_touch_that_a_pause_prevents_is_missed() -> None:
    play = new_play()
    play.session.direct(Direction(mode=Mode.PAUSED, contact=touch(frame=30)))
    play.run(range(20, 60))
    (event,) = play.events
    assert not event.is_reached


# ------------------------------------------------------------------------------------------ energy
def upper_motion(energies: list[float]) -> tuple[Array, Array]:
    """Speed of the wrists, and of the hips, over 120 frames with these energies by turns."""
    play = new_play(sample=noisy_windows(0.08))
    for number, energy in enumerate(energies):
        play.session.direct(Direction(energy=energy))
        step = 120 // len(energies)
        play.run(range(20 + number * step, 20 + (number + 1) * step))
    joints = joints_played(play, range(40, 140))
    local = joints - joints[:, :1]
    hands = np.linalg.norm(np.diff(local[:, [20, 21]], n=2, axis=0), axis=-1).mean()
    return hands, joints[:, 0]


def test_energy_makes_the_upper_body_livelier_or_calmer_and_leaves_the_path() -> None:
    calm, usual, lively = (upper_motion([energy]) for energy in (0.5, 1.0, 1.5))
    assert calm[0] < 0.9 * usual[0]
    assert lively[0] > 1.1 * usual[0]
    np.testing.assert_allclose(lively[1], usual[1], atol=1e-9)
    np.testing.assert_allclose(calm[1], usual[1], atol=1e-9)


def test_a_change_of_energy_makes_nobody_jump() -> None:
    play = new_play(sample=noisy_windows(0.08))
    for number in range(12):
        play.session.direct(Direction(energy=(0.5, 1.5, 1.0)[number % 3]))
        play.run(range(20 + 8 * number, 28 + 8 * number))
    assert fastest_steps(joints_played(play, range(116))).max() < 0.3


def test_energy_goes_through_one_without_a_step() -> None:
    played = []
    for energy in (1.0, 1.0 + 1e-9):
        play = new_play(sample=noisy_windows(0.08), player=player_at)
        play.session.direct(Direction(energy=energy))
        play.run(range(20, 60))
        played.append(joints_played(play, range(60)))
    np.testing.assert_allclose(played[0], played[1], atol=1e-6)
