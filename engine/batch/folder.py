"""The folder of a batch: motions by name, and a manifest that says how each was made.

Knows files. The manifest is a line of JSON a motion, written when the motion is there as a whole:
whatever is cut off in between is made again, under the same name.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.batch.prompts import Prompt
from engine.body.shape import Body
from engine.errors import InputError
from engine.formats import write_motion
from engine.motion.motion import Motion

FORMAT = 1
MANIFEST = "manifest.jsonl"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One motion that is there.

    input  the prompt's digest
    files  name of each file -> its sha256
    """

    name: str
    line: int
    text: str
    seed: int
    frames: int
    input: str
    files: dict[str, str]


class BatchFolder:
    """A folder that fills.

    made_by  what the motions depend on besides the prompts: bundle, backend, steps, kind of file
    Raises InputError where the folder cannot be used, or was begun with something else.
    """

    def __init__(self, path: Path, made_by: dict[str, Any]) -> None:
        self.path, self.made_by = path, {"format": FORMAT, **made_by}
        try:
            path.mkdir(parents=True, exist_ok=True)
            lines = self._manifest.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            lines = []
        except OSError as exc:
            raise InputError(f"{path}: cannot be used as a folder ({exc})", field="-o") from exc
        self.entries = self._read(lines)
        self._write_manifest()

    @property
    def _manifest(self) -> Path:
        return self.path / MANIFEST

    def _read(self, lines: Sequence[str]) -> dict[str, Entry]:
        """What is there; a last line that was cut off does not count."""
        entries: dict[str, Entry] = {}
        for number, line in enumerate(lines):
            try:
                fields = json.loads(line)
                if number == 0:
                    self._check_begun_alike(fields)
                else:
                    entries[fields["name"]] = Entry(**fields)
            except (ValueError, TypeError, KeyError) as exc:
                if number < len(lines) - 1:
                    raise InputError(
                        f"{self._manifest}:{number + 1}: is no entry of ours ({exc}); give another "
                        "folder",
                        field="-o",
                    ) from exc
        return entries

    def _check_begun_alike(self, before: dict[str, Any]) -> None:
        for key, value in self.made_by.items():
            if before.get(key) != value:
                raise InputError(
                    f"{self._manifest}: was begun with {key} {before.get(key)!r}, now it is "
                    f"{value!r}; give another folder",
                    field="-o",
                )

    def _write_manifest(self) -> None:
        """Whole again: sorted, and without what was cut off."""
        lines = [self.made_by, *(asdict(self.entries[name]) for name in sorted(self.entries))]
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        part = self._manifest.with_suffix(".part")
        part.write_text(text, encoding="utf-8")
        part.replace(self._manifest)

    def holds(self, prompt: Prompt) -> bool:
        """Whether the very motion of a prompt is there, to the last bit."""
        entry = self.entries.get(prompt.name)
        return (
            entry is not None
            and entry.input == prompt.digest
            and all(_sha256(self.path / name) == known for name, known in entry.files.items())
        )

    def add(self, entry: Entry) -> None:
        """Note a motion whose files are there."""
        self.entries[entry.name] = entry
        with self._manifest.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(entry), ensure_ascii=False) + "\n")

    def close(self) -> None:
        self._write_manifest()


def stored(part: Path, prompt: Prompt, motion: Motion, body: Body, suffix: str) -> Entry:
    """Write a motion's files, which appear when they are whole, beside the folder `part` of one
    writer or of several threads."""
    paths = write_motion(part / f"{prompt.name}{suffix}", motion, body, caption=prompt.text)
    files = {path.name: _sha256(path) for path in paths}
    for path in paths:
        os.replace(path, part.parent / path.name)
    return Entry(
        name=prompt.name,
        line=prompt.line,
        text=prompt.text,
        seed=prompt.seed,
        frames=prompt.frames,
        input=prompt.digest,
        files=files,
    )


def _sha256(path: Path) -> str:
    """Empty for a file that is not there."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
