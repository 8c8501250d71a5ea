"""`contrapose replay`: run recorded sessions again, and prove that they do the same."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.bundle import Bundle
    from engine.sampling.models import Models
    from engine.session.replay import MadeWith, RecordingFile, ReplayReport

HOW_IT_WAS_COMPUTED = ("device", "precision")
"""Without these the bits cannot be the same."""


def add_commands(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "replay",
        help="run recorded sessions again and compare, bit for bit",
        description="Makes every call into the session again that `serve --record` wrote down, "
        "denoises every window again with the bundle's graphs, and compares every frame that was "
        "sent. Exit code 1 if one differs. Needs the bundle and the kind of machine it was "
        "recorded with.",
    )
    parser.add_argument("recording", type=Path, metavar="FILE|DIR")
    parser.add_argument(
        "--bundle", type=Path, metavar="DIR", help="default: where it was, else the starter"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from engine.session.replay import read_recording, recordings_in, replayed

    is_different = False
    loaded: dict[MadeWith, Models] = {}
    results: list[dict[str, Any]] = []
    for path in recordings_in(args.recording):
        recording = read_recording(path)
        made_with = recording.made_with()
        if made_with not in loaded:
            loaded[made_with] = _models(path, made_with, args.bundle)
        report = replayed(recording, loaded[made_with])
        is_different |= report.difference is not None
        results.append({"file": str(path), "is_cut": recording.is_cut, **asdict(report)})
        if not args.json:
            print(summary_of(recording, report), flush=True)
    if args.json:
        print(json.dumps({"files": results, "is_same": not is_different}, indent=2))
    return 1 if is_different else 0


def summary_of(recording: RecordingFile, report: ReplayReport) -> str:
    """One line for people."""
    compared = f"{report.frames} frames and {report.windows} windows"
    cut = "; its last record is cut off" if recording.is_cut else ""
    difference = report.difference
    if difference is None:
        return f"{recording.path.name}: {compared} are the same, bit for bit{cut}"
    where = "" if difference.frame is None else f" at frame {difference.frame}"
    if difference.joint is not None:
        unit = "m" if difference.joint == "transl" else "rad"
        where += f", {difference.person}, {difference.joint}: off by {difference.amount:.3g} {unit}"
    return f"{recording.path.name}: DIFFERS after {compared}: {difference.what}{where}{cut}"


def _models(path: Path, made_with: MadeWith, bundle_path: Path | None) -> Models:
    """The graphs that the recording was made with.

    Raises BundleError or ConfigError that says what is not the same.
    """
    from engine.backends import open_backend
    from engine.errors import ConfigError
    from engine.sampling.models import load_models

    bundle = _bundle(path, made_with, bundle_path)
    backend = open_backend(
        made_with.backend, precision=made_with.precision, threads=made_with.threads
    )
    for name in HOW_IT_WAS_COMPUTED:
        if getattr(backend, name) != getattr(made_with, name):
            raise ConfigError(
                f"{path}: recorded with {name} {getattr(made_with, name)!r}, this is "
                f"{getattr(backend, name)!r}: the bits would differ; replay it on such a machine",
                field=name,
            )
    return load_models(bundle, backend, buckets=made_with.buckets, is_lazy=True)


def _bundle(path: Path, made_with: MadeWith, bundle_path: Path | None) -> Bundle:
    from engine.bundle import STARTER, load_bundle
    from engine.errors import BundleError

    wanted = made_with.bundle_digest
    candidates = [Path(made_with.bundle_path), STARTER] if bundle_path is None else [bundle_path]
    for candidate in candidates:
        if bundle_path is None and not candidate.is_dir():
            continue
        bundle = load_bundle(candidate)
        if bundle.manifest.digest == wanted:
            return bundle
    listed = ", ".join(str(candidate) for candidate in candidates)
    raise BundleError(
        f"{path}: recorded with bundle {made_with.bundle} (manifest {wanted[:12]}...); "
        f"not the same: {listed}; give it with --bundle",
        field="bundle",
        reason="OTHER_BUNDLE",
    )
