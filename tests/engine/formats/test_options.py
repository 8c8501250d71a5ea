"""What the options choose of a motion: a person, a rate, a span of time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.body.shape import load_body
from engine.errors import InputError
from engine.formats import WriteOptions, read_motion, write_motion
from engine.formats.options import selected
from tests.engine.formats.random_motion import random_motion

PAIR = random_motion(1, frames=21)  # 2 s at 10 a second


def test_a_person_is_chosen() -> None:
    partner = selected(PAIR, WriteOptions(person="partner"), None)
    assert partner.people == 1
    np.testing.assert_array_equal(partner.transl[0], PAIR.transl[1])
    with pytest.raises(InputError, match="--person: partner, but the motion has one person"):
        selected(partner, WriteOptions(person="partner"), None)


def test_a_span_keeps_both_ends() -> None:
    cut = selected(PAIR, WriteOptions(trim=(0.5, 1.0)), None)
    np.testing.assert_array_equal(cut.transl, PAIR.transl[:, 5:11])
    assert selected(PAIR, WriteOptions(trim=(0.5, 1.0)), 30.0).frames == 16
    assert selected(PAIR, WriteOptions(trim=(1.9, np.inf)), None).frames == 2
    with pytest.raises(
        InputError, match="--trim: 3:4 holds no frame; the motion lasts from 0 to 2"
    ):
        selected(PAIR, WriteOptions(trim=(3.0, 4.0)), None)


def test_a_rate_that_is_asked_for_wins_over_the_usual_one() -> None:
    assert selected(PAIR, WriteOptions(), 30.0).frames == 61
    assert selected(PAIR, WriteOptions(frame_rate=20.0), 30.0).frames == 41
    assert selected(PAIR, WriteOptions(), None).frames == 21


def test_tools_get_30_frames_a_second_and_tables_what_there_is(tmp_path: Path) -> None:
    write_motion(tmp_path / "pair.csv", PAIR, load_body())
    assert len((tmp_path / "pair.csv").read_text().splitlines()) == 22
    write_motion(tmp_path / "pair.bvh", PAIR, load_body(), options=WriteOptions(person="player"))
    assert read_motion(tmp_path / "pair.bvh").frame_rate == 30.0
