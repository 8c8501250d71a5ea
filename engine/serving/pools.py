"""Pools of threads that are all there from the beginning.

Python starts a pool's threads one by one, as they are needed: a server would hold more of them, and
of their memory, after its first busy minute than before. Knows threads and nothing else.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor


def started_pool(threads: int, name: str) -> ThreadPoolExecutor:
    """A pool of so many threads, all of which run."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
    everyone = threading.Barrier(threads)
    for waiting in [pool.submit(everyone.wait) for _ in range(threads)]:
        waiting.result()
    return pool
