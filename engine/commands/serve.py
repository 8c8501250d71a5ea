"""`contrapose serve`: a server with one bundle, until it is told to stop."""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import secrets
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.backends.driver import nvidia_gpu_count
from engine.backends.processor import usable_cores
from engine.commands.engine_options import add_engine_options, engine_flags
from engine.errors import ConfigError
from engine.progress import Say, silent
from engine.serving.process import PAGE, READY

if TYPE_CHECKING:
    from engine.serving.access import Access
    from engine.serving.grpc.server import ServerConfig


MOST_ENGINES = 64
TRANSIT_FRAMES = 4
"""0.4 s: 250 ms of jitter and a packet that is sent again."""


def add_commands(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "serve",
        help="serve a bundle over gRPC",
        description="Loads a bundle, compiles it (cached on disk), and serves live sessions and "
        "generation over gRPC until SIGTERM or Ctrl-C, and a page for browsers with them over a "
        "WebSocket. Prints `listening on HOST:PORT` and `page on http://HOST:PORT/` once it is "
        "ready. Health (grpc.health.v1) is NOT_SERVING until then, and while it drains.",
    )
    add_serve_options(parser)
    parser.set_defaults(run=run)


def add_serve_options(parser: argparse.ArgumentParser) -> None:
    """All that a server can be told; shared with `view`."""
    add_engine_options(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=50051, help="0: a free one (%(default)s)")
    http = parser.add_mutually_exclusive_group()
    http.add_argument(
        "--http-port",
        type=int,
        default=50052,
        metavar="PORT",
        help="of the page and the WebSocket; 0: a free one (%(default)s)",
    )
    http.add_argument("--no-http", action="store_true", help="gRPC alone")
    _add_access_options(parser.add_argument_group("access, at both doors (see docs/web.md)"))
    parser.add_argument(
        "--max-sessions",
        type=count_or_auto,
        default="auto",
        metavar="N",
        help="open at once; auto: as many as can be served, which is a limit in any case "
        "(%(default)s)",
    )
    parser.add_argument(
        "--zone-radius",
        type=float,
        default=0.0,
        metavar="M",
        help="metres around the player that the partner keeps out of, unless a client asks "
        "otherwise (%(default)s)",
    )
    parser.add_argument(
        "--no-contact",
        action="store_true",
        help="the partner touches no player, unless a client asks otherwise",
    )
    parser.add_argument(
        "--idle-seconds",
        type=float,
        default=30.0,
        metavar="S",
        help="end a session that is silent for this long (%(default)s)",
    )
    parser.add_argument(
        "--drain-seconds",
        type=float,
        default=5.0,
        metavar="S",
        help="how long sessions may go on after SIGTERM (%(default)s)",
    )
    parser.add_argument(
        "--resume-key",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="at least 32 secret bytes: servers with the same file go on with the sessions of one "
        "that died; give a second one to change keys. Default: a random key, so that tokens are "
        "valid on this server alone (see docs/resume.md)",
    )
    parser.add_argument(
        "--record",
        type=Path,
        metavar="DIR",
        help="write down every session there, for `contrapose replay`: personal data, because "
        "people are recognised by how they move (see docs/recording.md)",
    )
    parser.add_argument(
        "--record-limit",
        type=int,
        default=1000,
        metavar="MB",
        help="what all recordings may take; the oldest go first (%(default)s)",
    )
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="print the addresses, and nothing else"
    )
    parser.add_argument(
        "--json-log", action="store_true", help="log changes of state, a JSON object a line"
    )
    parser.add_argument("--stop-on-eof", action="store_true", help="stop when standard input ends")
    several = parser.add_mutually_exclusive_group()
    several.add_argument(
        "--devices",
        metavar="0,1,..",
        help="one engine on each of these GPUs (`all`: of every one), behind one address; name a "
        "GPU several times for several engines on it; --max-sessions is for each",
    )
    several.add_argument(
        "--engines",
        type=int,
        default=1,
        metavar="N",
        help="this many engines instead that share the processor's cores; a backend that runs on a "
        "GPU puts all of them on that of --device",
    )


def _add_access_options(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="serve those alone who have one of its tokens (`contrapose token new`)",
    )
    group.add_argument(
        "--tls-cert", type=Path, metavar="PEM", help="encrypt, with this certificate"
    )
    group.add_argument("--tls-key", type=Path, metavar="PEM", help="the key of --tls-cert")
    group.add_argument(
        "--tls-client-ca",
        type=Path,
        metavar="PEM",
        help="serve those alone who have a certificate signed by this one",
    )
    group.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="URL",
        help="let pages of this site in, too: https://example.org",
    )
    group.add_argument(
        "--insecure",
        action="store_true",
        help="let other machines reach --host without tokens and encryption",
    )


