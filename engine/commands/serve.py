"""`contrapose serve`: a server with one bundle, until it is told to stop."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.backends.backend import BACKENDS, PRECISIONS

if TYPE_CHECKING:
    from engine.server import ServerConfig


def add_commands(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "serve",
        help="serve a bundle over gRPC",
        description="Loads a bundle, compiles it (cached on disk), and serves live sessions and "
        "generation over gRPC until SIGTERM or Ctrl-C. Prints `listening on HOST:PORT` once it is "
        "ready. Health (grpc.health.v1) is NOT_SERVING until then, and while it drains.",
    )
    add_engine_options(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=50051, help="0: a free one (%(default)s)")
    parser.add_argument(
        "--max-sessions", type=int, default=16, metavar="N", help="open at once (%(default)s)"
    )
    parser.add_argument(
        "--idle-seconds",
        type=float,
        default=30.0,
        metavar="S",
        help="end a session that is silent for so long (%(default)s)",
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
        help="at least 32 secret bytes: every server with the same file goes on with the sessions "
        "of one that died; give a second one to change keys. Default: a random key, whose "
        "sessions go on on this server alone (see docs/resume.md)",
    )
    parser.add_argument(
        "--record",
        type=Path,
        metavar="DIR",
        help="write down every session there, for `contrapose replay`: personal data, as the "
        "motion of people is (see docs/recording.md)",
    )
    parser.add_argument(
        "--record-limit",
        type=int,
        default=1000,
        metavar="MB",
        help="what recordings may take together; the oldest go first (%(default)s)",
    )
    parser.add_argument("--stop-on-eof", action="store_true", help="stop when standard input ends")
    parser.set_defaults(run=run)


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """What decides how motion is made; shared with the commands that start a server themselves."""
    group = parser.add_argument_group("engine")
    group.add_argument("--bundle", type=Path, metavar="DIR", help="default: the starter bundle")
    add_backend_options(group)
    group.add_argument("--threads", type=int, metavar="N", help="of the backend")
    group.add_argument(
        "--horizon", type=int, metavar="F", help="frames ahead of the clock that plans reach"
    )
    group.add_argument(
        "--body", type=Path, metavar="NPZ", help="a licensed SMPLX_*.npz in place of the open body"
    )
    group.add_argument(
        "--no-foot-lock",
        action="store_true",
        help="leave planted feet as the network moves them (see docs/architecture.md)",
    )
    parser.add_argument("--steps", type=int, metavar="K", help="denoiser calls per window, 1 to 50")


def add_backend_options(group: argparse._ActionsContainer) -> None:
    """Which library computes, where, and in what precision."""
    group.add_argument(
        "--backend",
        choices=BACKENDS,
        default="auto",
        help="what runs the graphs; auto: tensorrt, torch on a GPU, openvino, the first that is "
        "here (%(default)s)",
    )
    group.add_argument(
        "--device", type=int, default=0, metavar="N", help="index of the GPU (%(default)s)"
    )
    group.add_argument("--precision", choices=PRECISIONS, default="auto", help="(%(default)s)")


def engine_flags(args: argparse.Namespace) -> list[str]:
    """The flags of `add_engine_options` as they were given, for a child process."""
    names = ("bundle", "backend", "device", "precision", "threads", "horizon", "body", "steps")
    given = {name: getattr(args, name) for name in names}
    flags = [
        part
        for name, value in given.items()
        if value is not None
        for part in (f"--{name}", str(value))
    ]
    return [*flags, "--no-foot-lock"] if args.no_foot_lock else flags


def run(args: argparse.Namespace) -> int:
    import asyncio
    import os

    # We never serve from a forked child, and gRPC warns whenever a library starts a process. What
    # goes wrong reaches us as exceptions, so its own lines beside our error say nothing new.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")

    from engine.server import serve

    config = config_of(args)
    asyncio.run(serve(config, lambda address: print(f"listening on {address}", flush=True)))
    return 0


def config_of(args: argparse.Namespace) -> ServerConfig:
    """The flags, with what they leave open taken from the bundle."""
    from dataclasses import replace

    from engine.bundle import STARTER, load_bundle
    from engine.host import ServiceConfig
    from engine.resume import random_keys, read_keys
    from engine.server import ServerConfig
    from engine.session import SessionConfig
    from engine.wire import steps_from_wire

    bundle = load_bundle(args.bundle or STARTER)
    animator = bundle.manifest.animator
    steps = animator.steps_default if args.steps is None else args.steps
    session = SessionConfig(
        steps=steps_from_wire(steps, "--steps"),
        history_frames=animator.history_frames,
        foot_lock=not args.no_foot_lock,
    )
    if args.horizon is not None:
        session = replace(session, horizon_frames=args.horizon)
    return ServerConfig(
        bundle=bundle,
        service=ServiceConfig(
            session=session,
            max_sessions=args.max_sessions,
            idle_seconds=args.idle_seconds,
            resume_keys=read_keys(args.resume_key) if args.resume_key else random_keys(),
        ),
        record=args.record,
        record_limit_mb=args.record_limit,
        host=args.host,
        port=args.port,
        backend=args.backend,
        device=args.device,
        precision=args.precision,
        threads=args.threads,
        body=args.body,
        drain_seconds=args.drain_seconds,
        stops_on_eof=args.stop_on_eof,
    )
