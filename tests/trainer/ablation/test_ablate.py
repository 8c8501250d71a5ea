"""Ablations: a variant differs in what it says and in nothing else, and no row is made twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.sampling.request import WindowRequest
from tests.trainer.synthetic import write_clips
from trainer.ablation.ablate import ablate, variant_configs
from trainer.ablation.rows import CONFIG, FLOORS, OURS
from trainer.ablation.sight import AblatedAnimator
from trainer.ablation.table import MEASURES, SIDES, ablation_tables
from trainer.ablation.variants import ablation_sampler, ablation_task, absolute, open_network
from trainer.data.shards import Clips, load_clips
from trainer.evaluation.evaluator.evaluator import Evaluator
from trainer.evaluation.evaluator.networks import EvaluatorConfig, EvaluatorNetworks
from trainer.evaluation.measures import COLUMNS, EvaluationSettings
from trainer.models.diffusion import q_sample
from trainer.training.config import TrainConfig, plain

SMALL = [
    *("steps=2", "batch=8", "draw_rows=4", "bf16=false", "check_batches=1", "log_every=1"),
    *("size.width=16", "size.heads=2", "size.layers=2", "size.ffn_width=32"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clips(tmp_path_factory.mktemp("data") / "shards", clips=40)


@pytest.fixture(scope="module")
def clips(data: Path) -> Clips:
    return load_clips(data)


@pytest.fixture(scope="module")
def configs(data: Path) -> dict[str, TrainConfig]:
    return variant_configs(CONFIG, [f"data={data}", *SMALL])


def untrained_evaluator() -> Evaluator:
    config = EvaluatorConfig(width=8, latent=4)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Evaluator(config, EvaluatorNetworks(config).eval(), shards="none")


def request_of(window: np.ndarray, joints: np.ndarray, index: int) -> WindowRequest:
    mask = np.zeros((2, 30, 1), np.float32)
    mask[:, index] = 1
    return WindowRequest(
        known=window * mask,
        known_mask=mask,
        anchor=window[:, index],
        anchor_joints=joints,
        seed=1,
        steps=2,
    )


# ------------------------------------------------------------------------------------ the variants
def flat(values: dict[str, object], prefix: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in values.items():
        found |= (
            flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
        )
    return found


def test_each_variant_differs_from_ours_in_what_it_says_and_in_nothing_else(
    configs: dict[str, TrainConfig],
) -> None:
    ours = flat(plain(configs[OURS]))
    changed = {
        name: {key for key, value in flat(plain(config)).items() if value != ours[key]}
        for name, config in configs.items()
    }
    assert changed == {
        OURS: set(),
        "without-anchor": {"objective.sight.anchor"},
        "without-time": {"objective.sight.time"},
        "without-joints": {"objective.sight.joints"},
        "random-pose": {"objective.animator.contact_bias"},
        "intergen-like": {"objective.is_intergen", "size.layers"},
    }


def test_an_absolute_batch_has_the_noise_of_the_residual_one(
    clips: Clips, configs: dict[str, TrainConfig]
) -> None:
    draw = ablation_task(configs[OURS], clips).draw
    residual, whole = (d(4, np.random.default_rng(3)) for d in (draw, absolute(draw)))
    t, anchor = residual["timesteps"], residual["clean_anchor"][:, :, None]
    zero = torch.zeros_like(residual["x_t"])
    noise = residual["x_t"] - q_sample(residual["motion"] - anchor, t, zero)
    torch.testing.assert_close(whole["x_t"], q_sample(whole["motion"], t, zero) + noise)
    assert not whole["clean_anchor"].any()
    assert torch.equal(whole["anchor"], residual["anchor"])


def test_every_network_answers_requests_with_residuals(
    clips: Clips, configs: dict[str, TrainConfig]
) -> None:
    window = np.random.default_rng(0).standard_normal((2, 30, 135)).astype(np.float32)
    request = request_of(window, np.zeros((2, 22, 3), np.float32), index=4)
    for name, config in configs.items():
        network = ablation_task(config, clips).average  # its heads are zero: it says "zero"
        assert isinstance(network, AblatedAnimator)
        x0 = ablation_sampler(network)([request])[0]
        is_absolute = name in ("without-anchor", "intergen-like")
        expected = -request.anchor[:, None] if is_absolute else np.zeros((2, 1, 135))
        np.testing.assert_allclose(x0, np.broadcast_to(expected, x0.shape), atol=1e-5)


@pytest.mark.long
# -------------------------------------------------------------------------------------- the table
def test_rows_are_made_once_and_only_once(
    clips: Clips, configs: dict[str, TrainConfig], tmp_path: Path
) -> None:
    settings = EvaluationSettings(windows=6, steps=(1,), repeats=2, mesh_frames=1)
    rows = (OURS, "intergen-like", *FLOORS)
    assert ablate(configs, rows, clips, untrained_evaluator(), settings, tmp_path)
    report = (tmp_path / "ablations.md").read_text()
    assert all(f"\n| {name} |" in report for name in ("truth", *rows))
    made = {path: path.stat().st_mtime_ns for path in tmp_path.glob(f"*/{MEASURES}")}
    assert len(made) == 1 + len(rows)
    weights = (tmp_path / OURS / "checkpoint.pt").read_bytes()

    assert ablate(configs, rows, clips, untrained_evaluator(), settings, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert (tmp_path / OURS / "checkpoint.pt").read_bytes() == weights
    assert (tmp_path / "ablations.md").read_text() == report

    longer = replace(configs[OURS], steps=3)
    assert not open_network(tmp_path / OURS / "checkpoint.pt", longer)[1]
    assert ablate(
        configs | {OURS: longer}, [OURS], clips, untrained_evaluator(), settings, tmp_path
    )
    measures = tmp_path / OURS / MEASURES
    assert measures.stat().st_mtime_ns > made[measures], "a new checkpoint is measured anew"


def row(fid: list[float], contact: list[float]) -> dict[str, list[dict[str, float]]]:
    repeats = [
        dict.fromkeys(COLUMNS, 0.0) | {"fid": f, "contact_ratio_pct": c}
        for f, c in zip(fid, contact, strict=True)
    ]
    return dict.fromkeys(SIDES, repeats)


def test_a_win_is_decided_repeat_by_repeat_and_contact_by_its_distance_from_the_truth() -> None:
    rows = {
        "truth": row([0, 0, 0], [50, 60, 70]),
        "ours": row([5, 25, 45], [48, 58, 68]),
        "worse": row([6, 26, 47], [55, 65, 76]),  # more contact than the truth is no better
        "better": row([3, 24, 43], [50, 60, 70]),
        "alike": row([6, 24, 45], [52, 58, 68]),
    }
    verdicts = {
        name: (cells["ours on FID"], cells["ours on contact"])
        for name, cells in ablation_tables(rows, "ours")[2].rows.items()
    }
    assert verdicts == {
        "worse": ("wins", "wins"),
        "better": ("loses", "loses"),
        "alike": ("undecided", "undecided"),
    }
