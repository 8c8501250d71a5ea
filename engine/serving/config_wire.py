"""Settings from the wire: what headers and controls say of a session's, checked.

Knows messages and settings; no session and no socket. What is out of range raises ConfigError whose
`field` is the path of the offending field, as in `header.horizon_frames`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from contrapose.v1 import interaction_pb2

from engine.errors import ConfigError
from engine.serving import wire
from engine.session.config import SessionConfig

OF_HEADERS = ("steps", "horizon_frames", "commit_frames", "allow_contact", "zone_radius")
OF_CONTROLS = ("steps", "allow_contact", "zone_radius")


def session_config(header: interaction_pb2.SessionHeader, default: SessionConfig) -> SessionConfig:
    """The server's settings with those of a header in their place."""
    return _changed(default, header, OF_HEADERS, "header")


def changed_config(config: SessionConfig, control: interaction_pb2.SessionControl) -> SessionConfig:
    """A session's settings with those of a control in their place; the same if it has none."""
    return _changed(config, control, OF_CONTROLS, "control")


def _changed(
    config: SessionConfig,
    message: interaction_pb2.SessionHeader | interaction_pb2.SessionControl,
    names: Sequence[str],
    field: str,
) -> SessionConfig:
    if message.HasField("steps"):
        wire.steps_from_wire(message.steps, f"{field}.steps")
    wanted = {name: getattr(message, name) for name in names if message.HasField(name)}
    try:
        return replace(config, **wanted) if wanted else config
    except ConfigError as error:
        raise error.within(field) from error
