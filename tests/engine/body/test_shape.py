"""The packaged body is a sound body; other files give the same interface or a clear error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.arrays import Array
from engine.body.shape import KEYS, PACKAGED_BODY, Body, bone_lengths, fit_betas, load_body
from engine.body.skeleton import HAND_JOINT_NAMES, JOINT, JOINT_COUNT, MIRROR, PARENTS
from engine.errors import InputError


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body()


def packaged_arrays() -> dict[str, Array]:
    with np.load(PACKAGED_BODY) as archive:
        return {key: archive[key] for key in archive.files}


def test_the_body_is_small_and_has_smplx_joints_and_fingers(body: Body) -> None:
    assert PACKAGED_BODY.stat().st_size < 3e6
    assert len(body.parents) == JOINT_COUNT + len(HAND_JOINT_NAMES) == 52
    assert body.parents[:JOINT_COUNT] == PARENTS
    wrists = {JOINT["left_wrist"], JOINT["right_wrist"]}
    assert {p for p in body.parents[JOINT_COUNT:] if p < JOINT_COUNT} == wrists
    assert 3000 < len(body.template) < 6000


def test_the_body_stands_upright_in_a_t_pose_facing_z(body: Body) -> None:
    joints = body.rest_joints(np.zeros(10))
    np.testing.assert_allclose(joints[0], [0, -0.35, 0], atol=1e-4)
    height = np.ptp(body.template[:, 1])
    span = np.ptp(body.template[:, 0])
    assert 1.5 < height < 1.9
    assert 0.9 < span / height < 1.1
    assert joints[JOINT["left_wrist"], 0] > 0.5
    assert joints[JOINT["left_foot"], 2] > joints[JOINT["left_ankle"], 2] + 0.05
    arm = joints[[JOINT["left_shoulder"], JOINT["left_elbow"], JOINT["left_wrist"]]]
    assert np.ptp(arm[:, 1:], axis=0).max() < 2e-3


def test_left_and_right_mirror_each_other_in_every_shape(body: Body) -> None:
    for betas in np.random.default_rng(0).normal(size=(3, 10)):
        joints = body.rest_joints(betas)
        np.testing.assert_allclose(joints, joints[list(MIRROR)] * [-1, 1, 1], atol=2e-3)
        vertices = body.rest_vertices(betas)
        mirrored = vertices * [-1, 1, 1]
        order, other = np.lexsort(np.round(vertices, 3).T), np.lexsort(np.round(mirrored, 3).T)
        np.testing.assert_allclose(vertices[order], mirrored[other], atol=2e-2)
        assert abs(vertices[:, 0].mean()) < 1e-3


def test_weights_and_regressor_rows_sum_to_one(body: Body) -> None:
    np.testing.assert_allclose(body.weights.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(body.joint_regressor.sum(axis=1), 1, atol=1e-5)
    assert body.weights.min() >= 0


def test_the_mesh_is_closed_like_a_sphere_and_its_faces_look_outwards(body: Body) -> None:
    edges = np.concatenate([body.faces[:, [0, 1]], body.faces[:, [1, 2]], body.faces[:, [2, 0]]])
    directed = {(int(a), int(b)) for a, b in edges}
    assert len(directed) == len(edges)
    assert all((b, a) in directed for a, b in directed)
    assert len(body.template) - len(edges) // 2 + len(body.faces) == 2
    a, b, c = np.moveaxis(body.template[body.faces].astype(float), 1, 0)
    volume = np.sum(a * np.cross(b, c)) / 6
    assert 0.045 < volume < 0.11  # 45 to 110 litres


def test_hands_and_feet_are_dense_enough_for_contact(body: Body) -> None:
    for part in ("left_wrist", "left_foot"):
        chosen = body.weights[:, JOINT[part]] > 0.5
        corners = body.template[body.faces[chosen[body.faces].all(axis=1)]]
        centre_to_corner = np.linalg.norm(corners - corners.mean(axis=1, keepdims=True), axis=-1)
        assert np.percentile(centre_to_corner, 90) < 0.0165
        assert np.median(centre_to_corner) < 0.013


def test_one_unit_of_shape_is_one_standard_deviation_of_adults(body: Body) -> None:
    tall = np.eye(10)[0]
    stature = [np.ptp(body.rest_vertices(scale * tall)[:, 1]) for scale in (-1, 1)]
    assert 0.05 < (stature[1] - stature[0]) / 2 < 0.15


def test_joints_are_the_regressor_times_the_vertices(body: Body) -> None:
    betas = np.random.default_rng(3).normal(size=10)
    expected = body.joint_regressor @ body.rest_vertices(betas)
    np.testing.assert_allclose(body.all_rest_joints(betas), expected, atol=1e-5)
    batch = np.stack([betas, -betas])
    np.testing.assert_allclose(body.rest_joints(batch)[0], expected[:JOINT_COUNT], atol=1e-5)


def test_a_shape_is_found_again_from_its_bone_lengths(body: Body) -> None:
    betas = np.random.default_rng(4).normal(size=(2, 20, 10))
    lengths = bone_lengths(body.rest_joints(betas))
    found = fit_betas(body, lengths)
    assert found.shape == betas.shape
    assert np.abs(bone_lengths(body.rest_joints(found)) - lengths).max() < 5e-3
    exact = fit_betas(body, lengths, prior=1e-5)
    assert np.abs(bone_lengths(body.rest_joints(exact)) - lengths).max() < 1e-4
    np.testing.assert_allclose(exact, betas, atol=0.05)


def test_lengths_no_adult_has_give_a_moderate_shape(body: Body) -> None:
    betas = fit_betas(body, 1.1 * bone_lengths(body.rest_joints(np.zeros(10))))
    assert np.abs(betas).max() < 4


def test_a_smplx_file_gives_the_same_interface(tmp_path: Path) -> None:
    arrays = packaged_arrays()
    arrays["shapedirs"] = np.concatenate([arrays["shapedirs"]] * 2, axis=-1)  # more than ten
    arrays["kintree_table"] = arrays["kintree_table"].astype(np.uint32)  # root: 2**32 - 1
    arrays["part2num"] = np.array({"pickled": "extra"}, dtype=object)
    path = tmp_path / "SMPLX_NEUTRAL.npz"
    np.savez(path, allow_pickle=True, **arrays)
    body = load_body(path)
    assert body.name == "smplx_neutral"
    assert body.parents == load_body().parents
    np.testing.assert_array_equal(body.shape_directions, load_body().shape_directions)


def test_a_body_is_read_once() -> None:
    assert load_body() is load_body(None) is load_body(PACKAGED_BODY)


@pytest.mark.parametrize("key", KEYS)
def test_a_file_without_one_of_the_keys_names_it(tmp_path: Path, key: str) -> None:
    arrays = packaged_arrays()
    del arrays[key]
    path = tmp_path / "broken.npz"
    np.savez(path, allow_pickle=False, **arrays)
    with pytest.raises(InputError, match=f"{key} missing"):
        load_body(path)


def test_too_few_shapes_and_other_skeletons_are_refused(tmp_path: Path) -> None:
    few = packaged_arrays() | {"shapedirs": np.zeros((len(load_body().template), 3, 4))}
    np.savez(tmp_path / "few.npz", allow_pickle=False, **few)
    with pytest.raises(InputError, match="shapedirs has shape"):
        load_body(tmp_path / "few.npz")
    other = packaged_arrays()
    other["kintree_table"][0, 5] = 1
    np.savez(tmp_path / "other.npz", allow_pickle=False, **other)
    with pytest.raises(InputError, match="kintree_table"):
        load_body(tmp_path / "other.npz")


def test_a_file_that_is_no_npz_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "body.npz"
    with pytest.raises(InputError, match="no such body file"):
        load_body(path)
    np.save(tmp_path / "array.npy", np.zeros(3))
    with pytest.raises(InputError, match="cannot be read as a body"):
        load_body(tmp_path / "array.npy")
    path.write_bytes(PACKAGED_BODY.read_bytes()[:5000])
    with pytest.raises(InputError, match="cannot be read as a body") as caught:
        load_body(path)
    assert "\n" not in str(caught.value)
