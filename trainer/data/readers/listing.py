"""What lies beside the motions: split files, captions, genders. Knows no data set by name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import InputError
from trainer.data.readers.recording import Source
from trainer.data.splits import SPLITS, Split

logger = logging.getLogger(__name__)


def read_splits(root: Path, folders: Iterable[str]) -> dict[str, Split]:
    """Clip name -> split, from train.txt, val.txt and test.txt in the first folder that has them.

    Raises InputError if none has train.txt: an official split is not made up.
    """
    folders = list(folders)
    for folder in folders:
        if (root / folder / "train.txt").is_file():
            return {
                name: split
                for split in SPLITS
                for name in read_lines(root / folder / f"{split}.txt")
            }
    places = " or ".join(str(root / folder / "train.txt") for folder in folders)
    raise InputError(
        f"{places}: no such file; the split files of the data set (train.txt, val.txt, test.txt) "
        "must be there: unpack them beside the motions",
        field="splits",
    )


def read_lines(path: Path) -> list[str]:
    """The lines that say something, stripped; none where there is no such file."""
    if not path.is_file():
        return []
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as exc:
        raise InputError(f"{path}: cannot be read ({exc.strerror})", field="path") from exc
    return [line.strip() for line in text.lstrip("\ufeff").splitlines() if line.strip()]


def read_captions(path: Path) -> tuple[str, ...]:
    """One sentence a line; what follows a # are the tokens of other programs."""
    sentences = [line.partition("#")[0].strip() for line in read_lines(path)]
    return tuple(sentence for sentence in sentences if sentence)


def listed_sources(
    root: Path,
    splits: Mapping[str, Split],
    layouts: Iterable[Callable[[str], tuple[Path, ...]]],
) -> list[Source]:
    """The clips of the split files that are there, in the first layout whose files all are.

    Clips that are not there are counted in a warning: partial downloads are common. Raises
    InputError if there are none.
    """
    layouts = list(layouts)
    found = []
    for name in sorted(splits):
        for paths in (layout(name) for layout in layouts):
            if all(path.is_file() for path in paths):
                found.append(Source(name, paths, splits[name]))
                break
    if not found:
        example = " or ".join(str(layout("<name>")[0]) for layout in layouts)
        raise InputError(
            f"{root}: holds none of the {len(splits)} clips of its split files; expected {example}",
            field="source",
        )
    if len(found) < len(splits):
        logger.warning("%s: %d of %d clips are absent", root, len(splits) - len(found), len(splits))
    return found


def gender_of(value: Any) -> str:
    """ "male", "female" or "neutral", from text, bytes, or an array of one; neutral if unknown.

    Some AMASS files hold the text "b'male'", which printed bytes left there.
    """
    if isinstance(value, np.ndarray):
        value = value.flat[0] if value.size else ""
    text = value.decode("latin1") if isinstance(value, bytes) else str(value)
    word = text.strip().removeprefix("b'").removesuffix("'").lower()
    return word if word in ("male", "female") else "neutral"
