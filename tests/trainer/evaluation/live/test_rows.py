"""Rows add up, and the stored ones are what would be made today."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from engine.bundle import STARTER
from trainer.evaluation.live.baselines import KNOWN
from trainer.evaluation.live.players import episodes_of
from trainer.evaluation.live.playing import as_played
from trainer.evaluation.live.rows import (
    HELD,
    PARTNER,
    STILL,
    TRUTH,
    Kind,
    Row,
    row_of,
    store_rows,
    stored_rows,
    together,
)
from trainer.evaluation.live.run import LiveSettings, asked_of, live_report, quick, truth_of
from trainer.evaluation.live.scoring import scored
from trainer.evaluation.metrics.distributions import estimated

USUAL = LiveSettings(bundle=STARTER)


def test_tallies_together_are_as_if_tallied_at_once() -> None:
    rng = np.random.default_rng(3)
    parts = [rng.normal(size=count).tolist() for count in (1, 4, 7)]
    kind: Kind = "group", "kind"
    tallies = [row_of((kind, {"m": v}) for v in part)[kind]["m"] for part in parts]
    expected = estimated([value for part in parts for value in part])
    found = together(tallies).estimate
    np.testing.assert_allclose(found.mean, expected.mean)
    assert found.interval is not None
    np.testing.assert_allclose(found.interval, expected.interval)
    assert together(tallies[:1]).estimate.interval is None


def made_today(row: str, group: str, number: int) -> Row:
    """One kind of a group, played to a partner without a network."""
    count = USUAL.players
    scores = []
    for build in episodes_of(group, count, USUAL.seed)[number * count : (number + 1) * count]:
        episode = build()
        motion = KNOWN[row](episode)
        assert motion is not None
        kind = episode.group, episode.kind
        scores.append((kind, scored(as_played(episode, motion), truth_of(episode))))
    return row_of(scores)


@pytest.mark.parametrize(
    ("row", "group", "number"),
    [
        *((STILL, group, 0) for group in ("choreo", "patient", "stop", "withdraw", "words")),
        (STILL, "walk", 3),
        (HELD, "patient", 1),
        (HELD, "choreo", 0),
    ],
)
def test_a_stored_row_is_what_would_be_made_today(row: str, group: str, number: int) -> None:
    stored = stored_rows(asked_of(USUAL))[row]
    ((kind, measures),) = made_today(row, group, number).items()
    assert stored[kind].keys() == measures.keys()
    for name, tally in measures.items():
        assert stored[kind][name].count == tally.count
        found, today = stored[kind][name].estimate, tally.estimate
        np.testing.assert_allclose(found.mean, today.mean, rtol=1e-3, atol=1e-4, err_msg=name)


def test_rows_are_read_as_they_were_stored_and_for_no_other_players(tmp_path: Path) -> None:
    rows = stored_rows(asked_of(USUAL))
    assert list(rows) == [STILL, HELD]
    copy = tmp_path / "rows.json"
    store_rows(asked_of(USUAL), rows, copy)
    assert stored_rows(asked_of(USUAL), copy) == rows
    for change in ({"players": 3}, {"seed": 1}, {"idle_s": 9.0}, {"idle_players": 2}):
        assert stored_rows(replace(asked_of(USUAL), **change), copy) == {}


def test_a_report_has_the_stored_rows_of_what_was_played_or_says_why_not() -> None:
    played = row_of([(("patient", "wave"), {"meets": 1.0})])
    report = live_report({PARTNER: played, TRUTH: played}, USUAL, 1.0)
    assert [table.title for table in report.tables] == ["Goals", "patient"]
    assert list(report.tables[1].rows) == [f"wave, {row}" for row in (PARTNER, TRUTH, STILL, HELD)]
    assert "left out" not in report.about
    few = live_report({PARTNER: played, TRUTH: played}, quick(USUAL), 1.0)
    assert list(few.tables[1].rows) == [f"wave, {row}" for row in (PARTNER, TRUTH)]
    assert few.about["left out"].startswith("never moves, hand held out: ")


def test_the_stored_rows_tell_no_answer_from_one() -> None:
    """No hand that is offered is taken by one who stands there."""
    still = stored_rows(asked_of(USUAL))[STILL]
    assert asdict(still["patient", "right_hand"]["meets"]) == {
        "count": 20,
        "mean": 0.0,
        "squares": 0.0,
    }
