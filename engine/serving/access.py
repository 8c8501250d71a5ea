"""Access: who may call, over what, and how much at once; for every transport.

Tokens are random, so a plain hash of one tells nothing of it: files hold hashes, and a token is
seen once, when it is made. Knows files and addresses; no message and no socket.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import AccessError, ConfigError

MOST_MESSAGE_BYTES = 1 << 18
"""That come in at any door; the largest that makes sense, a control with all its targets, has
60 kB."""
TOKEN_BYTES = 32
HASH = re.compile(r"[0-9a-f]{64}")
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
BEARER = "Bearer "


@dataclass(frozen=True, kw_only=True)
class TlsFiles:
    """Paths of PEM files. `client_ca`: clients need a certificate signed by it."""

    cert: Path
    key: Path
    client_ca: Path | None = None

    def check(self) -> None:
        """Raises ConfigError that names the file that is no good."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.cert, self.key)
        except OSError as exc:  # as ssl.SSLError is
            raise ConfigError(
                f"--tls-cert {self.cert}, --tls-key {self.key}: are no certificate in PEM and its "
                f"key: {exc}; `contrapose certs dev` makes a pair to try",
                field="tls_cert",
            ) from exc
        try:
            if self.client_ca is not None:
                context.load_verify_locations(self.client_ca)
        except OSError as exc:
            raise ConfigError(
                f"--tls-client-ca: {self.client_ca}: holds no certificate in PEM: {exc}",
                field="tls_client_ca",
            ) from exc


@dataclass(frozen=True, kw_only=True)
class Access:
    """What is asked of callers; by default nothing."""

    tokens: Mapping[str, str] | None = None
    """Names by the hashes of their tokens; None: no token is needed."""
    tls: TlsFiles | None = None
    allow_origins: tuple[str, ...] = ()
    """Where pages of others may come from, such as https://example.org."""

    def check_token(self, token: str | None) -> None:
        """Raises AccessError unless it is one of ours, or none is needed."""
        if self.tokens is None:
            return
        if not token:
            raise AccessError(
                "no token came with the call; send one as `authorization: Bearer TOKEN`, or a "
                "browser as the subprotocol contrapose.bearer.TOKEN",
                reason="NO_TOKEN",
            )
        if hash_of(token) not in self.tokens:
            raise AccessError("the token is not one of this server's; ask who runs it for one")


def bearer_token(authorization: str | None) -> str | None:
    """The token in an `authorization` header or metadatum."""
    if authorization is None or not authorization.startswith(BEARER):
        return None
    return authorization.removeprefix(BEARER).strip()


def new_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def token_line(name: str, token: str) -> str:
    """What a token file holds of a token. Raises ConfigError for a name that it cannot hold."""
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"name is {name!r}, must be 1 to 64 letters, digits, `.`, `_` and `-`", field="name"
        )
    return f"{name} {hash_of(token)}\n"


def read_tokens(path: Path) -> dict[str, str]:
    """Names by the hashes of their tokens: a name and a hash a line, empty lines and # comments.

    Raises ConfigError that names the file, the line and what to do.
    """
    remedy = f"make one with `contrapose token new NAME --token-file {path}`"
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(
            f"--token-file: {path}: cannot be read: {exc}; {remedy}", field="token_file"
        ) from exc
    tokens: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or not NAME.fullmatch(words[0]) or not HASH.fullmatch(words[1]):
            raise ConfigError(
                f"--token-file: {path}: line {number} is not a name and the SHA-256 of a token in "
                f"64 hexadecimal digits; {remedy}",
                field="token_file",
            )
        tokens[words[1]] = words[0]
    if not tokens:
        raise ConfigError(f"--token-file: {path}: holds no token; {remedy}", field="token_file")
    return tokens


def is_loopback(interface: str) -> bool:
    """Whether an address to listen on reaches this machine alone."""
    if interface == "localhost":
        return True
    try:
        return ipaddress.ip_address(interface).is_loopback
    except ValueError:
        return False


def check_exposure(interface: str, access: Access, *, is_insecure: bool) -> None:
    """Raises ConfigError for an address that others reach, without both a token and TLS."""
    if is_insecure or is_loopback(interface):
        return
    lacking = [
        flag
        for flag, given in (
            ("--token-file", access.tokens is not None),
            ("--tls-cert with --tls-key", access.tls is not None),
        )
        if not given
    ]
    if lacking:
        raise ConfigError(
            f"--host {interface}: other machines reach this address, so it needs "
            f"{' and '.join(lacking)} (see docs/web.md); or say --insecure where the network is "
            "trusted",
            field="host",
        )
