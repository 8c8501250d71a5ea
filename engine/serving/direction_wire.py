"""Directions from the wire: what headers and controls say of mode, energy and targets, checked.

Knows messages and directions; no session and no socket. What is wrong raises InputError or
ConfigError whose `field` is the path of the offending field, as in `control.place.position`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from contrapose.v1 import interaction_pb2

from engine.body.pose import Pose
from engine.body.skeleton import JOINT, JOINT_COUNT, JOINT_NAMES
from engine.errors import ConfigError
from engine.serving import wire
from engine.session.direction import (
    ContactTarget,
    Direction,
    Mode,
    PlaceTarget,
    PoseTarget,
    TargetEvent,
)

MODES: dict[int, Mode] = {
    interaction_pb2.SESSION_MODE_REACT: Mode.REACT,
    interaction_pb2.SESSION_MODE_FOLLOW_PLAN: Mode.FOLLOW_PLAN,
    interaction_pb2.SESSION_MODE_INBETWEEN: Mode.INBETWEEN,
    interaction_pb2.SESSION_MODE_PAUSED: Mode.PAUSED,
}
HANDS = (JOINT["left_wrist"], JOINT["right_wrist"])
MIN_ENERGY, MAX_ENERGY = 0.5, 1.5
HOLD_FRAMES, MAX_HOLD_FRAMES = 5, 100
MAX_FRAME = 2**40
MAX_TARGETS = 64
"""Poses wanted at a time."""


def first_direction(header: interaction_pb2.SessionHeader) -> Direction:
    """What a session begins with; its words come later."""
    mode = _mode(header.mode, "header.mode")
    energy = _energy(header.energy, "header.energy") if header.HasField("energy") else 1.0
    return Direction(mode=mode or Mode.REACT, energy=energy)


def start_from_wire(header: interaction_pb2.SessionHeader) -> Pose | None:
    """Where the partner stands at the beginning; None: before the player."""
    if not header.HasField("partner_start"):
        return None
    return wire.pose_from_wire(header.partner_start, "header.partner_start")


@dataclass(frozen=True, kw_only=True, eq=False)
class DirectionChange:
    """What a control says of the direction; None: that stays as it is."""

    mode: Mode | None = None
    energy: float | None = None
    contact: ContactTarget | None = None
    place: PlaceTarget | None = None
    poses: tuple[PoseTarget, ...] = ()
    """Beside those of before, or in the place of the one at the same frame."""
    clears_targets: bool = False
    """Whether the targets of before go first."""

    def applied(self, direction: Direction) -> Direction:
        """Raises ConfigError for poses in another mode than INBETWEEN, or too many."""
        if self.clears_targets:
            direction = replace(direction, contact=None, place=None, poses=())
        direction = replace(
            direction,
            mode=self.mode or direction.mode,
            energy=direction.energy if self.energy is None else self.energy,
            contact=self.contact or direction.contact,
            place=self.place or direction.place,
        )
        if not self.poses:
            return direction
        if direction.mode is not Mode.INBETWEEN:
            raise ConfigError.at(
                "targets", f"poses in mode {direction.mode.name}; set mode INBETWEEN"
            )
        merged = {pose.frame: pose for pose in (*direction.poses, *self.poses)}
        if len(merged) > MAX_TARGETS:
            raise _too_many(len(merged), "targets")
        return replace(direction, poses=tuple(merged[frame] for frame in sorted(merged)))


def direction_change(control: interaction_pb2.SessionControl) -> DirectionChange | None:
    """None if the control says nothing of the direction."""
    found = {descriptor.name for descriptor, _ in control.ListFields()}
    if not found & {"mode", "energy", "contact", "place", "targets", "clear_targets"}:
        return None
    if len(control.targets) > MAX_TARGETS:  # before any of them costs anything
        raise _too_many(len(control.targets), "control.targets")
    has = control.HasField
    return DirectionChange(
        mode=_mode(control.mode, "control.mode"),
        energy=_energy(control.energy, "control.energy") if has("energy") else None,
        contact=_contact(control.contact, "control.contact") if has("contact") else None,
        place=_place(control.place, "control.place") if has("place") else None,
        poses=tuple(
            _pose(target, f"control.targets[{number}]")
            for number, target in enumerate(control.targets)
        ),
        clears_targets=control.clear_targets,
    )


def _too_many(count: int, field: str) -> ConfigError:
    return ConfigError.at(
        field, f"{count} poses wanted, at most {MAX_TARGETS} are; send the later ones later"
    )


def target_event(event: TargetEvent) -> interaction_pb2.SessionEvent:
    return interaction_pb2.SessionEvent(
        kind=interaction_pb2.SESSION_EVENT_KIND_TARGET, text=event.text
    )


def _mode(value: int, field: str) -> Mode | None:
    """None: as before."""
    if value != interaction_pb2.SESSION_MODE_UNSPECIFIED and value not in MODES:
        names = ", ".join(mode.name for mode in MODES.values())
        raise ConfigError.at(field, f"{value}, expected one of {names}")
    return MODES.get(value)


def _energy(value: float, field: str) -> float:
    if not MIN_ENERGY <= value <= MAX_ENERGY:
        raise ConfigError.at(field, f"{value}, expected {MIN_ENERGY} to {MAX_ENERGY}")
    return value


def _frame(value: int, field: str) -> int:
    return wire.count_from_wire(value, 0, MAX_FRAME, field)


def _contact(target: interaction_pb2.ContactTarget, field: str) -> ContactTarget:
    if target.partner_joint not in HANDS:
        hands = " or ".join(f"{hand} ({JOINT_NAMES[hand]})" for hand in HANDS)
        raise ConfigError.at(f"{field}.partner_joint", f"{target.partner_joint}, expected {hands}")
    hold = target.hold_frames or HOLD_FRAMES
    return ContactTarget(
        partner_joint=target.partner_joint,
        player_joint=wire.count_from_wire(
            target.player_joint, 0, JOINT_COUNT - 1, f"{field}.player_joint"
        ),
        frame=_frame(target.frame_index, f"{field}.frame_index"),
        hold_frames=wire.count_from_wire(hold, 1, MAX_HOLD_FRAMES, f"{field}.hold_frames"),
    )


def _place(target: interaction_pb2.PlaceTarget, field: str) -> PlaceTarget:
    heading = target.heading if target.HasField("heading") else None
    if heading is not None and not abs(heading) <= 100:
        raise ConfigError.at(f"{field}.heading", f"{heading}, expected radians")
    return PlaceTarget(
        position=wire.position_from_wire(target.position, f"{field}.position").astype(np.float64),
        heading=heading,
        frame=_frame(target.frame_index, f"{field}.frame_index") or None,
    )


def _pose(target: interaction_pb2.PoseTarget, field: str) -> PoseTarget:
    wire.check_present(target, "partner", f"{field}.partner")
    player = None
    if target.HasField("player"):
        player = wire.pose_from_wire(target.player, f"{field}.player")
    return PoseTarget(
        frame=_frame(target.frame_index, f"{field}.frame_index"),
        partner=wire.pose_from_wire(target.partner, f"{field}.partner"),
        player=player,
    )
