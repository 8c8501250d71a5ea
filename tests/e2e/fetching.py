"""What a server answers over HTTP."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any

from tests.e2e.conftest import PATIENCE_S, RunningServer


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def fetched(
    server: RunningServer,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """GET, or POST where there is a body; an error's answer is one too."""
    request = urllib.request.Request(server.page + path, body, dict(headers or {}))
    options: dict[str, Any] = {} if server.tls is None else {"context": server.tls}
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S, **options) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())
