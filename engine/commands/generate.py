"""`contrapose generate`: a file of prompts in, a folder of motions out.

Knows flags and the terminal; the work is `engine/batch`'s. What is there already is not made again.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.commands.engine_options import add_backend_options, add_steps_option
from engine.errors import InputError
from engine.progress import counted, waiting

if TYPE_CHECKING:
    from engine.batch import BadPrompt, BatchFolder, Outcome, Prompt
    from engine.bundle import Bundle

HELP = """\
Make a motion of every row of a file, and note in DIR/manifest.jsonl how each was made.

PROMPTS.txt     a text a line
PROMPTS.csv     a header with some of these columns, then a row a motion
PROMPTS.jsonl   an object a line, with the same keys:
  text          what the two do
  pair, frame   a file with two people (npz, glb, pkl, ...), and which of its frames
  pose, frame   a file with one person, whom the player starts as
  seed          default: --seed plus the row's number
  seconds, at   length, and where the pair stands: first, middle, last or a frame
  name          of the motion's file; default: the row's number

Begin again, after whatever stopped it, with the same command: what is in DIR and whole stays.
Rows that cannot be understood or made are named, left out and counted.
"""


def add_commands(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "generate",
        help="make thousands of motions from a file of prompts, here or on a Ray cluster",
        description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("prompts", type=Path, metavar="PROMPTS", help=".txt, .csv or .jsonl")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--as", dest="kind", choices=("npz", "glb", "bvh"), default="npz", help="(%(default)s)"
    )
    rows = "where a row says nothing (%(default)s)"
    parser.add_argument("--seed", type=int, default=0, metavar="N", help=rows)
    parser.add_argument("--seconds", type=float, default=3.0, metavar="S", help=rows)
    parser.add_argument("--at", default="first", metavar="FRAME", help=rows)
    add_steps_option(parser)
    parser.add_argument(
        "--no-foot-lock", action="store_true", help="leave planted feet as the network moves them"
    )
    engine = parser.add_argument_group("engine")
    engine.add_argument("--bundle", type=Path, metavar="DIR", help="default: the starter bundle")
    add_backend_options(engine)
    engine.add_argument("--threads", type=int, metavar="N", help="processor cores to use (all)")
    engine.add_argument(
        "--body", type=Path, metavar="NPZ", help="a licensed SMPLX_*.npz in place of the open body"
    )
    ray = parser.add_argument_group("many machines (the extra `ray`)")
    ray.add_argument(
        "--ray", metavar="ADDRESS", help="of a Ray cluster; auto: this machine's; local: a new one"
    )
    ray.add_argument("--engines", type=int, metavar="N", help="default: one a machine")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from engine.batch import BatchFolder, read_prompts
    from engine.batch.prompts import Defaults
    from engine.body.shape import load_body
    from engine.bundle import STARTER, load_bundle

    if args.steps is not None and not 1 <= args.steps <= 50:
        raise InputError.at("--steps", f"{args.steps}, expected 1 to 50")
    defaults = Defaults(seed=args.seed, seconds=args.seconds, at=args.at)
    prompts, bad = read_prompts(args.prompts, defaults)
    _tell_bad(args.prompts, bad)
    if not prompts:
        raise InputError(f"{args.prompts}: asks for no motion", field="prompts")
    bundle = load_bundle(args.bundle or STARTER)
    folder = BatchFolder(args.out, _made_by(args, bundle, load_body(args.body).name))
    wanted = [prompt for prompt in prompts if not folder.holds(prompt)]
    there = len(prompts) - len(wanted)
    with _told_to_stop(folder), ExitStack() as opened:
        with waiting("loading the engine"):
            outcomes = _outcomes(args, bundle, wanted, opened)
        begun = time.monotonic()
        failed = 0
        for outcome in counted(outcomes, "generate", len(wanted), "motions"):
            if outcome.entry is None:
                failed += 1
                print(f"{args.prompts}:{outcome.prompt.line}: {outcome.problem}", file=sys.stderr)
            else:
                folder.add(outcome.entry)
                if outcome.notice:
                    at = f"{args.prompts}:{outcome.prompt.line}"
                    print(f"{at}: {outcome.notice}", file=sys.stderr)
        made, seconds = len(wanted) - failed, time.monotonic() - begun
    folder.close()
    an_hour = 3600 * made / max(seconds, 1e-9)
    print(
        f"{args.out}: {made} motions made in {seconds:.0f} s ({an_hour:.0f} an hour), "
        f"{there} were there, {len(bad) + failed} rows left out"
    )
    return 0 if made + there else 1


@contextmanager
def _told_to_stop(folder: BatchFolder) -> Iterator[None]:
    """SIGTERM does what Ctrl-C does while the block runs: it ends with one line."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        folder.close()
        print(
            f"{folder.path}: stopped; it holds {len(folder.entries)} motions, and the same command "
            "goes on",
            file=sys.stderr,
        )
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _made_by(args: argparse.Namespace, bundle: Bundle, body: str) -> dict[str, Any]:
    manifest = bundle.manifest
    return {
        "bundle": manifest.name,
        "digest": manifest.digest,
        "body": body if args.body else "of the bundle",
        "steps": args.steps or manifest.animator.steps_default,
        "foot_lock": not args.no_foot_lock,
        "kind": args.kind,
    }


def _outcomes(
    args: argparse.Namespace, bundle: Bundle, prompts: list[Prompt], opened: ExitStack
) -> Iterator[Outcome]:
    """On the cluster, or here; returns when there is an engine, which is `opened`."""
    if not prompts:
        return iter(())
    compute = {
        "backend": args.backend,
        "device": args.device,
        "precision": args.precision,
        "threads": args.threads,
        "body": args.body,
    }
    making = {"steps": args.steps, "foot_lock": not args.no_foot_lock}
    suffix = f".{args.kind}"
    if args.ray is not None:
        from engine.batch.cluster import made_on_cluster

        return made_on_cluster(
            args.ray,
            prompts,
            engines=args.engines,
            cpus=args.threads or 1,
            bundle=bundle.path,
            compute=compute,
            making=making,
            folder=args.out.resolve(),
            suffix=suffix,
        )
    from engine.batch import made_motions, open_engines
    from engine.sampling.loaded import ComputeConfig

    config = ComputeConfig(bundle=bundle, **compute)
    engines = open_engines(config, prompts=len(prompts), **making)
    for engine in engines:
        opened.callback(engine.close)
    return made_motions(engines, prompts, args.out, suffix)


def _tell_bad(path: Path, bad: list[BadPrompt]) -> None:
    for row in bad:
        print(f"{path}:{row.line}: {row.problem}; left out", file=sys.stderr)
