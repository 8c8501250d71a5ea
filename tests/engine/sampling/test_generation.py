"""Laws of generation: the given pose is kept, seams are smooth, feet stay on the floor."""

from __future__ import annotations

import tracemalloc
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.arrays import Array
from engine.body.pose import Pose, stacked
from engine.body.rotations import rotmat_about, rotmat_from_axis_angle
from engine.body.shape import load_body
from engine.body.skins import Skins
from engine.errors import BackendError, InputError
from engine.motion.floor import floor_height
from engine.motion.hands import curls_over
from engine.motion.standing import facing, standing_partner, standing_pose
from engine.sampling.generation import (
    Anchor,
    People,
    SamplePair,
    SampleWindows,
    generate_motion,
    generate_motions,
    generate_pair,
)
from engine.sampling.pairs import sample_generator
from engine.sampling.request import WindowRequest
from engine.testing import noisy_windows, still_models
from tests.builders import joints_of

BODY = load_body()
BETAS = np.array([np.zeros(10), 0.5 * np.ones(10)])
REST = BODY.rest_joints(BETAS)


def a_pair() -> Pose:
    """Two people standing 0.8 m apart."""
    player = Pose(standing_pose(), np.zeros(3))
    player.rotmats[0] = rotmat_about("y", 0.3)
    player.transl[1] = -floor_height(player, REST[0])
    return stacked([player, standing_partner(player, REST, 0.8, 0.0)])


def motion(
    frames: int,
    anchor_index: int,
    *,
    seed: int = 3,
    sample: SampleWindows | None = None,
    history_frames: int = 10,
) -> Pose:
    return generate_motion(
        Anchor(pair=a_pair(), rest_joints=REST, seed=seed),
        anchor_index=anchor_index,
        frames=frames,
        steps=8,
        sample=sample or noisy_windows(0.05),
        history_frames=history_frames,
    )


@settings(max_examples=12, deadline=None)
@given(frames=st.integers(1, 130), where=st.floats(0, 1), history=st.integers(1, 15))
def test_the_anchor_is_the_given_pair_wherever_it_stands(
    frames: int, where: float, history: int
) -> None:
    anchor_index = round(where * (frames - 1))
    made = motion(frames, anchor_index, history_frames=history)
    assert made.transl.shape == (2, frames, 3)
    np.testing.assert_array_equal(made.rotmats[:, anchor_index], a_pair().rotmats)
    np.testing.assert_array_equal(made.transl[:, anchor_index], a_pair().transl)
    assert np.isfinite(made.rotmats).all()
    products = made.rotmats @ np.swapaxes(made.rotmats, -1, -2)
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(3), products.shape), atol=1e-6)


@pytest.mark.parametrize("history", [1, 10])
def test_windows_are_joined_without_a_jump(history: int) -> None:
    made = motion(200, 100, history_frames=history)
    jerk = np.linalg.norm(np.diff(joints_of(made, REST), n=3, axis=1), axis=-1).mean(axis=(0, 2))
    fresh = 30 - history
    seams = [*range(115, 200, fresh), *range(85, 0, -29)]
    at_seam = np.zeros(len(jerk), np.bool_)
    for seam in seams:
        at_seam[max(seam - 2, 0) : seam] = True
    # This sampler is blind to the history: its windows bring errors of centimetres to each seam.
    assert jerk[at_seam].mean() <= 3.5 * jerk[~at_seam].mean()


def test_feet_stay_on_the_floor_and_no_joint_is_too_fast() -> None:
    made = motion(150, 20, sample=noisy_windows(0.2))
    height = joints_of(made, REST)[..., 1].min(axis=-1)
    assert height.min() > -0.05
    speed = 10 * np.linalg.norm(np.diff(joints_of(made, REST), axis=1), axis=-1)
    assert speed.max() < 12


def test_a_long_motion_takes_room_for_itself_and_little_more() -> None:
    motion(60, 30)
    tracemalloc.start()
    made = motion(2000, 700)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1.4 * (made.rotmats.nbytes + made.transl.nbytes)


def test_the_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    first, same, other = (motion(70, 10, seed=seed).transl for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, same)
    assert abs(first - other).max() > 1e-3


@pytest.mark.parametrize(("frames", "anchor_index", "history"), [(30, 0, 10), (95, 50, 29)])
@pytest.mark.parametrize("scale", [0.05, 0.4])
def test_motions_made_together_have_the_bits_of_those_made_alone(
    frames: int, anchor_index: int, history: int, scale: float
) -> None:
    anchors = [an_anchor(seed) for seed in range(5)]
    made = partial(
        generate_motions,
        anchor_index=anchor_index,
        frames=frames,
        steps=8,
        sample=noisy_windows(scale),
        history_frames=history,
    )
    together = made(anchors)
    curls = curls_over(together, np.stack([anchor.rest_joints for anchor in anchors], axis=1))
    for row, anchor in enumerate(anchors):
        alone = made([anchor])[:, 0]
        np.testing.assert_array_equal(together.rotmats[:, row], alone.rotmats)
        np.testing.assert_array_equal(together.transl[:, row], alone.transl)
        np.testing.assert_array_equal(curls[:, row], curls_over(alone, anchor.rest_joints))


