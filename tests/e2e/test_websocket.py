"""The door for browsers: the same sessions, over a WebSocket of a real server."""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from typing import Any

import grpc
import numpy as np
import pytest
from contrapose.v1 import generation_pb2 as gen
from contrapose.v1 import generation_pb2_grpc, server_info_pb2, server_info_pb2_grpc, types_pb2
from contrapose.v1 import interaction_pb2 as pb
from google.protobuf import json_format
from google.protobuf.message import Message
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import ConnectionClosed

from engine.bench.doors import Stream, grpc_stream, websocket_stream
from engine.body.shape import load_body
from engine.formats.glb import body_glb
from engine.serving.access import MOST_MESSAGE_BYTES
from tests.e2e.conftest import PATIENCE_S, RunningServer, header, pose, still_body
from tests.e2e.fetching import Answer, fetched
from tests.e2e.refusals import doors, heard, refusal_heard, refused_websocket, websocket
from tests.e2e.test_bad_input import BAD_MOTIONS

PERSON = types_pb2.Person(pose=still_body())
END = pb.StreamInteractionRequest(end=pb.EndOfInput())


def posted(server: RunningServer, path: str, request: Message) -> Answer:
    body = json_format.MessageToJson(request).encode()
    return fetched(server, path, body, {"content-type": "application/json"})


def test_a_session_goes_from_its_header_to_its_summary(server: RunningServer) -> None:
    with websocket(server) as connection:
        assert connection.socket.subprotocol == "contrapose.v1"
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


async def frames_heard(way: AbstractAsyncContextManager[Stream]) -> tuple[set[int], int]:
    """The frames that a session of two seconds was sent, and how many the server says it sent."""
    frames: set[int] = set()
    async with way as stream:
        await stream.write(header().SerializeToString())

        async def speak() -> None:
            for count in range(1, 21):
                await stream.write(pose(count).SerializeToString())
                await asyncio.sleep(0.1)
            await stream.done_writing()

        speaking = asyncio.create_task(speak())
        while (response := await stream.read()) is not None:
            if response.HasField("frames"):
                first = response.frames.first_frame_index
                frames |= set(range(first, first + len(response.frames.frames)))
            if response.HasField("summary"):
                sent = int(response.summary.frames_sent)
        await speaking
    return frames, sent


def test_sessions_of_both_doors_together_lose_no_frame(server: RunningServer) -> None:
    """Two of each at once, on however slow a machine."""

    async def all_of_them() -> list[tuple[set[int], int]]:
        ways = [
            way
            for _ in range(2)
            for way in (grpc_stream(server.address), websocket_stream(server.page))
        ]
        return await asyncio.gather(*map(frames_heard, ways))

    for frames, sent in asyncio.run(all_of_them()):
        assert frames == set(range(sent))
        assert sent > 20


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


def test_a_message_that_is_too_big_is_refused_and_one_over_twice_that_cuts_the_connection(
    server: RunningServer,
) -> None:
    refusal = refused_websocket(server, [header(text="x" * MOST_MESSAGE_BYTES)])
    assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    with websocket(server) as connection:
        connection.send(bytes(2 * MOST_MESSAGE_BYTES + 1))
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv()
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


# ------------------------------------------------------------------------------------- what is open
def test_probes_say_that_the_server_lives_and_is_ready(server: RunningServer) -> None:
    assert fetched(server, "healthz").text == "ok\n"
    assert fetched(server, "readyz").text == "ready\n"


def test_every_answer_forbids_what_the_page_has_no_use_for(server: RunningServer) -> None:
    for path in ("", "healthz", "no/such/page", "v1/body.glb"):
        policy = fetched(server, path).headers["content-security-policy"].split("; ")
        assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= set(policy)
        assert not any("unsafe" in part or "http" in part for part in policy)
        assert fetched(server, path).headers["x-content-type-options"] == "nosniff"


def test_nothing_beside_the_pages_files_is_handed_out(server: RunningServer) -> None:
    for path in ("../body.npz", "%2e%2e/body.npz", "..%2fbody.npz", "body.npz"):
        assert fetched(server, path).status == 404


# ------------------------------------------------------------------------------ JSON, body, metrics
def test_a_pair_in_json_is_what_grpc_says_of_it(
    server: RunningServer, channel: grpc.Channel
) -> None:
    request = gen.GeneratePairRequest(single=PERSON, seed=3, steps=4)
    expected = generation_pb2_grpc.GenerationServiceStub(channel).GeneratePair(request)
    answer = posted(server, "v1/pair", request)
    assert answer.status == 200
    assert json_format.Parse(answer.text, gen.GeneratePairResponse()) == expected


