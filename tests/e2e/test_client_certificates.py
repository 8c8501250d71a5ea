"""A server that asks its clients for a certificate (--tls-client-ca), at both doors."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
import pytest
from contrapose.v1 import interaction_pb2 as pb
from contrapose_client import ServerError, Tls, connect
from websockets.exceptions import WebSocketException

from engine.cli import main
from tests.e2e.conftest import RunningServer, header, pose, started_server
from tests.e2e.fetching import fetched
from tests.e2e.refusals import heard, websocket

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Certificate:
    """Of a client, with its key; signed by the root of a folder."""

    cert: Path
    key: Path


def signed_by(folder: Path) -> Certificate:
    """A client's certificate, as `contrapose certs dev` writes it."""
    assert main(["certs", "dev", "-o", str(folder), "--client", "headset", "--days", "1"]) == 0
    return Certificate(folder / "headset.pem", folder / "headset.key")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certs")


@pytest.fixture(scope="module")
def certificate(folder: Path) -> Certificate:
    return signed_by(folder)


@pytest.fixture(scope="module")
def asking(tiny_bundle: Path, folder: Path, certificate: Certificate) -> Iterator[RunningServer]:
    flags = ["--tls-cert", str(folder / "server.pem"), "--tls-key", str(folder / "server.key")]
    flags += ["--tls-client-ca", str(folder / "root.pem")]
    with started_server(tiny_bundle, *flags, http=True) as running:
        yield running


def client_of(server: RunningServer, root: Path, shown: Certificate | None) -> RunningServer:
    """The server as a browser sees it that trusts a root and shows a certificate."""
    tls = ssl.create_default_context(cafile=root)
    if shown is not None:
        tls.load_cert_chain(shown.cert, shown.key)
    return replace(server, tls=tls)


async def told_by(address: str, tls: Tls) -> str:
    """A session and a call over gRPC; the name of the bundle."""
    async with connect(address, tls=tls, wait=0) as client:
        async with client.interact() as session:
            await session.finish()
        return (await client.server_info()).bundle


def test_who_shows_a_certificate_of_its_root_is_served_at_both_doors(
    asking: RunningServer, folder: Path, certificate: Certificate
) -> None:
    root = folder / "root.pem"
    tls = Tls(ca=root, cert=certificate.cert, key=certificate.key)
    assert asyncio.run(told_by(asking.address, tls)) == "tiny"
    client = client_of(asking, root, certificate)
    assert fetched(client, "v1/info").status == 200
    with websocket(client) as connection:
        for message in (header(), pose(1), pb.StreamInteractionRequest(end=pb.EndOfInput())):
            connection.send(message.SerializeToString())
        said, code, _ = heard(connection)
    assert said[-1].HasField("summary"), said[-1]
    assert code == 1000


@pytest.mark.parametrize("shows", ["none", "another root's"])
def test_who_shows_none_or_another_roots_is_refused_at_both_doors(
    asking: RunningServer, folder: Path, tmp_path: Path, shows: str
) -> None:
    root = folder / "root.pem"
    shown = None if shows == "none" else signed_by(tmp_path)
    tls = Tls(ca=root) if shown is None else Tls(ca=root, cert=shown.cert, key=shown.key)
    with pytest.raises(ServerError) as error:
        asyncio.run(told_by(asking.address, tls))
    assert error.value.code is grpc.StatusCode.UNAVAILABLE
    assert "Tls(cert=, key=)" in str(error.value)
    client = client_of(asking, root, shown)
    # TLS 1.3 tells of it once the client has begun to talk, and the server may hang up before that.
    hung_up = OSError, EOFError, WebSocketException
    with pytest.raises(hung_up), websocket(client) as connection:
        connection.recv()
    with pytest.raises(hung_up):
        fetched(client, "healthz")


@pytest.mark.parametrize("name", ["../mine", "server", "root", ""])
def test_a_clients_name_that_is_no_file_of_its_own_is_refused(tmp_path: Path, name: str) -> None:
    assert main(["certs", "dev", "-o", str(tmp_path / "certs"), "--client", name]) != 0
    assert list(tmp_path.iterdir()) == []
