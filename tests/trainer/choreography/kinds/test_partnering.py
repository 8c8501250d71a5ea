"""What must hold where each of two people plays an own part."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from engine.arrays import Array
from engine.body.skeleton import JOINT
from trainer.choreography.clips import make_clip
from trainer.data.shards import Clip
from trainer.evaluation.metrics.joints import foot_skating

SEEDS = range(31, 37)
KINDS = ("help_up", "dance_turn", "circle", "mirror_me")


@lru_cache
def made(kind: str) -> tuple[tuple[Clip, Array, Array], ...]:
    """Clips with their joints (2, frame, 22, 3) and world orientations."""
    clips = [make_clip(seed, kind=kind) for seed in SEEDS]
    return tuple((c, *c.pose.in_world(c.rest_joints[:, None])) for c in clips)


def yaw(world: Array, person: int, joint: str = "pelvis") -> Array:
    forward = world[person, :, JOINT[joint], :, 2]
    return np.unwrap(np.arctan2(forward[:, 0], forward[:, 2]))


@pytest.mark.parametrize("kind", KINDS)
def test_feet_hardly_slide(kind: str) -> None:
    for _, joints, _ in made(kind):
        assert max(foot_skating(person) for person in joints) < 6.0


def test_two_wordings_or_more_name_neither_roles_nor_sides() -> None:
    for kind in KINDS:
        for clip, _, _ in made(kind):
            words = [set(caption.replace(",", "").split()) for caption in clip.captions]
            plain = [w for w in words if not w & {"player", "partner", "left", "right"}]
            assert len(plain) >= 2, kind


def test_one_sits_at_first_and_both_stand_at_last() -> None:
    for clip, joints, _ in made("help_up"):
        leg = np.abs(clip.rest_joints[:, 0, 1] - clip.rest_joints[:, JOINT["left_foot"], 1])
        height = joints[:, :, 0, 1] / leg[:, None]
        assert height[:, 0].min() < 0.72
        assert height[:, -1].min() > 0.9


def test_the_hands_hold_while_one_is_pulled_up() -> None:
    for clip, joints, _ in made("help_up"):
        assert clip.contacts
        for frame, a, b in clip.contacts:
            assert 0.08 < np.linalg.norm(joints[0, frame, a] - joints[1, frame, b]) < 0.27


def test_exactly_one_turns_all_the_way_round() -> None:
    for clip, _, world in made("dance_turn"):
        turned = [abs(yaw(world, person)[-1] - yaw(world, person)[0]) for person in range(2)]
        count = len(clip.contacts) // 3
        np.testing.assert_allclose(max(turned), 2 * np.pi * count, atol=0.6)
        assert min(turned) < 0.6


def test_the_joined_hands_are_above_the_head_in_the_middle_of_the_turn() -> None:
    for clip, joints, world in made("dance_turn"):
        turned = [abs(yaw(world, person)[-1] - yaw(world, person)[0]) for person in range(2)]
        twirler = int(np.argmax(turned))
        frame, a, b = clip.contacts[1]
        hand = joints[twirler, frame, (a, b)[twirler]]
        assert hand[1] > joints[twirler, frame, JOINT["head"], 1]
        assert np.linalg.norm(joints[0, frame, a] - joints[1, frame, b]) < 0.27


def test_who_circles_keeps_facing_the_other() -> None:
    for _, joints, world in made("circle"):
        for person in range(2):
            away = joints[1 - person, :, 0] - joints[person, :, 0]
            wanted = np.arctan2(away[:, 0], away[:, 2])
            off = np.angle(np.exp(1j * (yaw(world, person, "head") - wanted)))
            assert np.median(np.abs(off)) < 0.5


def likeness(first: Array, second: Array) -> float:
    """Correlation of two signals (frame, 2), the second up to 0.6 s later."""
    return max(
        float(np.corrcoef(first[:-lag].ravel(), second[lag:].ravel())[0, 1]) for lag in range(1, 7)
    )


def test_a_mirror_shows_the_other_hand_a_moment_later() -> None:
    hands = [JOINT["left_wrist"], JOINT["right_wrist"]]
    for _, joints, _ in made("mirror_me"):
        lifted = joints[:, :, hands, 1] - joints[:, :, JOINT["spine3"], 1][..., None]
        mirrored = lifted[..., ::-1]
        assert max(likeness(lifted[0], mirrored[1]), likeness(lifted[1], mirrored[0])) > 0.8
