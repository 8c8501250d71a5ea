"""From a torch module to an ONNX graph, float32 at its borders and inside.

Knows torch's exporter. Knows no network; what precision a graph runs in is the backend's decision.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import onnx
import torch
from torch import Tensor, nn

BATCH = {0: "batch"}
"""The axis of an input whose first may have any length, for `trace`."""


def trace(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    dynamic: Mapping[str, Mapping[int, str]],
) -> onnx.ModelProto:
    """Record `module(**inputs)` as a graph, in evaluation mode.

    outputs  names, in the order that the module returns them
    dynamic  for each input, the axes that may have any length from 1 on, with their names; the
             examples in `inputs` must be at least 2 long there
    """
    names = {name for axes in dynamic.values() for name in axes.values()}
    dims = {name: torch.export.Dim(name, min=1) for name in names}
    shapes = {
        name: {axis: dims[label] for axis, label in dynamic.get(name, {}).items()}
        for name in inputs
    }
    # Copies, because two names for one tensor would be traced as one input.
    examples = {name: value.clone() for name, value in inputs.items()}
    with _quiet():
        program: Any = torch.onnx.export(
            module.eval(),
            kwargs=examples,
            output_names=list(outputs),
            dynamic_shapes=shapes,
            dynamo=True,
            verbose=False,
        )
    model: onnx.ModelProto = program.model_proto
    _forget_origins(model)
    return model


def _forget_origins(model: onnx.ModelProto) -> None:
    """Drop what the exporter notes about each node and value: half a megabyte for a denoiser."""
    del model.graph.value_info[:]
    graph = model.graph
    entries: list[Any] = [graph, *graph.node, *graph.initializer, *graph.input, *graph.output]
    for entry in entries:
        del entry.metadata_props[:]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back the exporter's log and deprecations: none of them speaks of our graph."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
