"""Readers of two-person data sets, each in the layout of its owners (facts/datasets.md)."""

from __future__ import annotations

from trainer.data.readers.recording import Reader, Recording, Source

__all__ = ["Reader", "Recording", "Source"]
