"""Rounded weights: what they say stays close, and they are stored as they were rounded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch

from engine.backends import open_backend
from trainer.graphs.storing import store_halves, store_int4
from trainer.text.compress import BLOCK, HIGHEST, LOWEST, ProductTable, compressed, int4_matrix
from trainer.text.encoder import text_graph
from trainer.text.sentence_encoder import SentenceEncoder


def sample(outputs: int = 24, inputs: int = 2 * BLOCK) -> tuple[torch.Tensor, torch.Tensor]:
    """A weight, and inputs of which some directions are much louder than others."""
    draw = torch.Generator().manual_seed(0)
    mix = torch.randn(inputs, inputs, generator=draw) * torch.linspace(2, 0.05, inputs)
    weight = torch.randn(outputs, inputs, generator=draw)
    return weight, torch.randn(500, inputs, generator=draw) @ mix.T


def test_codes_have_four_bits_and_times_scales_they_are_near_the_weight() -> None:
    weight, inputs = sample()
    matrix = int4_matrix(weight, inputs)
    assert matrix.codes.dtype == torch.int8
    assert matrix.codes.min() >= LOWEST
    assert matrix.codes.max() <= HIGHEST
    assert matrix.scales.shape == (24, 2)
    assert (matrix.values() - weight).square().mean() < 0.1 * weight.square().mean()


def test_rounding_for_the_inputs_keeps_products_better_than_rounding_alone() -> None:
    weight, inputs = sample()
    ours = int4_matrix(weight, inputs).values()
    alone = int4_matrix(weight, torch.randn(500, inputs.shape[1])).values()
    error = [(inputs @ (rounded - weight).T).square().mean() for rounded in (ours, alone)]
    assert error[0] < 0.5 * error[1]


def test_a_weight_on_the_grid_is_kept() -> None:
    draw = torch.Generator().manual_seed(1)
    codes = torch.randint(LOWEST, HIGHEST + 1, (4, BLOCK), generator=draw)
    codes[:, 0] = 7  # so that 7.5 is the largest a clip of 100 / 105 may leave
    weight = codes * 0.5
    matrix = int4_matrix(weight, torch.eye(BLOCK))
    assert (matrix.values() - weight).abs().max() < 0.3


def test_a_row_of_a_table_comes_back_as_the_nearest_codewords() -> None:
    draw = torch.Generator().manual_seed(2)
    table = torch.randn(1000, 12, generator=draw)
    small = ProductTable(table, parts=6)
    ids = torch.tensor([[3, 999], [0, 3]])
    rows = small(ids)
    assert rows.shape == (2, 2, 12)
    torch.testing.assert_close(rows[0, 0], rows[1, 1])
    assert (small(torch.arange(1000)) - table).square().mean() < 0.02
    assert small.codes.dtype == torch.uint8


def tiny_encoder(pieces: int = 300) -> SentenceEncoder:
    """A BERT of one layer with random weights."""
    draw = torch.Generator().manual_seed(3)
    shapes = {
        "embeddings.word_embeddings.weight": (pieces, BLOCK),
        "embeddings.position_embeddings.weight": (16, BLOCK),
        "embeddings.token_type_embeddings.weight": (2, BLOCK),
        "encoder.layer.0.intermediate.dense.weight": (2 * BLOCK, BLOCK),
        "encoder.layer.0.intermediate.dense.bias": (2 * BLOCK,),
        "encoder.layer.0.output.dense.weight": (BLOCK, 2 * BLOCK),
        "encoder.layer.0.output.dense.bias": (BLOCK,),
    }
    for part in ("attention.self.query", "attention.self.key", "attention.self.value"):
        shapes[f"encoder.layer.0.{part}.weight"] = (BLOCK, BLOCK)
        shapes[f"encoder.layer.0.{part}.bias"] = (BLOCK,)
    shapes["encoder.layer.0.attention.output.dense.weight"] = (BLOCK, BLOCK)
    shapes["encoder.layer.0.attention.output.dense.bias"] = (BLOCK,)
    for norm in (
        "embeddings.LayerNorm",
        "encoder.layer.0.attention.output.LayerNorm",
        "encoder.layer.0.output.LayerNorm",
    ):
        shapes |= {f"{norm}.weight": (BLOCK,), f"{norm}.bias": (BLOCK,)}
    state = {name: 0.2 * torch.randn(shape, generator=draw) for name, shape in shapes.items()}
    return SentenceEncoder(state, heads=2).eval()


@torch.no_grad()
def test_the_stored_graph_is_the_rounded_encoder(tmp_path: Path) -> None:
    draw = torch.Generator().manual_seed(4)
    sentences = [torch.randint(300, (1, 9), generator=draw) for _ in range(40)]
    full = tiny_encoder()
    small, matrices = compressed(full, sentences)
    model = text_graph(small, {0: "batch", 1: "tokens"})
    before = model.ByteSize()
    store_int4(model, [(m.codes.T.numpy(), m.scales.T.numpy()) for m in matrices])
    store_halves(model)
    assert model.ByteSize() < 0.6 * before
    onnx.save(model, tmp_path / "encoder.onnx")

    graph = open_backend(precision="f32", cache_dir=None, threads=1).load(tmp_path / "encoder.onnx")
    ids = torch.cat(sentences[:3])
    mask = torch.ones_like(ids)
    stored = graph({"input_ids": ids.numpy(), "attention_mask": mask.numpy()})["text"]
    np.testing.assert_allclose(stored, small(ids, mask).numpy(), atol=1e-5)
    assert ((small(ids, mask) * full(ids, mask)).sum(-1) > 0.9).all()