def count_or_auto(text: str) -> int | None:
    return None if text == "auto" else int(text)


def run(args: argparse.Namespace) -> int:
    say = _teller(args)

    def on_ready(address: str, page: str | None) -> None:
        print(f"{READY}{address}", flush=True)
        if page is not None:
            print(f"{PAGE}{page}", flush=True)
        say(f"try: contrapose animate --text 'two people shake hands' -o a.glb --server {address}")
        say("Ctrl-C ends it")

    return serve_until_told(args, access_of(args), on_ready, say=say)


def _teller(args: argparse.Namespace) -> Say:
    """Tells people what goes on, on stderr; or programs, a JSON object a line; or nobody."""
    if args.json_log:
        root = logging.getLogger()
        root.setLevel(logging.INFO)
        for handler in root.handlers:
            handler.setFormatter(JsonLines())
        return logging.getLogger("contrapose").info
    if args.quiet:
        return silent
    return lambda text: print(f"contrapose: {text}", file=sys.stderr, flush=True)


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def serve_until_told(
    args: argparse.Namespace,
    access: Access,
    on_ready: Callable[[str, str | None], None],
    *,
    motion: bytes | None = None,
    say: Say = silent,
) -> int:
    """Serve as the flags say; returns an exit code.

    on_ready  called with "host:port" and the address of the page, if there is one
    motion    a recording for the page, as npz
    say       told what goes on until then
    """
    import asyncio

    from engine.serving.gateway.door import GatewayConfig

    # We never serve from a forked child, and gRPC warns whenever a library starts a process. What
    # goes wrong reaches us as exceptions, so its own lines beside our error say nothing new.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    gateway = None if args.no_http else GatewayConfig(port=args.http_port, motion=motion)
    if args.devices is not None or args.engines != 1:
        from engine.serving.grpc.front_server import FrontConfig, serve_front

        with shared_key(args.resume_key) as keys, engine_tokens(access) as (token, token_file):
            front = FrontConfig(
                commands=engine_commands(args, keys, token_file),
                interface=args.host,
                port=args.port,
                gateway=gateway,
                access=access,
                engine_token=token,
                drain_seconds=args.drain_seconds,
                stops_on_eof=args.stop_on_eof,
            )
            return asyncio.run(serve_front(front, on_ready))

    from engine.serving.grpc.server import serve

    asyncio.run(serve(replace(config_of(args), access=access, gateway=gateway), on_ready, say))
    return 0


@contextmanager
def shared_key(given: Sequence[Path]) -> Iterator[Sequence[Path]]:
    """The key files that all engines take; if none was given, a random one until the block ends."""
    from engine.serving.resume import KEY_BYTES

    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(
        prefix="contrapose-"
    ) as folder:  # nobody else can look into it
        path = Path(folder) / "resume.key"
        path.touch(mode=0o600)
        path.write_bytes(secrets.token_bytes(KEY_BYTES))
        yield [path]


@contextmanager
def engine_tokens(access: Access) -> Iterator[tuple[str | None, Path | None]]:
    """A token that the engines ask of the front, and their token file, until the block ends.

    Neither where the front itself asks for none: engines listen on loopback, where other people of
    this machine would get past the front.
    """
    from engine.serving.access import new_token, token_line

    if access.tokens is None:
        yield None, None
        return
    with tempfile.TemporaryDirectory(prefix="contrapose-") as folder:
        token, path = new_token(), Path(folder) / "tokens"
        path.write_text(token_line("front", token))
        yield token, path


