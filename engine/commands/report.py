"""The figures of a played session: how smoothly and how soon the partner reacted.

Knows what was played and shown; no server and no client.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.arrays import Array
from engine.body.pose import Pose
from engine.errors import InputError

if TYPE_CHECKING:
    from engine.commands.live_client import PlayedSession


def report_of(played: PlayedSession) -> dict[str, Any]:
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


def joints_of(played: PlayedSession) -> Array:
    """(frame, 22, 3) of the partner in the world, as shown."""
    motion = played.motion
    joints, _ = Pose(motion.rotmats[1], motion.transl[1]).in_world(played.rest_joints)
    return joints


def seam_jerk_ratio(played: PlayedSession) -> float | None:
    """Mean jerk of the partner's joints across window seams over that inside windows.

    Jerk is the third difference of joint positions over four frames; they lie across a seam when
    not all four come from one window. None where there is nothing to compare.
    """
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


def check_report(path: Path) -> None:
    """Better refused before the session than after it."""
    if not path.parent.is_dir() or path.is_dir():
        raise InputError(
            f"{path}: no report can be written there; name a file in a folder that exists",
            field="--report",
        )


def write_report(path: Path, report: dict[str, Any]) -> None:
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
