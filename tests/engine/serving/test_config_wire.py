"""What headers and controls make of a session's settings."""

from __future__ import annotations

import pytest
from contrapose.v1 import interaction_pb2 as pb

from engine.errors import ConfigError
from engine.serving.config_wire import changed_config, session_config
from engine.session.config import SessionConfig


def test_a_header_changes_only_what_it_names() -> None:
    default = SessionConfig(steps=10)
    assert session_config(pb.SessionHeader(), default) == default
    changed = session_config(pb.SessionHeader(steps=5, horizon_frames=12), default)
    assert (changed.steps, changed.horizon_frames) == (5, 12)
    assert changed.commit_frames == default.commit_frames


@pytest.mark.parametrize("name", ["steps", "horizon_frames", "commit_frames"])
def test_a_setting_of_zero_is_refused_by_its_field(name: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        session_config(pb.SessionHeader(**{name: 0}), SessionConfig())
    assert refusal.value.field == f"header.{name}"


def test_a_control_that_names_no_setting_leaves_them_as_they_are() -> None:
    config = SessionConfig(steps=10)
    assert changed_config(config, pb.SessionControl(text="hug", energy=1.2)) is config
    assert changed_config(config, pb.SessionControl(zone_radius=0.5)).zone_radius == 0.5
    with pytest.raises(ConfigError) as refusal:
        changed_config(config, pb.SessionControl(zone_radius=-1))
    assert refusal.value.field == "control.zone_radius"
