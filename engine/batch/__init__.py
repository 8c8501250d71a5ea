"""Batches: many motions from a file of prompts, each once, however often it is begun anew.

Knows prompts, samplers and folders. Knows no session, no socket and no message.
"""

from __future__ import annotations

from engine.batch.engines import open_engines
from engine.batch.folder import BatchFolder, Entry
from engine.batch.making import Maker
from engine.batch.prompts import BadPrompt, Prompt, read_prompts
from engine.batch.running import Engine, Outcome, made_motions

__all__ = [
    "BadPrompt",
    "BatchFolder",
    "Engine",
    "Entry",
    "Maker",
    "Outcome",
    "Prompt",
    "made_motions",
    "open_engines",
    "read_prompts",
]
