"""What a refused call says: status, reason and field, read as a client would."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from contrapose.v1 import interaction_pb2 as pb
from contrapose.v1 import interaction_pb2_grpc
from google.rpc import error_details_pb2, status_pb2

from tests.e2e.conftest import PATIENCE_S


@dataclass(frozen=True)
class Refusal:
    code: grpc.StatusCode
    message: str
    reason: str
    field: str | None
    has_retry_delay: bool


def refusal_of(error: Any) -> Refusal:
    """From a grpc.RpcError with google.rpc.Status details."""
    trailers = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    info, bad, retry = (
        error_details_pb2.ErrorInfo(),
        error_details_pb2.BadRequest(),
        error_details_pb2.RetryInfo(),
    )
    for detail in status.details:
        for message in (info, bad, retry):
            detail.Unpack(message)
    assert info.domain == "contrapose"
    assert status.code == error.code().value[0]
    return Refusal(
        code=error.code(),
        message=error.details(),
        reason=info.reason,
        field=bad.field_violations[0].field if bad.field_violations else None,
        has_retry_delay=retry.HasField("retry_delay"),
    )


def refused_stream(
    channel: grpc.Channel, messages: Iterable[pb.StreamInteractionRequest]
) -> Refusal:
    """Send the messages of a stream that the server must end with an error."""
    stub = interaction_pb2_grpc.InteractionServiceStub(channel)
    with pytest.raises(grpc.RpcError) as error:
        list(stub.StreamInteraction(iter(messages), timeout=PATIENCE_S))
    return refusal_of(error.value)
