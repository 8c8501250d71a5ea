"""The figures of a played session, and what the play commands make of their arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from contrapose.v1 import interaction_pb2 as pb
from contrapose_client import PlanFrame, ServerError
from grpc import StatusCode

from engine import errors
from engine.arrays import Array
from engine.body.shape import load_body
from engine.cli import build_parser
from engine.commands.live_client import PlayedSession, our_error, rest_joints_of
from engine.commands.play import anchor_index_of
from engine.commands.recorded_player import looped
from engine.commands.report import report_of, seam_jerk_ratio, summary_of
from engine.errors import InputError
from engine.motion.motion import Motion
from engine.serving.wire import skeleton_to_wire

IDENTITY = np.array([0, 0, 0, 1], np.float32)


def walked(transl: Array, people: int = 2) -> Motion:
    """People who all move along `transl` (frames, 3) in a T pose."""
    frames = len(transl)
    return Motion(
        quats_xyzw=np.tile(IDENTITY, (people, frames, 22, 1)),
        transl=np.tile(transl.astype(np.float32), (people, 1, 1)),
        betas=np.zeros((people, 10), np.float32),
    )


def played(transl: Array, windows: list[int]) -> PlayedSession:
    """A session whose partner moved along `transl`, frame k coming from window windows[k]."""
    frames = [
        PlanFrame(
            index=index,
            time_code=index / 10,
            quats_xyzw=np.tile(IDENTITY, (22, 1)),
            transl=transl[index],
            quality="GENERATED",
            revision=0,
            window=window,
            based_on_sequence=1,
            arrived=0.0,
            player_quats_xyzw=np.tile(IDENTITY, (22, 1)),
            player_transl=np.zeros(3, np.float32),
        )
        for index, window in enumerate(windows)
    ]
    return PlayedSession(
        motion=walked(transl),
        frames=frames,
        rest_joints=load_body().rest_joints(np.zeros(10)),
        late_frames=0,
        margin_s=np.full(len(windows), 1.5),
        overwritten=0,
        accepted=pb.SessionAccepted(bundle="tiny", backend="openvino", precision="f32", steps=4),
        summary=pb.SessionSummary(reaction_ms=pb.Percentiles(p50=30, p95=50, p99=60)),
    )


def jerk_of(seam_jerk: float) -> Array:
    """Positions (40, 3) with jerk 1 everywhere, but `seam_jerk` where frames 18..21 meet."""
    jerk = np.ones(37)
    jerk[17:20] = seam_jerk
    position = np.zeros(40)
    position[3:] = np.cumsum(np.cumsum(np.cumsum(jerk)))
    return 1e-3 * position[:, None] * np.array([1.0, 0.0, 0.0])


@pytest.mark.parametrize("ratio", [0.5, 1.0, 3.0])
def test_the_seam_jerk_ratio_compares_seams_with_the_inside_of_windows(ratio: float) -> None:
    measured = seam_jerk_ratio(played(jerk_of(ratio), [1] * 20 + [2] * 20))
    assert measured == pytest.approx(ratio, abs=0.01)


def test_without_a_seam_there_is_no_ratio() -> None:
    assert seam_jerk_ratio(played(jerk_of(1.0), [1] * 40)) is None


def test_the_report_has_the_keys_that_others_read() -> None:
    report = report_of(played(jerk_of(1.0), [1] * 20 + [2] * 20))
    named = {"frames", "late_frames", "reaction_ms", "steps", "seam_jerk_ratio", "bundle"}
    assert {*named, "backend", "precision"} <= set(report)
    assert report["frames"] == 40
    assert report["reaction_ms"] == {"p50": 30, "p95": 50, "p99": 60}
    assert "0 late" in summary_of(report)


def test_a_short_recording_is_played_back_and_forth_without_a_jump() -> None:
    motion = walked(np.arange(5)[:, None] * np.array([1.0, 0, 0]), people=1)
    x = looped(motion, 20).transl[0, :, 0]
    assert len(x) == 20
    assert np.abs(np.diff(x)).max() == pytest.approx(1)
    np.testing.assert_allclose(x[:9], [0, 1, 2, 3, 4, 3, 2, 1, 0])


def test_a_single_pose_is_held() -> None:
    motion = walked(np.ones((1, 3)), people=1)
    assert looped(motion, 7).frames == 7


@pytest.mark.parametrize(
    ("at", "index"), [("first", 0), ("middle", 15), ("last", 29), ("0", 0), ("29", 29)]
)
def test_an_anchor_is_named_or_numbered(at: str, index: int) -> None:
    assert anchor_index_of(at, 30) == index


@pytest.mark.parametrize("at", ["30", "-1", "centre", "1.5", ""])
def test_any_other_anchor_is_refused(at: str) -> None:
    with pytest.raises(InputError, match="--at"):
        anchor_index_of(at, 30)


def test_a_skeleton_from_the_wire_is_the_body_it_was_made_of() -> None:
    rest_joints = load_body().rest_joints(np.zeros(10))
    skeleton = skeleton_to_wire(rest_joints, np.zeros(10))
    np.testing.assert_allclose(rest_joints_of(skeleton), rest_joints, atol=1e-5)


def test_refusals_of_the_server_become_our_errors() -> None:
    kinds: list[tuple[StatusCode, Any]] = [
        (StatusCode.INVALID_ARGUMENT, errors.InputError),
        (StatusCode.FAILED_PRECONDITION, errors.SessionError),
        (StatusCode.RESOURCE_EXHAUSTED, errors.OverloadedError),
        (StatusCode.UNAVAILABLE, errors.OverloadedError),
        (StatusCode.INTERNAL, errors.BackendError),
    ]
    for code, kind in kinds:
        error = our_error(ServerError(code, "pose.body: wrong"))
        assert type(error) is kind
        assert str(error) == "pose.body: wrong"


@pytest.mark.parametrize("command", ["react", "demo", "animate", "pose", "serve"])
def test_help_says_how_the_engine_is_chosen(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ending:
        build_parser().parse_args([command, "--help"])
    assert ending.value.code == 0
    assert {"--bundle", "--steps", "--body"} <= set(capsys.readouterr().out.split())
