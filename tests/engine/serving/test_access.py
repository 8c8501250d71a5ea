"""Tokens are kept as hashes, and an address that others reach asks for something."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import AccessError, ConfigError
from engine.serving.access import (
    Access,
    TlsFiles,
    bearer_token,
    check_exposure,
    hash_of,
    new_token,
    read_tokens,
    token_line,
)

HASH = hash_of("secret")
TLS = TlsFiles(cert=Path("c"), key=Path("k"))


def test_a_token_file_lets_its_tokens_in_and_holds_none_of_them(tmp_path: Path) -> None:
    token, other = new_token(), new_token()
    path = tmp_path / "tokens"
    path.write_text(f"# ours\n\n{token_line('web', token)}{token_line('game', other)}")
    assert token not in path.read_text()
    access = Access(tokens=read_tokens(path))
    access.check_token(token)
    access.check_token(other)
    for wrong, reason in ((None, "NO_TOKEN"), ("", "NO_TOKEN"), (token[:-1], "BAD_TOKEN")):
        with pytest.raises(AccessError) as error:
            access.check_token(wrong)
        assert error.value.reason == reason
        assert token[:-1] not in str(error.value)


def test_without_a_token_file_nobody_is_asked() -> None:
    Access().check_token(None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no token"),
        ("# nobody\n", "holds no token"),
        ("web secret\n", "line 1"),
        (f"web {HASH}\n{HASH}\n", "line 2"),
        (f"web {HASH} more\n", "line 1"),
    ],
)
def test_a_token_file_that_is_no_good_is_named_with_its_line(
    text: str, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "tokens"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says) as error:
        read_tokens(path)
    assert str(path) in str(error.value)
    assert "contrapose token new" in str(error.value)


def test_a_name_that_a_token_file_cannot_hold_is_refused() -> None:
    for name in ("", "two words", "#", "x" * 65):
        with pytest.raises(ConfigError, match="name is"):
            token_line(name, "t")


@pytest.mark.parametrize(
    ("header", "token"),
    [("Bearer abc", "abc"), ("Basic abc", None), ("", None), (None, None), ("Bearer ", "")],
)
def test_a_bearer_token_is_found_in_its_header(header: str | None, token: str | None) -> None:
    assert bearer_token(header) == token


@pytest.mark.parametrize("interface", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_is_open_to_this_machine(interface: str) -> None:
    check_exposure(interface, Access(), is_insecure=False)


@pytest.mark.parametrize("interface", ["0.0.0.0", "::", "192.168.1.7", "studio.example"])
def test_what_others_reach_needs_tokens_and_encryption_or_a_word_that_it_does_not(
    interface: str,
) -> None:
    for access, lacks in (
        (Access(), "--token-file and --tls-cert"),
        (Access(tokens={HASH: "web"}), "needs --tls-cert"),
        (Access(tls=TLS), "needs --token-file"),
    ):
        with pytest.raises(ConfigError, match=lacks):
            check_exposure(interface, access, is_insecure=False)
        check_exposure(interface, access, is_insecure=True)
    check_exposure(interface, Access(tokens={HASH: "web"}, tls=TLS), is_insecure=False)


def test_a_certificate_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "cert").write_text("none")
    with pytest.raises(ConfigError, match=r"--tls-cert .*cert"):
        TlsFiles(cert=tmp_path / "cert", key=tmp_path / "key").check()
