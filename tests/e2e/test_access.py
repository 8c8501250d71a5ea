"""A server that asks for a token and encrypts, at both doors."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from contrapose.v1 import interaction_pb2 as pb
from contrapose_client import ServerError, Tls, connect

from engine.cli import main
from engine.serving.dev_certs import write_dev_certs
from tests.conftest import REPOSITORY
from tests.e2e.conftest import PATIENCE_S, RunningServer, header, pose, started_server, until
from tests.e2e.fetching import fetched
from tests.e2e.refusals import (
    SUBPROTOCOL,
    Refusal,
    heard,
    refusal_of,
    refused_websocket,
    websocket,
)

WAVE = REPOSITORY / "tests/data/wave.npz"
CLI = [sys.executable, "-m", "engine.cli"]


@dataclass(frozen=True)
class Guarded:
    server: RunningServer
    token: str
    root: Path

    @property
    def bearer(self) -> str:
        """The subprotocol of a browser."""
        return f"contrapose.bearer.{self.token}"


@pytest.fixture(scope="module")
def guarded(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """One place, so that what is left open is seen."""
    folder = tmp_path_factory.mktemp("access")
    tokens = folder / "tokens"
    made = subprocess.run(
        [*CLI, "token", "new", "web", "--token-file", str(tokens)],
        capture_output=True,
        text=True,
        check=True,
    )
    write_dev_certs(folder, [], days=1)
    flags = ["--token-file", str(tokens), "--max-sessions", "1"]
    flags += ["--tls-cert", str(folder / "server.pem"), "--tls-key", str(folder / "server.key")]
    flags += ["--allow-origin", "https://studio.example"]
    root = folder / "root.pem"
    with started_server(tiny_bundle, *flags, http=True) as running:
        tls = ssl.create_default_context(cafile=root)
        yield Guarded(replace(running, tls=tls), made.stdout.strip(), root)


def server_error(guarded: Guarded, **access: Any) -> ServerError:
    async def ask() -> None:
        async with connect(guarded.server.address, wait=0, **access) as client:
            await client.server_info()

    with pytest.raises(ServerError) as error:
        asyncio.run(ask())
    return error.value


def refused_grpc(guarded: Guarded, metadata: list[tuple[str, str]]) -> Refusal:
    credentials = grpc.ssl_channel_credentials(guarded.root.read_bytes())
    with grpc.secure_channel(guarded.server.address, credentials) as channel:
        call = channel.stream_stream("/contrapose.v1.InteractionService/StreamInteraction")
        messages = iter([header().SerializeToString()])
        with pytest.raises(grpc.RpcError) as error:
            list(call(messages, metadata=metadata, timeout=PATIENCE_S))
    return refusal_of(error.value)


def test_who_has_the_token_is_served_at_both_doors(guarded: Guarded) -> None:
    async def ask() -> str:
        access = {"token": guarded.token, "tls": guarded.root}
        async with connect(guarded.server.address, **access) as client:
            async with client.interact() as session:
                await session.finish()
            return (await client.server_info()).bundle

    assert asyncio.run(ask()) == "tiny"
    end = pb.StreamInteractionRequest(end=pb.EndOfInput())
    for options in (
        {"subprotocols": [SUBPROTOCOL, guarded.bearer]},
        {"additional_headers": {"authorization": f"Bearer {guarded.token}"}},
    ):
        with websocket(guarded.server, **options) as connection:
            assert connection.socket.subprotocol == SUBPROTOCOL
            for message in (header(), pose(1), end):
                connection.send(message.SerializeToString())
            said, code, _ = heard(connection)
        assert said[-1].HasField("summary"), said[-1]
        assert code == 1000


@pytest.mark.parametrize(("token", "reason"), [(None, "NO_TOKEN"), ("guessed", "BAD_TOKEN")])
def test_who_has_not_is_refused_at_both_doors_in_the_same_words(
    guarded: Guarded, token: str | None, reason: str
) -> None:
    given = [] if token is None else [f"contrapose.bearer.{token}"]
    websocket_refusal = refused_websocket(
        guarded.server, [header()], subprotocols=[SUBPROTOCOL, *given]
    )
    metadata = [] if token is None else [("authorization", f"Bearer {token}")]
    assert refused_grpc(guarded, metadata) == websocket_refusal
    assert websocket_refusal.code is grpc.StatusCode.UNAUTHENTICATED
    assert websocket_refusal.reason == reason
    error = server_error(guarded, token=token, tls=guarded.root)
    assert error.code is grpc.StatusCode.UNAUTHENTICATED
    assert error.is_callers_mistake


def test_commands_reach_such_a_server_with_what_it_asks_for(
    guarded: Guarded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "token"
    secret.write_text(guarded.token + "\n")
    out = tmp_path / "pair.npz"
    command = ["pose", "--from", str(WAVE), "-o", str(out), "--server", guarded.server.address]
    access = ["--server-token", str(secret), "--server-ca", str(guarded.root)]
    assert main([*command, *access]) == 0
    assert out.is_file()
    capsys.readouterr()
    for given, says in (
        (access[2:], "no token came"),
        (["--server-token", str(tmp_path / "none"), *access[2:]], "cannot be read"),
        ([*access[:2], "--server-ca", str(tmp_path / "none")], "cannot be read"),
    ):
        assert main([*command, *given]) == 2
        told = capsys.readouterr().err
        assert says in told
        assert told.count("\n") == 1
    assert main([*command[:5], *access]) == 2
    assert "are for --server" in capsys.readouterr().err


def test_what_needs_a_token_over_http_and_what_does_not(guarded: Guarded) -> None:
    server = guarded.server
    assert {path: fetched(server, path).status for path in ("healthz", "readyz")} == {
        "healthz": 200,
        "readyz": 200,
    }
    bearer = {"authorization": f"Bearer {guarded.token}"}
    for path in ("metrics", "v1/body.glb"):
        assert fetched(server, path).status == 401
        assert fetched(server, path, headers=bearer).status == 200
    json = {"content-type": "application/json"}
    assert fetched(server, "v1/pair", b"{}", json).status == 401
    assert fetched(server, "v1/pair", b"{}", {**json, **bearer}).status == 400


def test_pages_of_strangers_are_refused(guarded: Guarded) -> None:
    protocols = [SUBPROTOCOL, guarded.bearer]
    for origin in ("https://evil.example", "null"):
        refusal = refused_websocket(
            guarded.server, [header()], subprotocols=protocols, origin=origin
        )
        assert (refusal.code, refusal.reason) == (
            grpc.StatusCode.PERMISSION_DENIED,
            "BAD_ORIGIN",
        )
        assert fetched(guarded.server, "metrics", headers={"origin": origin}).status == 403
    assert fetched(guarded.server, "", headers={"host": "evil.example"}).status == 403
    assert fetched(guarded.server, "healthz", headers={"host": "evil.example"}).status == 200
    with websocket(
        guarded.server, subprotocols=protocols, origin="https://studio.example"
    ) as connection:
        connection.send(header().SerializeToString())
        assert connection.recv()


def test_who_trusts_another_root_or_speaks_in_the_clear_gets_nothing(
    guarded: Guarded, tmp_path: Path
) -> None:
    write_dev_certs(tmp_path, [], days=1)
    other = tmp_path / "root.pem"
    for tls in (other, Tls(ca=other)):
        error = server_error(guarded, token=guarded.token, tls=tls)
        assert "is `tls` the certificate" in str(error)
    assert server_error(guarded, token=guarded.token).code is grpc.StatusCode.UNAVAILABLE
    stranger = replace(guarded.server, tls=ssl.create_default_context(cafile=other))
    with pytest.raises(ssl.SSLCertVerificationError), websocket(stranger):
        pass
    in_the_clear = replace(
        guarded.server, tls=None, page=guarded.server.page.replace("https", "http")
    )
    with pytest.raises((OSError, EOFError)):
        fetched(in_the_clear, "healthz")


def test_a_full_server_refuses_with_a_time_and_who_leaves_frees_the_place(
    guarded: Guarded,
) -> None:
    options = {"subprotocols": [SUBPROTOCOL, guarded.bearer]}
    with websocket(guarded.server, **options) as connection:
        connection.send(header().SerializeToString())
        assert connection.recv()
        refusal = refused_websocket(guarded.server, [header()], **options)
        assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert refusal.has_retry_delay

    def is_let_in() -> bool:
        with websocket(guarded.server, **options) as again:
            again.send(header().SerializeToString())
            first = again.recv()
            assert isinstance(first, bytes)
            return pb.StreamInteractionResponse.FromString(first).HasField("accepted")

    assert until(is_let_in)
