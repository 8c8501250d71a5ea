"""Whether a partner who sits stays seated, and gets up by the hand that is held out.

The windows stand still here, so that all that moves comes from the layers over the network.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from engine.arrays import Array
from engine.body.arms import palms_of
from engine.body.pose import Pose
from engine.body.reach import ANKLES
from engine.bundle import INTENT_FILE, STARTER
from engine.motion.intent import load_intent
from engine.motion.rising import LOW
from engine.sampling.request import SampledWindow
from engine.session.config import Respond, SessionConfig
from engine.session.session import Session
from engine.testing import still_windows
from trainer.choreography.clips import make_clip
from trainer.choreography.stage import PLAYER
from trainer.data.shards import Clip

INTENT = load_intent(STARTER / INTENT_FILE)
LAYERS = SessionConfig(guard=True, company=True, responses=True)
SEEDS = range(7_200_000, 7_200_006)


@cache
def helped(seed: int) -> Clip:
    """A clip whose player helps a partner up who sits."""
    clips = (make_clip(seed + 1000 * k, kind="help_up") for k in range(50))
    return next(clip for clip in clips if clip.leads == PLAYER and low(clip.pose[1], clip)[0] > LOW)


def low(pose: Pose, clip: Clip) -> Array:
    """(frame,) metres by which the partner's hips are lower than they ever are."""
    return np.asarray(clip.pose.transl[1, :, 1].max() - pose.transl[:, 1])


def shown(config: SessionConfig, clip: Clip, player: Pose) -> Pose:
    """The partner (frame,) before a player who moves so."""
    rest = clip.rest_joints.astype(float)
    session = Session(
        config, rest_joints=rest, seed=1, partner_start=clip.pose[1, 0], intent=INTENT
    )
    held: dict[int, Pose] = {}
    for frame in range(len(player.transl)):
        session.feed(frame / 10, player[frame])
        tick = session.tick(frame / 10 + 0.01)
        for wanted in tick.wanted:
            (x0,) = still_windows([wanted.request])
            session.accept(wanted.ticket, SampledWindow(x0=x0))
        if tick.chunk is not None:
            frames = tick.chunk.frames
            held |= {frames.first + i: frames.pose[1, i] for i in range(len(frames))}
    poses = [held[frame] for frame in range(len(player.transl))]
    return Pose(np.stack([p.rotmats for p in poses]), np.stack([p.transl for p in poses]))


def waiting(clip: Clip) -> Pose:
    """The player, who stands as at first for six seconds."""
    return Pose(
        np.repeat(clip.pose.rotmats[0, :1], 60, 0), np.repeat(clip.pose.transl[0, :1], 60, 0)
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_one_who_sits_stays_seated_while_nothing_is_offered(seed: int) -> None:
    clip = helped(seed)
    partner = shown(LAYERS, clip, waiting(clip))
    assert np.abs(partner.transl - partner.transl[0]).max() < 0.01


@pytest.mark.parametrize("seed", SEEDS)
def test_a_hand_that_is_held_out_is_taken_and_one_gets_up_by_it(seed: int) -> None:
    clip = helped(seed)
    rest, player = clip.rest_joints.astype(float), clip.pose[0]
    partner = shown(LAYERS, clip, player)
    assert low(partner, clip)[-1] < 0.1
    theirs, ours = (
        palms_of(*pose.in_world(rest[who]), rest[who])[0]
        for who, pose in enumerate((player, partner))
    )
    nearest = np.linalg.norm(theirs[:, :, None] - ours[:, None], axis=-1).min(axis=(1, 2))
    sits = low(partner, clip) > LOW
    assert nearest[sits].min() < 0.13, "the hand is taken before one gets up"


@pytest.mark.parametrize("seed", SEEDS)
def test_one_gets_up_smoothly_over_feet_that_stay(seed: int) -> None:
    clip = helped(seed)
    partner, rest = shown(LAYERS, clip, clip.pose[0]), clip.rest_joints[1].astype(float)
    speed = np.linalg.norm(np.diff(partner.transl, axis=0), axis=-1) * 10
    rises = np.flatnonzero((low(partner, clip)[1:] > 0.1) & (speed > 0.1))
    assert 4 <= len(rises) <= 20
    assert speed[rises].max() < 1.6
    ankles = partner.in_world(rest)[0][rises][:, ANKLES]
    assert np.linalg.norm(ankles - ankles[0], axis=-1).max() < 0.1


def test_who_is_not_to_answer_sits_on() -> None:
    clip = helped(SEEDS[0])
    partner = shown(replace(LAYERS, respond=Respond.NEVER), clip, clip.pose[0])
    assert low(partner, clip).min() > LOW
