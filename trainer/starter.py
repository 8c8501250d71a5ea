"""The starter bundle, made from two checkpoints: `python -m trainer.starter`.

Knows where the starter lives, what its manifest says and how large it may be. How a bundle is
written is `export/bundles.py`'s; what was measured at which step count, a report of `contrapose
eval`'s.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.bundle import INTENT_FILE, KINDS_FILE, STARTER, Bundle
from engine.errors import ContraposeError
from trainer.export.bundles import export_bundle
from trainer.export.schedules import bundle_schedules, default_steps
from trainer.models.animator.family import FAMILY as ANIMATOR
from trainer.models.animator.network import Animator
from trainer.models.checkpoints import load_network
from trainer.models.generator.family import FAMILY as GENERATOR
from trainer.models.generator.network import Generator
from trainer.text.encoder import TextEncoder
from trainer.text.minilm import make_minilm_text, minilm_text

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
    intent: Path = STARTER / INTENT_FILE,
    kinds: Path = STARTER / KINDS_FILE,
    report: Path | None = None,
    steps: int | None = None,
    counts: Sequence[int] = STEPS,
) -> Bundle:
    """Export the EMA weights of both checkpoints, compact, with text encoder and packaged body.

    intent  of `python -m trainer.intent.train`
    kinds   of `python -m trainer.text.kinds`
    report  JSON of `contrapose eval` on this animator, for the quality of its schedules
    steps   the default of sessions; None: the fewest that are as good as the best, or 10
    counts  even schedules beside those the animator was distilled to
    Raises InputError when a checkpoint holds the other network, BundleError when the bundle would
    be larger than MOST_BYTES; what was at `out` stays then.
    """
    schedules = bundle_schedules(animator, counts, report)
    parts = [
        ANIMATOR.part(
            load_network(animator, Animator),
            schedules=schedules,
            steps_default=default_steps(schedules, UNMEASURED_STEPS) if steps is None else steps,
        )
    ]
    if generator is not None:
        parts.append(GENERATOR.part(load_network(generator, Generator)))
    return export_bundle(
        out,
        parts,
        text=text,
        body_file=STARTER.parent / "body.npz",
        intent_file=intent,
        kinds_file=kinds,
        name="starter",
        description=DESCRIPTION,
        licence=LICENCE,
        weights="compact",
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
        "--intent",
        type=Path,
        default=STARTER / INTENT_FILE,
        metavar="NPZ",
        help="of `python -m trainer.intent.train` (the one that the starter ships)",
    )
    parser.add_argument(
        "--kinds",
        type=Path,
        default=STARTER / KINDS_FILE,
        metavar="NPZ",
        help="of `python -m trainer.text.kinds` (the one that the starter ships)",
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
    try:
        bundle = make_starter(
            args.animator,
            None if args.no_generator else args.generator,
            args.out,
            text=make_minilm_text() if args.new_text_encoder else minilm_text(),
            intent=args.intent,
            kinds=args.kinds,
            report=args.report,
            steps=args.steps,
            counts=args.counts,
        )
    except ContraposeError as error:
        print(f"trainer.starter: error: {error}", file=sys.stderr)
        return 2
    print(bundle.path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
