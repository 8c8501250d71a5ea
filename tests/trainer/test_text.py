"""The sentence encoder gives the published model's numbers, also with int8 weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino
import pytest
from tokenizers import Tokenizer

from engine.arrays import Array
from trainer.text import TextEncoder, encode_texts, minilm_text

ACTIONS = [
    "shake hands",
    "hug",
    "give each other a high five",
    "wave",
    "bow deeply",
    "dance a slow waltz together",
    "walk past each other",
    "argue and point",
    "push each other",
    "pass a heavy box",
]
SENTENCES = [
    template.format(action)
    for template in (
        "two people {}",
        "The first person wants to {} but the second one hesitates.",
        "{}",
        "They {}, first slowly, then faster, and then they stop.",
        "an old man and a child {} in the park",
    )
    for action in ACTIONS
]


@pytest.fixture(scope="module")
def exported() -> TextEncoder:
    return minilm_text()


def encode_exported(text: TextEncoder, folder: Path, sentences: list[str]) -> Array:
    onnx.save(text.model, folder / "encoder.onnx")
    compiled: Any = openvino.Core().compile_model(folder / "encoder.onnx", "CPU")
    tokenizer: Any = Tokenizer.from_str(text.tokenizer)
    batch = tokenizer.encode_batch(sentences)
    inputs = {
        "input_ids": np.array([row.ids for row in batch]),
        "attention_mask": np.array([row.attention_mask for row in batch]),
    }
    return np.array(compiled(inputs)["text"])


def test_similarities_are_those_of_the_models_documentation() -> None:
    """Values printed by sentence-transformers for its quick-start sentences."""
    sentences = [
        "The weather is lovely today.",
        "It's so sunny outside!",
        "He drove to the stadium.",
    ]
    vectors = encode_texts(sentences)
    published = [[1, 0.6660, 0.1046], [0.6660, 1, 0.1411], [0.1046, 0.1411, 1]]
    np.testing.assert_allclose(vectors @ vectors.T, published, atol=1e-4)


def test_an_empty_caption_is_all_zeros_and_others_have_length_one() -> None:
    vectors = encode_texts(["", "a hug"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [0, 1], atol=1e-6)


def test_captions_of_one_action_are_closer_than_those_of_two() -> None:
    shake, greet, push = encode_texts(
        ["two people shake hands", "they shake each other's hand", "he shoves her away"]
    )
    assert shake @ greet > 0.7 > 0.4 > shake @ push


def test_int8_weights_keep_the_directions_of_fifty_sentences(
    exported: TextEncoder, tmp_path: Path
) -> None:
    vectors = encode_exported(exported, tmp_path, SENTENCES)
    similarity = (vectors * encode_texts(SENTENCES)).sum(-1)
    assert len(SENTENCES) == 50
    assert similarity.min() > 0.99


def test_int8_weights_fit_in_24_megabytes(exported: TextEncoder) -> None:
    assert exported.model.ByteSize() < 24e6
