"""`contrapose view`: a server, and its page in the browser.

Knows the flags of `serve` and addresses; no message and no socket.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engine.commands.serve import access_of, add_serve_options, serve_until_told
from engine.errors import InputError

EVERYWHERE = ("0.0.0.0", "::")
"""Addresses to listen on that lead nowhere."""


def add_commands(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "view",
        help="meet the partner in the browser",
        description="Starts a server and opens its page: the player is a recording, your mouse, a "
        "gamepad or a headset. Only those who have the address that is printed are let in. Takes "
        "the flags of `serve`.",
    )
    parser.add_argument(
        "motion",
        type=Path,
        nargs="?",
        metavar="MOTION",
        help="the player's recording, any file that `convert` reads; default: the one shipped",
    )
    parser.add_argument(
        "--no-open", action="store_true", help="print the address, and open no browser"
    )
    add_serve_options(parser)
    parser.set_defaults(port=0, http_port=0, run=run)


def run(args: argparse.Namespace) -> int:
    from engine.serving.access import hash_of, new_token

    if args.no_http:
        raise InputError("view: needs its page; leave out --no-http", field="--no-http")
    motion = None if args.motion is None else _npz_of(args.motion, args.body)
    token = new_token()
    access = access_of(args, {hash_of(token): "view"})

    def on_ready(_: str, page: str | None) -> None:
        assert page is not None
        address = page_address(page, token, has_motion=motion is not None)
        print(f"open {address}", flush=True)
        print("Ctrl-C ends it", flush=True)
        if not args.no_open:
            open_in_browser(address)

    return serve_until_told(args, access, on_ready, motion=motion)


def page_address(page: str, token: str, *, has_motion: bool) -> str:
    """Where to go. What is behind the `#` never leaves the browser: no log sees the token."""
    query = "?motion=v1/view/motion.npz" if has_motion else ""
    url = urlsplit(page)
    if url.hostname in EVERYWHERE:
        from engine.serving.dev_certs import own_names

        url = url._replace(netloc=f"{own_names()[-1]}:{url.port}")
    return f"{url.geturl()}{query}#token={token}"


def open_in_browser(address: str) -> None:
    """Show it where there is a desktop; elsewhere the address that was printed has to do."""
    import webbrowser

    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(address)


def _npz_of(path: Path, body_path: Path | None) -> bytes:
    """A recording as the page reads it."""
    from engine.body.shape import load_body
    from engine.formats import read_motion, write_motion

    body = load_body(body_path)
    with tempfile.TemporaryDirectory(prefix="contrapose-") as folder:
        out = Path(folder) / "motion.npz"
        write_motion(out, read_motion(path, body=body), body)
        return out.read_bytes()
