"""The recipe of the starter: its stages are configurations, and share the time that is left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks.gpu_starter import RECIPE, Kept, Recipe, Training, load_recipe, seconds_of
from trainer.models.animator.network import Animator
from trainer.models.blocks import NetworkConfig
from trainer.models.checkpoints import load_network
from trainer.training.config_file import load_config
from trainer.training.objectives import OBJECTIVES
from trainer.training.runs import PREFIX


@pytest.fixture(params=[False, True], ids=["whole", "quick"])
def recipe(request: pytest.FixtureRequest) -> Recipe:
    return load_recipe(RECIPE, is_quick=request.param)


def test_every_stage_is_a_valid_configuration_that_needs_only_earlier_ones(recipe: Recipe) -> None:
    known: dict[str, Path] = {}
    for stage in recipe.stages:
        assert stage.needs <= known.keys()
        command = stage.command(Path("out"), known, "processes=1", "data=shards")
        changes = [command[i + 1] for i, word in enumerate(command) if word == "--set"]
        load_config(stage.config, stage.objective, OBJECTIVES[stage.objective].config, changes)
        known[stage.name] = Path(f"{stage.name}.pt")
    assert sum(stage.share for stage in recipe.stages) == pytest.approx(1.0)


def stages(*shares: float) -> list[Training]:
    return [
        Training(name=str(i), objective="animator", config=Path(), share=share, changes=())
        for i, share in enumerate(shares)
    ]


def test_each_stage_has_its_share_of_what_is_left_with_what_it_has_had() -> None:
    two = stages(0.75, 0.25)
    assert seconds_of(two, {}, 400.0) == 300.0
    assert seconds_of(two[1:], {}, 90.0) == 90.0
    assert seconds_of(two, {"0": 200.0}, 200.0) == 100.0  # 300 of 400 in all, 200 of them spent
    assert seconds_of(two, {"0": 500.0}, 100.0) == 0.0


def test_what_a_run_saved_is_kept_in_halves_and_adds_up_over_runs(tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "out"
    run.mkdir()
    size = NetworkConfig(width=16, heads=2, layers=1, ffn_width=32)
    torch.manual_seed(0)
    network = Animator(size)
    torch.save(
        {
            "state_dict": {PREFIX + name: value for name, value in network.state_dict().items()},
            "contrapose": {"network": "animator", "heads": 2, "text_width": 0},
            "training": {"seconds": 60.0, "step": 100, "network": network.state_dict()},
        },
        run / "checkpoint.pt",
    )
    (run / "log.jsonl").write_text('{"kind": "train", "step": 1, "total": 2.0}\n')
    kept = Kept(out, None)
    kept.keep("animator", run, 0.0)
    again = Kept(tmp_path / "again", out)
    assert again.spent == {"animator": 60.0}
    again.note("animator", steps_before=100)
    again.keep("animator", run, again.spent["animator"])
    told = json.loads((tmp_path / "again/starter.json").read_text())["stages"]["animator"]
    assert (told["seconds"], told["steps"]) == (120.0, 200)
    assert told["losses"] == {"train": [2.0, 2.0, 2.0]}
    loaded = load_network(again.path("animator"), Animator)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, rtol=1e-3, atol=1e-3)
    stored = torch.load(again.path("animator"), weights_only=True)
    assert all(v.dtype != torch.float32 for v in stored["state_dict"].values())


def test_a_run_that_has_saved_nothing_yet_leaves_nothing(tmp_path: Path) -> None:
    kept = Kept(tmp_path, None)
    kept.note("animator", steps_before=0)
    kept.keep("animator", tmp_path / "nowhere", 0.0)
    assert Kept(tmp_path, tmp_path).spent == {"animator": 0.0}
    assert not kept.path("animator").exists()
