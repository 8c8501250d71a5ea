"""A configuration is a file plus changes; what is wrong in it is named with what would be right."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import pytest
import torch

from engine.errors import ConfigError
from engine.formats.toml import read_toml
from trainer.ablation.variants import AblationConfig
from trainer.arguments import add_train_arguments, changes_of, train_arguments
from trainer.models.animator.family import AnimatorConfig
from trainer.models.blocks import NetworkConfig
from trainer.training.config import TrainConfig, plain
from trainer.training.config_file import load_config
from trainer.training.objectives import OBJECTIVES
from trainer.training.train import run_command

CONFIGS = Path(__file__).parents[3] / "trainer" / "configs"


def load(path: Path, *changes: str, objective: str = "animator") -> TrainConfig:
    return load_config(path, objective, OBJECTIVES[objective].config, changes)


RECIPES = set(CONFIGS.glob("recipe-*.toml"))
"""Of several configurations; `tests/benchmarks` has them."""


@pytest.mark.parametrize(
    "path", sorted({*CONFIGS.glob("*.toml")} - RECIPES), ids=lambda path: path.stem
)
def test_every_shipped_configuration_is_valid(path: Path) -> None:
    kinds = {name: o.config for name, o in OBJECTIVES.items()} | {"ablation": AblationConfig}
    objective = next((name for name in kinds if name in read_toml(path, ConfigError)), "animator")
    config = load_config(path, objective, kinds[objective])
    assert isinstance(config.objective, kinds[objective])


def test_the_published_configurations_are_the_published_settings() -> None:
    """facts/ponimator.md 5, 11 and 12."""
    animator = load(CONFIGS / "published-animator.toml")
    generator = load(CONFIGS / "published-generator.toml", objective="generator")
    assert (animator.batch, generator.batch) == (256, 512)
    for config in (animator, generator):
        assert config.size == NetworkConfig()
        assert (config.optimiser.name, config.optimiser.learning_rate) == ("adamw", 1e-4)
        assert (config.optimiser.weight_decay, config.optimiser.betas) == (2e-5, (0.9, 0.999))
    weights = {"pose": 1, "transl": 1, "joints": 1, "vertices": 1, "distance": 1, "contact": 0.5}
    weights |= {"relative_rotation": 0.1, "velocity": 1, "velocity_feet": 1}
    weights |= {"acceleration": 0, "skate": 0, "distance_within": 1.0, "contact_within": 0.1}
    assert weights.items() <= vars(animator.objective.loss).items()
    weights = {"pose": 1, "joints": 1, "vertices": 1, "distance": 0.5, "contact": 1}
    weights |= {"relative_rotation": 0.01, "bone": 10}
    assert weights.items() <= vars(generator.objective.loss).items()
    assert animator.objective.known_sets.probabilities == (1, 0, 0, 0)
    noise = animator.objective.noise
    assert (noise.anchor_probability, noise.transl) == (0.5, 0.02)
    assert noise.root_angle == pytest.approx(math.radians(2))
    cases = generator.objective.conditions
    assert cases.text_only + cases.both == pytest.approx(0.9)  # text kept
    assert cases.pose_only + cases.both == pytest.approx(0.2)  # pose kept
    assert cases.both == pytest.approx(0.9 * 0.2)  # independently


def test_a_file_fills_nested_dataclasses_and_a_change_wins(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(
        'data = "shards"\nsteps = 5\n[optimiser]\nbetas = [0.8, 1]\nname = "muon"\n'
        "[animator.loss]\nvelocity = 3\n[animator.known_sets]\nhistory_last = [4, 9]\n"
    )
    config = load(path, "optimiser.learning_rate=2e-4", "init=runs/a/checkpoint.pt", "seed=7")
    assert isinstance(config.objective, AnimatorConfig)
    assert (config.data, config.init) == (Path("shards"), Path("runs/a/checkpoint.pt"))
    assert config.optimiser.betas == (0.8, 1.0)
    assert (config.optimiser.name, config.optimiser.learning_rate) == ("muon", 2e-4)
    assert config.objective.loss.velocity == 3.0
    assert config.objective.known_sets.history_last == (4, 9)
    assert plain(config)["optimiser"]["betas"] == [0.8, 1.0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("daata=x", r"unknown key daata; known here: animator, batch,.* threads"),
        ("animator.loss.poose=1", r"unknown key animator.loss.poose; .*pose, relative_rotation"),
        ("generator.loss.pose=1", r"unknown key generator"),
        ("objective=1", "unknown key objective"),
        ("batch=1.5", r"batch is 1.5, expected a whole number"),
        ("bf16=1", r"bf16 is 1, expected 'auto' or True or False"),
        ("optimiser=3", r"optimiser is 3, expected a table"),
        ("optimiser.name=sgd", r"optimiser.name is 'sgd', expected 'adamw' or 'muon'"),
        ("optimiser.betas=[0.9]", r"optimiser.betas is \[0.9\], expected 2 numbers"),
        (f"optimiser.ema={10**400}", r"optimiser.ema is 10{99}, expected a number"),
        ("optimiser.ema=2", r"in \[optimiser\]: ema is 2.0, expected 0 to 1"),
        ("batch=9", r"batch is 9, expected a multiple of draw_rows \* processes = 4 \* 1"),
        ("size.text_width=4", "follows from text_encoder"),
        ("seed", "--set seed: expected KEY=VALUE"),
    ],
)
def test_a_mistake_is_named_with_what_would_be_right(change: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        load(CONFIGS / "tiny.toml", change)
    assert caught.value.field


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none.toml: cannot be read \(No such file"):
        load(tmp_path / "none.toml")
    (tmp_path / "b.toml").write_text("data = \n")
    with pytest.raises(ConfigError, match=r"b.toml: is no TOML"):
        load(tmp_path / "b.toml")
    (tmp_path / "c.toml").write_text("steps = 1\n")
    with pytest.raises(ConfigError, match=r"c.toml: has no data; add it, or use --set"):
        load(tmp_path / "c.toml")


@pytest.mark.parametrize(
    ("changes", "steps", "minutes"),
    [([], None, 2.0), (["steps=9"], 9, None), (["minutes=1"], None, 1.0)],
)
def test_a_change_of_the_length_takes_the_place_of_the_files(
    tmp_path: Path, changes: list[str], steps: int | None, minutes: float | None
) -> None:
    path = tmp_path / "config.toml"
    path.write_text('data = "shards"\nminutes = 2\n')
    config = load_config(path, "animator", OBJECTIVES["animator"].config, changes)
    assert (config.steps, config.minutes) == (steps, minutes)
    with pytest.raises(ConfigError, match="either steps or minutes"):
        load_config(path, "animator", OBJECTIVES["animator"].config, ["steps=9", "minutes=1"])


def test_more_processes_than_gpus_are_refused_before_they_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.toml"
    path.write_text('data = "shards"\nsteps = 2\nprocesses = 2\n')
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    args = argparse.Namespace(
        objective="animator",
        config=path,
        set=[],
        quick=False,
        out=tmp_path / "run",
        fresh=False,
    )
    with pytest.raises(ConfigError, match=r"processes is 2, and each takes a GPU.* has 1; use"):
        run_command(args)
    assert not (tmp_path / "run").exists()


def test_quick_changes_come_before_those_that_are_asked_for_and_reach_every_process() -> None:
    parser = argparse.ArgumentParser()
    add_train_arguments(parser)
    words = ["animator", "a.toml", "--quick", "--set", "steps=7"]
    changes = changes_of(parser.parse_args(words))
    assert changes[0] == "steps=2"
    assert changes[-1] == "steps=7"
    assert "size.layers=1" in changes
    again = parser.parse_args(train_arguments(parser.parse_args(words)))
    assert changes_of(again) == changes
    distill = parser.parse_args(["distill", "a.toml", "--quick"])
    assert not [change for change in changes_of(distill) if change.startswith("size.")]
