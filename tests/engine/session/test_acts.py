"""What words ask of the partner alone is done, and ends when they are taken back.

The windows stand still here, so that all that moves comes from the layers over the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from engine.arrays import Array
from engine.body.pose import Pose, stacked
from engine.motion.answers import ACTS, PLACES
from engine.sampling.request import SampledWindow
from engine.session.config import Respond, SessionConfig
from engine.session.session import Session
from engine.testing import still_windows
from trainer.evaluation.live import players
from trainer.evaluation.live.episode import Episode
from trainer.evaluation.live.scoring import CHEST, PALMS, PELVIS, SHOULDERS, Person

LAYERS = SessionConfig(guard=True, company=True, responses=True)
SAID, TAKEN_BACK, LAST = 20, 55, 85
LEFT, RIGHT = PALMS


@cache
def stands() -> Episode:
    """A player who stands there."""
    return players.worded("wave", 3)


def told(
    act: str, config: SessionConfig = LAYERS, then: Mapping[int, str | None] | None = None
) -> tuple[Person, Person]:
    """The player, and a partner whom words for an act reach at SAID.

    then  what the words of later frames ask for; None: they go at TAKEN_BACK
    """
    asked = {SAID: act, **({TAKEN_BACK: None} if then is None else then)}
    episode = stands()
    session = Session(
        config,
        rest_joints=episode.rest_joints,
        seed=1,
        partner_start=episode.start,
    )
    held: dict[int, Pose] = {}
    for frame in range(LAST):
        session.feed(frame / 10, episode.pose[frame])
        if frame in asked:
            text = None if asked[frame] is None else np.ones(4)
            session.direct(replace(session.direction, text=text, act=asked[frame]))
        tick = session.tick(frame / 10 + 0.01)
        for wanted in tick.wanted:
            (x0,) = still_windows([wanted.request])
            session.accept(wanted.ticket, SampledWindow(x0=x0))
        if tick.chunk is not None:
            shown = tick.chunk.frames
            held |= {shown.first + i: shown.pose[1, i] for i in range(len(shown))}
    shown = stacked([held[frame] for frame in range(LAST)])
    rest, betas = episode.rest_joints, episode.betas
    return (
        Person(pose=episode.pose, rest=rest[0], betas=betas[0]),
        Person(pose=shown, rest=rest[1], betas=betas[1]),
    )


def apart(player: Person, partner: Person) -> Array:
    away = player.points[: len(partner.points), PELVIS] - partner.points[:, PELVIS]
    return np.asarray(np.linalg.norm(away[:, [0, 2]], axis=-1))


DONE, OVER = slice(SAID + 15, TAKEN_BACK), slice(TAKEN_BACK + 18, LAST)


def test_a_wave_lasts_as_long_as_the_words() -> None:
    _, partner = told("wave")
    over_shoulder = partner.points[:, RIGHT, 1] - partner.points[:, SHOULDERS, 1].mean(axis=-1)
    assert over_shoulder[:SAID].max() < 0
    assert (over_shoulder[DONE] > 0).all()
    assert over_shoulder[OVER].max() < 0


def test_a_bow_is_made_once() -> None:
    _, partner = told("bow")
    deep = np.flatnonzero(partner.trunk > np.radians(18))
    assert len(deep) > 5
    assert np.ptp(deep) == len(deep) - 1
    assert SAID < deep[0] < deep[-1] < TAKEN_BACK


def test_a_hand_is_held_out_and_arms_are_opened() -> None:
    _, partner = told("offer_hand")
    assert (partner.seen(RIGHT, CHEST)[DONE, 2] > 0.28).all()
    assert (partner.seen(LEFT, CHEST)[DONE, 2] < 0.28).all()
    assert (partner.seen(RIGHT, CHEST)[OVER, 2] < 0.28).all()
    _, partner = told("offer_arms")
    left, right = (partner.seen(palm, CHEST)[DONE] for palm in PALMS)
    assert (left[:, 0] - right[:, 0] > 0.55).all()
    assert (np.minimum(left[:, 2], right[:, 2]) > 0.15).all()


def test_a_dance_keeps_a_beat_for_as_long_as_the_words() -> None:
    _, partner = told("lead_dance")
    hips = partner.points[:, PELVIS]
    for done, moves in ((DONE, True), (OVER, False)):
        palms = np.stack([partner.seen(palm, CHEST)[done] for palm in PALMS])
        assert bool(np.ptp(palms[..., 1], axis=1).min() > 0.1) is moves
        assert bool(np.ptp(hips[done, 0]) > 0.05) is moves
    assert np.ptp(hips[:, 0]) < 0.2


def test_the_partner_comes_closer_or_steps_back() -> None:
    gaps = {act: apart(*told(act)) for act in ("come_closer", "step_back")}
    assert abs(gaps["come_closer"][TAKEN_BACK] - 0.85) < 0.1
    assert abs(gaps["step_back"][TAKEN_BACK] - 2.05) < 0.1


@pytest.mark.parametrize("act", PLACES)
def test_the_partner_goes_back_to_where_it_stood_when_the_words_go(act: str) -> None:
    gap = apart(*told(act))
    assert abs(gap[TAKEN_BACK] - gap[SAID]) > 0.2
    assert np.abs(gap[OVER] - gap[SAID]).max() < 0.1


def test_words_that_come_again_are_done_again_and_others_are_done_at_once() -> None:
    again = apart(*told("come_closer", then={TAKEN_BACK: None, TAKEN_BACK + 6: "come_closer"}))
    assert np.abs(again[OVER] - 0.85).max() < 0.1
    player, partner = told("come_closer", then={TAKEN_BACK: "offer_hand"})
    assert (partner.seen(RIGHT, CHEST)[OVER, 2] > 0.28).all()
    assert np.abs(apart(player, partner)[OVER] - 0.85).max() < 0.15


def test_a_wave_that_is_asked_for_again_is_made_again() -> None:
    _, partner = told("wave", then={TAKEN_BACK: None, TAKEN_BACK + 4: "wave"})
    over_shoulder = partner.points[:, RIGHT, 1] - partner.points[:, SHOULDERS, 1].mean(axis=-1)
    assert (over_shoulder[OVER][-5:] > 0).all()


def test_never_is_about_what_the_player_offers_alone() -> None:
    _, partner = told("offer_hand", replace(LAYERS, respond=Respond.NEVER))
    assert (partner.seen(RIGHT, CHEST)[DONE, 2] > 0.28).all()


@pytest.mark.parametrize("act", ACTS)
def test_without_responses_words_are_the_networks_own(act: str) -> None:
    player, partner = told(act, replace(LAYERS, responses=False))
    assert partner.seen(RIGHT, CHEST)[:, 2].max() < 0.28
    assert np.ptp(apart(player, partner)) < 0.15
