"""Whether the partner dances along with a player who dances, and stops with the player.

The windows stand still here, so that all that moves comes from the layers over the network.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from engine.arrays import Array
from engine.body.arms import palms_seen
from engine.body.pose import Pose
from engine.bundle import INTENT_FILE, STARTER
from engine.motion.answers import ANSWERED, DANCE
from engine.motion.intent import load_intent
from engine.sampling.request import SampledWindow
from engine.session.config import Respond, SessionConfig
from engine.session.session import Session
from engine.testing import still_windows
from trainer.choreography.clips import make_clip

INTENT = load_intent(STARTER / INTENT_FILE)
LAYERS = SessionConfig(guard=True, company=True, responses=True)
STILL, LATEST = 30, 8
"""Frames that the player stands at the end, and by which the partner is late at the most."""


@cache
def dancing() -> tuple[Pose, Array, Pose]:
    """The player, who dances and then stands as at first; rest joints; where the partner begins."""
    clip = make_clip(7_100_003, kind="dance")
    frames = clip.pose.transl.shape[1]
    rows = np.concatenate([np.arange(frames), np.zeros(STILL, int)])
    player = Pose(clip.pose.rotmats[0, rows], clip.pose.transl[0, rows])
    return player, clip.rest_joints.astype(float), clip.pose[1, 0]


def shown(config: SessionConfig) -> tuple[Array, list[str], int]:
    """The partner's rotmats (frame, 22, 3, 3), what the player was seen to be about, and how many
    windows were asked for."""
    player, rest, start = dancing()
    session = Session(config, rest_joints=rest, seed=1, partner_start=start, intent=INTENT)
    held: dict[int, Array] = {}
    seen, windows = [], 0
    for frame in range(len(player.transl)):
        session.feed(frame / 10, player[frame])
        tick = session.tick(frame / 10 + 0.01)
        for wanted in tick.wanted:
            (x0,) = still_windows([wanted.request])
            session.accept(wanted.ticket, SampledWindow(x0=x0))
            windows += 1
        if tick.chunk is not None:
            frames = tick.chunk.frames
            held |= {frames.first + i: frames.pose[1, i].rotmats for i in range(len(frames))}
        report = session.status().intent
        assert report is not None
        seen.append(report.kind)
    return np.array([held[frame] for frame in range(len(player.transl))]), seen, windows


def hands(rotmats: Array, rest: Array) -> Array:
    """(frame, 2) metres that the palms are over the chest."""
    return np.asarray(palms_seen(rotmats, rest)[0][..., 1])


def test_hands_are_the_image_of_the_players_less_than_a_second_later() -> None:
    player, rest, _ = dancing()
    partner, seen, _ = shown(LAYERS)
    assert DANCE in seen
    begun = seen.index(DANCE) + 15
    theirs, ours = hands(player.rotmats, rest[0])[:, ::-1], hands(partner, rest[1])
    last = len(ours) - STILL
    alike = [
        np.corrcoef(theirs[begun - late : last - late].ravel(), ours[begun:last].ravel())[0, 1]
        for late in range(LATEST + 1)
    ]
    assert max(alike) > 0.95
    low = hands(partner, rest[1])[-5:]
    assert low.max() < hands(player.rotmats, rest[0])[0].max() + 0.05  # hang again


@pytest.mark.parametrize(
    "config",
    [
        replace(LAYERS, kinds=tuple(kind for kind in ANSWERED if kind != DANCE)),
        replace(LAYERS, respond=Respond.NEVER),
    ],
)
def test_who_may_not_dance_keeps_the_hands_down(config: SessionConfig) -> None:
    _, rest, _ = dancing()
    partner, seen, windows = shown(config)
    assert DANCE in seen
    assert np.ptp(hands(partner, rest[1])[20:], axis=0).max() < 0.25
    assert windows < shown(LAYERS)[2]  # the dance is planned anew more often
