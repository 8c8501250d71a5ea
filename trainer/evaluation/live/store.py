"""`python -m trainer.evaluation.live.store`: makes the stored rows anew.

To be run, and its result committed, when players or measures have changed.
"""

from __future__ import annotations

from engine.bundle import STARTER
from trainer.evaluation.live.rows import HELD, STILL, STORED, store_rows
from trainer.evaluation.live.run import LiveSettings, asked_of, live_rows

if __name__ == "__main__":
    settings = LiveSettings(bundle=STARTER, rows=(STILL, HELD))
    store_rows(asked_of(settings), live_rows(settings))
    print(STORED)
