"""What the load watch learns of the interpreter from the sessions that are open."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from engine.motion.motion import FRAME_RATE
from engine.sampling.scheduler import CallCosts
from engine.serving.load import LoadConfig, PythonCost
from engine.serving.load_watch import COMPANY, LoadWatch
from engine.serving.session_thread import SessionThread
from engine.session.config import SessionConfig
from engine.testing import run_virtually, still_models, virtual_executor
from tests.engine.serving.test_host import loaded_starter

CONFIG = SessionConfig()
PYTHON = PythonCost(second_s=0.04, window_s=0.02)
LOOKS, LOOK_S, SESSIONS = 200, 0.25, 5


def capacities(dearness: float, windows_a_second: float) -> tuple[int, int]:
    """Before and after sessions that are so many times as dear as was measured."""
    return run_virtually(_capacities(dearness, windows_a_second))


async def _capacities(dearness: float, windows_a_second: float) -> tuple[int, int]:
    executor = virtual_executor(still_models(), CallCosts({1: 0.0001}, weight=0))
    loaded: Any = SimpleNamespace(**vars(loaded_starter(executor)))
    thread = SessionThread()
    watch = LoadWatch(CONFIG, LoadConfig(), thread)
    counted = SimpleNamespace(**vars(executor.figures()))
    loaded.executor = SimpleNamespace(figures=lambda: counted, costs=executor.costs)
    watch.begin(loaded, PYTHON)
    before = watch.capacity(CONFIG, SESSIONS)
    stream: Any = SimpleNamespace(has_begun=True, limit=lambda level: None)
    for look in range(LOOKS):
        watch.look(look * LOOK_S, [stream] * SESSIONS, SESSIONS, most_steps=1)
        windows = windows_a_second * LOOK_S * SESSIONS
        counted.live_windows += windows
        thread.cpu_s += dearness * PYTHON.at(windows_a_second) * LOOK_S * SESSIONS
    after = watch.capacity(CONFIG, SESSIONS)
    thread.close()
    assert before is not None
    assert after is not None
    return before, after


@pytest.mark.parametrize("windows_a_second", [FRAME_RATE / CONFIG.revision_frames, 0.5])
def test_sessions_that_cost_what_was_assumed_change_nothing(windows_a_second: float) -> None:
    """However often their plans are revised."""
    before, after = capacities(COMPANY, windows_a_second)
    assert before - 1 <= after <= before


def test_of_sessions_that_are_dearer_in_company_fewer_have_room() -> None:
    before, after = capacities(2 * COMPANY, 1.0)
    assert before // 2 - 1 <= after <= before // 2
