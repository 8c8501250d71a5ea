"""The doorman: whose pages may use this server, by which names it is called, with which token.

Any page in a browser may try to reach a server on the same machine, and a stranger's name may be
made to lead here (DNS rebinding): so the names are checked. Knows headers and access; no socket.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from engine.errors import AccessError
from engine.serving.access import Access, bearer_token


class Doorman:
    def __init__(self, access: Access) -> None:
        self._access = access
        self._allowed = frozenset(origin.lower() for origin in access.allow_origins)
        name = socket.gethostname().lower()
        self._names = {"localhost", name, f"{name}.local"}
        self._names |= {_hostname(origin) for origin in self._allowed} - {""}

    def check_address(self, headers: Mapping[str, str]) -> None:
        """Raises AccessError for a request that somebody else's page or name led here.

        A client that is no browser sends no origin.
        """
        host, origin = headers.get("host", ""), headers.get("origin")
        name = _hostname(f"//{host}")
        if not (_is_address(name) or name in self._names):
            raise AccessError(
                f"{name or 'nothing'!r} is no name of this server; if it should be, start it with "
                f"--allow-origin http://{name or 'NAME'}",
                reason="BAD_HOST",
            )
        if origin is None:
            return
        is_own = origin.lower().partition("://")[2] == host.lower()
        if not is_own and origin.lower() not in self._allowed:
            raise AccessError(
                f"pages of {origin} may not use this server; if they should, start it with "
                f"--allow-origin {origin}",
                reason="BAD_ORIGIN",
            )

    def check_token(self, headers: Mapping[str, str], token: str | None = None) -> None:
        """token  what came otherwise than in the headers. Raises AccessError."""
        self._access.check_token(bearer_token(headers.get("authorization")) or token)


def _hostname(url: str) -> str:
    """Empty where there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    """No name that could be made to lead elsewhere."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
