"""The kinds file of a bundle, from shards: `python -m trainer.text.kinds --data SHARDS -o NPZ`.

Knows captions and the encoder that the starter ships.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from engine.errors import ContraposeError
from engine.sampling.kinds import Kinds, kinds_by, save_kinds
from trainer.data.shards import Clips, load_clips
from trainer.text.encoder import TextEncoder, encode_texts
from trainer.text.minilm import minilm_text


def kinds_of(clips: Clips, encoder: TextEncoder) -> Kinds:
    """All wordings of the clips of each kind, the commonest first."""
    counts: dict[str, Counter[str]] = {}
    for kind, captions in zip(clips.kinds, clips.captions, strict=True):
        counts.setdefault(kind, Counter()).update(captions)
    wordings = {
        name: [text for text, _ in counts[name].most_common()]
        for name in sorted(counts)
        if counts[name]
    }
    return kinds_by(lambda texts: encode_texts(texts, encoder), wordings)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m trainer.text.kinds", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="SHARDS")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="NPZ")
    args = parser.parse_args(arguments)
    try:
        kinds = kinds_of(load_clips(args.data), minilm_text())
    except ContraposeError as error:
        print(f"trainer.text.kinds: error: {error}", file=sys.stderr)
        return 2
    save_kinds(args.out, kinds)
    print(f"{args.out}: {len(kinds.names)} kinds, {len(kinds.texts)} wordings")
    return 0


if __name__ == "__main__":
    sys.exit(main())
