"""A few thousand inputs of every kind; `make fuzz` tries as many as one likes."""

from __future__ import annotations

import pytest

from tests.fuzz import file_targets, wire_targets
from tests.fuzz.outcomes import fuzzed

COSTLY = {"onnx": 15, "training toml": 15, "header": 15, "pose": 15, "control": 15, "order": 15}
COSTLY |= {"ping": 8, "end": 8, "bvh": 150, "token": 80, "motion request": 30, "pair request": 40}
NEVER_SOUND = ("manifest", "token", "order")
"""Of these there may be none among so few that is as it should be."""
TARGETS = [(name, target, False) for name, target in file_targets.TARGETS.items()]
TARGETS += [(name, target, True) for name, target in wire_targets.TARGETS.items()]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "target", "is_wire"), TARGETS, ids=[t[0] for t in TARGETS])
def test_whatever_comes_is_done_or_refused_in_one_line(
    name: str, target: file_targets.Target, is_wire: bool
) -> None:
    seeds = range(10**6, 10**6 + COSTLY.get(name, 300))
    found = fuzzed({name: target}, seeds, is_wire=is_wire)[name]
    assert found.failures == []
    assert found.counts["done"] or name in NEVER_SOUND, "nothing sound is among them"
