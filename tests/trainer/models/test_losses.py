"""The losses against brute force in numpy on small random cases, and against hand-made ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.body import kinematics
from engine.body.pose import Pose
from engine.body.rotations import rotmat_from_axis_angle
from engine.body.shape import load_body
from engine.motion.motion import features_from_pose, pose_from_features
from trainer.models import losses
from trainer.models.animator.losses import AnimatorLossConfig, animator_losses
from trainer.models.generator.losses import GeneratorLossConfig, bone_loss, generator_losses
from trainer.models.mesh import make_mesh

BATCH, FRAMES = 2, 4


def random_motion(seed: int, transl: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Motion (2, 2, 4, 135) and rest joints (2, 2, 22, 3), float32."""
    rng = np.random.default_rng(seed)
    rotmats = rotmat_from_axis_angle(rng.normal(0, 0.4, (BATCH, 2, FRAMES, 22, 3)))
    motion = features_from_pose(Pose(rotmats, rng.normal(0, transl, (BATCH, 2, FRAMES, 3))))
    return motion, rng.normal(0, 0.3, (BATCH, 2, 22, 3)).astype(np.float32)


def numpy_points(motion: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """(batch, 2, frame, 24, 3) by the engine's kinematics, palms as children of wrists."""
    pose = pose_from_features(motion.astype(np.float64))
    rotmats, transl = pose.rotmats, pose.transl
    identity = np.broadcast_to(np.eye(3), (*rotmats.shape[:-3], 2, 3, 3))
    palms = []
    for wrist, elbow in ((20, 18), (21, 19)):
        forearm = rest[..., wrist, :] - rest[..., elbow, :]
        unit = forearm / np.linalg.norm(forearm, axis=-1, keepdims=True)
        palms.append(rest[..., wrist, :] + losses.PALM_LENGTH * unit)
    full = np.concatenate([rest, np.stack(palms, axis=-2)], axis=-2)
    return kinematics.forward_kinematics(
        full[:, :, None],
        np.concatenate([rotmats, identity], axis=-3),
        transl,
        losses.POINT_PARENTS,
    )[0]


def torch_points(motion: np.ndarray, rest: np.ndarray) -> torch.Tensor:
    return losses.forward_kinematics(torch.from_numpy(motion), torch.from_numpy(rest))[0]


def test_kinematics_equal_the_engines() -> None:
    motion, rest = random_motion(0)
    points = torch_points(motion, rest).permute(2, 3, 4, 1, 0).numpy()
    np.testing.assert_allclose(points, numpy_points(motion, rest), atol=1e-5)


def test_gradients_stay_finite_on_degenerate_rotations() -> None:
    features = torch.zeros(1, 2, 3, 135, requires_grad=True)
    points, _ = losses.forward_kinematics(features, torch.randn(1, 2, 22, 3))
    losses.pair_distances(points).sum().backward()
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()


def test_a_perfect_prediction_costs_nothing_but_contact() -> None:
    motion, rest = random_motion(1)
    anchor = motion[:, :, 1]
    terms = animator_losses(
        torch.from_numpy(motion - anchor[:, :, None]),
        torch.from_numpy(motion),
        torch.from_numpy(anchor),
        torch.from_numpy(rest),
        torch.ones(BATCH, 2, FRAMES),
        AnimatorLossConfig(contact=0.0),
    )
    for name in ("pose", "transl", "joints", "distance", "relative_rotation", "velocity"):
        assert terms[name].item() == pytest.approx(0, abs=1e-9), name
    assert terms["total"].item() == pytest.approx(0, abs=1e-8)


def test_every_animator_term_equals_brute_force() -> None:
    (motion, rest), (other, _) = random_motion(2), random_motion(3)
    anchor = motion[:, :, 0]
    valid = np.ones((BATCH, 2, FRAMES), np.float32)
    valid[0, 1, 3] = 0
    terms = animator_losses(
        torch.from_numpy(other - anchor[:, :, None]),
        torch.from_numpy(motion),
        torch.from_numpy(anchor),
        torch.from_numpy(rest),
        torch.from_numpy(valid),
        AnimatorLossConfig(contact_within=0.3, velocity_feet=2.0),
    )
    expected = brute_force_terms(other, motion, rest, valid)
    for name, value in expected.items():
        assert terms[name].item() == pytest.approx(value, rel=1e-3), name


def brute_force_terms(
    predicted: np.ndarray, motion: np.ndarray, rest: np.ndarray, valid: np.ndarray
) -> dict[str, float]:
    """Loops over batch, people and frames, as the formulas are written."""
    points_hat, points = numpy_points(predicted, rest), numpy_points(motion, rest)
    root_hat = pose_from_features(predicted).rotmats[..., 0, :, :]
    root = pose_from_features(motion).rotmats[..., 0, :, :]
    sums = {name: [0.0, 0.0] for name in ("pose", "transl", "joints", "distance", "contact", "rel")}
    body, feet, frames = 0.0, 0.0, 0.0
    is_foot = [7, 8, 10, 11]
    others = [j for j in range(24) if j not in is_foot]
    for b in range(BATCH):
        for i in range(FRAMES):
            for p in range(2):
                if valid[b, p, i]:
                    error = (predicted[b, p, i] - motion[b, p, i]) ** 2
                    sums["pose"][0] += error[:132].sum() / 132
                    sums["transl"][0] += error[132:].sum() / 3
                    gap = points_hat[b, p, i] - points[b, p, i]
                    sums["joints"][0] += (gap**2).sum() / 72
                    for name in ("pose", "transl", "joints"):
                        sums[name][1] += 1
            if not valid[b, :, i].all():
                continue
            near_hat = np.linalg.norm(points_hat[b, 0, i, :, None] - points_hat[b, 1, i], axis=-1)
            near = np.linalg.norm(points[b, 0, i, :, None] - points[b, 1, i], axis=-1)
            sums["distance"][0] += ((near_hat - near) ** 2)[near_hat < 1].sum()
            sums["distance"][1] += (near_hat < 1).sum()
            sums["contact"][0] += (near_hat**2)[near < 0.3].sum()
            sums["contact"][1] += (near < 0.3).sum()
            relative_hat = root_hat[b, 1, i] @ root_hat[b, 0, i].T
            sums["rel"][0] += ((relative_hat - root[b, 1, i] @ root[b, 0, i].T) ** 2).sum()
            sums["rel"][1] += 1
            if i + 1 < FRAMES:
                step_hat = points_hat[b, :, i + 1] - points_hat[b, :, i]
                error = (step_hat - (points[b, :, i + 1] - points[b, :, i])) ** 2
                body += error[:, others].sum() / len(others)
                feet += error[:, is_foot].sum() / 4
                frames += 1
    means = {name: total / count for name, (total, count) in sums.items()}
    means["relative_rotation"] = means.pop("rel")
    means["velocity"] = (body + 2.0 * feet) / (6 * frames)
    return means


def test_the_mesh_is_the_one_that_the_engine_draws() -> None:
    motion, betas = random_motion(5)[0], np.random.default_rng(5).normal(size=(BATCH, 2, 10))
    body = load_body()
    rest = torch.from_numpy(body.rest_joints(betas).astype(np.float32))
    made = losses.posed(torch.from_numpy(motion), rest, make_mesh(body)).vertices
    assert made is not None
    pose = pose_from_features(motion)
    expected = [[body.vertices(pose[b, p], betas[b, p]) for p in range(2)] for b in range(BATCH)]
    found = made.permute(2, 3, 4, 1, 0).numpy()
    np.testing.assert_allclose(
        found, np.array(expected), atol=2e-3
    )  # the shape is read from the joints
    some = losses.posed(torch.from_numpy(motion), rest, make_mesh(body, 7)).vertices
    assert some is not None
    chosen = np.linspace(0, len(body.template) - 1, 7).astype(int)
    np.testing.assert_allclose(some.permute(2, 3, 4, 1, 0), found[..., chosen, :], atol=1e-5)


def test_the_vertex_term_equals_brute_force_over_valid_frames() -> None:
    (motion, rest), (other, _) = random_motion(6), random_motion(7)
    valid = np.ones((BATCH, 2, FRAMES), np.float32)
    valid[1, 0, 2:] = 0
    mesh = make_mesh(load_body(), 40)
    terms = animator_losses(
        torch.from_numpy(other - motion[:, :, :1]),
        torch.from_numpy(motion),
        torch.from_numpy(motion[:, :, 0]),
        torch.from_numpy(rest),
        torch.from_numpy(valid),
        AnimatorLossConfig(vertices=1.0),
        mesh,
    )
    made, truth = (
        losses.posed(torch.from_numpy(m), torch.from_numpy(rest), mesh).vertices
        for m in (other, motion)
    )
    assert made is not None
    assert truth is not None
    square = ((made - truth).numpy() ** 2).sum(axis=(0, 1))
    expected = (square * valid).sum() / (3 * 40 * valid.sum())
    assert terms["vertices"].item() == pytest.approx(expected, rel=1e-4)
    assert "vertices" not in animator_losses(
        *(torch.zeros(1, 2, 3, 135), torch.from_numpy(motion[:1, :, :3])),
        *(torch.from_numpy(motion[:1, :, 0]), torch.from_numpy(rest[:1])),
        *(None, AnimatorLossConfig()),
    )


def test_acceleration_of_a_known_jolt_is_what_the_hand_computes() -> None:
    target = torch.zeros(3, 24, 1, 2, 4)
    predicted = target.clone()
    predicted[0, 5, 0, 0, 3] = 0.3  # one coordinate of one point jumps in the last frame
    value = losses.acceleration_loss(predicted, target, torch.ones(1, 2, 4))
    assert value.item() == pytest.approx(0.3**2 / (3 * 24 * 4))


def test_only_feet_that_truly_stand_are_held_still() -> None:
    target = torch.zeros(3, 24, 1, 2, 3)
    target[0, 7, 0, 0] = torch.tensor([0.0, 0.2, 0.4])  # the left ankle of the player walks
    predicted = torch.zeros(3, 24, 1, 2, 3)
    predicted[0, 8, 0, 0] = torch.tensor([0.0, 0.1, 0.1])  # his right one should stand, but slides
    predicted[0, 7, 0, 0] = torch.tensor([0.0, 0.5, 0.9])
    value = losses.skate_loss(predicted, target, torch.ones(1, 2, 3), still=0.01)
    assert value.item() == pytest.approx(0.1**2 / (4 * 2 * 2 - 2))


def test_bone_loss_counts_lengths_and_nothing_else() -> None:
    rest = torch.randn(3, 2, 22, 3)
    assert bone_loss(rest + 1.0, rest).item() == pytest.approx(0, abs=1e-8)
    longer = bone_loss(rest * 1.1, rest).item()
    lengths = (rest[..., 1:, :] - rest[..., list(losses.PARENTS[1:]), :]).norm(dim=-1)
    assert longer == pytest.approx((0.1 * lengths).square().mean().item(), rel=1e-3)


def test_generator_terms_vanish_for_the_truth() -> None:
    motion, rest = random_motion(4)
    pair = torch.from_numpy(
        np.concatenate([motion[:, :, 0], rest.reshape(BATCH, 2, 66)], axis=-1, dtype=np.float32)
    )
    config = GeneratorLossConfig(contact=0.0)
    terms = generator_losses(pair, pair, torch.from_numpy(rest), config)
    assert terms["total"].item() == pytest.approx(0, abs=1e-7)
