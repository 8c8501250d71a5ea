"""`contrapose bundle info|verify|run|build`: look into a bundle, check it, execute its graphs.

Knows files and arguments; the work is in `engine.bundle` and `engine.sampling.sampler`.
"""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.arrays import Array
from engine.bundle import STARTER, Bundle, ScheduleSpec, load_bundle
from engine.commands import bundle_build
from engine.commands.engine_options import add_backend_options
from engine.errors import ConfigError, InputError

if TYPE_CHECKING:
    from engine.sampling.models import Models

MOST_LISTED = 10
"""Timesteps of a schedule that `info` lists one by one."""
ANIMATOR_SHAPES: Mapping[str, tuple[int, ...]] = {
    "noise": (2, 30, 135),
    "known": (2, 30, 135),
    "known_mask": (2, 30, 1),
    "anchor": (2, 135),
    "anchor_joints": (2, 22, 3),
}
GENERATOR_SHAPES: Mapping[str, tuple[int, ...]] = {
    "noise": (2, 201),
    "pose": (2, 201),
    "pose_mask": (2,),
}
RUN_HELP = """\
Denoises the arrays of IN.npz with the bundle's compiled graphs and writes x0 to OUT.npz.
B is any number of rows; a row's result does not depend on the others.

animator:   noise (B,2,30,135), known (B,2,30,135) absolute pose features, known_mask (B,2,30,1),
            anchor (B,2,135), anchor_joints (B,2,22,3); and text (B, text width; zeros for none)
            if the animator takes text                    -> x0 (B,2,30,135), residual to the anchor
generator:  noise (B,2,201), pose (B,2,201), pose_mask (B,2), text (B, text width; zeros for none),
            guidance (one number, or B)                   -> x0 (B,2,201)
"""


