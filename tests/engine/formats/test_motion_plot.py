"""Motions are drawn as curves over time."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.body.shape import load_body
from engine.errors import InputError
from engine.formats.motion_plot import write_motion_plot
from tests.data.make_motion_files import wave
from tests.engine.formats.random_motion import standing_pair

BODY = load_body()


def test_two_people_have_heights_speeds_distance_and_contacts(tmp_path: Path) -> None:
    path = tmp_path / "pair.svg"
    write_motion_plot(path, standing_pair(), BODY, "pair.npz")
    text = set(re.findall(">([^<>]+)</text>", path.read_text()))
    assert {"height, m", "speed, m/s", "distance, m", "contacts", "pair.npz"} <= text
    assert {"partner head", "hips, over the floor", "spine2 - spine2"} <= text


def test_one_person_has_heights_and_speeds(tmp_path: Path) -> None:
    write_motion_plot(tmp_path / "wave.svg", wave(), BODY, "wave.npz")
    text = set(re.findall(">([^<>]+)</text>", (tmp_path / "wave.svg").read_text()))
    assert {"height, m", "speed, m/s"} <= text
    assert "distance, m" not in text


def test_the_same_motion_gives_the_same_picture(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write_motion_plot(tmp_path / name, wave(), BODY, "wave.npz")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_single_frame_has_no_curves(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"wave\.npz: is a single frame"):
        write_motion_plot(tmp_path / "wave.png", wave(frames=1), BODY, "wave.npz")
