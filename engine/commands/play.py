"""`contrapose react | demo | animate | pose`: motion from a real server, as a game gets it.

The only part of the engine that knows the client. Without --server each command starts a server of
its own on a free loopback port and stops it afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from engine.commands.serve import add_engine_options
from engine.commands.server_process import running_server
from engine.errors import InputError

if TYPE_CHECKING:
    from contrapose.v1 import interaction_pb2, types_pb2
    from contrapose_client import Generated, Interaction, People, PlanFrame, ServerError

    from engine.arrays import Array
    from engine.errors import ContraposeError
    from engine.motion.motion import Motion

T = TypeVar("T")

DEMO_PLAYER = Path(__file__).parent.parent / "data" / "demo_player.npz"
DEMO_SEED = 8
"""Fixed, so that two runs can be compared."""
MOST_SECONDS = 1_000_000


# ------------------------------------------------------------------------------------------ parsers
def add_commands(subparsers: argparse._SubParsersAction[Any]) -> None:
    _add_react(subparsers)
    _add_demo(subparsers)
    _add_animate(subparsers)
    _add_pose(subparsers)


def _add_react(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "react",
        help="let a partner react to a recorded player, in real time",
        description="Plays a recording to the server as if it were live, 10 poses a second, plays "
        "the partner's frames when they are due, and writes both people as they were shown. A "
        "recording that is too short is played back and forth.",
    )
    parser.add_argument("player", type=Path, metavar="PLAYER", help="npz, bvh or pkl (see convert)")
    parser.add_argument(
        "-o", "--out", type=Path, required=True, metavar="OUT", help=".npz, .bvh, .gif or .mp4"
    )
    parser.add_argument(
        "--seconds", type=float, metavar="S", help="default: the recording's length"
    )
    parser.add_argument("--rig", type=Path, metavar="TOML", help="names of a BVH's joints")
    parser.add_argument("--report", type=Path, metavar="JSON", help="write the figures there")
    parser.add_argument(
        "--mode",
        choices=("react", "follow_plan"),
        default="react",
        help="follow_plan: both people are made from the player's first pose on (%(default)s)",
    )
    parser.add_argument(
        "--energy",
        type=float,
        default=1.0,
        metavar="E",
        help="how lively the partner moves, 0.5 to 1.5 (%(default)s)",
    )
    _add_text(parser)
    parser.add_argument("--seed", type=int, metavar="N", help="default: a random one")
    _add_server_options(parser)
    parser.set_defaults(run=run_react)


def _add_demo(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "demo",
        help="ten seconds of a recorded player and a live partner, with a picture",
        description="`react` with the recording that is shipped. Writes interaction.gif, "
        "interaction.npz and report.json.",
    )
    parser.add_argument("--seconds", type=float, default=10.0, metavar="S", help="(%(default)s)")
    parser.add_argument(
        "--headless", action="store_true", help="do not open the picture when it is done"
    )
    parser.add_argument("-o", "--out", type=Path, default=Path("out"), metavar="DIR")
    _add_text(parser)
    parser.add_argument("--seed", type=int, default=DEMO_SEED, metavar="N", help="(%(default)s)")
    _add_server_options(parser)
    parser.set_defaults(mode="react", energy=1.0)
    parser.set_defaults(run=run_demo)


def _add_animate(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "animate",
        help="make a motion around a two-person pose, or from a few words",
        description="The pose stands unchanged at --at; what leads to it and what follows is made. "
        "Without a pose, the words make one.",
    )
    parser.add_argument(
        "pair", type=Path, nargs="?", metavar="PAIR", help="npz or pkl with two people"
    )
    parser.add_argument(
        "-o", "--out", type=Path, required=True, metavar="OUT", help=".npz, .bvh, .gif or .mp4"
    )
    parser.add_argument(
        "--at",
        default="first",
        metavar="first|middle|last|N",
        help="frame of the motion where the pose stands (%(default)s)",
    )
    parser.add_argument(
        "--frame", type=int, default=0, metavar="N", help="of PAIR, if it is a motion (%(default)s)"
    )
    parser.add_argument("--seconds", type=float, default=3.0, metavar="S", help="(%(default)s)")
    _add_text(parser)
    parser.add_argument("--seed", type=int, metavar="N", help="default: a random one")
    _add_server_options(parser)
    parser.set_defaults(run=run_animate)


def _add_pose(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "pose",
        help="make a two-person pose from a few words, a single pose, or both",
    )
    parser.add_argument(
        "--from", dest="single", type=Path, metavar="SINGLE", help="one person: npz, bvh or pkl"
    )
    parser.add_argument(
        "--frame", type=int, default=0, metavar="N", help="of SINGLE, if it is a motion"
    )
    _add_text(parser)
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="PAIR")
    parser.add_argument("--seed", type=int, metavar="N", help="default: a random one")
    _add_server_options(parser)
    parser.set_defaults(run=run_pose)


def _add_text(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--text", default="", help='what the two do: "they shake hands"')


def _add_server_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--server", metavar="HOST:PORT", help="use this server; default: start one and stop it"
    )
    add_engine_options(parser)


# ----------------------------------------------------------------------------------------- commands
def run_react(args: argparse.Namespace) -> int:
    from engine.body.shape import load_body
    from engine.formats import check_writable, read_motion, read_rig_map, write_motion

    check_writable(args.out)
    if args.report is not None:
        _check_report(args.report)
    body = load_body(args.body)
    rig = None if args.rig is None else read_rig_map(args.rig)
    player = read_motion(args.player, body=body, rig=rig)
    seconds = player.frames / player.frame_rate if args.seconds is None else args.seconds
    played = _played(args, player, seconds)
    write_motion(args.out, played.motion, body)
    report = report_of(played)
    if args.report is not None:
        _write_report(args.report, report)
    print(summary_of(report))
    return 0


def run_demo(args: argparse.Namespace) -> int:
    from engine.body.shape import load_body
    from engine.formats import check_writable, read_motion, write_motion

    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise InputError(f"{args.out}: cannot be made: {exc.strerror}", field="--out") from exc
    picture = args.out / "interaction.gif"
    check_writable(picture)
    body = load_body(args.body)
    print(f"playing {args.seconds:g} s to a live server ...", flush=True)
    played = _played(args, read_motion(DEMO_PLAYER, body=body), args.seconds)
    report = report_of(played)
    write_motion(args.out / "interaction.npz", played.motion, body)
    write_motion(picture, played.motion, body)
    _write_report(args.out / "report.json", report)
    print(summary_of(report))
    print(f"wrote {picture}, interaction.npz and report.json")
    if not args.headless:
        _open_picture(picture)
    return 0


def run_animate(args: argparse.Namespace) -> int:
    from engine.body.shape import load_body
    from engine.formats import check_writable, read_motion, write_motion
    from engine.motion.motion import Motion

    check_writable(args.out)
    body = load_body(args.body)
    if args.pair is None and not args.text:
        raise InputError("animate: give PAIR, --text, or both", field="pair")
    pair = None
    if args.pair is not None:
        pair = _people(read_motion(args.pair, body=body), args.frame, 2, args.pair)
    _check_seed(args.seed)
    frames = frames_of(args.seconds)
    anchor = _anchor_index(args.at, frames)
    with running_server(args) as address:
        made = finished(_generate_motion(address, pair, frames, anchor, args))
    motion = Motion(
        quats_xyzw=made.people.quats_xyzw, transl=made.people.transl, betas=made.people.betas
    )
    write_motion(args.out, motion, body, caption=args.text)
    print(f"{args.out}: {frames} frames, the pose at frame {anchor}; {_how(made)}")
    return 0


def run_pose(args: argparse.Namespace) -> int:
    from engine.body.shape import load_body
    from engine.formats import check_writable, read_motion, write_motion
    from engine.motion.motion import Motion

    check_writable(args.out)
    body = load_body(args.body)
    _check_seed(args.seed)
    if args.single is None and not args.text:
        raise InputError("pose: give --text, --from, or both", field="--text")
    single = None
    if args.single is not None:
        single = _people(read_motion(args.single, body=body), args.frame, 1, args.single)
    with running_server(args) as address:
        made = finished(_generate_pair(address, single, args))
    motion = Motion(
        quats_xyzw=made.people.quats_xyzw[:, None],
        transl=made.people.transl[:, None],
        betas=made.people.betas,
    )
    write_motion(args.out, motion, body, caption=args.text)
    print(f"{args.out}: {_how(made)}")
    return 0


def _people(motion: Motion, frame: int, count: int, path: Path) -> People:
    """The first `count` people of a motion at one frame."""
    from contrapose_client import People

    if motion.people < count:
        raise InputError(
            f"{path}: holds {motion.people} person, {count} are needed; "
            "`contrapose pose --from` invents a partner",
            field="people",
        )
    if not 0 <= frame < motion.frames:
        raise InputError(
            f"--frame: {frame}, but {path} has frames 0..{motion.frames - 1}", field="--frame"
        )
    return People(
        quats_xyzw=motion.quats_xyzw[:count, frame],
        transl=motion.transl[:count, frame],
        betas=motion.betas[:count],
    )


def _anchor_index(at: str, frames: int) -> int:

    named = {"first": 0, "middle": frames // 2, "last": frames - 1}
    if at in named:
        return named[at]
    if not at.isdecimal() or int(at) >= frames:
        raise InputError(
            f"--at: {at!r}, expected first, middle, last or a frame from 0 to {frames - 1}",
            field="--at",
        )
    return int(at)


async def _generate_motion(
    address: str, pair: People | None, frames: int, anchor: int, args: argparse.Namespace
) -> Generated:
    """Animate a pair; without one, the words make it first."""
    from contrapose_client import connect

    settings = {"frames": frames, "anchor_index": anchor, "seed": args.seed, "steps": args.steps}
    async with connect(address) as client:
        if pair is None:
            return await client.generate(args.text, **settings)
        return await client.generate_motion(pair, text=args.text, **settings)


async def _generate_pair(
    address: str, single: People | None, args: argparse.Namespace
) -> Generated:
    from contrapose_client import connect

    async with connect(address) as client:
        return await client.generate_pair(
            text=args.text, single=single, seed=args.seed, steps=args.steps
        )


def _how(made: Generated) -> str:
    info = made.info
    return (
        f"seed {info.seed}, {info.steps} steps, {info.bundle} on {info.backend} ({info.precision})"
    )


def _open_picture(path: Path) -> None:
    """Show it where there is a desktop; elsewhere the path that was printed has to do."""
    import webbrowser

    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(path.resolve().as_uri())


# ---------------------------------------------------------------------------------------- a session
@dataclass(frozen=True, kw_only=True)
class Played:
    """A session as it was shown, and what the server said about it."""

    motion: Motion
    """Both people at 10 frames a second."""
    frames: list[PlanFrame]
    rest_joints: Array
    """(22, 3) of the partner."""
    late_frames: int
    margin_s: Array
    overwritten: int
    accepted: interaction_pb2.SessionAccepted
    summary: interaction_pb2.SessionSummary


def _played(args: argparse.Namespace, player: Motion, seconds: float) -> Played:
    _check_seed(args.seed)
    frames = frames_of(seconds)
    with running_server(args) as address:
        return finished(
            interact(
                address,
                looped(player, frames),
                text=args.text,
                seed=args.seed,
                steps=args.steps,
                horizon_frames=args.horizon,
                mode=args.mode,
                energy=args.energy,
            )
        )


def _check_seed(seed: int | None) -> None:
    if seed is not None and not 0 <= seed < 1 << 64:
        raise InputError(f"--seed: {seed}, expected 0 to 2^64 - 1", field="--seed")


def frames_of(seconds: float) -> int:
    from engine.motion.motion import FRAME_RATE

    if not 0.1 <= seconds <= MOST_SECONDS:
        raise InputError(
            f"--seconds: {seconds:g}, expected 0.1 to {MOST_SECONDS}", field="--seconds"
        )
    return round(seconds * FRAME_RATE)


def looped(player: Motion, frames: int) -> Motion:
    """Person 0 at 10 frames a second for so many frames, back and forth where it is too short."""
    import numpy as np

    from engine.formats import resampled
    from engine.motion.motion import FRAME_RATE, Motion

    source = resampled(player, FRAME_RATE)
    there_and_back = [*range(source.frames), *range(source.frames - 2, 0, -1)]
    index = np.resize(there_and_back, frames)
    return Motion(
        quats_xyzw=source.quats_xyzw[:1, index],
        transl=source.transl[:1, index],
        betas=source.betas[:1],
    )


async def interact(
    address: str,
    player: Motion,
    *,
    text: str = "",
    seed: int | None = None,
    steps: int | None = None,
    horizon_frames: int | None = None,
    mode: str = "react",
    energy: float = 1.0,
) -> Played:
    """Play a motion of 10 frames a second to a server as if it were live; show what comes back."""
    from contrapose_client import connect

    async with (
        connect(address) as client,
        client.interact(
            text=text,
            seed=seed,
            steps=steps,
            horizon_frames=horizon_frames,
            player_betas=player.betas[0],
            mode=mode,
            energy=energy,
        ) as session,
    ):
        begun = time.monotonic()
        await session.send_pose(player.quats_xyzw[0, 0], player.transl[0, 0], 0.0)
        sender = asyncio.create_task(_send_poses(session, player, begun))
        try:
            frames = [frame async for frame in session.frames(player.frames)]
            await sender
            summary = await session.finish()
        finally:
            sender.cancel()
        for event in session.events:
            print(f"contrapose: the server says: {event.text}", file=sys.stderr)
        if mode == "follow_plan":
            player = _led(player, frames)
        return _played_session(session, player, frames, summary)


def _led(player: Motion, frames: list[PlanFrame]) -> Motion:
    """The player as the plan has him."""
    quats, transl = player.quats_xyzw.copy(), player.transl.copy()
    for frame in frames:
        quats[0, frame.index] = frame.player_quats_xyzw
        transl[0, frame.index] = frame.player_transl
    return replace(player, quats_xyzw=quats, transl=transl)


async def _send_poses(session: Interaction, player: Motion, begun: float) -> None:
    """Pose k at begun + k / 10 seconds, as a game would."""
    for index in range(1, player.frames):
        time_code = index / player.frame_rate
        await asyncio.sleep(max(begun + time_code - time.monotonic(), 0.0))
        await session.send_pose(player.quats_xyzw[0, index], player.transl[0, index], time_code)


def _played_session(
    session: Interaction,
    player: Motion,
    frames: list[PlanFrame],
    summary: interaction_pb2.SessionSummary,
) -> Played:
    import numpy as np

    from engine.motion.motion import Motion

    skeleton, report = session.accepted.partner_skeleton, session.playout.report()
    shown = slice(frames[0].index, player.frames)  # from when there was something to show
    motion = Motion(
        quats_xyzw=np.stack(
            [player.quats_xyzw[0, shown], np.stack([f.quats_xyzw for f in frames])]
        ),
        transl=np.stack([player.transl[0, shown], np.stack([f.transl for f in frames])]),
        betas=np.stack([player.betas[0], np.array(skeleton.betas, np.float32)]),
    )
    return Played(
        motion=motion,
        frames=frames,
        rest_joints=rest_joints_of(skeleton),
        late_frames=report.late_frames,
        margin_s=report.margin_s,
        overwritten=report.overwritten,
        accepted=session.accepted,
        summary=summary,
    )


def rest_joints_of(skeleton: types_pb2.Skeleton) -> Array:
    """(22, 3) from the offsets of a skeleton on the wire."""
    import numpy as np

    joints = np.array(skeleton.rest_offsets, np.float64).reshape(-1, 3)
    for joint, parent in enumerate(skeleton.parent_indices):
        if parent >= 0:
            joints[joint] += joints[parent]
    return joints


# -------------------------------------------------------------------------------------- the figures
def report_of(played: Played) -> dict[str, Any]:
    """What `--report` writes."""
    in_time = len(played.margin_s)
    reaction, accepted, summary = played.summary.reaction_ms, played.accepted, played.summary
    return {
        "frames": len(played.frames),
        "late_frames": played.late_frames,
        "reaction_ms": {name: round(getattr(reaction, name), 2) for name in ("p50", "p95", "p99")},
        "steps": accepted.steps,
        "seam_jerk_ratio": seam_jerk_ratio(played),
        "bundle": accepted.bundle,
        "backend": accepted.backend,
        "precision": accepted.precision,
        "seed": accepted.seed,
        "horizon_frames": accepted.horizon_frames,
        "commit_frames": accepted.commit_frames,
        "playout_delay_ms": round(1000 * accepted.playout_delay, 1),
        "least_margin_ms": round(1000 * float(played.margin_s.min()), 1) if in_time else None,
        "generated_frames": sum(frame.quality == "GENERATED" for frame in played.frames),
        "windows": len({frame.window for frame in played.frames} - {0}),
        "revisions": summary.revisions,
        "overwritten_frames": played.overwritten,
        "poses_received": summary.poses_received,
        "poses_dropped": summary.poses_dropped,
        "chunks_coalesced": summary.chunks_coalesced,
    }


def joints_of(played: Played) -> Array:
    """(frame, 22, 3) of the partner in the world, as he was shown."""
    from engine.body.kinematics import forward_kinematics

    motion = played.motion
    joints, _ = forward_kinematics(played.rest_joints, motion.rotmats[1], motion.transl[1])
    return joints


def seam_jerk_ratio(played: Played) -> float | None:
    """Mean jerk of the partner's joints across window seams over that inside windows.

    Jerk is the third difference of joint positions over four frames; they lie across a seam when
    not all four come from one window. None where there is nothing to compare.
    """
    import numpy as np

    joints = joints_of(played)
    jerk = np.linalg.norm(np.diff(joints, n=3, axis=0), axis=-1).mean(axis=-1)
    window = np.array([frame.window for frame in played.frames])
    four = np.lib.stride_tricks.sliding_window_view(window, 4) if len(window) > 3 else window[:0]
    is_inside = np.array([len(set(numbers)) == 1 for numbers in four], bool)
    is_network = np.array([min(numbers) > 0 for numbers in four], bool)
    inside, across = jerk[is_inside & is_network], jerk[~is_inside]
    if len(inside) == 0 or len(across) == 0 or inside.mean() == 0:
        return None
    return round(float(across.mean() / inside.mean()), 3)


def _check_report(path: Path) -> None:
    """Better refused before the session than after it."""
    if not path.parent.is_dir() or path.is_dir():
        raise InputError(
            f"{path}: no report can be written there; name a file in a folder that exists",
            field="--report",
        )


def _write_report(path: Path, report: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(report, indent=2) + "\n")
    except OSError as exc:
        raise InputError(f"{path}: cannot be written: {exc.strerror}", field="--report") from exc


def summary_of(report: dict[str, Any]) -> str:
    """One screen for people."""
    reaction = report["reaction_ms"]
    rows = [
        ("frames", f"{report['frames']} partner frames, {report['late_frames']} late"),
        ("reaction", "p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms".format(**reaction)),
        ("plan", f"{report['windows']} windows, {report['revisions']} revisions"),
        ("seams", f"jerk {report['seam_jerk_ratio']} times that inside windows"),
        ("model", f"{report['bundle']}, {report['steps']} denoising steps"),
        ("backend", f"{report['backend']} ({report['precision']})"),
    ]
    return "\n".join(f"  {name:<10}{value}" for name, value in rows)


# ---------------------------------------------------------------------------------------- refusals
def finished(work: Coroutine[Any, Any, T]) -> T:
    """Run it; refusals of the server become our errors."""
    from contrapose_client import ServerError

    try:
        return asyncio.run(work)
    except ServerError as error:
        raise _translated(error) from error
    except ConnectionError as error:
        from engine.errors import BackendError

        raise BackendError(str(error)) from error


def _translated(error: ServerError) -> ContraposeError:
    import grpc

    from engine import errors

    kinds: dict[grpc.StatusCode, type[ContraposeError]] = {
        grpc.StatusCode.INVALID_ARGUMENT: errors.InputError,
        grpc.StatusCode.FAILED_PRECONDITION: errors.SessionError,
        grpc.StatusCode.RESOURCE_EXHAUSTED: errors.OverloadedError,
        grpc.StatusCode.UNAVAILABLE: errors.OverloadedError,
    }
    return kinds.get(error.code, errors.BackendError)(str(error))
