"""`contrapose bench session`: what one live session costs in Python, besides the denoiser.

Drives a real session with the recorded player, from the bytes that come in to those that go out;
the windows are real too, but denoised while no clock runs. Knows sessions, messages and figures; no
server and no network.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from engine.arrays import Array
from engine.bench.figures import check_within
from engine.body.capsules import fitted_capsules
from engine.body.pose import Pose
from engine.body.shape import load_body
from engine.bundle import STARTER, Bundle, load_bundle
from engine.motion.intent import IntentNet
from engine.motion.motion import FRAME_RATE

if TYPE_CHECKING:
    from engine.sampling.request import WindowRequest
    from engine.session.asking import WantedWindow
    from engine.session.config import SessionConfig
    from engine.session.session import Chunk

SUMMARY = "CPU time of one live session, by part, besides the denoiser"
HELP = """\
CPU time (of the one thread that runs sessions) that a live session takes, by part:

read    a pose from its bytes to rotations, checked
feed    the pose onto the session's track
accept  a denoised window back into the world
merge   the tick that joins it to the plan: seams, clean-up, feet, contacts, zone
ask     a tick that asks for a window
tick    any other
encode  frames to send, to their bytes

The player is the shipped recording. Every 4 frames a window is asked for, the most that a session
does; it arrives half a frame later. Three sessions: without layers, with a zone around the player
as well, and with the layers that `serve` has on. Means, 95 % and largest are of single calls, in
milliseconds; the last column is milliseconds for each second of the session.
"""
PARTS = ("read", "feed", "accept", "merge", "ask", "tick", "encode")
SEED = 7
NOISE = 0.05
"""Standard deviation of the features of `--noise` windows at their ends."""
SETTLING_FRAMES = 20
"""Frames before anything is counted: caches fill, the first window comes."""

T = TypeVar("T")
Sample = Callable[[list["WindowRequest"]], Array]
"""Denoises windows: (n, 2, 30, 135)."""


@dataclass
class Stopwatch:
    """CPU milliseconds of this thread, call by call."""

    calls: dict[str, list[float]] = field(default_factory=lambda: {part: [] for part in PARTS})
    is_counting: bool = False

    def timed(self, call: Callable[[], T], part: str | Callable[[T], str]) -> T:
        """What the call gives; its time goes to `part`, which may depend on what it gave."""
        started = time.thread_time()
        result = call()
        spent = 1000 * (time.thread_time() - started)
        if self.is_counting:
            self.calls[part if isinstance(part, str) else part(result)].append(spent)
        return result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", type=Path, default=STARTER, help="(default: the starter)")
    parser.add_argument(
        "--noise", action="store_true", help="smooth random windows, instead of a bundle's"
    )
    parser.add_argument("--seconds", type=int, default=20, metavar="S", help="(%(default)s)")
    parser.add_argument(
        "--rate", type=int, default=30, metavar="F", help="player poses a second (%(default)s)"
    )
    parser.add_argument(
        "--zone-radius", type=float, default=0.3, metavar="M", help="of the zone (%(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    from engine.sampling.loaded import intent_of
    from engine.session.config import SessionConfig

    check_within(args, seconds=(1, 3600), rate=(1, 240))
    plain = SessionConfig(departure_threshold=0.0)
    configs = {
        "plain": plain,
        "zone": replace(plain, zone_radius=args.zone_radius),
        "layers": replace(plain, guard=True, company=True, responses=True),
    }
    bundle = load_bundle(args.bundle)
    intent = intent_of(bundle)
    sample = _sampler(bundle, is_noise=args.noise)
    rows = {
        name: _figures(measured(config, intent, sample, args.seconds, args.rate), args.seconds)
        for name, config in configs.items()
    }
    if args.json:
        print(json.dumps({"seconds": args.seconds, "rate": args.rate, "sessions": rows}, indent=2))
    else:
        for name, figures in rows.items():
            _print_table(name, figures)
    return 0


def _sampler(bundle: Bundle, *, is_noise: bool) -> Sample:
    from engine.testing import noisy_windows

    if is_noise:
        return noisy_windows(NOISE)
    from engine.backends import open_backend
    from engine.sampling.models import load_models
    from engine.sampling.sampler import sample_windows

    models = load_models(bundle, open_backend(threads=1), buckets=(1,))
    return lambda requests: sample_windows(models, requests)


# ----------------------------------------------------------------------------- measuring
def measured(
    config: SessionConfig, intent: IntentNet | None, sample: Sample, seconds: int, rate: int
) -> Stopwatch:
    """One session of so many seconds, with `rate` player poses a second."""
    from contrapose.v1 import interaction_pb2

    from engine.sampling.request import SampledWindow
    from engine.serving.tracked_player import TrackedPlayer, calibration_from_wire
    from engine.session.session import Session, Tick

    body = load_body()
    betas = np.zeros((2, 10), np.float32)
    player = TrackedPlayer(calibration_from_wire(interaction_pb2.SessionHeader(), body))
    session = Session(
        config,
        rest_joints=body.rest_joints(betas),
        seed=SEED,
        capsules=(fitted_capsules(body, betas[0]), fitted_capsules(body, betas[1])),
        intent=intent,
    )
    watch = Stopwatch()

    def read(data: bytes) -> tuple[float, Pose]:
        pose = interaction_pb2.StreamInteractionRequest.FromString(data).pose
        return pose.time_code, player.pose_at(pose.time_code, player.read(pose))

    def tick(now: float, name: Callable[[Tick], str]) -> tuple[WantedWindow, ...]:
        tick = watch.timed(lambda: session.tick(now), name)
        if tick.chunk is not None:
            chunk = tick.chunk
            watch.timed(lambda: _bytes_of(chunk), "encode")
        return tick.wanted

    poses = _recorded_poses(rate)
    due, data = next(poses)
    for frame in range(SETTLING_FRAMES + round(seconds * FRAME_RATE)):
        watch.is_counting = frame >= SETTLING_FRAMES
        now = frame / FRAME_RATE
        while due <= now:
            pose = watch.timed(partial(read, data), "read")
            watch.timed(partial(session.feed, *pose), "feed")
            due, data = next(poses)
        wanted = tick(now, lambda tick: "ask" if tick.wanted else "tick")
        while wanted:
            x0 = sample([wanted[0].request])[0]
            watch.timed(partial(session.accept, wanted[0].ticket, SampledWindow(x0=x0)), "accept")
            wanted = tick(now + 0.5 / FRAME_RATE, lambda _: "merge")
    return watch


def _bytes_of(chunk: Chunk) -> bytes:
    from contrapose.v1 import interaction_pb2, types_pb2

    from engine.serving.chunk_wire import frames_to_wire

    message = types_pb2.FrameChunk(frames=frames_to_wire(chunk.frames, chunk.curls))
    return interaction_pb2.StreamInteractionResponse(frames=message).SerializeToString()


def _recorded_poses(rate: int) -> Iterator[tuple[float, bytes]]:
    """Endless: when poses of the shipped recording come, back and forth, and their messages."""
    from contrapose.v1 import interaction_pb2, types_pb2

    from engine.commands.recorded_player import DEMO_PLAYER
    from engine.formats import read_motion, resampled

    motion = resampled(read_motion(DEMO_PLAYER), rate)
    there_and_back = [*range(motion.frames), *range(motion.frames - 2, 0, -1)]
    for number, frame in enumerate(cycle(there_and_back)):
        body = types_pb2.BodyPose(
            root_translation=motion.transl[0, frame].tolist(),
            rotations=motion.quats_xyzw[0, frame].ravel().tolist(),
        )
        pose = interaction_pb2.PlayerPose(sequence=number + 1, time_code=number / rate, body=body)
        request = interaction_pb2.StreamInteractionRequest(pose=pose)
        yield number / rate, request.SerializeToString()


# ----------------------------------------------------------------------------- reporting
def _figures(watch: Stopwatch, seconds: int) -> dict[str, Any]:
    """Of each part: calls, mean, 95 % and largest in ms, and ms a second; and of all together."""
    parts = {
        part: {
            "calls": len(spent),
            "mean_ms": float(np.mean(spent)),
            "p95_ms": float(np.percentile(spent, 95)),
            "max_ms": float(np.max(spent)),
            "ms_per_s": float(np.sum(spent)) / seconds,
        }
        for part, spent in watch.calls.items()
        if spent
    }
    return {"parts": parts, "ms_per_s": sum(part["ms_per_s"] for part in parts.values())}


def _print_table(name: str, figures: dict[str, Any]) -> None:
    print(f"{name:8}   calls    mean     95%     max    ms/s")
    for part, row in figures["parts"].items():
        print(
            f"{part:8}{row['calls']:8}{row['mean_ms']:8.2f}{row['p95_ms']:8.2f}"
            f"{row['max_ms']:8.2f}{row['ms_per_s']:8.2f}"
        )
    print(f"{'all':40}{figures['ms_per_s']:8.2f}")
