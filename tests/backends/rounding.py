"""What rounding to bf16 does to a result, computed in float32: what a backend in bf16 may do, too.

A product in bf16 rounds its factors and its outcome, whatever the machine. Where the sums between
and the order within differ, other values are rounded another way, and the error is another draw of
about the same size. So this error, and not a number found on one machine, bounds that of a backend.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from engine.arrays import Array

aten = torch.ops.aten
PRODUCTS = {aten.mm, aten.addmm, aten.bmm, aten._scaled_dot_product_flash_attention_for_cpu}
SUMS = PRODUCTS | {aten.add, aten.mul, aten.gelu}
"""And what a network computes between two products, norms aside."""


Rounding = Literal["none", "products", "sums"]
"""What is rounded; sums: products and the sums between them."""
_OPERATIONS: Mapping[Rounding, set[Any]] = {"none": set(), "products": PRODUCTS, "sums": SUMS}
_OUTCOMES: dict[tuple[str, Rounding], Array] = {}


def computed(name: str, run: Callable[[], Array], rounding: Rounding = "none") -> Array:
    """What `run` gives with PyTorch in float32, rounded on the way; once under each name."""
    if (name, rounding) not in _OUTCOMES:
        with _Rounded(_OPERATIONS[rounding]):
            _OUTCOMES[name, rounding] = run()
    return _OUTCOMES[name, rounding]


class _Rounded(TorchDispatchMode):
    """While it lasts, PyTorch rounds to bf16 what these operations take and give."""

    def __init__(self, operations: set[Any]) -> None:
        super().__init__()
        self._operations = operations

    def __torch_dispatch__(
        self,
        operation: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if operation.overloadpacket not in self._operations:
            return operation(*args, **(kwargs or {}))
        outcome = operation(*map(_rounded, args), **(kwargs or {}))
        if isinstance(outcome, tuple):  # attention gives more than its sum
            return (_rounded(outcome[0]), *outcome[1:])
        return _rounded(outcome)


def _rounded(value: Any) -> Any:
    if isinstance(value, torch.Tensor) and value.dtype == torch.float32:
        return value.bfloat16().float()
    return value


def difference(found: Array, expected: Array) -> float:
    """||found - expected|| / ||expected||"""
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
