"""The hands of a live partner: what they do when the player offers something, frame by frame.

The windows stand still here, so that all that moves comes from the layers over the network.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

from engine.arrays import Array
from engine.body import fingers
from engine.body.capsules import fitted_capsules
from engine.body.pose import Pose
from engine.body.shape import load_body
from engine.body.skeleton import JOINT
from engine.bundle import INTENT_FILE, STARTER
from engine.motion.hands import LOOKBACK, curls_over
from engine.motion.intent import load_intent
from engine.sampling.request import SampledWindow
from engine.session.config import SessionConfig
from engine.session.direction import Mode
from engine.session.plan import Frames
from engine.session.session import Chunk, Session
from engine.session.state import SessionState, taken_up
from engine.testing import noisy_windows, still_windows
from trainer.evaluation.live import players
from trainer.evaluation.live.episode import Episode

CONFIG = SessionConfig(guard=True, company=True, responses=True)
SEEDS = range(7, 10)
WRISTS = (JOINT["left_wrist"], JOINT["right_wrist"])
RIGHT = slice(5, 10)
FASTEST = 350.0
"""Degrees a second that finger joints reach."""


@dataclass
class Played:
    """What the client of a session was sent: curls of both people and poses by frame.

    curls, poses  of each frame, as it was sent last
    again         after each tick, how far curls are off when all is sent again
    touches       first and last frame of each touch of two hands, as planned last
    """

    session: Session
    curls: dict[int, Array]
    poses: dict[int, Pose]
    again: list[float]
    touches: dict[int, tuple[int, int]]

    def take(self, chunk: Chunk) -> None:
        assert chunk.curls is not None
        for row, frame in enumerate(chunk.frames.indices.tolist()):
            self.curls[frame] = chunk.curls[:, row]
            self.poses[frame] = chunk.frames.pose[:, row]
        for contact in chunk.contacts:
            if contact.player_joint in WRISTS and contact.partner_joint in WRISTS:
                self.touches[contact.id] = contact.start, contact.end

    def compare(self, chunk: Chunk) -> None:
        held = np.stack([self.curls[frame] for frame in chunk.frames.indices.tolist()], axis=1)
        assert chunk.curls is not None
        self.again.append(float(np.abs(chunk.curls - held).max()))

    def partner(self, frames: Iterable[int], hand: slice = RIGHT) -> Array:
        """(frame, 5) of a hand of the partner."""
        return np.stack([self.curls[frame][1, hand] for frame in frames])


def new_session(episode: Episode, seed: int) -> Session:
    body = load_body()
    return Session(
        CONFIG,
        rest_joints=episode.rest_joints,
        seed=seed,
        capsules=(fitted_capsules(body, episode.betas[0]), fitted_capsules(body, episode.betas[1])),
        partner_start=episode.start,
        intent=load_intent(STARTER / INTENT_FILE),
    )


@cache
def played(kind: str, seed: int) -> Played:
    episode = players.patient(kind, seed)
    session = new_session(episode, seed)
    result = Played(session, {}, {}, [], {})
    for frame in range(episode.frames):
        session.feed(frame / 10, episode.pose[frame])
        tick = session.tick(frame / 10 + 0.01)
        for wanted in tick.wanted:
            (x0,) = still_windows([wanted.request])
            session.accept(wanted.ticket, SampledWindow(x0=x0))
        if tick.chunk is not None:
            result.take(tick.chunk)
        result.compare(session.plan_again())
    return result


def off(curls: Array, shape: Array) -> Array:
    """(frame,) mean difference from a hand shape."""
    return np.abs(curls - shape).mean(axis=-1)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_offered_hand_is_gripped_as_the_palms_meet_and_let_go(seed: int) -> None:
    of = played("right_hand", seed)
    start, end = max(of.touches.values(), key=lambda touch: touch[1] - touch[0])
    assert end - start > 20
    assert off(of.partner(range(start - 12, start - 8)), fingers.RELAXED).max() < 0.05
    assert off(of.partner([start + 1]), fingers.GRIP).max() < 0.05, "0.15 s after the touch"
    assert off(of.partner(range(start + 2, end - 2)), fingers.GRIP).max() < 0.02
    assert off(of.partner([end + 5]), fingers.GRIP).min() > 0.1
    left = of.partner(range(start, end), slice(5))
    assert off(left, fingers.RELAXED).max() < 0.05


@pytest.mark.parametrize("seed", SEEDS)
def test_a_high_five_is_flat(seed: int) -> None:
    of = played("high_five", seed)
    start, end = max(of.touches.values(), key=lambda touch: touch[1] - touch[0])
    assert off(of.partner(range(start, end)), fingers.FLAT).max() < 0.05


@pytest.mark.parametrize("seed", SEEDS)
def test_hands_lie_flat_on_a_back(seed: int) -> None:
    of = played("open_arms", seed)
    held = of.partner(range(50, 65)), of.partner(range(50, 65), slice(5))
    assert max(off(hand, fingers.LAID).max() for hand in held) < 0.08


@pytest.mark.parametrize("kind", ["right_hand", "high_five", "open_arms", "wave"])
def test_no_revision_bends_a_finger_of_a_frozen_frame(kind: str) -> None:
    """Those that were sent before a revision are bent as they were, if they are asked for again."""
    of = played(kind, 7)
    assert of.session.status().revision > 3
    assert max(of.again) == 0


@pytest.mark.parametrize("kind", ["right_hand", "high_five", "open_arms", "wave"])
def test_fingers_are_no_faster_than_fingers_are(kind: str) -> None:
    of = played(kind, 7)
    curls = np.stack([of.curls[frame] for frame in sorted(of.curls)])
    closing = np.linalg.norm(fingers.CLOSING, axis=-1).max()
    assert np.abs(np.diff(curls, axis=0)).max() * 10 * closing < FASTEST


@pytest.mark.parametrize("kind", ["right_hand", "high_five"])
def test_a_plan_that_takes_the_player_over_bends_no_frozen_finger(kind: str) -> None:
    """The player of frozen frames is another then; the partner stays as it was sent."""
    episode, sample = players.patient(kind, 7), noisy_windows(3.0)
    session = new_session(episode, seed=1)
    sent: dict[int, Array] = {}
    again = 0
    for frame in range(60):
        session.feed(frame / 10, episode.pose[frame])
        if frame == 50:
            session.direct(replace(session.direction, mode=Mode.FOLLOW_PLAN))
        tick = session.tick(frame / 10 + 0.01)
        for wanted in tick.wanted:
            (x0,) = sample([wanted.request])
            session.accept(wanted.ticket, SampledWindow(x0=x0))
        if tick.chunk is None or tick.chunk.curls is None:
            continue
        for row, index in enumerate(tick.chunk.frames.indices.tolist()):
            if index in sent and index <= frame + CONFIG.commit_frames:
                np.testing.assert_array_equal(tick.chunk.curls[1, row], sent[index])
                again += 1
            sent[index] = tick.chunk.curls[1, row]
    assert again > 0


def test_curls_follow_from_the_frames_that_were_sent() -> None:
    of = played("right_hand", 7)
    frames = sorted(of.poses)
    poses = Pose(
        np.stack([of.poses[frame].rotmats for frame in frames], axis=1),
        np.stack([of.poses[frame].transl for frame in frames], axis=1),
    )
    again = curls_over(poses, of.session.rest_joints, first=frames[0])
    sent = np.stack([of.curls[frame] for frame in frames], axis=1)
    np.testing.assert_allclose(again[:, LOOKBACK:], sent[:, LOOKBACK:], atol=1e-6)


def test_a_session_that_goes_on_elsewhere_sends_the_same_hands() -> None:
    of = played("right_hand", 7)
    state: SessionState = of.session.state()
    there = Session.restored(
        taken_up(state), rest_joints=of.session.rest_joints, capsules=of.session.capsules
    )
    chunk = there.plan_again()
    frames: Frames = chunk.frames
    sent = np.stack([of.curls[frame] for frame in frames.indices.tolist()], axis=1)
    assert chunk.curls is not None
    np.testing.assert_allclose(chunk.curls, sent, atol=1e-6)
