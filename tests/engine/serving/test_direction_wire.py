"""What headers and controls make of a direction; refusals are in tests/e2e/test_bad_input.py."""

from __future__ import annotations

import numpy as np
import pytest
from contrapose.v1 import interaction_pb2 as pb

from engine.body.pose import Pose
from engine.errors import ConfigError
from engine.motion.standing import standing_pose
from engine.serving import wire
from engine.serving.direction_wire import (
    MAX_TARGETS,
    MODES,
    direction_change,
    first_direction,
    start_from_wire,
)
from engine.session.direction import ContactTarget, Direction, Mode, PlaceTarget

BODY = wire.pose_to_wire(Pose(standing_pose(), np.array([0.0, 1.3, 1.0])))


def changed(direction: Direction, **control: object) -> Direction:
    change = direction_change(pb.SessionControl(**control))  # type: ignore[arg-type]
    assert change is not None
    return change.applied(direction)


def test_every_mode_of_the_wire_is_one_of_the_engine() -> None:
    numbers = set(pb.SessionMode.values()) - {pb.SESSION_MODE_UNSPECIFIED}
    assert set(MODES) == numbers
    assert set(MODES.values()) == set(Mode)


def test_a_header_says_how_a_session_begins() -> None:
    plain = first_direction(pb.SessionHeader())
    assert (plain.mode, plain.energy) == (Mode.REACT, 1.0)
    header = pb.SessionHeader(mode=pb.SESSION_MODE_FOLLOW_PLAN, energy=1.25, partner_start=BODY)
    assert first_direction(header).mode is Mode.FOLLOW_PLAN
    assert first_direction(header).energy == 1.25
    start = start_from_wire(header)
    assert start is not None
    np.testing.assert_allclose(start.rotmats, standing_pose(), atol=1e-6)
    assert start_from_wire(pb.SessionHeader()) is None


def test_a_control_changes_what_it_names_and_nothing_else() -> None:
    assert direction_change(pb.SessionControl(steps=4)) is None
    text = np.ones(3)
    before = Direction(text=text, energy=0.8)
    after = changed(before, mode=pb.SESSION_MODE_PAUSED)
    assert (after.mode, after.energy, after.text) == (Mode.PAUSED, 0.8, text)
    after = changed(after, energy=1.5)
    assert (after.mode, after.energy) == (Mode.PAUSED, 1.5)


def test_contacts_and_places_replace_those_of_before_until_they_are_cleared() -> None:
    contact = pb.ContactTarget(partner_joint=21, player_joint=16, frame_index=40)
    place = pb.PlaceTarget(position=[1, 0, 2], heading=0.5)
    direction = changed(Direction(), contact=contact, place=place)
    assert direction.contact == ContactTarget(partner_joint=21, player_joint=16, frame=40)
    assert direction.place is not None
    assert direction.place.position.tolist() == [1, 0, 2]
    assert (direction.place.heading, direction.place.frame) == (0.5, None)
    direction = changed(direction, place=pb.PlaceTarget(position=[2, 0, 2], frame_index=70))
    assert isinstance(direction.place, PlaceTarget)
    assert (direction.place.heading, direction.place.frame) == (None, 70)
    cleared = changed(direction, clear_targets=True, contact=contact)
    assert cleared.place is None
    assert cleared.contact == direction.contact


def test_poses_are_added_in_order_and_replace_those_at_the_same_frame() -> None:
    def targets(*frames: int) -> list[pb.PoseTarget]:
        return [pb.PoseTarget(frame_index=frame, partner=BODY) for frame in frames]

    between = pb.SESSION_MODE_INBETWEEN
    direction = changed(Direction(), mode=between, targets=targets(50, 30))
    first = direction.poses
    direction = changed(direction, targets=targets(40, 50))
    assert [pose.frame for pose in direction.poses] == [30, 40, 50]
    assert direction.poses[2] is not first[1]
    with pytest.raises(ConfigError) as caught:
        changed(direction, targets=targets(*range(100, 100 + MAX_TARGETS)))
    assert caught.value.field == "targets"


def test_too_many_poses_are_refused_before_one_of_them_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(wire, "pose_from_wire")
    targets = [pb.PoseTarget(frame_index=50 + at, partner=BODY) for at in range(MAX_TARGETS + 1)]
    with pytest.raises(ConfigError, match="65 poses wanted, at most 64") as refusal:
        direction_change(pb.SessionControl(targets=targets))
    assert refusal.value.field == "control.targets"
