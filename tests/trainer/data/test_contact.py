"""Two people touch where their skins are near: checked against the whole meshes."""

from __future__ import annotations

import igl
import numpy as np
import pytest
from scipy.spatial import cKDTree

from engine.arrays import Array
from engine.body.shape import load_body
from engine.body.skeleton import JOINT
from trainer.choreography.clips import make_clip
from trainer.data.contact import (
    COVER,
    HAND_COVER,
    THRESHOLD,
    Touches,
    contact_region,
    farthest_points,
    find_touches,
    stretches,
    thinned,
)
from trainer.data.shards import Clip

pytestmark = pytest.mark.slow

BODY = load_body()
KINDS = ("handshake", "high_five", "hug", "wave")
HANDS = (JOINT["left_wrist"], JOINT["right_wrist"])


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return [make_clip(3, kind=kind) for kind in KINDS]


def touches_of(clip: Clip, threshold: float = THRESHOLD) -> Touches:
    return find_touches(BODY, clip.betas, clip.pose, clip.rest_joints, threshold)


def mesh_distance(clip: Clip, frame: int) -> float:
    """From every vertex of either mesh to the other's triangles."""
    meshes = [BODY.vertices(clip.pose[i, frame], clip.betas[i]).astype(float) for i in range(2)]
    squares = [
        igl.point_mesh_squared_distance(meshes[i], meshes[1 - i], BODY.faces)[0] for i in range(2)
    ]
    return float(np.sqrt(min(square.min() for square in squares)))


def test_every_place_of_the_skin_has_a_point_nearby() -> None:
    region = contact_region(BODY)
    points = np.einsum("pi,pic->pc", region.barycentric, BODY.template[region.faces])
    part_of = BODY.weights[:, :22].argmax(axis=1)
    assert set(region.parts) == set(part_of)
    for part in set(region.parts) - set(HANDS):
        gaps, _ = cKDTree(points).query(BODY.template[part_of == part])
        assert gaps.max() < 1.5 * COVER
    fingertip = BODY.template[[BODY.template[:, 0].argmax()]]
    assert np.linalg.norm(fingertip - points, axis=-1).min() < 1.5 * HAND_COVER


@pytest.mark.long
def test_the_distance_is_the_meshes_own_within_a_centimetre(clips: list[Clip]) -> None:
    for clip in clips[:3]:
        distance = touches_of(clip, threshold=0.05).distance
        for frame in np.flatnonzero(np.isfinite(distance))[::8]:
            exact = mesh_distance(clip, int(frame))
            assert exact - 0.002 < distance[frame] < exact + 0.01, (clip.kind, frame)


@pytest.mark.long
def test_no_touch_of_the_meshes_is_overlooked(clips: list[Clip]) -> None:
    for clip in clips:
        distance = touches_of(clip).distance
        for frame in np.flatnonzero(~np.isfinite(distance))[::12]:
            assert mesh_distance(clip, int(frame)) > THRESHOLD - 0.01, (clip.kind, frame)


def test_of_four_hands_the_two_right_ones_touch_in_a_handshake(clips: list[Clip]) -> None:
    pairs = {(a, b) for _, a, b in touches_of(clips[0]).contacts}
    touching_hands = {(a, b) for a, b in pairs if a in HANDS and b in HANDS}
    assert touching_hands == {(JOINT["right_wrist"], JOINT["right_wrist"])}


def test_the_anchors_of_a_choreography_are_found(clips: list[Clip]) -> None:
    for clip in clips[:3]:
        distance = touches_of(clip).distance
        for frame in clip.anchor_frames:
            assert np.isfinite(distance[max(frame - 1, 0) : frame + 2]).any(), clip.kind


def test_nobody_touches_who_waves(clips: list[Clip]) -> None:
    touches = touches_of(clips[3])
    assert not np.isfinite(touches.distance).any()
    assert touches.contacts == ()


def test_exchanging_the_people_exchanges_the_joints(clips: list[Clip]) -> None:
    clip = clips[1]
    one = touches_of(clip)
    other = find_touches(BODY, clip.betas[::-1], clip.pose[::-1], clip.rest_joints[::-1])
    np.testing.assert_allclose(one.distance, other.distance, atol=1e-9)
    assert sorted((f, b, a) for f, a, b in other.contacts) == sorted(one.contacts)


def test_farthest_points_leave_no_place_beyond_their_cover() -> None:
    points = np.random.default_rng(0).random((500, 3))
    chosen = points[farthest_points(points, 0.2)]
    gaps = np.linalg.norm(points[:, None] - chosen[None], axis=-1)
    assert gaps.min(axis=1).max() <= 0.2
    apart = np.linalg.norm(chosen[:, None] - chosen[None], axis=-1)
    assert apart[~np.eye(len(chosen), dtype=bool)].min() > 0.2


# ------------------------------------------------------------------------------ interactive poses
def by_hand(distance: Array, apart: int) -> tuple[int, ...]:
    """The nearest frame wins and takes its neighbourhood with it, until none is left."""
    left, kept = distance.copy(), []
    while np.isfinite(left).any():
        best = int(left.argmin())
        kept.append(best)
        left[max(best - apart + 1, 0) : best + apart] = np.inf
    return tuple(sorted(kept))


def test_the_nearest_frames_are_kept_half_a_second_apart() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        distance = np.where(rng.random(80) < 0.5, np.inf, rng.random(80))
        assert thinned(distance) == by_hand(distance, apart=5)
    assert thinned(np.full(9, np.inf)) == ()


def test_a_stretch_reaches_around_its_anchors_and_no_farther() -> None:
    assert stretches((40,), 200, 30) == [range(10, 71)]
    assert stretches((5, 195), 200, 30) == [range(36), range(165, 200)]
    assert stretches((), 200, 30) == []


def test_stretches_that_meet_become_one_and_hold_each_frame_once() -> None:
    assert stretches((40, 101), 200, 30) == [range(10, 132)]
    assert stretches((40, 102), 200, 30) == [range(10, 71), range(72, 133)]
