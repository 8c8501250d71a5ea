"""The starter bundle, made from two checkpoints: `python -m trainer.starter`.

Knows where the starter lives, what its manifest says and how large it may be. How a bundle is
written is `export.py`'s, what was measured at which step count a report of `contrapose eval`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.bundle import STARTER, Bundle, ScheduleSpec
from engine.errors import InputError
from trainer.evaluator.subject import load_checkpoint
from trainer.export import even_schedules, export_bundle
from trainer.models.animator import Animator
from trainer.models.generator import Generator
from trainer.text import TextEncoder, make_minilm_text, minilm_text

DESCRIPTION = (
    "Trained on procedural choreography with recorded life; see docs/starter_model_card.md"
)
LICENCE = "Apache-2.0; the text encoder is all-MiniLM-L6-v2 (Apache-2.0, package MIT)"
MOST_BYTES = 25_000_000
STEPS = (4, 8, 10, 20, 50)


def make_starter(
    animator: Path,
    generator: Path | None,
    out: Path = STARTER,
    *,
    text: TextEncoder | None,
    schedules: Sequence[ScheduleSpec] | None = None,
    steps_default: int = 10,
) -> Bundle:
    """Export the EMA weights of both checkpoints, compact, with text encoder and packaged body.

    schedules  None: the published spacing at STEPS, not measured
    Raises InputError when a checkpoint holds the other network, BundleError when the bundle would
    be larger than MOST_BYTES; what was at `out` stays then.
    """
    networks = [load_checkpoint(path) for path in (animator, generator) if path is not None]
    moves, poses = networks[0], networks[1] if generator is not None else None
    if not isinstance(moves, Animator):
        raise InputError(f"{animator}: holds no animator", field="animator")
    if poses is not None and not isinstance(poses, Generator):
        raise InputError(f"{generator}: holds no generator", field="generator")
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
        steps_default=steps_default,
        schedules=even_schedules(STEPS) if schedules is None else schedules,
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
    parser.add_argument("-o", "--out", type=Path, default=STARTER)
    args = parser.parse_args(arguments)
    bundle = make_starter(
        args.animator,
        None if args.no_generator else args.generator,
        args.out,
        text=make_minilm_text() if args.new_text_encoder else minilm_text(),
    )
    print(bundle.path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