def engine_commands(
    args: argparse.Namespace, keys: Sequence[Path], token_file: Path | None = None
) -> list[list[str]]:
    """The command of each engine behind one address.

    Raises ConfigError for devices or a number of engines that make no sense.
    """
    if args.devices is not None:
        placed = [["--device", str(device)] for device in _devices(args.devices)]
    else:
        placed = [["--threads", str(args.threads or _share_of_cores(args.engines))]] * args.engines
    flags = engine_flags(args)
    flags += ["--max-sessions", "auto" if args.max_sessions is None else str(args.max_sessions)]
    for name in ("zone_radius", "idle_seconds", "drain_seconds"):
        flags += [f"--{name.replace('_', '-')}", str(getattr(args, name))]
    flags += ["--no-contact"] if args.no_contact else []
    for key in keys:
        flags += ["--resume-key", str(key)]
    flags += [] if token_file is None else ["--token-file", str(token_file)]
    flags += ["--record-limit", str(max(args.record_limit // len(placed), 1))]
    flags += ["--json-log" if args.json_log else "--quiet"]
    fixed = ["--host", "127.0.0.1", "--port", "0", "--no-http", "--stop-on-eof"]
    serve = [sys.executable, "-m", "engine.cli", "serve"]
    return [
        [*serve, *flags, *fixed, *where, *_record_flags(args, index)]
        for index, where in enumerate(placed)
    ]


def _record_flags(args: argparse.Namespace, index: int) -> list[str]:
    """A folder for each engine: who is over the limit removes nothing of another's."""
    return [] if args.record is None else ["--record", str(args.record / f"engine{index}")]


def _devices(text: str) -> list[int]:
    """The devices in a text such as "0,2" or "all"."""
    if text == "all":
        count = nvidia_gpu_count()
        if not count:
            raise ConfigError("--devices all: this machine shows no NVIDIA GPU", field="devices")
        return list(range(count))
    parts = text.split(",")
    if not all(part.isdecimal() for part in parts):
        raise ConfigError(
            f"--devices is {text!r}, must be `all` or numbers with commas, as in 0,1 or 0,0",
            field="devices",
        )
    return [int(part) for part in parts]


def _share_of_cores(engines: int) -> int:
    """Threads of each engine when that many share this machine."""
    if not 1 <= engines <= MOST_ENGINES:
        raise ConfigError(f"--engines is {engines}, must lie in 1..{MOST_ENGINES}", field="engines")
    return max(usable_cores() // engines, 1)


def access_of(args: argparse.Namespace, more_tokens: Mapping[str, str] | None = None) -> Access:
    """Who may call: those with a token of the file or one of these, by their hashes.

    Raises ConfigError for files that are no good, and for an address that others
    reach without being asked for anything."""
    from engine.serving.access import Access, TlsFiles, check_exposure, read_tokens

    if (args.tls_cert is None) != (args.tls_key is None):
        raise ConfigError("--tls-cert and --tls-key: give both, or neither", field="tls_cert")
    if args.tls_client_ca is not None and args.tls_cert is None:
        raise ConfigError("--tls-client-ca: needs --tls-cert and --tls-key", field="tls_client_ca")
    tls = None
    if args.tls_cert is not None:
        tls = TlsFiles(cert=args.tls_cert, key=args.tls_key, client_ca=args.tls_client_ca)
        tls.check()
    tokens = more_tokens
    if args.token_file is not None:
        tokens = {**read_tokens(args.token_file), **(more_tokens or {})}
    access = Access(
        tokens=tokens,
        tls=tls,
        allow_origins=tuple(map(_origin, args.allow_origin)),
    )
    check_exposure(args.host, access, is_insecure=args.insecure)
    return access


def _origin(text: str) -> str:
    """Such as https://example.org: what a browser says of a page that it shows."""
    if not re.fullmatch(r"https?://[^/@?#]+", text):
        raise ConfigError(
            f"--allow-origin is {text!r}, must be a scheme and a host, as in https://example.org",
            field="allow_origin",
        )
    return text


def config_of(args: argparse.Namespace) -> ServerConfig:
    """The flags but those of the gateway and of access; what they leave open is the bundle's."""
    from engine.bundle import STARTER, load_bundle
    from engine.sampling.loaded import ComputeConfig
    from engine.serving.grpc.server import ServerConfig
    from engine.serving.host import ServiceConfig
    from engine.serving.resume import random_keys, read_keys
    from engine.serving.wire import steps_from_wire
    from engine.session.config import SessionConfig

    bundle = load_bundle(args.bundle or STARTER)
    animator = bundle.manifest.animator
    steps = animator.steps_default if args.steps is None else args.steps
    session = SessionConfig(
        steps=steps_from_wire(steps, "--steps"),
        history_frames=animator.history_frames,
        transit_frames=TRANSIT_FRAMES,
        foot_lock=not args.no_foot_lock,
        guard=not args.no_guard,
        company=not args.no_company,
        responses=not args.no_responses,
        allow_contact=not args.no_contact,
        zone_radius=args.zone_radius,
    )
    if args.horizon is not None:
        session = replace(session, horizon_frames=args.horizon)
    return ServerConfig(
        compute=ComputeConfig(
            bundle=bundle,
            backend=args.backend,
            device=args.device,
            precision=args.precision,
            threads=args.threads,
            body=args.body,
        ),
        service=ServiceConfig(
            session=session,
            max_sessions=args.max_sessions,
            idle_seconds=args.idle_seconds,
            resume_keys=read_keys(args.resume_key) if args.resume_key else random_keys(),
        ),
        record=args.record,
        record_limit_mb=args.record_limit,
        interface=args.host,
        port=args.port,
        drain_seconds=args.drain_seconds,
        stops_on_eof=args.stop_on_eof,
    )
