"""What must hold where two people go somewhere together."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from engine.arrays import Array
from trainer.choreography.clips import draw_figure, make_clip
from trainer.choreography.kinds.walking import (
    BEHIND,
    draw_pace,
    draw_trail,
    follow_along,
    keep_up,
)
from trainer.choreography.stage import Cast, clock, cropped, draw_manner
from trainer.choreography.timing import ramp
from trainer.data.shards import Clip
from trainer.evaluation.metrics.joints import foot_skating

SEEDS = range(21, 27)
KINDS = (
    "follow_along",
    "hold_hands_and_walk",
    "stroll_arm_in_arm",
    "lead_by_the_hand",
    "pass_by",
)


def cast(seed: int) -> Cast:
    rng = np.random.default_rng(seed)
    return Cast(
        rng=rng,
        figures=(draw_figure(rng), draw_figure(rng)),
        manners=(draw_manner(rng), draw_manner(rng)),
    )


@lru_cache
def made(kind: str) -> tuple[tuple[Clip, Array], ...]:
    """Clips with their joints (2, frame, 22, 3)."""
    clips = [make_clip(seed, kind=kind) for seed in SEEDS]
    return tuple((c, c.pose.in_world(c.rest_joints[:, None])[0]) for c in clips)


def ground(joints: Array) -> Array:
    """(2, frame, 2) the pelvises on the ground."""
    return joints[:, :, 0][..., [0, 2]]


@pytest.mark.parametrize("kind", KINDS)
def test_feet_hardly_slide(kind: str) -> None:
    for _, joints in made(kind):
        assert max(foot_skating(person) for person in joints) < 6.0


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_walks_through_the_other(kind: str) -> None:
    for _, joints in made(kind):
        assert np.linalg.norm(ground(joints)[0] - ground(joints)[1], axis=-1).min() > 0.35


def test_two_wordings_or_more_name_neither_roles_nor_sides() -> None:
    for kind in KINDS:
        for clip, _ in made(kind):
            words = [set(caption.replace(",", "").split()) for caption in clip.captions]
            plain = [w for w in words if not w & {"player", "partner", "left", "right"}]
            assert len(plain) >= 2, kind


def test_a_follower_keeps_up_with_one_who_walks_fast() -> None:
    time = clock(8.0)
    lead = 1.8 * np.clip(time - 0.5, 0, None)
    for seed in range(5):
        along = keep_up(cast(seed), time, lead, gap=1.2, top=2.4)
        gap = lead - along
        assert gap.max() < 2.6
        assert 0.9 < gap[-1] < 1.7


def test_a_follower_stops_when_the_other_stops() -> None:
    time = clock(8.0)
    lead = np.cumsum(1.5 * (1 - ramp(time, 4.0, 4.8))) / 30
    for seed in range(5):
        along = keep_up(cast(seed), time, lead, gap=1.2, top=2.0)
        assert np.abs(np.diff(along[-30:])).max() * 30 < 0.1
        assert (lead - along).min() > 0.5


def test_some_who_are_followed_walk_faster_than_a_metre_and_a_half_a_second() -> None:
    tops = []
    for _, joints in made("follow_along"):
        speed = np.linalg.norm(np.diff(ground(joints), axis=1), axis=-1) * 10
        tops.append(speed.max(axis=1).min())
        apart = np.linalg.norm(ground(joints)[0] - ground(joints)[1], axis=-1)
        assert apart.max() < 3.2
    assert max(tops) > 1.5


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [
        ("hold_hands_and_walk", 0.05, 0.14),
        ("lead_by_the_hand", 0.03, 0.17),
        ("stroll_arm_in_arm", 0.10, 0.24),
    ],
)
def test_the_hands_stay_together(kind: str, least: float, most: float) -> None:
    for clip, joints in made(kind):
        assert clip.contacts
        for frame, a, b in clip.contacts:
            assert least < np.linalg.norm(joints[0, frame, a] - joints[1, frame, b]) < most


def test_who_holds_hands_walks_abreast() -> None:
    for clip, joints in made("hold_hands_and_walk"):
        _, world = clip.pose.in_world(clip.rest_joints[:, None])
        forward = world[0, :, 0, :, 2][:, [0, 2]]
        away = ground(joints)[1] - ground(joints)[0]
        ahead = np.sum(forward * away, axis=-1) / np.linalg.norm(away, axis=-1)
        assert np.median(np.abs(ahead)) < 0.45


def test_people_who_pass_end_up_on_the_other_side() -> None:
    for _, joints in made("pass_by"):
        place = ground(joints)[..., 1]
        assert place[0, 0] < place[1, 0]
        assert place[0, -1] > place[1, -1]


def test_a_trail_has_no_bend_tighter_than_asked() -> None:
    trail = draw_trail(cast(3), 12.0, 0.9)
    bend = np.abs(np.diff(trail.heading)) / 0.02
    assert bend.max() <= 1 / 0.9 + 1e-6
    steps = np.linalg.norm(np.diff(trail.ground, axis=0), axis=-1)
    np.testing.assert_allclose(steps, 0.02, atol=1e-9)
    path, _ = trail.at(np.array([0.0]))
    np.testing.assert_allclose(path[0], trail.ground[round(BEHIND / 0.02)], atol=1e-9)


def test_a_pace_is_never_negative() -> None:
    time = clock(9.0)
    for seed in range(10):
        assert draw_pace(cast(seed), time, 0.4, 1.4, 0.0).min() >= -1e-9


def test_a_cropped_scene_keeps_what_is_left_of_its_anchors() -> None:
    scene = follow_along(cast(4))
    later = cropped(scene, 30)
    np.testing.assert_array_equal(later.pose.transl, scene.pose.transl[:, 30:])
    assert later.anchors == tuple(a - 30 for a in scene.anchors if a >= 30)
