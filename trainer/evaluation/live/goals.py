"""What a believable partner reaches: goals for the live evaluation, and whether they are met.

Knows scores by name; nothing of how they were made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trainer.evaluation.live.rows import Kind, Row, together
from trainer.evaluation.metrics.distributions import Estimate
from trainer.evaluation.report import Cell

CONTACTS = (
    "handshake",
    "high_five",
    "hug",
    "hand_over",
    "pat_shoulder",
    "push",
    "push_and_catch",
    "block_punch",
    "tug",
    "help_up",
)


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One line of the table: a mean of episodes that must lie in `least` .. `most`.

    kinds  of the group; empty: all of it; group "": all groups
    """

    name: str
    group: str
    measure: str
    kinds: tuple[str, ...] = ()
    least: float = float("-inf")
    most: float = float("inf")

    def covers(self, kind: Kind) -> bool:
        group, name = kind
        return (not self.group or group == self.group) and (not self.kinds or name in self.kinds)


def _patient(kind: str, least: float) -> Goal:
    return Goal(
        name=f"patient: {kind} taken", group="patient", kinds=(kind,), measure="meets", least=least
    )


HANDS = ("right_hand", "left_hand", "both_hands", "high_five")
GOALS = (
    _patient("right_hand", 0.90),
    _patient("left_hand", 0.85),
    _patient("both_hands", 0.85),
    _patient("high_five", 0.85),
    _patient("open_arms", 0.80),
    _patient("bow", 0.85),
    _patient("wave", 0.95),
    Goal(
        name="palm past the offered palm, cm",
        group="patient",
        kinds=("right_hand", "left_hand"),
        measure="past_cm",
        least=-4.0,
        most=4.0,
    ),
    Goal(
        name="contact after the onset, s",
        group="patient",
        kinds=HANDS,
        measure="contact_after_s",
        most=1.5,
    ),
    Goal(
        name="hand raised before the player's",
        group="patient",
        measure="raised_before",
        most=0.05,
    ),
    Goal(
        name="both hands down after the player's, s",
        group="withdraw",
        measure="down_after_s",
        most=1.2,
    ),
    Goal(name="choreo: contact made", group="choreo", kinds=CONTACTS, measure="made", least=0.75),
    Goal(
        name="choreo: contact held, s", group="choreo", kinds=CONTACTS, measure="held_s", least=1.8
    ),
    Goal(name="choreo: skill", group="choreo", kinds=CONTACTS, measure="skill", least=0.45),
    *(
        Goal(name=f"follows: {kind}", group="walk", kinds=(kind,), measure="follows", least=least)
        for kind, least in (
            ("away", 0.95),
            ("side", 0.95),
            ("come", 0.95),
            ("round", 0.95),
            ("away_and_back", 0.95),
            ("run", 0.80),
        )
    ),
    Goal(name="real walker within 2.5 m", group="real", measure="within_2.5_m", least=0.90),
    Goal(name="looks at the player, walkers", group="walk", measure="looks_walking", least=0.90),
    Goal(
        name="skating while walking, cm/s",
        group="walk",
        kinds=("away", "side", "come", "round", "away_and_back"),
        measure="skating_walking_cm_s",
        most=1.5,
    ),
    Goal(name="stands tilted", group="", measure="tilted", most=0.01),
    Goal(name="stands bent", group="", measure="bent", most=0.01),
    Goal(name="idle: worst minute's lean, degrees", group="idle", measure="lean_deg", most=5.0),
    Goal(name="idle: hands up", group="idle", measure="hands_up", most=0.10),
    Goal(name="idle: raises a minute", group="idle", measure="raises_a_minute", most=2.0),
    Goal(
        name="idle: life over the truth's",
        group="idle",
        measure="life_over_truth",
        least=0.7,
        most=1.4,
    ),
    Goal(
        name="jerk over the truth's, push and dance",
        group="choreo",
        kinds=("push", "dance"),
        measure="jerk_over_truth",
        least=0.7,
        most=1.3,
    ),
    Goal(name="seam jerk ratio, walking", group="walk", measure="seam_jerk_ratio", most=1.15),
    Goal(name="seam jerk ratio, patient", group="patient", measure="seam_jerk_ratio", most=1.1),
    Goal(
        name="the same over the truth's, walking",
        group="walk",
        measure="seam_over_truth",
        most=1.15,
    ),
    Goal(
        name="the same over the truth's, patient",
        group="patient",
        measure="seam_over_truth",
        most=1.1,
    ),
    Goal(
        name="overlap when the player freezes, cm",
        group="stop",
        measure="overlap_frozen_cm",
        most=1.5,
    ),
    Goal(name="push: gives way", group="push", measure="gives_way", least=0.85),
    Goal(name="words: begun", group="words", measure="begun", least=0.80),
    Goal(name="words: ended", group="words", measure="ended", least=0.90),
)


def pooled(row: Row, goal: Goal) -> Estimate | None:
    """The mean over all episodes that a goal is about; None if there are none."""
    tallies = [
        measures[goal.measure]
        for kind, measures in row.items()
        if goal.covers(kind) and goal.measure in measures
    ]
    return together(tallies).estimate if tallies else None


def goal_table(rows: Mapping[str, Row], judged: str) -> dict[str, dict[str, Cell]]:
    """Goals down, kinds of partner across; whether `judged` meets each."""
    table: dict[str, dict[str, Cell]] = {}
    for goal in GOALS:
        found = pooled(rows[judged], goal)
        if found is None:
            continue
        cells: dict[str, Cell] = {name: pooled(row, goal) for name, row in rows.items()}
        cells["goal"] = _range(goal)
        cells["met"] = goal.least <= found.mean <= goal.most
        table[goal.name] = cells
    return table


def _range(goal: Goal) -> str:
    if goal.least == float("-inf"):
        return f"at most {goal.most:g}"
    return (
        f"at least {goal.least:g}"
        if goal.most == float("inf")
        else (f"{goal.least:g} to {goal.most:g}")
    )
