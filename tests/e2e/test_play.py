"""The play commands as a user types them: each starts its own server, and leaves none behind."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.body.rotations import geodesic_angle, rotmat_about, rotmat_from_quat
from engine.body.shape import load_body
from engine.bundle import Bundle
from engine.cli import main
from engine.formats import read_motion, write_motion
from engine.motion.motion import Motion
from engine.motion.standing import standing_pose
from tests.builders import children_of, is_running
from tests.e2e.conftest import RunningServer, until


def waving(frames: int, people: int = 1) -> Motion:
    """People who stand a metre apart and wave, 30 frames a second."""
    from engine.body.rotations import quat_from_rotmat

    body = load_body()
    rotmats = np.tile(standing_pose(), (people, frames, 1, 1, 1))
    rotmats[:, :, 17] = rotmat_about("z", 1.2 + 0.5 * np.sin(np.arange(frames) / 5))
    if people == 2:
        rotmats[1, :, 0] = rotmat_about("y", np.pi)
    transl = np.zeros((people, frames, 3))
    transl[:, :, 1] = -body.rest_joints(np.zeros(10))[:, 1].min()
    transl[:, :, 2] = np.arange(people)[:, None]
    return Motion(
        quats_xyzw=quat_from_rotmat(rotmats).astype(np.float32),
        transl=transl.astype(np.float32),
        betas=np.zeros((people, 10), np.float32),
        frame_rate=30.0,
    )


def written(path: Path, motion: Motion) -> str:
    write_motion(path, motion, load_body())
    return str(path)


@pytest.fixture
def engine_flags(tiny_bundle: Path) -> list[str]:
    return ["--bundle", str(tiny_bundle), "--precision", "f32"]


def test_react_writes_both_people_and_a_report(
    tmp_path: Path, engine_flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    player = waving(45)
    source, out, report = (
        written(tmp_path / "player.npz", player),
        tmp_path / "o.npz",
        tmp_path / "r.json",
    )
    flags = ["--seconds", "2.5", "-o", str(out), "--report", str(report), "--no-guard"]
    assert main(["react", source, *flags, *engine_flags]) == 0
    figures = json.loads(report.read_text())
    assert 1 <= figures["frames"] <= 25  # a slow machine shows its first frame later
    assert figures["late_frames"] == 0
    assert figures["steps"] == 4
    assert figures["bundle"] == "tiny"
    assert set(figures["reaction_ms"]) == {"p50", "p95", "p99"}
    assert figures["seam_jerk_ratio"] > 0
    motion = read_motion(out)
    assert (motion.people, motion.frames, motion.frame_rate) == (2, figures["frames"], 10.0)
    np.testing.assert_allclose(motion.transl[0, 0], player.transl[0, 0], atol=1e-5)
    assert "0 late" in capsys.readouterr().out


def test_react_uses_a_running_server(
    tmp_path: Path, server: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    source = written(tmp_path / "player.npz", waving(10))
    out = tmp_path / "o.npz"
    flags = ["--server", server.address, "--seconds", "2", "-o", str(out)]
    assert main(["react", source, *flags]) == 0
    assert 1 <= read_motion(out).frames <= 20


def test_animate_keeps_the_pair_where_it_was_put(tmp_path: Path, engine_flags: list[str]) -> None:
    pair = waving(1, people=2)
    source, out = written(tmp_path / "pair.npz", pair), tmp_path / "motion.npz"
    assert (
        main(["animate", source, "-o", str(out), "--at", "middle", "--seed", "5", *engine_flags])
        == 0
    )
    motion = read_motion(out)
    assert (motion.people, motion.frames) == (2, 30)
    turned = geodesic_angle(
        rotmat_from_quat(motion.quats_xyzw[:, 15]), rotmat_from_quat(pair.quats_xyzw[:, 0])
    )
    assert turned.max() < 2e-3
    np.testing.assert_allclose(motion.transl[:, 15], pair.transl[:, 0], atol=1e-3)


def test_pose_invents_a_partner_for_animate(tmp_path: Path, engine_flags: list[str]) -> None:
    source, pair = written(tmp_path / "single.npz", waving(1)), tmp_path / "pair.npz"
    assert main(["pose", "--from", source, "-o", str(pair), *engine_flags]) == 0
    assert (read_motion(pair).people, read_motion(pair).frames) == (2, 1)


def test_a_text_of_100_kb_is_refused_in_one_line(
    tmp_path: Path, server: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--text", "x" * 100_000, "-o", str(tmp_path / "pair.npz")]
    assert main(["pose", *flags, "--server", server.address]) == 2
    message = capsys.readouterr().err
    assert message.startswith("contrapose: error: ")
    assert "text" in message
    assert message.count("\n") == 1
    assert len(message) < 500


def test_animate_wants_a_pose_or_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["animate", "-o", "out.npz"]) == 2
    assert "give PAIR, --text, or both" in capsys.readouterr().err


def test_words_become_a_pair_and_then_a_motion(tmp_path: Path, talking_bundle: Bundle) -> None:
    out = tmp_path / "hug.npz"
    flags = ["--bundle", str(talking_bundle.path), "--text", "they hug", "--seed", "1"]
    assert main(["animate", *flags, "-o", str(out)]) == 0
    assert (read_motion(out).people, read_motion(out).frames) == (2, 30)


def test_a_server_that_cannot_start_is_explained_in_one_line(
    tmp_path: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.bundle"
    shutil.copytree(tiny_bundle, broken)
    step = broken / "animator" / "step.onnx"
    step.write_bytes(step.read_bytes()[:-100])
    source = written(tmp_path / "player.npz", waving(10))
    flags = ["-o", str(tmp_path / "o.npz"), "--bundle", str(broken)]
    assert main(["react", source, *flags]) == 2
    message = capsys.readouterr().err
    assert message.startswith("contrapose: error: ")
    assert "step.onnx" in message
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        (["--steps", "0"], "--steps"),
        (["--horizon", "1"], "horizon_frames"),
        (["--threads", "0"], "threads"),
        (["--device", "-1"], "device"),
        (["--seconds", "-1"], "--seconds"),
    ],
)
def test_a_wrong_setting_is_explained_in_one_line(
    flags: list[str],
    part: str,
    tmp_path: Path,
    engine_flags: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = written(tmp_path / "player.npz", waving(10))
    assert main(["react", source, "-o", str(tmp_path / "o.npz"), *engine_flags, *flags]) == 2
    message = capsys.readouterr().err
    assert part in message
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        (["--seconds", "nan"], "--seconds"),
        (["--seconds", "1e9"], "--seconds"),
        (["--seconds", "0"], "--seconds"),
        (["--seed", "-1"], "--seed"),
        (["--seed", "1" + 30 * "0"], "--seed"),
    ],
)
def test_a_number_out_of_range_is_refused_before_a_server_is_asked(
    flags: list[str], part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = written(tmp_path / "pair.npz", waving(1, people=2))
    nobody = ["--server", "127.0.0.1:1"]
    assert main(["animate", source, "-o", str(tmp_path / "o.npz"), *nobody, *flags]) == 2
    message = capsys.readouterr().err
    assert part in message
    assert message.count("\n") == 1


def test_a_place_that_takes_no_output_is_refused_before_a_server_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = written(tmp_path / "player.npz", waving(10))
    nobody = ["--server", "127.0.0.1:1"]
    report = ["-o", str(tmp_path / "o.npz"), "--report", str(tmp_path / "none" / "r.json")]
    for command in (["react", source, *report], ["demo", "-o", source]):
        assert main([*command, *nobody]) == 2
        message = capsys.readouterr().err
        assert "server" not in message
        assert message.count("\n") == 1


def test_animate_needs_two_people(
    tmp_path: Path, engine_flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    source = written(tmp_path / "single.npz", waving(1))
    assert main(["animate", source, "-o", str(tmp_path / "o.npz"), *engine_flags]) == 2
    assert "holds 1 person" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="finds child processes through /proc")
def test_a_killed_command_takes_its_server_with_it(tmp_path: Path, engine_flags: list[str]) -> None:
    source = written(tmp_path / "player.npz", waving(10))
    command = [sys.executable, "-m", "engine.cli", "react", source, "--seconds", "60"]
    react = subprocess.Popen([*command, "-o", str(tmp_path / "o.npz"), *engine_flags])
    assert until(lambda: bool(children_of(react.pid)))
    (server,) = children_of(react.pid)
    react.send_signal(signal.SIGKILL)
    react.wait()
    assert until(lambda: not is_running(server))