def test_a_motion_in_json_is_a_list_of_what_grpc_says(
    server: RunningServer, channel: grpc.Channel
) -> None:
    pair = types_pb2.Pair(player=PERSON, partner=PERSON)
    request = gen.GenerateMotionRequest(pair=pair, frames=40, seed=3, steps=4)
    expected = list(generation_pb2_grpc.GenerationServiceStub(channel).GenerateMotion(request))
    answer = posted(server, "v1/motion", request)
    parsed = [
        json_format.ParseDict(part, gen.GenerateMotionResponse())
        for part in json.loads(answer.text)
    ]
    assert parsed == expected
    assert len(parsed) == 3


@pytest.mark.parametrize("path", BAD_MOTIONS)
def test_a_bad_request_in_json_gets_the_same_error(path: str, server: RunningServer) -> None:
    request, field = BAD_MOTIONS[path]
    answer = posted(server, "v1/motion", request)
    assert answer.status == 400
    error = json_format.Parse(answer.text, pb.StreamError())
    assert (error.code, error.field) == (3, field)
    assert field in error.message


def test_what_is_not_json_is_refused(server: RunningServer) -> None:
    for body, type_, status, reason in (
        (b"{}", "text/plain", 415, "NOT_JSON"),
        (b"{}", "application/x-www-form-urlencoded", 415, "NOT_JSON"),
        (b"{", "application/json", 400, "BAD_JSON"),
        (b'{"txt": "hug"}', "application/json; charset=utf-8", 400, "BAD_JSON"),
        (b"\xff", "application/json", 400, "BAD_JSON"),
        (b" " * (2 * MOST_MESSAGE_BYTES), "application/json", 413, "MESSAGE_TOO_BIG"),
    ):
        answer = fetched(server, "v1/pair", body, {"content-type": type_})
        assert (answer.status, json.loads(answer.text)["reason"]) == (status, reason)


def test_the_body_comes_as_a_glb_in_the_shape_that_is_asked_for(server: RunningServer) -> None:
    plain, tall = (fetched(server, f"v1/body.glb{query}") for query in ("", "?betas=2" + ",0" * 9))
    assert plain.headers["content-type"] == "model/gltf-binary"
    assert plain.body[:4] == tall.body[:4] == b"glTF"
    assert plain.body == body_glb(load_body(), np.zeros(10, np.float32))
    assert plain.body != tall.body
    for query in ("?betas=1,2", "?betas=tall", "?betas=9" + ",0" * 9):
        assert fetched(server, f"v1/body.glb{query}").status == 400


def test_what_a_server_knows_comes_in_json_and_in_bytes(
    server: RunningServer, channel: grpc.Channel
) -> None:
    stub = server_info_pb2_grpc.ServerInfoServiceStub(channel)
    said = stub.GetServerInfo(server_info_pb2.GetServerInfoRequest(), timeout=PATIENCE_S)
    plain = fetched(server, "v1/info")
    serialized = fetched(server, "v1/info", headers={"accept": "application/x-protobuf"})
    assert plain.headers["content-type"] == "application/json"
    assert serialized.headers["content-type"] == "application/x-protobuf"
    for told in (
        json_format.Parse(plain.body, server_info_pb2.GetServerInfoResponse()),
        server_info_pb2.GetServerInfoResponse.FromString(serialized.body),
    ):
        assert told.skeleton == said.skeleton
        assert told.kinds == said.kinds
        assert told.bundle == said.bundle == "tiny"


def test_metrics_count_calls_of_every_door(server: RunningServer, channel: grpc.Channel) -> None:
    def of(name: str, **labels: str) -> float:
        families = text_string_to_metric_families(fetched(server, "metrics").text)
        samples = [sample for family in families for sample in family.samples]
        return sum(
            sample.value
            for sample in samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    names = {"grpc_service": "contrapose.v1.InteractionService", "grpc_type": "bidi_stream"}
    for door, refused in doors(server, channel).items():
        labels = {**names, "door": door.lower()}
        before = of("grpc_server_started_total", **labels)
        received = of("grpc_server_msg_received_total", **labels)
        failed = {**labels, "grpc_code": "INVALID_ARGUMENT"}
        failures = of("grpc_server_handled_total", **failed)
        refused([header(steps=0)])
        assert of("grpc_server_started_total", **labels) == before + 1
        assert of("grpc_server_msg_received_total", **labels) == received + 1
        assert of("grpc_server_handled_total", **failed) == failures + 1
        assert of("grpc_server_handling_seconds_count", **labels) == before + 1
    assert of("contrapose_ready") == 1
    assert of("contrapose_sessions_limit") >= 1
    assert of("contrapose_windows_total") >= 0
