"""The page as people meet it: `contrapose view`, and what a demo at a terminal leaves open."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from engine.commands.view import page_address
from tests.conftest import REPOSITORY
from tests.e2e.conftest import PATIENCE_S, RunningServer
from tests.e2e.fetching import fetched

CLI = [sys.executable, "-m", "engine.cli"]
WAVE = REPOSITORY / "tests/data/wave.npz"


def test_view_prints_an_address_with_a_token_that_alone_opens_the_recording(
    tiny_bundle: Path,
) -> None:
    flags = ["--bundle", str(tiny_bundle), "--precision", "f32", "--drain-seconds", "0"]
    with subprocess.Popen(
        [*CLI, "view", str(WAVE), "--no-open", *flags], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("open http://127.0.0.1:")
        address = urlsplit(line.removeprefix("open ").strip())
        name, _, token = address.fragment.partition("=")
        assert name == "token"
        page = RunningServer("", process, f"http://{address.netloc}/")
        path = address.query.removeprefix("motion=")
        assert fetched(page, path).status == 401
        answer = fetched(page, path, headers={"authorization": f"Bearer {token}"})
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
    with np.load(BytesIO(answer.body)) as sent, np.load(WAVE) as wave:
        np.testing.assert_array_equal(sent["quats_xyzw"], wave["quats_xyzw"])


def test_an_address_to_listen_on_everywhere_becomes_one_that_leads_somewhere() -> None:
    address = page_address("https://0.0.0.0:50052/", "secret", has_motion=False)
    assert address.startswith("https://")
    assert "0.0.0.0" not in address
    assert address.endswith(":50052/#token=secret")
    assert page_address("http://127.0.0.1:1/", "t", has_motion=True) == (
        "http://127.0.0.1:1/?motion=v1/view/motion.npz#token=t"
    )


@pytest.mark.skipif(os.name != "posix", reason="terminals of this system are others")
def test_a_demo_at_a_terminal_goes_on_until_ctrl_c(tiny_bundle: Path, tmp_path: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    flags = ["--seconds", "2", "-o", str(tmp_path), "--bundle", str(tiny_bundle)]
    process = subprocess.Popen(
        [*CLI, "demo", "--precision", "f32", *flags],
        stdin=theirs,
        stdout=theirs,
        start_new_session=True,
        env={**os.environ, "DISPLAY": "", "WAYLAND_DISPLAY": ""},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's & ignores it
    )
    os.close(theirs)
    with os.fdopen(ours, "rb", buffering=0) as terminal, process:
        said = b""
        while b"Ctrl-C" not in said:
            said += terminal.read(1024)
        page = said.partition(b"meet the partner yourself: ")[2].split()[0].decode()
        assert fetched(RunningServer("", process, page), "readyz").status == 200  # type: ignore[arg-type]
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        assert process.wait(PATIENCE_S) == 0
    assert (tmp_path / "interaction.gif").is_file()
