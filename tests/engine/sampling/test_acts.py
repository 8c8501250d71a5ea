"""Words ask for an act, or for none; the sentences here are none of those that they are told by."""

from __future__ import annotations

import pytest

from engine.backends import open_backend
from engine.bundle import STARTER, load_bundle
from engine.sampling.acts import OTHERS, PHRASES, ActWords, act_words
from engine.sampling.models import Models, encode_text, load_models

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models(load_bundle(STARTER), open_backend(threads=1), is_lazy=True)


@pytest.fixture(scope="module")
def words(models: Models) -> ActWords:
    return act_words(models)


@pytest.mark.parametrize(
    ("sentence", "act"),
    [
        ("please wave", "wave"),
        ("the partner waves with the left hand", "wave"),
        ("a deep bow", "bow"),
        ("the partner makes a bow", "bow"),
        ("hold out your hand", "offer_hand"),
        ("shake my hand", "offer_hand"),
        ("give me a hug", "offer_arms"),
        ("the partner embraces the player", "offer_arms"),
        ("come to me", "come_closer"),
        ("step closer", "come_closer"),
        ("walk backwards", "step_back"),
        ("move away", "step_back"),
        ("dance with me", None),
        ("a salsa", None),
        ("one person punches with the left hand and the other blocks", None),
        ("high five", None),
        ("sit on the floor", None),
        ("the stock market fell today", None),
    ],
)
def test_words_ask_for_an_act_or_for_none(
    models: Models, words: ActWords, sentence: str, act: str | None
) -> None:
    assert sentence not in {*OTHERS, *(each for phrases in PHRASES.values() for each in phrases)}
    assert words.act_of(encode_text(models, [sentence])[0]) == act


def test_no_words_ask_for_nothing(models: Models, words: ActWords) -> None:
    assert words.act_of(encode_text(models, [""])[0]) is None
