"""The starter bundle, made from two checkpoints: `python -m trainer.starter`.

Knows where the starter lives and what its manifest says. How a bundle is written is `export.py`'s.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.bundle import STARTER, Bundle
from engine.errors import InputError
from trainer.evaluator.subject import load_checkpoint
from trainer.export import export_bundle
from trainer.models.animator import Animator
from trainer.models.generator import Generator
from trainer.text import minilm_text

DESCRIPTION = (
    "Trained on procedural choreography with recorded life; see docs/starter_model_card.md"
)
LICENCE = "Apache-2.0; the text encoder is all-MiniLM-L6-v2 (Apache-2.0, package MIT)"


def make_starter(animator: Path, generator: Path | None, out: Path = STARTER) -> Bundle:
    """Export the EMA weights of both checkpoints, compact, with text encoder and packaged body.

    Raises InputError when a checkpoint holds the other network.
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
        text=None if poses is None else minilm_text(),
        body_file=STARTER.parent / "body.npz",
        name="starter",
        description=DESCRIPTION,
        licence=LICENCE,
        weights="compact",
        steps_default=10,
        steps_supported=(4, 8, 10, 20, 50),
        generator_steps_default=50,
        guidance=2.5,
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m trainer.starter", description=__doc__)
    parser.add_argument("--animator", type=Path, default=Path("runs/animator/checkpoint.pt"))
    parser.add_argument("--generator", type=Path, default=Path("runs/generator/checkpoint.pt"))
    parser.add_argument("--no-generator", action="store_true", help="animator alone, no text")
    parser.add_argument("-o", "--out", type=Path, default=STARTER)
    args = parser.parse_args(arguments)
    bundle = make_starter(args.animator, None if args.no_generator else args.generator, args.out)
    print(bundle.path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