def an_anchor(seed: int) -> Anchor:
    """Two of their own shapes, on a floor of their own, near enough to be in each other."""
    rng = np.random.default_rng(seed)
    betas = rng.normal(0, 0.7, (2, 10))
    rest = BODY.rest_joints(betas)
    player = Pose(standing_pose(), rng.normal(0, 0.5, 3))
    player.rotmats[:] = player.rotmats @ rotmat_from_axis_angle(rng.normal(0, 0.15, (22, 3)))
    return Anchor(
        pair=stacked([player, standing_partner(player, rest, rng.uniform(0.2, 0.9), 0.3)]),
        rest_joints=rest,
        seed=seed,
        skins=Skins(body=BODY, betas=betas[None]),
    )


def test_where_the_pair_stands_in_the_world_does_not_matter() -> None:
    here = motion(45, 0)
    turn, shift = rotmat_about("y", 1.1), np.array([3.0, 0.5, -2.0])
    pair = a_pair()
    pelvis = (REST[:, 0] + pair.transl) @ turn.T + shift
    pair.rotmats[:, 0] = turn @ pair.rotmats[:, 0]
    there = generate_motion(
        Anchor(pair=Pose(pair.rotmats, pelvis - REST[:, 0]), rest_joints=REST, seed=3),
        anchor_index=0,
        frames=45,
        steps=8,
        sample=noisy_windows(0.05),
        history_frames=10,
    )
    moved = joints_of(here, REST) @ turn.T + shift
    np.testing.assert_allclose(joints_of(there, REST), moved, atol=2e-4)


def test_an_anchor_outside_the_motion_is_named() -> None:
    for frames, anchor_index, field in ((10, 10, "anchor_index"), (0, 0, "frames")):
        with pytest.raises(InputError) as caught:
            motion(frames, anchor_index)
        assert caught.value.field == field


def test_a_window_that_is_not_finite_is_an_error_not_a_motion() -> None:
    def broken(requests: list[WindowRequest]) -> Array:
        return np.full((len(requests), 2, 30, 135), np.nan, np.float32)

    with pytest.raises(BackendError):
        motion(30, 0, sample=broken)


# ------------------------------------------------------------------------------------------- pairs
def still_pair(noise: Array, pose: Array, pose_mask: Array, text: Array) -> Array:
    return sample_generator(still_models(), noise, pose, pose_mask, text, 2.5, 4)


def a_person(yaw: float, place: tuple[float, float, float]) -> People:
    rotmats = standing_pose()
    rotmats[0] = rotmat_about("y", yaw) @ rotmat_about("x", 0.2)
    return People(pose=Pose(rotmats, np.array(place)), betas=0.4 * np.ones(10))


def pair_of(single: People | None, sample: SamplePair = still_pair) -> People:
    return generate_pair(body=BODY, text=np.zeros(8), single=single, seed=1, sample=sample)


def test_a_given_person_stays_exactly_as_given_and_the_partner_stands_before_it() -> None:
    single = a_person(2.0, (4.0, 1.5, -3.0))
    pair = pair_of(single)
    np.testing.assert_array_equal(pair.pose.rotmats[0], single.pose.rotmats)
    np.testing.assert_array_equal(pair.pose.transl[0], single.pose.transl)
    np.testing.assert_array_equal(pair.betas[0], single.betas)
    joints, _ = pair.pose.in_world(BODY.rest_joints(pair.betas))
    between = joints[1, 0] - joints[0, 0]
    ahead = facing(joints[0])
    assert between @ ahead == pytest.approx(1.0, abs=0.15)
    assert facing(joints[1]) @ ahead < -0.95
    floors = floor_height(pair.pose, BODY.rest_joints(pair.betas))
    assert floors[1] == pytest.approx(floors[0], abs=1e-6)


def test_the_network_sees_a_given_person_in_the_canonical_frame() -> None:
    seen: list[tuple[Array, Array]] = []

    def sample(noise: Array, pose: Array, pose_mask: Array, text: Array) -> Array:
        seen.append((pose, pose_mask))
        return still_pair(noise, pose, pose_mask, text)

    single = a_person(2.0, (4.0, 1.5, -3.0))
    pair_of(single, sample)
    ((pose, mask),) = seen
    assert mask.tolist() == [[1, 0]]
    np.testing.assert_allclose(pose[0, 0, [132, 134]], 0, atol=1e-5)
    rest = BODY.rest_joints(single.betas)
    np.testing.assert_allclose(pose[0, 0, 135:], rest.ravel(), atol=1e-5)


def test_without_a_given_person_both_stand_on_the_floor() -> None:
    pair = pair_of(None)
    height = floor_height(pair.pose, BODY.rest_joints(pair.betas))
    np.testing.assert_allclose(height, 0, atol=1e-6)
    np.testing.assert_allclose(pair.betas, 0, atol=0.3)
