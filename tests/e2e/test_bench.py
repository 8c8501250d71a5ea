"""The benchmarks that start a server, at their smallest."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from engine.bench.doors import grpc_stream
from engine.bench.simulated_players import SimulatedPlayer, pose_requests
from engine.body.shape import load_body
from engine.cli import main
from engine.commands.recorded_player import DEMO_PLAYER
from engine.formats import read_motion
from tests.e2e.conftest import started_server


@pytest.fixture
def engine_flags(tiny_bundle: Path) -> list[str]:
    return ["--bundle", str(tiny_bundle), "--precision", "f32"]


@pytest.mark.long
def test_load_reports_what_each_number_of_sessions_cost(
    tmp_path: Path, engine_flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    plot = tmp_path / "load.svg"
    flags = ["--sessions", "1,2", "--seconds", "2", "--json", "--plot", str(plot), "--websocket"]
    assert main(["bench", "load", *flags, *engine_flags]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {"max_sessions", "late_frames", "reaction_ms", "rss_mb"} <= set(report)
    one, two = report["by_sessions"]
    assert (one["sessions"], two["sessions"]) == (1, 2)
    assert (one["errors"], two["errors"]) == ([], [])
    assert two["frames"] >= 2 * 10  # of 2 s each, less the playout delay and a slow start
    assert 0 < two["reaction_ms"]["p50"] <= two["reaction_ms"]["p95"]
    assert two["rss_mb"] > 50
    assert two["server_cpu"] > 0
    assert all(plot.read_text().count(f">{name}<") == 1 for name in ("p50", "p95", "p99", "cores"))
    assert [(door["door"], door["sessions"]) for door in two["doors"]] == [
        ("grpc", 1),
        ("websocket", 1),
    ]
    for door in two["doors"]:
        assert door["frames"] > 0
        assert door["reaction_ms"]["p50"] > 0
        assert 1 < door["cpu_us_per_message"] < 100_000


def test_a_player_whom_a_full_server_refuses_says_so_and_the_other_plays(tiny_bundle: Path) -> None:
    requests = pose_requests(read_motion(DEMO_PLAYER, body=load_body()), 10.0)
    players = [SimulatedPlayer(requests, 10.0) for _ in range(2)]

    async def both(address: str) -> None:
        await asyncio.gather(*(player.play(grpc_stream(address), 1.0) for player in players))

    with started_server(tiny_bundle, "--max-sessions", "1") as full:
        asyncio.run(both(full.address))
    served, refused = sorted((p.figures for p in players), key=lambda f: f.refusal is not None)
    assert (served.refusal, served.error) == (None, None)
    assert served.frames > 0
    assert "try again" in str(refused.refusal)
    assert refused.frames == 0


def test_stream_reports_what_react_does_and_how_the_network_was(
    tmp_path: Path, engine_flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    plot = tmp_path / "stream.svg"
    flags = ["--seconds", "2.5", "--horizon", "8", "--jitter-ms", "50", "--json", "--no-guard"]
    assert main(["bench", "stream", *flags, "--plot", str(plot), *engine_flags]) == 0
    assert "arrived before due" in plot.read_text()
    report = json.loads(capsys.readouterr().out)
    assert report["frames"] + report["first_frame"] == 25
    assert 0 <= report["late_frames"] < report["frames"]
    assert report["horizon_frames"] == 8
    assert {"reaction_ms", "seam_jerk_ratio", "windows", "revisions"} <= set(report)
    assert sum(report["share"].values()) == pytest.approx(1, abs=0.01)
    assert report["arrival_jitter_ms"] > 0
    assert report["step_cm"]["inside"] > 0
    assert report["network"]["jitter_s"] == 0.05


def test_a_network_that_cannot_be_is_refused_before_anything_is_started(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["bench", "stream", "--loss", "1"]) == 2
    assert "loss" in capsys.readouterr().err
