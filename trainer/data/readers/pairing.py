"""Pairs of single-person files: which two were recorded together, and what is said about them.

Either `pairs.txt` in the folder says it, a line for each pair, words as in a shell:

    first.bvh second.bvh                              # person 0, person 1; paths from pairs.txt
    first.bvh second.bvh handshake "two people shake hands" "they greet each other"

or the names do, anywhere below the folder: `NAME_P1.bvh` and `NAME_P2.bvh`, or `P1/NAME.bvh` and
`P2/NAME.bvh`, with captions, one a line, in `NAME.txt` beside the first or beside the folder P1.
A clip is for training, validation or testing if a folder on its path is named train, val or test;
else the hash of its name decides (90, 5 and 5 %).
"""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from engine.errors import InputError
from trainer.data.readers.listing import read_captions
from trainer.data.readers.recording import Source
from trainer.data.splits import SPLITS, Split, split_by_name

logger = logging.getLogger(__name__)

LISTING = "pairs.txt"


@dataclass(frozen=True)
class Words:
    """What is said about a pair."""

    kind: str = ""
    captions: tuple[str, ...] = ()


def pair_sources(
    root: Path, suffix: str, partner: Callable[[Path], Path | None] | None = None
) -> list[Source]:
    """The pairs of a folder, ordered by name; `partner` knows a data base's own names besides.

    A third path of a source is the text file that says something about it. Raises InputError if
    there is no pair.
    """
    if (root / LISTING).is_file():
        return [
            _source(root, paths, f"{_name(root, paths[0])}+{paths[1].stem}", root / LISTING)
            for paths in _read_listing(root / LISTING)
        ]
    files = sorted(root.rglob(f"*{suffix}"))
    found = []
    for first in files:
        if (second := _named_partner(first)) is not None:
            text = _text_beside(first)
            found.append(_source(root, (first, second), _name(root, text), text))
        elif partner and (second := partner(first)) is not None:
            found.append(_source(root, (first, second), f"{_name(root, first)}+{second.stem}"))
    if not found:
        raise InputError(
            f"{root}: holds no pair of {suffix} files; expected NAME_P1{suffix} and "
            f"NAME_P2{suffix}, P1/NAME{suffix} and P2/NAME{suffix}, or a {LISTING}",
            field="source",
        )
    if len(files) > 2 * len(found):
        logger.warning(
            "%s: %d of %d %s files have no partner",
            root,
            len(files) - 2 * len(found),
            len(files),
            suffix,
        )
    return sorted(found, key=lambda source: source.name)


def words_of(source: Source) -> Words:
    """Kind and captions, from pairs.txt or the text beside."""
    if len(source.paths) < 3:
        return Words()
    text = source.paths[2]
    if text.name == LISTING:
        return _read_listing(text)[source.paths[0], source.paths[1]]
    return Words(captions=read_captions(text))


def _source(root: Path, paths: tuple[Path, Path], name: str, text: Path | None = None) -> Source:
    texts = (text,) if text is not None and text.is_file() else ()
    return Source(name, (*paths, *texts), _split(root, paths[0], name))


def _split(root: Path, path: Path, name: str) -> Split:
    folders = path.relative_to(root).parts if path.is_relative_to(root) else ()
    return next((split for split in SPLITS if split in folders), split_by_name(name))


def _name(root: Path, path: Path) -> str:
    path = path.relative_to(root) if path.is_relative_to(root) else path
    return path.with_suffix("").as_posix()


def _named_partner(first: Path) -> Path | None:
    if first.parent.name == "P1":
        second = first.parent.with_name("P2") / first.name
    elif first.stem.endswith("_P1"):
        second = first.with_stem(first.stem.removesuffix("1") + "2")
    else:
        return None
    return second if second.is_file() else None


def _text_beside(first: Path) -> Path:
    if first.parent.name == "P1":
        return first.parent.parent / f"{first.stem}.txt"
    return first.with_name(f"{first.stem.removesuffix('_P1')}.txt")


@lru_cache(maxsize=4)
def _read_listing(path: Path) -> dict[tuple[Path, Path], Words]:
    pairs = {}
    text = path.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError as exc:
            raise InputError(f"{path}:{number}: {exc}; close the quotes", field=LISTING) from exc
        if not words:
            continue
        files = tuple(path.parent / word for word in words[:2])
        missing = [str(file) for file in files if not file.is_file()]
        if len(files) != 2 or missing:
            raise InputError(
                f"{path}:{number}: {', '.join(missing) + ' is no file' if missing else 'one word'};"
                ' expected FIRST SECOND [KIND ["CAPTION" ...]]',
                field=LISTING,
            )
        pairs[files[0], files[1]] = Words(" ".join(words[2:3]), tuple(words[3:]))
    return pairs
