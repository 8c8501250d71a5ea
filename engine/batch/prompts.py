"""Prompts: what a file of them asks for, row by row, and which rows cannot be understood.

Knows text, CSV and JSON lines; opens no file of motion.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.errors import InputError
from engine.formats import READABLE
from engine.motion.motion import FRAME_RATE, frame_named
from engine.sampling.text import TEXT_CHARACTERS

KINDS = (".txt", ".csv", ".jsonl")
COLUMNS = ("text", "pair", "pose", "frame", "seed", "seconds", "at", "name")
MOST_SECONDS = 600.0
MOST_SEED = 2**63 - 1
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """One motion that is wanted.

    line    of the file, from 1
    name    of its file, without a suffix
    text    what the two do; may be empty if there is a pair or a pose
    pair    a file with two people, whose `frame` the motion is made around
    pose    a file with one person, whose `frame` the player takes
    frames  length of the motion, 10 a second
    at      its frame at which the pair stands
    """

    line: int
    name: str
    text: str
    pair: str
    pose: str
    frame: int
    seed: int
    frames: int
    at: int

    @property
    def digest(self) -> str:
        """Tells whether the row is as it was; its line may change."""
        known = {key: value for key, value in asdict(self).items() if key != "line"}
        return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class BadPrompt:
    """A row that is left out, and why."""

    line: int
    problem: str


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """What rows leave open. A row's seed is `seed` plus its number."""

    seed: int = 0
    seconds: float = 3.0
    at: str = "first"


def read_prompts(path: Path, defaults: Defaults) -> tuple[list[Prompt], list[BadPrompt]]:
    """All rows of a file that ask for a motion, and those that cannot be understood.

    .txt    a text a line; empty lines are passed over
    .csv    a header with some of COLUMNS, then a row a motion
    .jsonl  an object a line, with the same keys
    Paths are taken from the file's folder. Raises InputError for a file that cannot be read at all.
    """
    if path.suffix.lower() not in KINDS:
        raise InputError(f"{path}: prompts come in files named {', '.join(KINDS)}", field="prompts")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise InputError(f"{path}: cannot be read as text ({exc})", field="prompts") from exc
    good: list[Prompt] = []
    bad: list[BadPrompt] = []
    names: set[str] = set()
    for number, (line, row) in enumerate(_rows(path, text)):
        try:
            prompt = _prompt(row, line, number, defaults, path.parent)
            if prompt.name in names:
                raise InputError(f"name {prompt.name!r} is that of an earlier row")
        except InputError as error:
            bad.append(BadPrompt(line=line, problem=str(error)))
            continue
        names.add(prompt.name)
        good.append(prompt)
    return good, bad


def _rows(path: Path, text: str) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    """Line and content of each row; a string is the problem of one that has none."""
    lines = text.splitlines()
    if path.suffix.lower() == ".txt":
        yield from ((n, {"text": line.strip()}) for n, line in enumerate(lines, 1) if line.strip())
        return
    if path.suffix.lower() == ".jsonl":
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield number, _json_row(line)
        return
    reader = csv.DictReader(lines)
    unknown = [name for name in reader.fieldnames or [""] if name not in COLUMNS]
    if unknown:
        raise InputError(
            f"{path}: column {unknown[0]!r} is unknown; the first line names columns, some of "
            f"{', '.join(COLUMNS)}",
            field="prompts",
        )
    for row in reader:
        if None in row or None in row.values():
            yield reader.line_num, "has more or fewer cells than the first line names"
        else:
            yield reader.line_num, {key: value for key, value in row.items() if value != ""}


def _json_row(line: str) -> Mapping[str, Any] | str:
    try:
        row = json.loads(line)
    except ValueError as exc:
        return f"is no JSON ({exc})"
    return row if isinstance(row, dict) else "is no JSON object"


def _prompt(
    row: Mapping[str, Any] | str, line: int, number: int, defaults: Defaults, folder: Path
) -> Prompt:
    """Raises InputError that says what is wrong with the row."""
    if isinstance(row, str):
        raise InputError(row)
    for key in row:
        if key not in COLUMNS:
            raise InputError(f"{key} is unknown; expected some of {', '.join(COLUMNS)}")
    text = str(row.get("text", ""))
    if len(text) > TEXT_CHARACTERS:
        raise InputError(f"text has {len(text)} characters, at most {TEXT_CHARACTERS} are read")
    pair, pose = (_file(row, key, folder) for key in ("pair", "pose"))
    if pair and pose:
        raise InputError("pair and pose are given; give one of them")
    if not (text or pair or pose):
        raise InputError("asks for nothing; give text, pair or pose")
    seconds = _number(row, "seconds", defaults.seconds, 0.1, MOST_SECONDS)
    frames = round(seconds * FRAME_RATE)
    name = str(row.get("name", f"{number:06d}"))
    if not NAME.fullmatch(name):
        raise InputError(f"name is {name!r}; letters, digits, dots, _ and - make one")
    return Prompt(
        line=line,
        name=name,
        text=text,
        pair=pair,
        pose=pose,
        frame=_whole(row, "frame", 0, 0, 10**9),
        seed=_whole(row, "seed", defaults.seed + number, 0, MOST_SEED),
        frames=frames,
        at=_place(str(row.get("at", defaults.at)), frames),
    )


def _file(row: Mapping[str, Any], key: str, folder: Path) -> str:
    if not row.get(key):
        return ""
    path = folder / str(row[key])
    if path.suffix.lower() not in READABLE:
        raise InputError(f"{key} is {row[key]!r}; files that are read end in {', '.join(READABLE)}")
    if not path.is_file():
        raise InputError(f"{key} is {row[key]!r}; there is no such file in {folder}")
    return str(path)


def _number(row: Mapping[str, Any], key: str, usual: float, low: float, high: float) -> float:
    value = row.get(key, usual)
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InputError(f"{key} is {value!r}, expected a number") from None
    if not low <= number <= high:
        raise InputError(f"{key} is {value}, expected {low:g} to {high:g}")
    return number


def _whole(row: Mapping[str, Any], key: str, usual: int, low: int, high: int) -> int:
    value = row.get(key, usual)
    try:
        number = int(str(value))
    except ValueError:
        raise InputError(f"{key} is {value!r}, expected a whole number") from None
    if not low <= number <= high:
        raise InputError(f"{key} is {value}, expected {low} to {high}")
    return number


def _place(at: str, frames: int) -> int:
    place = frame_named(at, frames)
    if place is None:
        raise InputError(f"at is {at!r}, expected first, middle, last or a frame to {frames - 1}")
    return place
