"""A real server in a process of its own, with a tiny bundle of random weights."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
import pytest
from contrapose.v1 import interaction_pb2 as pb
from contrapose.v1 import types_pb2

from tests.conftest import MadeOnce

READY = "listening on "
PAGE = "page on "
PATIENCE_S = 120.0
"""Longer than the slowest machine takes: only what hangs meets it."""


@dataclass(frozen=True)
class RunningServer:
    address: str
    process: subprocess.Popen[str]
    page: str = ""
    """Such as http://127.0.0.1:40000/; empty: it has none."""
    tls: ssl.SSLContext | None = None
    """What clients trust it by, if it encrypts."""


@contextmanager
def started_server(
    bundle: Path, *flags: str, http: bool = False, env: Mapping[str, str] | None = None
) -> Iterator[RunningServer]:
    """`contrapose serve` on free ports, ended with the block by the end of its input."""
    command = [sys.executable, "-m", "engine.cli", "serve", "--bundle", str(bundle)]
    fixed = ["--port", "0", "--precision", "f32", "--stop-on-eof", "--drain-seconds", "0"]
    fixed += ["--http-port", "0"] if http else ["--no-http"]
    process = subprocess.Popen(
        [*command, *fixed, *flags],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=None if env is None else {**os.environ, **env},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith(READY), f"the server said {line!r}"
        page = process.stdout.readline().removeprefix(PAGE).strip() if http else ""
        yield RunningServer(line.removeprefix(READY).strip(), process, page)
    finally:
        process.stdin.close()
        process.wait(PATIENCE_S)
        process.stdout.close()


@pytest.fixture(scope="session")
def tiny_bundle(made_once: MadeOnce) -> Path:
    """Networks of the real architecture, one narrow layer each, with random weights."""
    torch = pytest.importorskip("torch")
    from trainer.export.bundles import export_bundle
    from trainer.models.animator.family import FAMILY as ANIMATOR
    from trainer.models.animator.network import Animator
    from trainer.models.blocks import NetworkConfig
    from trainer.models.generator.family import FAMILY as GENERATOR
    from trainer.models.generator.network import Generator

    def export(path: Path) -> None:
        torch.manual_seed(0)
        size = NetworkConfig(width=32, heads=2, layers=1, ffn_width=64)
        networks = Animator(size).eval(), Generator(replace(size, text_width=16)).eval()
        export_bundle(
            path,
            [
                family.part(network, steps_default=4)
                for family, network in zip((ANIMATOR, GENERATOR), networks, strict=True)
            ],
            name="tiny",
            description="random weights",
            licence="Apache-2.0",
        )

    return made_once("tiny.bundle", export)


@pytest.fixture(scope="session")
def server(tiny_bundle: Path) -> Iterator[RunningServer]:
    """One server for all tests that leave it as they found it."""
    with started_server(tiny_bundle, http=True) as running:
        yield running


@pytest.fixture
def channel(server: RunningServer) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.address) as opened:
        yield opened


def still_body() -> types_pb2.BodyPose:
    """The T pose, on the floor or thereabouts."""
    return types_pb2.BodyPose(root_translation=[0, 1.2, 0], rotations=[0, 0, 0, 1] * 22)


def header(**settings: object) -> pb.StreamInteractionRequest:
    return pb.StreamInteractionRequest(header=pb.SessionHeader(**settings))  # type: ignore[arg-type]


def pose(sequence: int = 1, time_code: float | None = None) -> pb.StreamInteractionRequest:
    seconds = (sequence - 1) / 10 if time_code is None else time_code
    return pb.StreamInteractionRequest(
        pose=pb.PlayerPose(sequence=sequence, time_code=seconds, body=still_body())
    )


def until(condition: Callable[[], bool], seconds: float = PATIENCE_S) -> bool:
    """Poll for what another process does; a slow machine may take long."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()
