"""What the partner makes of a person who walks up to it and turns back, again and again.

The windows stand still here, so that all that moves comes from the layers over the network.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from engine.body.pose import Pose, stacked
from engine.body.skeleton import JOINT
from engine.bundle import INTENT_FILE, STARTER
from engine.motion.intent import FEATURES, KINDS, IntentNet, load_intent
from engine.sampling.request import SampledWindow
from engine.session.config import SessionConfig
from engine.session.session import Session
from engine.testing import still_windows
from tests.builders import player_at
from trainer.evaluation.live.episode import Episode
from trainer.evaluation.live.players import recorded
from trainer.evaluation.live.takes import shipped_walk

INTENT = load_intent(STARTER / INTENT_FILE)
LAYERS = SessionConfig(guard=True, company=True, responses=True)
SEEDS = [7_200_001, 7_200_002, 7_200_003]
HEAD = JOINT["head"]


@cache
def played(seed: int) -> tuple[Episode, Pose, list[str], list[int]]:
    """The walk on a body of its own; the partner's frames; what the player was seen to be about;
    the frames at which windows were asked for."""
    episode = recorded(shipped_walk(), seed)
    return episode, *partner_of(episode, INTENT)


def partner_of(episode: Episode, intent: IntentNet) -> tuple[Pose, list[str], list[int]]:
    session = Session(
        LAYERS,
        rest_joints=episode.rest_joints,
        seed=1,
        partner_start=episode.start,
        intent=intent,
    )
    held: dict[int, Pose] = {}
    seen, asked = [], []
    for frame in range(len(episode.pose.transl)):
        session.feed(frame / 10, episode.pose[frame])
        tick = session.tick(frame / 10 + 0.01)
        for wanted in tick.wanted:
            (x0,) = still_windows([wanted.request])
            session.accept(wanted.ticket, SampledWindow(x0=x0))
            asked.append(frame)
        if tick.chunk is not None:
            frames = tick.chunk.frames
            held |= {frames.first + i: frames.pose[1, i] for i in range(len(frames))}
        report = session.status().intent
        assert report is not None
        seen.append(report.kind)
    return stacked([held[frame] for frame in range(len(seen))]), seen, asked


def nearest(episode: Episode, partner: Pose) -> float:
    """Metres between the two pelvises."""
    hips = [
        (pose.transl + rest[0])[:, [0, 2]]
        for pose, rest in zip((episode.pose, partner), episode.rest_joints, strict=True)
    ]
    return float(np.linalg.norm(hips[0] - hips[1], axis=-1).min())


@pytest.mark.parametrize("seed", SEEDS)
def test_nobody_walks_through_the_partner(seed: int) -> None:
    episode, partner, _, _ = played(seed)
    assert nearest(episode, partner) > 0.45


@pytest.mark.parametrize("speed", [0.3, 0.6, 1.2])
def test_nor_does_who_walks_with_busy_hands(speed: float) -> None:
    is_other = np.where(np.array(KINDS) == "other", 9.0, 0.0)
    other = IntentNet(
        weights=(np.zeros((FEATURES, len(KINDS))),),
        biases=(is_other,),
        mean=np.zeros(FEATURES),
        scale=np.ones(FEATURES),
    )
    episode = recorded(shipped_walk(), SEEDS[0])
    standing = stacked([player_at(frame / 10, turn=0.0) for frame in range(70)])
    here, there = (
        (pose.transl + rest[0]) * [1, 0, 1]
        for pose, rest in zip((episode.pose[0], episode.start), episode.rest_joints, strict=True)
    )
    way = (there - here) / np.linalg.norm(there - here)
    on = np.maximum(np.arange(70) / 10 - 1, 0)[:, None] * speed * way
    transl = episode.pose.transl[0] + on
    episode = replace(episode, pose=Pose(standing.rotmats, transl))
    partner, seen, _ = partner_of(episode, other)
    assert set(seen[2:]) == {"other"}
    assert nearest(episode, partner) > 0.4


@pytest.mark.parametrize("seed", SEEDS)
def test_the_face_goes_after_who_passes(seed: int) -> None:
    episode, partner, _, _ = played(seed)
    theirs, _ = episode.pose.in_world(episode.rest_joints[0])
    ours, world = partner.in_world(episode.rest_joints[1])
    away = theirs[:, HEAD] - ours[:, HEAD]
    away /= np.linalg.norm(away, axis=-1, keepdims=True)
    looks = (world[:, HEAD, :, 2] * away).sum(axis=-1) > np.cos(np.radians(35))
    assert looks.mean() > 0.65


@pytest.mark.parametrize("seed", SEEDS)
def test_a_walk_is_no_offer_no_bow_and_no_dance(seed: int) -> None:
    _, _, seen, _ = played(seed)
    assert np.mean([kind == "nothing" for kind in seen]) > 0.8
    assert set(seen) <= {"nothing", "other"}


@pytest.mark.parametrize("seed", SEEDS)
def test_who_comes_up_is_seen_to_twice_as_often(seed: int) -> None:
    _, _, _, asked = played(seed)
    apart = np.diff(asked)
    usual = LAYERS.revision_frames
    assert apart.min() == LAYERS.hurried_frames
    assert (apart < usual).any()
    assert (apart >= usual).any()
