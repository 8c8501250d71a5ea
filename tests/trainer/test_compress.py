"""Rounded weights: what they say stays close, and they are stored as they were rounded."""

from __future__ import annotations

import torch

from trainer.compress import BLOCK, HIGHEST, LOWEST, ProductTable, int4_matrix


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
