"""What must hold in the kinds whose point is a touch: hands arrive, bodies stay out of bodies."""

from __future__ import annotations

import numpy as np
import pytest

from engine.body.shape import load_body
from engine.body.skeleton import JOINT
from tests.builders import joints_of_clip
from trainer.choreography.clips import make_clip
from trainer.data.shards import Clip

SEEDS = (3, 6, 12)
GAPS = {
    "pat_shoulder": (0.12, 0.17),
    "hand_over": (0.20, 0.42),
    "whisper": (0.15, 0.32),
    "arm_around_shoulder": (0.08, 0.20),
    "push_and_catch": (0.06, 0.11),
    "block_punch": (0.08, 0.15),
    "tug": (0.06, 0.14),
}
"""Metres between the labelled joints of a kind, at the frames where they are said to touch."""


@pytest.fixture(scope="module")
def clips() -> dict[str, list[Clip]]:
    kinds = [*GAPS, "point_and_look"]
    return {kind: [make_clip(seed, kind=kind) for seed in SEEDS] for kind in kinds}


def gaps_of(clip: Clip) -> list[float]:
    joints = joints_of_clip(clip)
    return [float(np.linalg.norm(joints[0, f, a] - joints[1, f, b])) for f, a, b in clip.contacts]


@pytest.mark.parametrize("kind", GAPS)
def test_what_is_said_to_touch_is_near(kind: str, clips: dict[str, list[Clip]]) -> None:
    low, high = GAPS[kind]
    for clip in clips[kind]:
        assert clip.contacts
        assert all(low < gap < high for gap in gaps_of(clip))


def test_nobody_is_deep_in_the_other(clips: dict[str, list[Clip]]) -> None:
    penetration = pytest.importorskip("trainer.evaluation.metrics.penetration")
    pytest.importorskip("igl")
    body = load_body()
    for kind, made in clips.items():
        clip, gap = made[0], np.inf
        for frame in clip.anchor_frames:
            pair = clip.pose[:, frame]
            meshes = [body.vertices(pair[person], clip.betas[person]) for person in (0, 1)]
            gap = min(gap, penetration.mesh_gap(meshes, body.faces))
        assert gap > -0.06, kind


def test_hands_are_slower_than_a_fast_punch(clips: dict[str, list[Clip]]) -> None:
    for kind, made in clips.items():
        for clip in made:
            speed = np.linalg.norm(np.diff(joints_of_clip(clip), axis=1), axis=-1) * 10
            assert speed.max() < 6.5, kind


def test_captions_name_people_or_do_not(clips: dict[str, list[Clip]]) -> None:
    words = ("player", "partner", "left", "right")
    for made in clips.values():
        for clip in made:
            plain = [c for c in clip.captions if not any(word in c for word in words)]
            assert len(set(clip.captions)) >= 5
            assert len(plain) >= 2
            assert any("player" in c and "partner" in c for c in clip.captions)


def test_the_one_shown_something_turns_to_it(clips: dict[str, list[Clip]]) -> None:
    for clip in clips["point_and_look"]:
        _, world = clip.pose.in_world(clip.rest_joints[:, None])
        faces = world[..., JOINT["head"], :, 2]
        frame = clip.anchor_frames[1]
        turned = np.arccos(np.clip(np.sum(faces[:, 0] * faces[:, frame], axis=-1), -1, 1))
        assert turned.min() > 0.2


def test_hands_grip_in_a_handshake_and_the_right_ones_unless_the_words_say_left() -> None:
    for seed in (*range(6), 58):
        clip = make_clip(seed, kind="handshake")
        is_left = clip.contacts[0][1] == JOINT["left_wrist"]
        assert all(("left hands" in caption) == is_left for caption in clip.captions)
        assert not clip.is_mirrorable
        assert all(0.10 < gap < 0.135 for gap in gaps_of(clip))


def test_the_one_who_is_caught_comes_upright_again(clips: dict[str, list[Clip]]) -> None:
    for clip in clips["push_and_catch"]:
        _, world = clip.pose.in_world(clip.rest_joints[:, None])
        upright = world[..., JOINT["spine3"], 1, 1]
        assert upright[:, -1].min() > 0.97
        assert upright.min() < 0.975
