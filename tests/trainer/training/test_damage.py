"""Damaged checkpoints, settings and shards: one line that says what to do, and nothing is run."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from engine.errors import ConfigError, InputError
from tests.trainer.synthetic import write_clips
from trainer.data.shards import load_clips
from trainer.models.animator.network import Animator
from trainer.models.blocks import NetworkConfig
from trainer.models.checkpoints import load_network, read_checkpoint
from trainer.training.config import TrainConfig
from trainer.training.runs import CHECKPOINT, TrainingRun

CONFIG = TrainConfig(objective=None, data=Path("shards"), steps=1)


class RunsACommand:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize(
    "content", [b"", os.urandom(3000), b"PK\x03\x04" + bytes(100), pickle.dumps([1, 2])[:-1]]
)
def test_bytes_that_are_no_checkpoint_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / CHECKPOINT
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"checkpoint\.pt: ") as caught:
        read_checkpoint(path)
    assert len(str(caught.value).splitlines()) == 1


def test_a_command_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    mark, path = tmp_path / "was_here", tmp_path / CHECKPOINT
    torch.save({"contrapose": RunsACommand(mark)}, path)
    with pytest.raises(InputError, match="cannot be read as a checkpoint"):
        read_checkpoint(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    "stored",
    [
        {"contrapose": {}},
        {"contrapose": {"network": "animator", "heads": 2}, "state_dict": {}},
        {"contrapose": {"network": "animator"}, "state_dict": {"a": torch.zeros(1)}},
        {"contrapose": {"network": "animator", "heads": 2}, "state_dict": [1]},
        {"contrapose": 5},
    ],
)
def test_a_checkpoint_without_its_parts_is_refused(tmp_path: Path, stored: Any) -> None:
    path = tmp_path / CHECKPOINT
    torch.save(stored, path)
    with pytest.raises(InputError, match=r"checkpoint\.pt: "):
        load_network(path, Animator)
    network = nn.Linear(1, 1)
    run = TrainingRun(network, network, [])
    with pytest.raises(InputError, match=r"checkpoint\.pt: "):
        run.restore(tmp_path, CONFIG)


@pytest.mark.parametrize("field", ["width", "heads", "layers", "ffn_width"])
def test_a_network_of_nothing_is_no_network(field: str) -> None:
    with pytest.raises(ConfigError, match=f"{field} is 0, expected 1 to"):
        NetworkConfig(**{field: 0})


@pytest.mark.parametrize("field", ["draw_rows", "batch", "processes", "threads", "log_every"])
def test_a_run_of_nothing_is_no_run(field: str) -> None:
    with pytest.raises(ConfigError, match=f"{field} is 0, expected 1 or more"):
        replace(CONFIG, **{field: 0})


def test_a_shard_of_numbers_that_are_none_is_not_trained_on(tmp_path: Path) -> None:
    folder = write_clips(tmp_path / "shards", clips=2)
    path = next(folder.glob("shard-*/features.npy"))
    features = np.load(path)
    np.save(path, np.full_like(features, np.nan))
    clips = load_clips(folder)
    with pytest.raises(InputError, match="not finite: the shards are damaged"):
        clips.motion_of(0)
