"""Spheres that say where skins are not, against the capsules that say where they are."""

from __future__ import annotations

import numpy as np
import pytest

from engine.body.capsules import near_pairs
from engine.body.pose import Pose
from engine.body.rotations import rotmat_from_axis_angle
from engine.body.shape import load_body
from engine.body.skins import Skins, skins_of_each
from engine.body.vectors import lengths

BODY = load_body()


@pytest.mark.parametrize("spread", [1.0, 3.0])
def test_spheres_hold_the_capsules_of_every_shape(spread: float) -> None:
    skins = Skins(body=BODY, betas=np.random.default_rng(1).normal(0, spread, (40, 2, 10)))
    spheres = skins.spheres
    for person, capsules in enumerate(skins.capsules(np.arange(40))):
        of_each = np.searchsorted(spheres.joints, capsules.joints)
        for ends in (capsules.starts, capsules.starts + capsules.axes):
            reach = lengths(ends - spheres.middles[person][:, of_each])
            assert (reach + capsules.radii < spheres.radii[person][:, of_each]).all()


def test_who_may_not_be_near_is_not_and_who_stands_afar_may_not_be() -> None:
    rng = np.random.default_rng(2)
    skins = Skins(body=BODY, betas=rng.normal(0, 1, (6, 2, 10)))
    turns = rotmat_from_axis_angle(rng.normal(0, 0.5, (2, 6, 30, 22, 3)))
    transl = rng.normal(0, 0.1, (2, 6, 30, 3))
    transl[1, ..., 0] += np.linspace(0.2, 3.0, 30)
    rest = BODY.rest_joints(skins.betas.swapaxes(0, 1))[:, :, None]
    joints, world = Pose(turns, transl).in_world(rest)
    may_be = skins.may_be_near(joints, world, 0.05)
    is_near = np.zeros(may_be.shape, np.bool_)
    for row in range(6):
        both = skins.capsules(np.array([row]))
        posed = [both[person].posed(joints[person, row], world[person, row]) for person in (0, 1)]
        found = near_pairs(posed[0], both[0].radii[0], posed[1], both[1].radii[0], reach=0.05)
        is_near[row, found.frames] = True
    assert not (is_near & ~may_be).any()
    assert is_near.any()
    assert not may_be[:, -1].any()


def test_skins_of_several_are_those_of_each() -> None:
    betas = np.random.default_rng(3).normal(0, 1, (3, 2, 10))
    pairs = [Skins(body=BODY, betas=betas[row : row + 1]) for row in range(3)]
    together = skins_of_each(pairs)
    np.testing.assert_array_equal(together.betas, betas)
    np.testing.assert_array_equal(together.of_pair(2).betas, pairs[2].betas)
    player, _ = together.capsules(np.array([2]))
    np.testing.assert_array_equal(player.radii, pairs[2].capsules(np.array([0]))[0].radii)
