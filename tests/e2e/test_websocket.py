"""The door for browsers: the same sessions, over a WebSocket of a real server."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import grpc
import pytest
from contrapose.v1 import interaction_pb2 as pb
from websockets.exceptions import ConnectionClosed

from tests.e2e.conftest import PATIENCE_S, RunningServer, header, pose, started_server
from tests.e2e.refusals import heard, refusal_heard, refused_websocket, websocket

END = pb.StreamInteractionRequest(end=pb.EndOfInput())


def fetched(server: RunningServer, path: str) -> tuple[int, Any, bytes]:
    """Status, headers and body."""
    try:
        with urllib.request.urlopen(server.page + path, timeout=PATIENCE_S) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def test_a_session_goes_from_its_header_to_its_summary(server: RunningServer) -> None:
    with websocket(server) as connection:
        assert connection.subprotocol == "contrapose.v1"
        ping = pb.StreamInteractionRequest(ping=pb.ClockPing(ping_id=3, client_time=12.5))
        for message in (header(seed=7), pose(1), ping, pose(2), END):
            connection.send(message.SerializeToString())
        said, code, reason = heard(connection)
    assert (code, reason) == (1000, "")
    parts = [message.WhichOneof("part") for message in said]
    assert parts[0] == "accepted"
    assert parts[-1] == "summary"
    assert {"frames", "pong", "status"} <= set(parts)
    assert said[0].accepted.seed == 7
    assert said[-1].summary.poses_received == 2
    assert said[-1].summary.frames_sent > 0


def test_what_is_no_message_of_the_contract_is_refused(server: RunningServer) -> None:
    for message, says in (
        (b"\xff\xff", "no serialized contrapose.v1.StreamInteractionRequest"),
        ("text", "a text message came"),
    ):
        with websocket(server) as connection:
            connection.send(message)
            refusal = refusal_heard(connection)
        assert (refusal.code, refusal.reason) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "BAD_MESSAGE",
        )
        assert says in refusal.message


def test_a_message_over_a_megabyte_is_refused_and_one_over_two_cuts_the_connection(
    server: RunningServer,
) -> None:
    refusal = refused_websocket(server, [header(text="x" * (1 << 20))])
    assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    with websocket(server) as connection:
        connection.send(bytes((2 << 20) + 1))
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(PATIENCE_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


@pytest.mark.parametrize("offered", [None, ["contrapose.v2"]])
def test_a_client_of_another_protocol_is_told_after_the_upgrade(
    server: RunningServer, offered: Any
) -> None:
    refusal = refused_websocket(server, [header()], subprotocols=offered)
    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "NO_SUBPROTOCOL",
    )


def test_a_full_server_refuses_with_a_time_to_try_again(tiny_bundle: Path) -> None:
    with (
        started_server(tiny_bundle, "--max-sessions", "1", http=True) as full,
        websocket(full) as connection,
    ):
        connection.send(header().SerializeToString())
        assert connection.recv(PATIENCE_S)
        refusal = refused_websocket(full, [header()])
    assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert refusal.has_retry_delay


def test_a_client_that_leaves_frees_its_place(tiny_bundle: Path) -> None:
    with started_server(tiny_bundle, "--max-sessions", "1", http=True) as running:
        for _ in range(3):
            with websocket(running) as connection:
                connection.send(header(session_id="mine").SerializeToString())
                assert connection.recv(PATIENCE_S)


# ------------------------------------------------------------------------------------- what is open
def test_probes_say_that_the_server_lives_and_is_ready(server: RunningServer) -> None:
    assert fetched(server, "healthz")[::2] == (200, b"ok\n")
    assert fetched(server, "readyz")[::2] == (200, b"ready\n")


def test_every_answer_forbids_what_the_page_has_no_use_for(server: RunningServer) -> None:
    for path in ("", "healthz", "no/such/page"):
        _, headers, _ = fetched(server, path)
        policy = headers["content-security-policy"].split("; ")
        assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= set(policy)
        assert not any("unsafe" in part or "http" in part for part in policy)
        assert headers["x-content-type-options"] == "nosniff"


def test_nothing_beside_the_pages_files_is_handed_out(server: RunningServer) -> None:
    for path in ("../body.npz", "%2e%2e/body.npz", "..%2fbody.npz", "body.npz"):
        assert fetched(server, path)[0] == 404
