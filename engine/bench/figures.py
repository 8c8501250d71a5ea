"""Figures as benchmarks print them.

Knows numbers; not what they measure.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.arrays import Array
from engine.errors import ConfigError


def check_within(args: argparse.Namespace, **ranges: tuple[float, float]) -> None:
    """Raise ConfigError for the first argument that does not lie in its range."""
    for name, (least, most) in ranges.items():
        value = getattr(args, name)
        if not least <= value <= most:
            raise ConfigError(f"{name} is {value}, must lie in {least}..{most}", field=name)


def percentiles(values: Sequence[float] | Array) -> dict[str, float | None]:
    """p50, p95 and p99; None each where there is nothing."""
    return {
        f"p{percent}": float(np.percentile(values, percent)) if len(values) else None
        for percent in (50, 95, 99)
    }


def rounded(value: Any) -> Any:
    """The same with three decimals in every number, however deep."""
    if isinstance(value, dict):
        return {key: rounded(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(entry) for entry in value]
    return round(value, 3) if isinstance(value, float) else value
