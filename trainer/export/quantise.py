"""Post-training quantisation: the same bundle, with the products of its animator's step in int8.

Knows bundles, their graphs and the windows that clips hold; the arithmetic is NNCF's. Ranges are
those of what the step graph really sees: windows of choreography with known frames of every kind,
on the way along each step schedule of the bundle. Weights have a scale each output, activations one
scale and zero each tensor. SmoothQuant (Xiao et al. 2022, arXiv:2211.10438) moves what only some
features are large in from activations to weights.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from engine.arrays import Array, IntArray
from engine.backends import Graph, open_backend
from engine.bundle import Bundle, load_bundle, reseal
from engine.errors import BackendError, BundleError
from engine.sampling.models import Models, encode_text, load_models
from engine.sampling.sampler import sample_animator
from trainer.data.shards import Clips, load_clips
from trainer.data.windows import WindowSampler
from trainer.graphs.storing import restore_floats

STEP = "animator/step.onnx"
WINDOWS = 16
"""Windows of each schedule; they go through the graph together."""
CALLS = 10
"""Denoiser calls of a schedule that are looked at, evenly spaced over it."""
SILENT = 0.3
"""Part of the windows without words."""
SMOOTHING = 0.75
"""Alpha of SmoothQuant: of 0.3 to 0.95 the one that added least noise to frames (docs/int8.md)."""
FIRST, LAST = 1, 6
"""Products that stay float: what reads a pose, the last block's four, and the two that write the
outcome. Noise from there reaches the frames undamped: it would be nearly three times as much."""

Sample = Mapping[str, Array | IntArray]


def quantise_bundle(source: Path, out: Path, clips: Path, *, seed: int = 0) -> Bundle:
    """Write the bundle `source` to `out` with an int8 animator, calibrated on a folder of shards.

    Raises BundleError if the animator is int8 already or `out` exists, InputError for clips that
    cannot be read, BackendError where NNCF is not installed.
    """
    bundle = load_bundle(source)
    if bundle.manifest.animator.precision == "int8":
        raise BundleError(f"{source}: its animator is int8 already; name the bundle it came from")
    if out.exists():
        raise BundleError(f"{out}: exists; name another path, or remove it", field="out")
    _require_nncf()
    samples = seen_inputs(bundle, load_clips(clips), seed=seed)
    return write_quantised(bundle, out, samples)


def write_quantised(bundle: Bundle, out: Path, samples: Sequence[Sample]) -> Bundle:
    """The bundle at `out`, whole or not at all, with ranges from `samples` (see `seen_inputs`)."""
    step = quantised(onnx.load(bundle.file(STEP)), samples)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        partial = Path(scratch) / "new"
        shutil.copytree(bundle.path, partial)
        onnx.save(step, partial / STEP)
        manifest = bundle.manifest
        animator = dataclasses.replace(manifest.animator, precision="int8")
        written = reseal(partial, dataclasses.replace(manifest, animator=animator))
        partial.rename(out)
    return dataclasses.replace(written, path=out)


# ----------------------------------------------------------------------------- what the graph sees
def seen_inputs(bundle: Bundle, clips: Clips, *, seed: int = 0) -> list[Sample]:
    """Inputs of the step graph, WINDOWS rows each, from all schedules of a bundle in f32."""
    backend = open_backend("openvino", precision="f32", cache_dir=None)
    models = load_models(bundle, backend, buckets=(WINDOWS,), is_lazy=True)
    rng = np.random.default_rng(seed)
    sampler = WindowSampler(clips=clips, subset=clips.subset("train"), augment=False)
    steps = [s.steps for s in bundle.manifest.animator.schedules]
    samples: list[Sample] = []
    for count in steps or [bundle.manifest.animator.steps_default]:
        batch = sampler.draw(WINDOWS, rng)
        recorder = _Recorder(models.animator.step)
        sample_animator(
            dataclasses.replace(
                models, animator=dataclasses.replace(models.animator, step=recorder)
            ),
            noise=rng.standard_normal(batch.known.shape, dtype=np.float32),
            known=batch.known,
            known_mask=batch.known_mask,
            anchor=batch.anchor,
            anchor_joints=batch.anchor_joints,
            steps=count,
            text=_words(models, clips, batch.clip, rng),
        )
        calls = recorder.calls
        chosen = np.unique(np.linspace(0, len(calls) - 1, min(CALLS, len(calls))).round())
        samples += [calls[int(index)] for index in chosen]
    backend.close()
    return samples


class _Recorder:
    """A graph that remembers what it was given."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.calls: list[Sample] = []

    def __call__(self, inputs: Sample) -> dict[str, Array]:
        self.calls.append({name: value.copy() for name, value in inputs.items()})
        return self._graph(inputs)


def _words(
    models: Models, clips: Clips, chosen: IntArray, rng: np.random.Generator
) -> Array | None:
    """A caption of each chosen clip as the animator reads it, or silence; None if it never does."""
    if not models.animator.text_width:
        return None
    texts = [
        str(rng.choice(clips.captions[clip])) if rng.random() > SILENT else "" for clip in chosen
    ]
    return encode_text(models, texts)


# ----------------------------------------------------------------------------- the graph
def quantised(model: onnx.ModelProto, samples: Sequence[Sample]) -> onnx.ModelProto:
    """A step graph whose products with constant matrices are int8 (QuantizeLinear pairs around).

    All but FIRST and LAST of them; products inside attention stay as they are too: they are small,
    and int8 is no faster there.
    """
    nncf = _require_nncf()
    restore_floats(model)
    constants = {tensor.name for tensor in model.graph.initializer}
    products = [node for node in model.graph.node if node.op_type == "MatMul"]
    attention = [node.name for node in products if node.input[1] not in constants]
    linear = [node.name for node in products if node.input[1] in constants]
    logger = logging.getLogger("nncf")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # its progress bars
            result: onnx.ModelProto = nncf.quantize(
                model,
                nncf.Dataset(samples),
                subset_size=len(samples),
                model_type=nncf.ModelType.TRANSFORMER,
                ignored_scope=nncf.IgnoredScope(names=attention + linear[:FIRST] + linear[-LAST:]),
                advanced_parameters=nncf.AdvancedQuantizationParameters(
                    smooth_quant_alphas=nncf.AdvancedSmoothQuantParameters(matmul=SMOOTHING),
                    disable_bias_correction=True,  # measured: no better with it, and twice as slow
                ),
            )
    finally:
        logger.setLevel(level)
    return result


def _require_nncf() -> Any:
    os.environ.setdefault("NNCF_CI", "1")  # NNCF reports each use to its makers otherwise
    try:
        import nncf
        import onnxruntime  # noqa: F401  # NNCF runs ONNX graphs with it
    except ImportError as exc:
        raise BackendError(
            "int8 needs NNCF and ONNX Runtime: pip install 'contrapose[quantise]'",
            field="precision",
            reason="EXTRA_MISSING",
        ) from exc
    return nncf