def add_commands(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser("bundle", help="look into a bundle, check it, run its graphs")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    info = actions.add_parser("info", help="what a bundle holds")
    _add_bundle(info, is_optional=True)
    info.set_defaults(run=_info)

    verify = actions.add_parser("verify", help="compare every file with the manifest")
    _add_bundle(verify, is_optional=True)
    verify.set_defaults(run=_verify)

    bundle_build.add_action(actions)

    run = actions.add_parser(
        "run",
        help="denoise given arrays",
        description=RUN_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_bundle(run, is_optional=False)
    run.add_argument("network", choices=("animator", "generator"))
    run.add_argument("input", type=Path, metavar="IN.npz")
    run.add_argument("-o", "--out", type=Path, required=True, metavar="OUT.npz")
    run.add_argument(
        "--steps", type=int, metavar="K", help="denoiser calls (default: the bundle's own)"
    )
    add_backend_options(run)
    run.set_defaults(run=_run)


def _add_bundle(parser: argparse.ArgumentParser, *, is_optional: bool) -> None:
    parser.add_argument(
        "bundle",
        type=Path,
        metavar="BUNDLE",
        nargs="?" if is_optional else None,
        default=STARTER,
        help="a bundle's directory" + (" (default: the starter bundle)" if is_optional else ""),
    )


def _info(args: argparse.Namespace) -> int:
    bundle = load_bundle(args.bundle)
    manifest = bundle.manifest
    size = sum(record.bytes for record in manifest.files.values())
    animator, generator, text = manifest.animator, manifest.generator, manifest.text
    lines = {
        "bundle": f"{manifest.name} ({bundle.path})",
        "made": manifest.created,
        "licence": manifest.licence,
        "about": manifest.description,
        "size": f"{size / 1e6:.1f} MB in {len(manifest.files)} files, all verified",
        "animator": f"{animator.layers} layers, width {animator.width}, {animator.heads} heads; "
        f"{animator.window_frames} frames a window, {animator.history_frames} of history; "
        f"{animator.steps_default} steps; {animator.precision} products; "
        + (f"text of width {animator.text_width}" if animator.text_width else "no text"),
        "steps": "\n           ".join(map(schedule_line, animator.schedules)) or "evenly spaced",
        "generator": f"{generator.layers} layers, width {generator.width}, "
        f"{generator.heads} heads; {generator.steps_default} steps, guidance {generator.guidance}"
        if generator
        else "none",
        "text": f"{text.kind}, at most {text.max_tokens} tokens" if text else "none",
        "body": manifest.body.file if manifest.body else "the packaged one",
    }
    for name, value in lines.items():
        print(f"{name:10} {value}")
    return 0


def schedule_line(schedule: ScheduleSpec) -> str:
    """Such as: 2 (700 0): FID 12.1, contact 0.62, jerk 14 m/s3, skating 2.1 cm/s."""
    timesteps = list(map(str, schedule.timesteps))
    if len(timesteps) > MOST_LISTED:
        timesteps[2:-1] = ["..."]
    start = f"{schedule.steps} ({' '.join(timesteps)})"
    quality = schedule.quality
    if quality is None:
        return f"{start}: not measured"
    return (
        f"{start}: FID {quality.fid:.3g}, contact "
        f"{quality.contact_ratio:.2f}, jerk {quality.jerk_m_s3:.3g} m/s3, skating "
        f"{quality.foot_skating_cm_s:.2g} cm/s"
    )


def _verify(args: argparse.Namespace) -> int:
    bundle = load_bundle(args.bundle)
    print(f"{bundle.path}: {len(bundle.manifest.files)} files as the manifest says")
    return 0


# ----------------------------------------------------------------------------- run
def _run(args: argparse.Namespace) -> int:
    from engine.backends import open_backend
    from engine.sampling.models import load_models

    bundle = load_bundle(args.bundle)
    execute = _run_animator if args.network == "animator" else _run_generator
    arrays = _read_arrays(args.input)
    backend = open_backend(
        args.backend, precision=args.precision, cache_dir=None, device=args.device
    )
    models = load_models(bundle, backend, is_lazy=True)
    x0 = execute(bundle, models, args.input, arrays, args.steps)
    _write(args.out, x0)
    print(f"{args.out}: x0 {x0.shape}, {backend.name} {backend.precision}")
    return 0


def _run_animator(
    bundle: Bundle, models: Models, path: Path, arrays: Mapping[str, Array], steps: int | None
) -> Array:
    from engine.sampling.sampler import sample_animator

    spec = bundle.manifest.animator
    text_shape = {"text": (spec.text_width,)} if spec.text_width else {}
    inputs = _checked(path, arrays, {**ANIMATOR_SHAPES, **text_shape})
    return sample_animator(models, **inputs, steps=spec.steps_default if steps is None else steps)


def _run_generator(
    bundle: Bundle, models: Models, path: Path, arrays: Mapping[str, Array], steps: int | None
) -> Array:
    from engine.sampling.pairs import sample_generator

    spec = bundle.manifest.generator
    if spec is None:
        raise ConfigError(f"{bundle.path}: holds no generator", field="network")
    inputs = _checked(path, arrays, {**GENERATOR_SHAPES, "text": (spec.text_width,)})
    guidance = _guidance(path, arrays, len(inputs["noise"]))
    steps = spec.steps_default if steps is None else steps
    return sample_generator(models, **inputs, guidance=guidance, steps=steps)


def _read_arrays(path: Path) -> dict[str, Array]:
    """Every array of an .npz file. Nothing in it is executed: pickled objects are refused."""
    try:
        with path.open("rb") as stream:
            archive = np.load(stream, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("it holds one array without a name")
            return {name: archive[name] for name in archive.files}
    except OSError as exc:
        raise InputError(f"{path}: cannot be read: {exc.strerror or exc}", field="input") from exc
    except (ValueError, EOFError, zipfile.BadZipFile) as exc:
        raise InputError(f"{path}: not an .npz of plain arrays: {exc}", field="input") from exc


def _checked(
    path: Path, arrays: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, Array]:
    """The named arrays as float32, all of (B, *shape). Raises InputError naming file and array."""
    checked = {name: _numbers(path, arrays, name) for name in shapes}
    rows = checked["noise"].shape[0] if checked["noise"].ndim else 0
    for name, shape in shapes.items():
        if rows < 1 or checked[name].shape != (rows, *shape):
            expected = ("B", *shape) if rows < 1 or name == "noise" else (rows, *shape)
            listed = ", ".join(map(str, expected))
            raise InputError(
                f"{path}: {name} has shape {checked[name].shape}, must be ({listed})", field=name
            )
    return checked


def _guidance(path: Path, arrays: Mapping[str, Array], rows: int) -> Array:
    guidance = _numbers(path, arrays, "guidance")
    if guidance.size not in (1, rows) or guidance.ndim > 1:
        raise InputError(
            f"{path}: guidance has shape {guidance.shape}, must be one number or ({rows},)",
            field="guidance",
        )
    return guidance


def _numbers(path: Path, arrays: Mapping[str, Array], name: str) -> Array:
    if name not in arrays:
        raise InputError(
            f"{path}: array {name} is missing; found {', '.join(sorted(arrays)) or 'none'}",
            field=name,
        )
    array = arrays[name]
    if array.dtype.kind not in "fiub":
        raise InputError(f"{path}: {name} is {array.dtype}, must be numbers", field=name)
    with np.errstate(over="ignore"):
        array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise InputError(f"{path}: {name} holds NaN or infinity", field=name)
    return array


def _write(path: Path, x0: Array) -> None:
    try:
        with path.open("wb") as stream:
            np.savez(stream, x0=x0)
    except OSError as exc:
        raise InputError(f"{path}: cannot be written: {exc.strerror}", field="out") from exc
