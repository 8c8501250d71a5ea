"""Simulated players move like people, each in his own way, and count frames as a client would."""

from __future__ import annotations

import numpy as np
import pytest
from contrapose.v1 import interaction_pb2 as pb
from contrapose.v1 import types_pb2
from contrapose_client import PlayoutBuffer

from engine.bench.simulated_players import (
    FrameCounter,
    PlayerFigures,
    pose_requests,
    varied,
)
from engine.body.kinematics import forward_kinematics
from engine.body.shape import load_body
from engine.commands.recorded_player import DEMO_PLAYER
from engine.formats import read_motion
from engine.motion.motion import Motion

GENERATED, HELD = types_pb2.FRAME_QUALITY_GENERATED, types_pb2.FRAME_QUALITY_HELD


@pytest.fixture(scope="module")
def recording() -> Motion:
    return read_motion(DEMO_PLAYER, body=load_body())


def joints(motion: Motion) -> np.ndarray:
    rest = load_body().rest_joints(motion.betas[0])
    return forward_kinematics(rest, motion.rotmats[0], motion.transl[0])[0]


def chunk(
    first: int, count: int, revision: int = 0, quality: int = GENERATED
) -> types_pb2.FrameChunk:
    body = types_pb2.BodyPose(root_translation=[0] * 3, rotations=[0, 0, 0, 1] * 22)
    frames = [types_pb2.Frame(player=body, partner=body, quality=quality) for _ in range(count)]
    return types_pb2.FrameChunk(first_frame_index=first, revision=revision, frames=frames, steps=4)


# ------------------------------------------------------------------------------------------ motions
def test_no_two_players_move_alike(recording: Motion) -> None:
    firsts = [varied(recording, seed).quats_xyzw[0, 0].tobytes() for seed in range(20)]
    assert len(set(firsts)) == 20


@pytest.mark.parametrize("seed", range(6))
def test_a_varied_motion_is_the_same_body_upright_on_the_same_floor(
    recording: Motion, seed: int
) -> None:
    motion = varied(recording, seed)
    np.testing.assert_allclose(np.linalg.norm(motion.quats_xyzw, axis=-1), 1, atol=1e-5)
    heights = joints(recording)[..., 1]
    assert joints(motion)[..., 1].min() == pytest.approx(heights.min(), abs=0.05)
    assert joints(motion)[..., 1].max() <= heights.max() + 0.01


@pytest.mark.parametrize("seed", range(6))
def test_played_round_and_round_a_motion_never_jumps(recording: Motion, seed: int) -> None:
    fastest = np.abs(np.diff(joints(recording), axis=0)).max()
    motion = joints(varied(recording, seed))
    around = np.concatenate([motion, motion[:1]])
    assert np.abs(np.diff(around, axis=0)).max() <= 1.5 * fastest  # axes are turned


def test_a_stamp_in_front_makes_a_request_whole(recording: Motion) -> None:
    requests = pose_requests(recording, recording.frame_rate)
    stamp = pb.StreamInteractionRequest(pose=pb.PlayerPose(sequence=7, time_code=0.6))
    request = pb.StreamInteractionRequest.FromString(stamp.SerializeToString() + requests[3])
    assert (request.pose.sequence, request.pose.time_code) == (7, 0.6)
    np.testing.assert_array_equal(request.pose.body.root_translation, recording.transl[0, 3])
    np.testing.assert_array_equal(request.pose.body.rotations, recording.quats_xyzw[0, 3].ravel())


# ----------------------------------------------------------------------------------------- counting
def counted(*arrivals: tuple[float, types_pb2.FrameChunk], until: float) -> PlayerFigures:
    """What a player counts who looks every 0.1 s and plays 0.2 s behind."""
    figures = PlayerFigures()
    counter, waiting = FrameCounter(0.2, figures), list(arrivals)
    for now in np.arange(0, until + 1e-9, 0.1):
        while waiting and waiting[0][0] <= now:
            at, message = waiting.pop(0)
            counter.take(message, at)
        counter.settle(now)
    return figures


def test_a_frame_is_late_when_it_comes_after_its_time_and_when_it_never_comes() -> None:
    figures = counted((0.0, chunk(0, 3)), (0.55, chunk(3, 1)), until=0.65)
    assert (figures.frames, figures.late_frames) == (5, 2)
    assert figures.by_quality == {"generated": 3, "held": 2}


def test_a_revision_counts_only_where_it_came_in_time() -> None:
    figures = counted((0.0, chunk(0, 10)), (0.61, chunk(3, 7, revision=1, quality=HELD)), until=1.1)
    assert (figures.late_frames, figures.revisions) == (0, 1)
    assert figures.by_quality == {"generated": 5, "held": 5}  # frames 3 and 4 had been due


def test_frames_without_a_network_are_starved_only_after_the_start() -> None:
    figures = counted((0.0, chunk(0, 40, quality=HELD)), until=4.15)
    assert (figures.frames, figures.starved_frames) == (40, 20)


def test_late_frames_are_those_of_the_client() -> None:
    """The light counter and the real playout buffer agree on any order of arrival."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        times = np.sort(rng.uniform(0, 3, 12))
        chunks = [chunk(int(10 * at) + int(rng.integers(0, 5)), 4) for at in times]
        arrivals = list(zip(times, chunks, strict=True))
        buffer, waiting = PlayoutBuffer(0.2), list(arrivals)
        for index in range(30):
            while waiting and waiting[0][0] <= buffer.due(index, 10.0):
                at, message = waiting.pop(0)
                buffer.accept(message, at)
            buffer.show(10.0)
        figures = counted(*arrivals, until=buffer.due(29, 10.0) + 0.05)
        assert figures.late_frames == buffer.report().late_frames
