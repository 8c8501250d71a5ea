"""Rows of the table: what all episodes come to with one partner, and the rows that are stored.

Knows scores by kind and name; nothing of how they were made. What partners without a network score
is the same each time, so it is kept beside this file (`python -m trainer.evaluation.live.store`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from trainer.evaluation.live.scoring import Scores
from trainer.evaluation.metrics.distributions import Estimate

PARTNER, BARE, TRUTH, STILL, HELD = (
    "partner",
    "without layers",
    "truth",
    "never moves",
    "hand held out",
)
"""The partners, in the order of the table."""
STORED = Path(__file__).parent / "stored_rows.json"
Kind = tuple[str, str]
"""Group and kind of an episode."""


@dataclass(frozen=True)
class Tally:
    """One measure over some episodes: how many say it, their mean, and the sum of the squares of
    their deviations from it."""

    count: int
    mean: float
    squares: float

    @property
    def estimate(self) -> Estimate:
        if self.count < 2:
            return Estimate(self.mean, None)
        error = np.sqrt(self.squares / (self.count - 1) / self.count)
        return Estimate(self.mean, float(1.96 * error))


Row = Mapping[Kind, Mapping[str, Tally]]


def row_of(scores: Iterable[tuple[Kind, Scores]]) -> Row:
    values: dict[Kind, dict[str, list[float]]] = {}
    for kind, episode in scores:
        for measure, value in episode.items():
            values.setdefault(kind, {}).setdefault(measure, []).append(value)
    return {
        kind: {measure: _tally(found) for measure, found in measures.items()}
        for kind, measures in values.items()
    }


def _tally(values: Sequence[float]) -> Tally:
    return Tally(len(values), float(np.mean(values)), float(len(values) * np.var(values)))


def together(tallies: Sequence[Tally]) -> Tally:
    """As if all episodes had been tallied at once (Chan et al. 1983); of one tally at least."""
    count = sum(tally.count for tally in tallies)
    mean = sum(tally.count * tally.mean for tally in tallies) / count
    between = sum(tally.count * (tally.mean - mean) ** 2 for tally in tallies)
    return Tally(count, mean, between + sum(tally.squares for tally in tallies))


# ------------------------------------------------------------------------------------------ stored
@dataclass(frozen=True, kw_only=True)
class Asked:
    """All that the scores of a partner without a network follow from."""

    seed: int
    players: int
    idle_players: int
    idle_s: float


def stored_rows(asked: Asked, path: Path = STORED) -> dict[str, Row]:
    """The rows that are kept; none, if they were made for another number of players."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    rows: dict[str, dict[Kind, Mapping[str, Tally]]] = {}
    if kept.pop("asked") == asdict(asked):
        for key, measures in kept.items():
            name, group, kind = key.split("/", 2)
            tallies = {measure: Tally(*numbers) for measure, numbers in measures.items()}
            rows.setdefault(name, {})[group, kind] = tallies
    return dict(rows)


def store_rows(asked: Asked, rows: Mapping[str, Row], path: Path = STORED) -> None:
    """A line for each kind, six digits of each number."""
    kept: dict[str, object] = {"asked": asdict(asked)}
    for name, row in rows.items():
        for (group, kind), measures in row.items():
            kept[f"{name}/{group}/{kind}"] = {
                measure: [tally.count, float(f"{tally.mean:.6g}"), float(f"{tally.squares:.6g}")]
                for measure, tally in measures.items()
            }
    lines = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in kept.items())
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
