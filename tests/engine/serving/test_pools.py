"""Laws of pools: as many threads before as after."""

from __future__ import annotations

import threading
import time

from engine.serving.pools import started_pool


def threads() -> int:
    return sum(thread.name.startswith("five") for thread in threading.enumerate())


def test_all_threads_are_there_before_any_work_and_no_more_after_it() -> None:
    with started_pool(5, "five") as pool:
        assert threads() == 5
        for done in [pool.submit(time.sleep, 0.001) for _ in range(50)]:
            done.result()
        assert threads() == 5
