"""The skin of two people in torch, for the loss on mesh vertices (L_V of facts/ponimator.md 11).

Knows a body and posed joints. Knows no loss. Linear blend skinning without pose-dependent
corrections, like the engine's; what the 22 joints do not turn (fingers, jaw) moves with its parent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.body.shape import Body
from engine.body.skeleton import JOINT_COUNT

SHAPE_RIDGE = 1e-6
"""Square metres: shape directions that move the joints by less than a millimetre are not fitted."""


@dataclass(frozen=True)
class Mesh:
    """Some vertices of a body, and how they follow its joints.

    template (V, 3), directions (V, 3, 10), weights (V, 22) rows sum to 1
    joint_template (22, 3), joint_directions (22, 3, 10)
    betas_of_joints (10, 66): shape coordinates from what joints differ from the template
    """

    template: Tensor
    directions: Tensor
    weights: Tensor
    joint_template: Tensor
    joint_directions: Tensor
    betas_of_joints: Tensor


def make_mesh(body: Body, count: int = 0) -> Mesh:
    """`count` vertices, evenly spread over the body's list; 0 takes all."""
    total = len(body.template)
    chosen = np.linspace(0, total - 1, min(count, total) or total).astype(int)
    joint_directions = body.joint_directions[:JOINT_COUNT]
    flat = joint_directions.reshape(-1, joint_directions.shape[-1])
    fit = np.linalg.solve(flat.T @ flat + SHAPE_RIDGE * np.eye(flat.shape[1]), flat.T)
    arrays = (
        body.template[chosen],
        body.shape_directions[chosen],
        body.body_weights()[chosen],
        body.joint_template[:JOINT_COUNT],
        joint_directions,
        fit,
    )
    return Mesh(*(torch.tensor(np.asarray(array), dtype=torch.float32) for array in arrays))


def mesh_vertices(mesh: Mesh, joints: Tensor, rotations: Tensor, rest_joints: Tensor) -> Tensor:
    """Skinned vertices, coordinates first like `losses.forward_kinematics`.

    joints       (3, 22, batch, 2, frame) in the world
    rotations    (3, 3, 22, batch, 2, frame) world from joint
    rest_joints  (batch, 2, 22, 3), from which the shape is read
    returns      (3, V, batch, 2, frame):  v = sum_j w_j (G_j (v_rest - J_j) + p_j)
    """
    betas = (rest_joints - mesh.joint_template.to(joints)).flatten(2) @ (
        mesh.betas_of_joints.to(joints).T
    )
    rest = mesh.template.to(joints) + torch.einsum(
        "vck,bpk->bpvc", mesh.directions.to(joints), betas
    )
    own_joints = mesh.joint_template.to(joints) + torch.einsum(
        "jck,bpk->bpjc", mesh.joint_directions.to(joints), betas
    )
    vertices, own_joints = (x.permute(3, 2, 0, 1)[..., None] for x in (rest, own_joints))
    turned = sum(rotations[:, b] * own_joints[b] for b in range(3))
    weights = mesh.weights.to(joints)
    blended = torch.matmul(weights, rotations.flatten(3)).view(3, 3, -1, *joints.shape[2:])
    shift = torch.matmul(weights, (joints - turned).flatten(2)).view(3, -1, *joints.shape[2:])
    skinned: Tensor = shift + sum(blended[:, b] * vertices[b] for b in range(3))
    return skinned
