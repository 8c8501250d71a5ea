"""Players who are about something: what their frames say of it."""

from __future__ import annotations

import numpy as np
import pytest

from engine.motion.guard import raised
from engine.motion.intent import FEATURES, KINDS
from trainer.choreography.clips import make_clip
from trainer.intent.offers import (
    AHEAD,
    MET,
    OFFERS,
    SEEN_FRAMES,
    UNTOLD,
    dance_take,
    draw_take,
    examples_of,
    half_of_met,
    idle_take,
    mirrored_take,
    offer_take,
)

HELD_OUT = [kind for kind in OFFERS if kind != "bow"]


@pytest.mark.parametrize("kind", OFFERS)
def test_an_offer_is_told_from_its_onset_until_it_is_over(kind: str) -> None:
    take = offer_take(kind, np.random.default_rng(1))
    told = np.flatnonzero(take.kind == KINDS.index(kind))
    assert set(take.kind) == {0, UNTOLD, KINDS.index(kind)}
    assert take.kind[0] == take.kind[-1] == 0
    assert (np.diff(told) == 1).all()
    assert (take.kind[told[0] - SEEN_FRAMES : told[0]] == UNTOLD).all()


@pytest.mark.parametrize("kind", HELD_OUT)
def test_a_hand_is_up_while_it_is_offered_and_down_before(kind: str) -> None:
    take = offer_take(kind, np.random.default_rng(2))
    up = raised(take.rotmats, take.rest_joints).max(axis=-1)
    begun = np.flatnonzero(take.kind != 0)[0]
    assert up[take.kind == KINDS.index(kind)].max() > 0.25
    assert up[: begun - 1].max() < 0.2


def test_who_stands_about_is_about_nothing() -> None:
    assert (idle_take(np.random.default_rng(3)).kind == 0).all()


@pytest.mark.parametrize("seed", range(6))
def test_who_dances_is_told_so_while_a_hand_moves(seed: int) -> None:
    take = dance_take(np.random.default_rng(seed))
    dance = KINDS.index("dance")
    assert set(take.kind) <= {0, UNTOLD, dance}
    assert (take.kind == dance).mean() > 0.1
    up = raised(take.rotmats, take.rest_joints).max(axis=-1)
    assert up[take.kind == 0].max(initial=0.0) < 0.12


MEANT = {"hug": {"open_arms"}, "push": {"push"}}
HANDS = {"right_hand", "left_hand", "both_hands"}


@pytest.mark.parametrize("who", [0, 1])
@pytest.mark.parametrize("kind", MET)
def test_who_meets_another_is_about_it_until_they_part(kind: str, who: int) -> None:
    clip = make_clip(7, kind=kind)
    take = half_of_met(clip, who)
    frames = sorted(frame for frame, _, _ in clip.contacts)
    named = {KINDS[number] for number in take.kind if number > 0} - {"other"}
    if kind == "push" and who != clip.leads:
        assert not named
        return
    claps = {"high_five_left", "high_five_right", "open_arms"}
    (met,) = named
    assert met in MEANT.get(kind, claps if kind == "high_five" else HANDS)
    about = np.flatnonzero(take.kind == KINDS.index(met))
    assert (np.diff(about) == 1).all()
    assert frames[0] - AHEAD <= about[0] <= frames[0]
    assert frames[-1] <= about[-1] <= frames[-1] + 3
    up = raised(take.rotmats, take.rest_joints).max(axis=-1)
    assert up[about].min() > 0.1
    assert up[take.kind == 0].max() < 0.12


@pytest.mark.parametrize("seed", range(4))
def test_the_same_seed_gives_the_same_take(seed: int) -> None:
    one, other = (draw_take(np.random.default_rng(seed)) for _ in range(2))
    for name, values in vars(one).items():
        np.testing.assert_array_equal(values, getattr(other, name))


def test_a_take_that_is_mirrored_twice_is_itself() -> None:
    take = offer_take("left_hand", np.random.default_rng(4))
    once = mirrored_take(take)
    twice = mirrored_take(once)
    assert KINDS.index("right_hand") in once.kind
    assert KINDS.index("left_hand") not in once.kind
    for name, values in vars(take).items():
        np.testing.assert_allclose(getattr(twice, name), values, atol=1e-12)


def test_frames_that_nobody_could_tell_are_no_examples() -> None:
    take = offer_take("wave", np.random.default_rng(5))
    features, kinds = examples_of(take, np.random.default_rng(5))
    assert features.shape == (np.count_nonzero(take.kind != UNTOLD), FEATURES)
    assert (kinds != UNTOLD).all()
