"""Each parameter moves by exactly one rule, and every rate rises and falls with the run."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from trainer.models.animator.network import Animator
from trainer.models.blocks import NetworkConfig
from trainer.training.optimisers import (
    OptimiserConfig,
    make_optimisers,
    rate_factor,
    set_learning_rate,
)

SIZES = NetworkConfig(width=16, heads=2, layers=2, ffn_width=32, text_width=5)


def test_muon_moves_the_matrices_of_the_blocks_and_adamw_the_rest() -> None:
    network = Animator(SIZES)
    adamw, muon = make_optimisers(network, OptimiserConfig(name="muon"))
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    by_muon = [names[id(p)] for group in muon.param_groups for p in group["params"]]
    by_adamw = [names[id(p)] for group in adamw.param_groups for p in group["params"]]
    assert sorted(by_muon + by_adamw) == sorted(names.values())
    ends = {name.split(".", 2)[2] for name in by_muon}
    assert ends == {
        "sa_block.attention.in_proj_weight",
        "sa_block.attention.out_proj.weight",
        "ffn.linear1.weight",
        "ffn.linear2.weight",
    }
    assert len(by_muon) == 4 * SIZES.layers


def test_adamw_alone_moves_everything() -> None:
    network = Animator(SIZES)
    (adamw,) = make_optimisers(network, OptimiserConfig(name="adamw"))
    assert sum(len(group["params"]) for group in adamw.param_groups) == len(
        list(network.parameters())
    )


def test_a_step_of_muon_turns_all_directions_of_a_matrix_alike() -> None:
    network = Animator(SIZES)
    _, muon = make_optimisers(network, OptimiserConfig(name="muon", weight_decay=0.0))
    weight = dict(network.named_parameters())["blocks.0.ffn.linear1.weight"]
    before = weight.detach().clone()
    # One direction's gradient is a thousand times another's: AdamW and SGD would follow it alone.
    left, _, right = torch.linalg.svd(torch.randn(weight.shape), full_matrices=False)
    weight.grad = left * torch.logspace(0, -3, left.shape[1]) @ right
    muon.step()
    singular = torch.linalg.svdvals(weight.detach() - before)
    assert singular[:8].max() / singular[:8].min() < 2.5


def test_each_groups_rate_keeps_its_own_peak() -> None:
    config = OptimiserConfig(name="muon", learning_rate=2e-3, muon_learning_rate=5e-3)
    optimisers = make_optimisers(Animator(SIZES), config)
    set_learning_rate(optimisers, config, config.warm_up)
    assert [o.param_groups[0]["lr"] for o in optimisers] == pytest.approx([2e-3, 5e-3])
    set_learning_rate(optimisers, config, 1.0)
    assert [o.param_groups[0]["lr"] for o in optimisers] == pytest.approx([2e-5, 5e-5])


def test_the_rate_rises_in_a_line_and_falls_as_a_cosine() -> None:
    config = OptimiserConfig(warm_up=0.02, last=0.01)
    rates = [rate_factor(config, done) for done in np.linspace(0, 1, 101)]
    assert 0 < rates[0] < rates[1] < rates[2] == 1.0
    assert rates[1] == pytest.approx(0.5)
    assert all(a > b for a, b in itertools.pairwise(rates[2:]))
    assert rates[51] == pytest.approx(0.5 * (1 + 0.01), abs=1e-9)
    assert rates[-1] == pytest.approx(0.01)
    assert {rate_factor(OptimiserConfig(warm_up=0, last=1), d) for d in (0.0, 0.3, 1.0)} == {1.0}
