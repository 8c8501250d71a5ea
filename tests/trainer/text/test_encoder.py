"""The small sentence encoder says what the full one does, and ships as it trains."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.arrays import Array
from engine.errors import ConfigError
from trainer.text.captions import open_text_encoder
from trainer.text.encoder import TextEncoder, encode_texts, open_tokenizer
from trainer.text.minilm import english_pieces, minilm, minilm_text, published_tokenizer
from trainer.text.sentence_encoder import SentenceEncoder

SENTENCES = (Path(__file__).parents[2] / "data" / "people_sentences.txt").read_text().split("\n")
"""500 about people: a hundred written by hand, the others put together; none calibrated with."""


@pytest.fixture(scope="module")
def full() -> SentenceEncoder:
    return minilm()


@torch.no_grad()
def encoded_by(encoder: SentenceEncoder, texts: list[str]) -> Array:
    reader: Any = open_tokenizer(published_tokenizer(), 128)
    rows = [torch.tensor([reader.encode(text).ids]) for text in texts]
    return np.concatenate([encoder(ids, torch.ones_like(ids)).numpy() for ids in rows])


def test_similarities_are_those_of_the_models_documentation(full: SentenceEncoder) -> None:
    """Values printed by sentence-transformers for its quick-start sentences."""
    sentences = [
        "The weather is lovely today.",
        "It's so sunny outside!",
        "He drove to the stadium.",
    ]
    vectors = encoded_by(full, sentences)
    published = [[1, 0.6660, 0.1046], [0.6660, 1, 0.1411], [0.1046, 0.1411, 1]]
    np.testing.assert_allclose(vectors @ vectors.T, published, atol=1e-4)


def test_the_small_encoder_keeps_the_directions_of_sentences_about_people(
    full: SentenceEncoder,
) -> None:
    """Over all 500: mean 0.980, worst 0.963. A fifth of them, so that this takes seconds."""
    some = SENTENCES[:500:5]
    similarity = (encode_texts(some, minilm_text()) * encoded_by(full, some)).sum(-1)
    assert similarity.mean() > 0.975
    assert similarity.min() > 0.95


def test_an_empty_caption_is_all_zeros_and_others_have_length_one() -> None:
    vectors = encode_texts(["", "a hug"], minilm_text())
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [0, 1], atol=1e-6)


def test_captions_of_one_action_are_closer_than_those_of_two() -> None:
    shake, greet, push = encode_texts(
        ["two people shake hands", "they shake each other's hand", "he shoves her away"],
        minilm_text(),
    )
    assert shake @ greet > 0.7 > 0.4 > shake @ push


def test_encoder_and_tokenizer_fit_in_10_megabytes() -> None:
    shipped: TextEncoder = minilm_text()
    assert shipped.model.ByteSize() + len(shipped.tokenizer.encode()) < 10e6


def test_leaving_out_pieces_changes_no_english_sentence() -> None:
    kept, written = english_pieces(published_tokenizer())
    before, after = (open_tokenizer(each, 128) for each in (published_tokenizer(), written))
    for sentence in SENTENCES:
        ids = after.encode(sentence).ids
        assert [kept[rank] for rank in ids] == before.encode(sentence).ids
    assert len(kept) < 27_000
    assert json.loads(written)["model"]["vocab"]["hug"] == kept.index(before.token_to_id("hug"))


# --------------------------------------------------------------------------------------------- CLIP
@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny CLIP with random weights and letters for a vocabulary, saved by `transformers`."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    letters = "abcdefghijklmnopqr"
    names = [*letters, *(letter + "</w>" for letter in letters)]
    names += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {name: rank for rank, name in enumerate(names)}
    config = transformers.CLIPTextConfig(
        vocab_size=len(names),
        hidden_size=64,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=1,
        max_position_embeddings=12,
        bos_token_id=len(names) - 2,
        eos_token_id=len(names) - 1,
        pad_token_id=len(names) - 1,
    )
    folder = tmp_path_factory.mktemp("clip")
    transformers.CLIPTextModel(config).save_pretrained(folder)
    transformers.CLIPTokenizer(vocab=vocabulary, merges=[]).save_pretrained(folder)
    return folder


@torch.no_grad()
def test_clip_from_a_folder_says_what_transformers_says(clip_folder: Path) -> None:
    import transformers

    texts = ["a hok", "cab", "abcdefghijklmnopqr"]
    encoder = open_text_encoder(str(clip_folder))
    assert (encoder.kind, encoder.width, encoder.max_tokens) == ("clip", 64, 12)
    tower = transformers.CLIPTextModel.from_pretrained(clip_folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(clip_folder)
    rows = [
        tower(**tokenizer(text, truncation=True, max_length=12, return_tensors="pt"))
        for text in texts
    ]
    expected = torch.cat([row.pooler_output for row in rows]).numpy()
    np.testing.assert_allclose(encode_texts(texts, encoder), expected, atol=1e-4)


@pytest.mark.parametrize("name", ["/nowhere/clip", "tests"])
def test_a_folder_without_a_clip_is_refused_by_name(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ConfigError, match="neither minilm nor a CLIP") as caught:
        open_text_encoder(name)
    assert caught.value.field == "text_encoder"
    assert "\n" not in str(caught.value)
