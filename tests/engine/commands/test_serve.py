"""What `contrapose serve` makes of its flags and its bundle."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from engine.bundle import ANIMATOR_FILES, AnimatorSpec, write_manifest
from engine.commands.serve import add_commands, config_of
from engine.errors import ConfigError
from engine.server import ServerConfig


def _config(*flags: object) -> ServerConfig:
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers())
    return config_of(parser.parse_args(["serve", *map(str, flags)]))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    for relative in ANIMATOR_FILES:
        (tmp_path / relative).parent.mkdir(exist_ok=True)
        (tmp_path / relative).write_bytes(b"a graph")
    animator = AnimatorSpec(
        width=8,
        heads=2,
        layers=2,
        text_width=0,
        window_frames=30,
        history_frames=3,
        steps_default=8,
        schedules=(),
    )
    write_manifest(tmp_path, name="walk", licence="", description="", animator=animator)
    return tmp_path


def test_sessions_take_steps_and_history_from_the_bundle(bundle: Path) -> None:
    session = _config("--bundle", bundle).service.session
    assert (session.steps, session.history_frames) == (8, 3)


def test_flags_go_before_the_bundle(bundle: Path) -> None:
    session = _config("--bundle", bundle, "--steps", 5, "--horizon", 12).service.session
    assert (session.steps, session.horizon_frames, session.history_frames) == (5, 12, 3)


def test_feet_are_locked_unless_told_otherwise(bundle: Path) -> None:
    assert _config("--bundle", bundle).service.session.foot_lock
    assert not _config("--bundle", bundle, "--no-foot-lock").service.session.foot_lock


def test_the_backend_is_the_best_of_the_machine_unless_named(bundle: Path) -> None:
    config = _config("--bundle", bundle)
    assert (config.backend, config.device) == ("auto", 0)
    config = _config("--bundle", bundle, "--backend", "torch", "--device", 1)
    assert (config.backend, config.device) == ("torch", 1)


def test_no_steps_are_refused_by_name(bundle: Path) -> None:
    with pytest.raises(ConfigError, match="--steps"):
        _config("--bundle", bundle, "--steps", 0)
