"""Recorded people: the walk that comes with the evaluation, and folders of one's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.body.shape import load_body
from engine.errors import InputError
from engine.formats import read_motion, write_motion
from trainer.evaluation.live.episode import frame_of, standing_still
from trainer.evaluation.live.players import TAKE_S, recorded
from trainer.evaluation.live.playing import as_played
from trainer.evaluation.live.scoring import people_of, scored
from trainer.evaluation.live.takes import WALK, shipped_walk, takes_in


def test_the_shipped_walk_is_one_on_the_floor_that_goes_on_without_a_jump() -> None:
    episode = recorded(shipped_walk(), 5)
    assert episode.frames == frame_of(TAKE_S[0])
    walker, _ = people_of(as_played(episode, standing_still(episode)))
    assert 0.9 < np.median(walker.speed) < 1.8
    assert np.abs(walker.points[..., 1].min(axis=1)).max() < 0.1
    assert np.linalg.norm(np.diff(episode.pose.transl, axis=0), axis=-1).max() < 0.2


def test_a_partner_who_never_moves_is_scored_as_a_walkers() -> None:
    episode = recorded(shipped_walk(), 5)
    found = scored(as_played(episode, standing_still(episode)))
    assert {"looks_walking", "within_2.5_m"} <= found.keys()


def test_whose_walk_it_is_stands_beside_it() -> None:
    assert "mocap.cs.cmu.edu" in WALK.with_suffix(".txt").read_text()


def test_a_folder_of_takes_needs_nobody_who_stands_but_a_recording(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--real: .* holds no \.bvh and no \.amc file"):
        takes_in([tmp_path])
    write_motion(tmp_path / "somebody.bvh", read_motion(WALK), load_body())
    (take,) = takes_in([tmp_path])
    assert take.name == "somebody"
    assert take.life is None
