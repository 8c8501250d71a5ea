"""`contrapose bundle build`: compile every graph now, so that a server starts at once.

With `--precision int8` a new bundle is made first, whose animator is int8. That needs clips and the
trainer (`full_size.py` says how the trainer offers it).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from engine.backends.open import default_cache_dir, open_backend
from engine.backends.processor import INT8_PROCESSORS
from engine.backends.protocol import PRECISIONS
from engine.bundle import STARTER, Bundle, load_bundle
from engine.commands.engine_options import add_backend_options
from engine.commands.full_size import QUANTISE, trainer_offers
from engine.errors import BackendError, ConfigError

if TYPE_CHECKING:
    from engine.backends import Backend, Precision

INT8 = "int8"
BAR = 30
"""Characters of the progress bar."""
HELP = f"""\
Compiles every graph of a bundle into the cache, so that `contrapose serve` with the same backend,
precision and threads starts at once. Another library version, processor or setting compiles again.

With --precision int8 the animator's denoiser is quantised first (post-training, ranges from clips
that `contrapose data` made) and a new bundle is written, which any command then takes. It is meant
for {INT8_PROCESSORS};
any other runs it in float, right but no faster than the bundle that it was made from.
"""


def add_action(actions: argparse._SubParsersAction[Any]) -> None:
    parser = actions.add_parser(
        "build",
        help="compile a bundle ahead of time; quantise it to int8",
        description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "bundle",
        type=Path,
        metavar="BUNDLE",
        nargs="?",
        default=STARTER,
        help="a bundle's directory (default: the starter bundle)",
    )
    add_backend_options(parser, (*PRECISIONS, INT8))
    parser.add_argument(
        "--buckets",
        type=int,
        nargs="+",
        metavar="N",
        help="batch sizes of the animator's denoiser (default: those that a server uses)",
    )
    parser.add_argument("--threads", type=int, metavar="N", help="threads of the backend")
    parser.add_argument(
        "--calibrate", type=Path, metavar="CLIPS", help="int8: a folder that contrapose data made"
    )
    parser.add_argument("-o", "--out", type=Path, metavar="BUNDLE", help="int8: the new bundle")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if args.buckets and min(args.buckets) < 1:
        raise ConfigError(f"buckets holds {min(args.buckets)}, must be at least 1", field="buckets")
    bundle = load_bundle(args.bundle)
    if args.precision == INT8:
        bundle = _int8_bundle(bundle, args.calibrate, args.out)
        print(f"{bundle.path}: int8 is meant for {INT8_PROCESSORS}; others run it in float")
    elif args.calibrate or args.out:
        raise ConfigError(
            "--calibrate and --out are for --precision int8: what is compiled goes to the cache",
            field="calibrate" if args.calibrate else "out",
        )
    precision: Precision = "auto" if args.precision == INT8 else args.precision

    def opened() -> Backend:
        return open_backend(
            args.backend, precision=precision, threads=args.threads, device=args.device
        )

    started = time.perf_counter()
    backend = opened()
    buckets = tuple(args.buckets or backend.buckets)
    count = build(bundle, backend, buckets, sys.stderr)
    seconds = time.perf_counter() - started
    backend.close()
    print(
        f"{bundle.path}: {count} graphs compiled in {seconds:.1f} s for {backend.name} "
        f"{backend.precision}, animator {bundle.manifest.animator.precision}, batches of "
        f"{', '.join(map(str, buckets))}"
    )
    print(f"cache: {default_cache_dir() or 'none, for there is no home directory'}")
    print(f"a later start takes {_start_s(bundle, opened(), buckets):.1f} s")
    return 0


def build(bundle: Bundle, backend: Backend, buckets: Sequence[int], out: TextIO) -> int:
    """Compile a bundle's graphs one after the other, with a bar; returns how many they were."""
    from engine.backends.tensorrt import TensorRtBackend

    graphs = [name for name in bundle.manifest.required_files() if name.endswith(".onnx")]
    units: list[tuple[str, tuple[int, ...]]] = [
        (name, (bucket,) if bucket else ())
        for name in graphs
        for bucket in (buckets if name == "animator/step.onnx" else (0,))
    ]
    for done, (name, sizes) in enumerate(units):
        show = partial(show_bar, out, total=len(units), what=f"{name} {sizes[0] if sizes else ''}")
        show(done)
        if isinstance(backend, TensorRtBackend):  # each of its graphs takes minutes
            backend.progress = lambda part, show=show, done=done: show(done + part)
        backend.load(bundle.file(name), sizes)
    show_bar(out, len(units), len(units), "")
    out.write("\n" if out.isatty() else "")
    return len(units)


def show_bar(out: TextIO, done: float, total: int, what: str) -> None:
    """One line that is written over, on a terminal only."""
    if out.isatty():
        full = int(BAR * done / total)
        out.write(f"\r[{'#' * full}{'.' * (BAR - full)}] {int(done)}/{total} {what:<28}")
        out.flush()


def _start_s(bundle: Bundle, backend: Backend, buckets: Sequence[int]) -> float:
    from engine.sampling.models import load_models

    started = time.perf_counter()
    load_models(bundle, backend, buckets=buckets)
    seconds = time.perf_counter() - started
    backend.close()
    return seconds


def _int8_bundle(source: Bundle, clips: Path | None, out: Path | None) -> Bundle:
    """The bundle itself if it is int8 already, else a new one made of it."""
    if source.manifest.animator.precision == INT8 and clips is None and out is None:
        return source
    for field, value in (("calibrate", clips), ("out", out)):
        if value is None:
            raise ConfigError(
                f"--precision int8 needs --{field}: give clips that `contrapose data` made, and "
                "the path of the new bundle",
                field=field,
            )
    offers = trainer_offers(QUANTISE)
    if offers is None:
        raise BackendError(
            "int8 needs the trainer: pip install 'contrapose[quantise]'",
            field="precision",
            reason="EXTRA_MISSING",
        )
    bundle = offers["quantise_bundle"](source.path, out, clips)
    assert isinstance(bundle, Bundle)
    return bundle
