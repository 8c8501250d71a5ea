"""A server that records, and `contrapose replay`, as anyone would use them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from contrapose_client import Interaction, connect

from engine.bundle import STARTER
from engine.commands.recorded_player import DEMO_PLAYER, looped
from engine.formats import read_motion
from engine.motion.motion import Motion
from engine.session.recording import SUFFIX
from tests.e2e.conftest import RunningServer, started_server


def replay(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "engine.cli", "replay", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


async def played(session: Interaction, player: Motion, first: int, count: int) -> None:
    """A recorded player, and all that a client may ask for on the way."""
    await session.send_pose(player.quats_xyzw[0, first], player.transl[0, first])
    async for frame in session.frames(count):
        index = first + frame.index
        await session.send_pose(player.quats_xyzw[0, index], player.transl[0, index])
        if frame.index == count // 3:
            await session.control(text="they shake hands", steps=6)
        if frame.index == count // 2:
            await session.control(zone_radius=0.3)


async def three_sessions(server: RunningServer, count: int) -> None:
    player = looped(read_motion(DEMO_PLAYER), 3 * count)
    async with connect(server.address) as client:

        async def one(seed: int) -> None:
            await asyncio.sleep(0.03 * seed)
            betas = np.linspace(-1, 1, 10) * seed
            async with client.interact(
                seed=seed, text="they fight" if seed else "", player_betas=betas
            ) as session:
                await played(session, player, seed * count, count)
                await session.finish()

        await asyncio.gather(*(one(seed) for seed in range(3)))


@pytest.fixture(scope="module", params=[pytest.param("f32", marks=pytest.mark.long), "auto"])
def recordings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sessions that shared denoiser calls; "auto" is bf16 where the processor has it."""
    folder = tmp_path_factory.mktemp("recordings")
    flags = ["--record", str(folder), "--precision", request.param]
    with started_server(STARTER, *flags) as running:
        asyncio.run(three_sessions(running, 40))
    return folder


def test_every_session_is_the_same_again_bit_for_bit(recordings: Path) -> None:
    done = replay(recordings, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["is_same"]
    assert len(result["files"]) == 3
    for file in result["files"]:
        assert file["difference"] is None
        assert not file["is_cut"]
        assert file["windows"] >= 2  # of 30 frames, 10 of them known: 40 take two
        assert file["frames"] >= 40


def test_a_file_that_was_tampered_with_is_told(recordings: Path, tmp_path: Path) -> None:
    """One bit of one number of the player, as it might flip on a disk."""
    whole = next(iter(recordings.glob(f"*{SUFFIX}"))).read_bytes()
    at = whole.index(b"feed", len(whole) // 3) + 200
    path = tmp_path / f"a{SUFFIX}"
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 64]) + whole[at + 1 :])
    done = replay(path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "DIFFERS" in done.stdout
    assert "at frame" in done.stdout


def test_another_bundle_is_told_from_the_one_recorded_with(
    recordings: Path, tiny_bundle: Path
) -> None:
    done = replay(recordings, "--bundle", tiny_bundle)
    assert done.returncode == 2
    assert "recorded with bundle starter" in done.stderr
    assert "give it with --bundle" in done.stderr


def test_a_server_that_is_killed_leaves_what_can_be_run_again(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    async def one(server: RunningServer) -> None:
        async with connect(server.address) as client, client.interact(seed=1) as session:
            player = looped(read_motion(DEMO_PLAYER), 80)
            await played(session, player, 0, 30)
            server.process.kill()

    with started_server(tiny_bundle, "--record", str(tmp_path)) as running:
        asyncio.run(one(running))
    done = replay(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the same, bit for bit" in done.stdout
