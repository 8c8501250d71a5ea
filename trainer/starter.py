"""The starter bundle, made from two checkpoints: `python -m trainer.starter`.

Knows where the starter lives, what its manifest says and how large it may be. How a bundle is
written is `export.py`'s, what was measured at which step count a report of `contrapose eval`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.bundle import STARTER, Bundle
from engine.errors import InputError
from trainer.evaluation.schedules import bundle_schedules, default_steps
from trainer.evaluation.subject import load_checkpoint
from trainer.export.export import export_bundle
from trainer.models.animator import Animator
from trainer.models.generator import Generator
from trainer.text.encoder import TextEncoder, make_minilm_text, minilm_text

DESCRIPTION = (
    "Trained on procedural choreography with recorded life; see docs/starter_model_card.md"
)
LICENCE = "Apache-2.0; the text encoder is all-MiniLM-L6-v2 (Apache-2.0, package MIT)"
MOST_BYTES = 25_000_000
STEPS = (4, 8, 10, 20, 50)
UNMEASURED_STEPS = 10


def make_starter(
    animator: Path,
    generator: Path | None,
    out: Path = STARTER,
    *,
    text: TextEncoder | None,
    report: Path | None = None,
    steps: int | None = None,
    counts: Sequence[int] = STEPS,
) -> Bundle:
    """Export the EMA weights of both checkpoints, compact, with text encoder and packaged body.

    report  JSON of `contrapose eval` on this animator, for the quality of its schedules
    steps   the default of sessions; None: the fewest that are as good as the best, or 10
    counts  even schedules beside those the animator was distilled to
    Raises InputError when a checkpoint holds the other network, BundleError when the bundle would
    be larger than MOST_BYTES; what was at `out` stays then.
    """
    networks = [load_checkpoint(path) for path in (animator, generator) if path is not None]
    moves, poses = networks[0], networks[1] if generator is not None else None
    if not isinstance(moves, Animator):
        raise InputError(f"{animator}: holds no animator", field="animator")
    if poses is not None and not isinstance(poses, Generator):
        raise InputError(f"{generator}: holds no generator", field="generator")
    schedules = bundle_schedules(animator, counts, report)
    return export_bundle(
        out,
        animator=moves,
        generator=poses,
        text=text,
        body_file=STARTER.parent / "body.npz",
        name="starter",
        description=DESCRIPTION,
        licence=LICENCE,
        weights="compact",
        steps_default=default_steps(schedules, UNMEASURED_STEPS) if steps is None else steps,
        schedules=schedules,
        generator_steps_default=50,
        guidance=2.5,
        most_bytes=MOST_BYTES,
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m trainer.starter", description=__doc__)
    parser.add_argument("--animator", type=Path, default=Path("runs/animator/checkpoint.pt"))
    parser.add_argument("--generator", type=Path, default=Path("runs/generator/checkpoint.pt"))
    parser.add_argument("--no-generator", action="store_true", help="animator alone")
    parser.add_argument(
        "--new-text-encoder",
        action="store_true",
        help="round MiniLM anew (minutes) instead of taking the encoder that the starter ships; "
        "networks are trained with one encoder and must be exported with it",
    )
    parser.add_argument(
        "--report", type=Path, metavar="JSON", help="of `contrapose eval` on the animator"
    )
    parser.add_argument("--steps", type=int, help="default of sessions (from the report)")
    parser.add_argument(
        "--counts", type=int, nargs="+", default=STEPS, help="even schedules (%(default)s)"
    )
    parser.add_argument("-o", "--out", type=Path, default=STARTER)
    args = parser.parse_args(arguments)
    bundle = make_starter(
        args.animator,
        None if args.no_generator else args.generator,
        args.out,
        text=make_minilm_text() if args.new_text_encoder else minilm_text(),
        report=args.report,
        steps=args.steps,
        counts=args.counts,
    )
    print(bundle.path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
