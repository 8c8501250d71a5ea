"""Pages of strangers, and names that strangers made to lead here, are turned away."""

from __future__ import annotations

import socket

import pytest

from engine.errors import AccessError
from engine.serving.access import Access
from engine.serving.gateway.doorman import Doorman

DOORMAN = Doorman(Access(allow_origins=("https://studio.example",)))
OWN = (
    *("localhost:50052", "127.0.0.1:50052", "[::1]:50052", "192.168.1.7", "localhost"),
    *("studio.example", "studio.example:8443", f"{socket.gethostname()}:50052"),
)


@pytest.mark.parametrize("host", OWN)
def test_our_own_names_and_pages_are_let_in(host: str) -> None:
    DOORMAN.check_address({"host": host})
    DOORMAN.check_address({"host": host, "origin": f"http://{host}"})
    DOORMAN.check_address({"host": host, "origin": f"https://{host}"})
    DOORMAN.check_address({"host": host, "origin": "https://studio.example"})


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:50052", "localhost.evil.example", "127.0.0.1.evil.example"),
        *("", "[::1", "localhost@evil.example"),
    ],
)
def test_another_name_is_refused_by_which_a_page_could_read_our_answers(host: str) -> None:
    with pytest.raises(AccessError) as error:
        DOORMAN.check_address({"host": host, "origin": f"http://{host}"})
    assert error.value.reason == "BAD_HOST"


@pytest.mark.parametrize(
    "origin",
    [
        *("https://evil.example", "http://localhost:3000", "http://studio.example", "null", ""),
        *("https://studio.example.evil.example", "localhost:50052"),
    ],
)
def test_another_page_is_refused(origin: str) -> None:
    with pytest.raises(AccessError) as error:
        DOORMAN.check_address({"host": "localhost:50052", "origin": origin})
    assert error.value.reason == "BAD_ORIGIN"
