"""`contrapose token` and `contrapose certs`: what a server that others reach is started with.

Knows files; no server and no socket.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from engine.errors import ConfigError, InputError


def add_commands(subparsers: argparse._SubParsersAction[Any]) -> None:
    token = subparsers.add_parser("token", help="make tokens for `serve --token-file`")
    actions = token.add_subparsers(dest="action", required=True, metavar="ACTION")
    new = actions.add_parser(
        "new",
        help="make a token, and print it once",
        description="Prints a new token, and the line that a token file needs of it: a name and a "
        "hash, from which nobody gets the token back.",
    )
    new.add_argument("name", metavar="NAME", help="whose it is: letters, digits, `.`, `_`, `-`")
    new.add_argument("--token-file", type=Path, metavar="FILE", help="add the line to this file")
    new.set_defaults(run=run_token)

    certs = subparsers.add_parser("certs", help="make certificates to try encryption with")
    actions = certs.add_subparsers(dest="action", required=True, metavar="ACTION")
    dev = actions.add_parser(
        "dev",
        help="make a private root, a server's certificate, and clients'",
        description="Writes root.pem, root.key, server.pem and server.key. Let your devices trust "
        "root.pem and nothing else; keep both keys to yourself. Run again, it keeps the root and "
        "makes new certificates.",
    )
    dev.add_argument("-o", "--out", type=Path, default=Path("certs"), metavar="DIR")
    dev.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="HOST",
        help="a name or address that the server is reached by, beside localhost, this machine's "
        "name and its addresses",
    )
    dev.add_argument(
        "--client",
        action="append",
        default=[],
        metavar="NAME",
        help="also write NAME.pem and NAME.key, which a client shows to a server that was started "
        "with --tls-client-ca root.pem; several times: for several clients",
    )
    dev.add_argument("--days", type=int, default=30, metavar="N", help="validity (%(default)s)")
    dev.set_defaults(run=run_certs)


def run_token(args: argparse.Namespace) -> int:
    from engine.serving.access import new_token, read_tokens, token_line

    token = new_token()
    line = token_line(args.name, token)
    if args.token_file is None:
        print(f"token: {token}\nline for the token file: {line}", end="")
        return 0
    path: Path = args.token_file
    if path.exists() and args.name in read_tokens(path).values():
        raise ConfigError(
            f"{path}: has a token of {args.name} already; remove its line, or choose another name",
            field="name",
        )
    try:
        path.touch(mode=0o600)
        with path.open("a") as file:
            file.write(line)
    except OSError as exc:
        raise InputError(
            f"{path}: cannot be written: {exc.strerror}", field="--token-file"
        ) from exc
    print(token)
    return 0


def run_certs(args: argparse.Namespace) -> int:
    from engine.serving.dev_certs import write_dev_certs

    if not 1 <= args.days <= 397:
        raise InputError.at("--days", f"{args.days}, expected 1 to 397: browsers take no more")
    try:
        names = write_dev_certs(args.out, args.name, days=args.days, clients=args.client)
    except OSError as exc:
        raise InputError(f"{args.out}: cannot be written: {exc.strerror}", field="--out") from exc
    print(f"wrote {args.out}/server.pem for {', '.join(names)}")
    print(
        f"serve with --tls-cert {args.out}/server.pem --tls-key {args.out}/server.key; "
        f"devices trust {args.out}/root.pem"
    )
    for client in args.client:
        print(
            f"serve with --tls-client-ca {args.out}/root.pem, too; then {client} shows "
            f"{args.out}/{client}.pem and {args.out}/{client}.key"
        )
    return 0
