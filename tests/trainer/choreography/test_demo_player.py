"""The player of the demo is a recording like a client's: steady, plausible, and the one we make."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.backends import open_backend
from engine.body.kinematics import forward_kinematics
from engine.body.pose import Pose
from engine.body.shape import load_body
from engine.body.skeleton import JOINT
from engine.body.vectors import lengths
from engine.bundle import STARTER, load_bundle
from engine.formats import read_motion
from engine.sampling.loaded import intent_of
from engine.sampling.models import load_models
from engine.sampling.sampler import sample_windows
from engine.session.session import Session
from trainer.choreography.demo_player import (
    GOODBYE,
    HELLO,
    HUG,
    OUTPUT,
    SECONDS,
    SHAKE,
    WALK,
    player,
)
from trainer.evaluation.live.episode import Episode, frame_of
from trainer.evaluation.live.playing import Played, play
from trainer.evaluation.live.rows import PARTNER
from trainer.evaluation.live.run import BY_RULE
from trainer.evaluation.live.scoring import (
    CHEST,
    MET_CHESTS,
    MET_PALMS,
    PALMS,
    PELVIS,
    SHOULDERS,
    people_of,
)


def test_the_shipped_recording_moves_like_a_person_on_the_floor() -> None:
    motion = read_motion(OUTPUT)
    assert (motion.people, motion.frame_rate) == (1, 10.0)
    assert motion.frames >= 10 * SECONDS
    rest = load_body().rest_joints(motion.betas[0])
    joints, _ = forward_kinematics(rest, motion.rotmats[0], motion.transl[0])
    feet = joints[:, [JOINT["left_foot"], JOINT["right_foot"]], 1]
    assert np.all((feet.min(axis=1) > 0) & (feet.min(axis=1) < 0.06))
    assert np.linalg.norm(np.diff(joints, axis=0), axis=-1).max() * 10 < 4
    hand = joints[round(10 * SHAKE[1]), JOINT["right_wrist"]]
    assert 0.3 < hand[2] - joints[0, 0, 2] < 0.7


def test_the_same_recording_is_made_again() -> None:
    first, again = player(), player()
    np.testing.assert_array_equal(first.quats_xyzw, again.quats_xyzw)
    np.testing.assert_array_equal(first.transl, again.transl)


def meeting(seed: int) -> Episode:
    """The recording before a partner who stands where a session has one stand at first."""
    motion, body = read_motion(OUTPUT), load_body()
    betas = np.concatenate([motion.betas, np.zeros_like(motion.betas)])
    rest = np.stack([body.rest_joints(each) for each in betas])
    session = Session(BY_RULE, rest_joints=rest, seed=seed)
    rotmats, transl = motion.rotmats[0].astype(np.float32), motion.transl[0]
    session.feed(0.0, Pose(rotmats[0], transl[0]))
    chunk = session.tick(0.0).chunk
    assert chunk is not None
    start = chunk.frames.pose[1, 0]
    return Episode(
        group="demo",
        kind="meeting",
        seed=seed,
        pose=Pose(rotmats, transl),
        betas=betas,
        rest_joints=rest.astype(np.float64),
        start=start,
    )


@pytest.mark.slow
def test_the_partner_waves_shakes_walks_along_and_hugs_from_any_seed() -> None:
    bundle = load_bundle(STARTER)
    models = load_models(bundle, open_backend(precision="auto", threads=1))
    animator = bundle.manifest.animator
    found: list[Played] = []
    play(
        [meeting(seed) for seed in range(4)],
        {
            PARTNER: replace(
                BY_RULE, steps=animator.steps_default, history_frames=animator.history_frames
            )
        },
        lambda requests: sample_windows(models, requests),
        intent=intent_of(bundle),
        on_played=lambda _, played: found.append(played),
    )
    for played in found:
        one, two = people_of(played)
        up = two.points[:, PALMS, 1].max(axis=1) > two.points[:, SHOULDERS, 1].mean(axis=1)
        assert up[frame_of(HELLO[0]) : frame_of(HELLO[3] + 0.5)].sum() >= 5
        assert up[frame_of(GOODBYE[0]) :].any()
        shaken = lengths(one.points[:, PALMS[1]] - two.points[:, PALMS[1]]) < MET_PALMS
        assert shaken[frame_of(SHAKE[0]) : frame_of(SHAKE[3])].sum() >= 10
        apart = lengths((one.points - two.points)[:, PELVIS, [0, 2]])
        assert apart[frame_of(WALK[0]) : frame_of(HUG[0])].max() < 2.3
        close = lengths(one.points[:, CHEST] - two.points[:, CHEST]) < MET_CHESTS
        assert close[frame_of(HUG[0]) : frame_of(HUG[2] + 0.5)].sum() >= 15
