"""Words ask for an act, or for none; the sentences here are none of those that they are told by."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from engine.backends import open_backend
from engine.bundle import ACTS_FILE, STARTER, load_bundle, reseal
from engine.sampling.acts import SENTENCES, act_of, acts_of
from engine.sampling.kinds import Kinds, save_kinds
from engine.sampling.models import Models, encode_text, load_models

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models(load_bundle(STARTER), open_backend(threads=1), is_lazy=True)


@pytest.fixture(scope="module")
def acts(models: Models) -> Kinds:
    return acts_of(load_bundle(STARTER), models)


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
        ("dance with the player", "lead_dance"),
        ("start dancing", "lead_dance"),
        ("one person twirls under the raised hand of the other", None),
        ("one person punches with the left hand and the other blocks", None),
        ("high five", None),
        ("sit on the floor", None),
        ("the stock market fell today", None),
    ],
)
def test_words_ask_for_an_act_or_for_none(
    models: Models, acts: Kinds, sentence: str, act: str | None
) -> None:
    assert not any(sentence in sentences for sentences in SENTENCES.values())
    assert act_of(acts, encode_text(models, [sentence])[0]) == act


def test_no_words_ask_for_nothing(models: Models, acts: Kinds) -> None:
    assert act_of(acts, encode_text(models, [""])[0]) is None


def test_a_bundle_without_the_sentences_or_with_others_reads_them_by_its_encoder(
    models: Models, acts: Kinds, tmp_path: Path
) -> None:
    path = Path(shutil.copytree(STARTER, tmp_path / "old.bundle"))
    manifest = load_bundle(path).manifest
    for texts in (None, (*acts.texts[1:], "sit")):
        if texts is None:
            (path / ACTS_FILE).unlink()
        else:
            save_kinds(path / ACTS_FILE, replace(acts, texts=texts))
        encoded = acts_of(reseal(path, manifest), models)
        assert encoded.sentences == acts.sentences
        # what a bundle holds is rounded to a byte a number
        assert 0.9995 < (encoded.vectors * acts.vectors).sum(axis=1).min() < 1
