"""Networks out of bundles: what ships is what one can train on from.

Knows how the exporter stores a graph's weights (`graphs/storing.py`), not where in the graph a
weight is: a network of the same sizes with weights that can be told apart is recorded as the bundle
was, and a constant of the bundle is the weight that stands in its place there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from engine.arrays import Array
from engine.bundle import load_bundle
from engine.errors import InputError
from engine.sampling.schedule import step_schedule
from trainer.models.blocks import NetworkConfig
from trainer.models.families import family

SINUSOIDS = (".positions", ".frequencies")
"""Ends of the names of what `store_sinusoids` computes them from."""


def bundle_checkpoint(path: Path, name: str) -> dict[str, Any]:
    """What `read_checkpoint` gives, of the bundle's network of family `name`, as it is rounded.

    Raises InputError if the bundle has none, or was exported by code that makes other graphs.
    """
    bundle = load_bundle(path)
    spec = getattr(bundle.manifest, name)
    if spec is None:
        raise InputError(f"{path}: has no {name}; name another bundle", field=name)
    stored = {part: onnx.load(path / name / f"{part}.onnx") for part in ("condition", "step")}
    inner = next(
        tensor.dims[0]
        for tensor in stored["step"].graph.initializer
        if tensor.name.endswith("blocks.0.ffn.linear1.bias")
    )
    size = NetworkConfig(
        width=spec.width,
        heads=spec.heads,
        layers=spec.layers,
        ffn_width=inner,
        text_width=spec.text_width,
        dropout=0.0,
    )
    network = family(name).network(size)
    marks = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        torch.nn.init.uniform_(parameter, generator=marks)
    owners: dict[bytes, tuple[str, bool]] = {}
    for key, parameter in network.named_parameters():
        marked = parameter.detach().numpy()
        owners |= {marked.T.tobytes(): (key, True), marked.tobytes(): (key, False)}
    table = network.sequence_pos_encoder.pe.numpy()
    weights: dict[str, Tensor] = {}
    for part, recorded in family(name).graphs(network).items():
        places, found = weights_read(recorded, table), weights_read(stored[part], table)
        for place, value in zip(places, found, strict=False):
            key, is_turned = owners.get(place.tobytes(), ("", False))
            if key and value.shape == place.shape:
                weights[key] = torch.from_numpy((value.T if is_turned else value).copy())
    if missing := {key for key, _ in owners.values()} - weights.keys():
        raise InputError(
            f"{path}: no place for {min(missing)} in the graphs of {name}; they were recorded by "
            "another version; name the checkpoint that they were exported from",
            field=name,
        )
    timesteps = [list(s.timesteps) for s in getattr(spec, "schedules", ())]
    own = [steps for steps in timesteps if steps != step_schedule(len(steps)).timesteps.tolist()]
    return {
        "state_dict": network.state_dict() | weights,
        "contrapose": {"network": name, "heads": spec.heads, "schedules": own},
    }


def weights_read(model: onnx.ModelProto, table: Array) -> list[Array]:
    """The float constants that a graph's nodes read, in their order, as they compute with them.

    The sinusoids are left out, be they stored or computed: they follow from the width.
    """
    values = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    read: list[Array] = []
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear":
            codes, scale = (values[name] for name in node.input)
            values[node.output[0]] = codes.astype(np.float32) * scale
        elif node.op_type == "Cast" and node.input[0] in values:
            values[node.output[0]] = values[node.input[0]].astype(np.float32)
        else:
            read += [values[n] for n in node.input if n in values and not n.endswith(SINUSOIDS)]
    return [
        value
        for value in read
        if value.dtype == np.float32
        and not (
            value.shape == table[: len(value.ravel()) // table.shape[1]].shape
            and np.allclose(value, table[: len(value)], atol=1e-3)
        )
    ]
