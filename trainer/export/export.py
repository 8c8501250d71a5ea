"""The exporter: trained networks -> an engine bundle.

Knows torch modules and what the engine expects of a graph (names, shapes, what is precomputed).
The manifest's format is `engine.bundle`'s. A bundle appears whole, by a rename, or not at all.
"""

from __future__ import annotations

import copy
import dataclasses
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeVar

import onnx
import torch
from torch import Tensor, nn

from engine.bundle import (
    MANIFEST,
    AnimatorSpec,
    BodySpec,
    Bundle,
    GeneratorSpec,
    ScheduleSpec,
    TextSpec,
    write_manifest,
)
from engine.errors import BundleError
from engine.motion.motion import WINDOW_FRAMES
from engine.sampling.schedule import step_schedule
from trainer.export.onnx_graph import store_halves, store_int8, store_sinusoids, trace
from trainer.models.animator import Animator
from trainer.models.diffusion import DIFFUSION_STEPS, ddim_update
from trainer.models.generator import Generator
from trainer.text.encoder import TextEncoder

BODY_FILE = "body.npz"
Weights = Literal["compact", "f16", "f32"]


def export_bundle(
    path: Path,
    *,
    animator: Animator,
    generator: Generator | None = None,
    text: TextEncoder | None = None,
    body_file: Path | None = None,
    name: str,
    description: str,
    licence: str,
    weights: Weights = "f16",
    history_frames: int = 10,
    steps_default: int = 50,
    schedules: Sequence[ScheduleSpec] = (),
    generator_steps_default: int = 50,
    guidance: float = 2.5,
    most_bytes: int | None = None,
) -> Bundle:
    """Write a bundle to `path`, replacing a bundle that is there.

    body_file       the body that the networks were trained with; None: the engine's own
    weights         f32 keeps every bit of a checkpoint; f16 stores matrices in half the bytes;
                    compact stores products in int8 and computes the sinusoids
    schedules       step schedules that the animator supports; see `even_schedules`
    history_frames  known frames that the animator was trained to take; 1: the anchor alone
    Raises BundleError if `path` holds something else than a bundle, if text encoder and networks
    differ in the length of their vectors, or if the bundle would be larger than `most_bytes`.
    """
    _refuse_foreign(path)
    if text is not None:
        _check_text_width(text, animator, generator)

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as scratch:
        partial = Path(scratch) / "new"
        partial.mkdir()
        if body_file is not None:
            shutil.copyfile(body_file, partial / BODY_FILE)
        _save(partial / "animator/condition.onnx", animator_condition(animator), weights)
        _save(partial / "animator/step.onnx", animator_step(animator), weights)
        if generator is not None:
            condition = generator_condition(generator)
            _save(partial / "generator/condition.onnx", condition, weights)
            _save(partial / "generator/step.onnx", generator_step(generator), weights)
        if text is not None:
            _save(partial / "text/encoder.onnx", text.model, "f32")  # stored as it came
            (partial / "text/tokenizer.json").write_text(text.tokenizer, encoding="utf-8")
        bundle = write_manifest(
            partial,
            name=name,
            licence=licence,
            description=description,
            animator=AnimatorSpec(
                width=animator.config.width,
                heads=animator.config.heads,
                layers=animator.config.layers,
                text_width=animator.config.text_width,
                window_frames=WINDOW_FRAMES,
                history_frames=history_frames,
                steps_default=steps_default,
                schedules=tuple(schedules),
            ),
            generator=None
            if generator is None
            else GeneratorSpec(
                width=generator.config.width,
                heads=generator.config.heads,
                layers=generator.config.layers,
                text_width=generator.config.text_width,
                guidance=guidance,
                steps_default=generator_steps_default,
            ),
            text=None if text is None else TextSpec(kind=text.kind, max_tokens=text.max_tokens),
            body=None if body_file is None else BodySpec(file=BODY_FILE),
        )
        _check_size(bundle, path, most_bytes)
        if path.exists():
            path.rename(Path(scratch) / "old")
        partial.rename(path)
    return dataclasses.replace(bundle, path=path)


def even_schedules(counts: Sequence[int]) -> tuple[ScheduleSpec, ...]:
    """The published spacing at these step counts, not measured yet."""
    return tuple(
        ScheduleSpec(
            steps=steps, timesteps=tuple(step_schedule(steps).timesteps.tolist()), quality=None
        )
        for steps in counts
    )


# ----------------------------------------------------------------------------- the graphs
def animator_condition(animator: Animator) -> onnx.ModelProto:
    """anchor (B, 2, 135), anchor_joints (B, 2, 22, 3), timesteps (steps,) -> modulation.

    An animator that takes text also has the input text (B, text_width).
    """
    rows = {"anchor": torch.zeros(2, 2, 135), "anchor_joints": torch.zeros(2, 2, 22, 3)}
    if animator.config.text_width:
        rows["text"] = torch.zeros(2, animator.config.text_width)
    return trace(
        _AnimatorCondition(_frozen(animator, table_rows=DIFFUSION_STEPS)),
        {**rows, "timesteps": torch.arange(3)},
        ["modulation"],
        {**dict.fromkeys(rows, BATCH), "timesteps": {0: "steps"}},
    )


def animator_step(animator: Animator) -> onnx.ModelProto:
    """Imputation, denoiser and DDIM update: ... -> x_s, x0 (B, 2, 30, 135)."""
    inputs = {
        "x_t": torch.zeros(2, 2, WINDOW_FRAMES, 135),
        "known": torch.zeros(2, 2, WINDOW_FRAMES, 135),
        "known_mask": torch.zeros(2, 2, WINDOW_FRAMES, 1),
        "anchor": torch.zeros(2, 2, 135),
        "modulation": torch.zeros(2, animator.config.layers * 4 * animator.config.width),
        "abar_t": torch.zeros(2),
        "abar_s": torch.zeros(2),
    }
    network = _frozen(animator, table_rows=WINDOW_FRAMES)
    return trace(_AnimatorStep(network), inputs, ["x_s", "x0"], dict.fromkeys(inputs, BATCH))


def generator_condition(generator: Generator) -> onnx.ModelProto:
    """text (B, text_width), timesteps (steps,) -> modulation (B, steps, M)."""
    return trace(
        _GeneratorCondition(_frozen(generator, table_rows=DIFFUSION_STEPS)),
        {"text": torch.zeros(2, generator.config.text_width), "timesteps": torch.arange(3)},
        ["modulation"],
        {"text": BATCH, "timesteps": {0: "steps"}},
    )


def generator_step(generator: Generator) -> onnx.ModelProto:
    """x_t (B, 2, 201), pose (B, 2, 201), pose_mask (B, 2), modulation (B, M) -> x0 (B, 2, 201)."""
    inputs = {
        "x_t": torch.zeros(2, 2, 201),
        "pose": torch.zeros(2, 2, 201),
        "pose_mask": torch.zeros(2, 2),
        "modulation": torch.zeros(2, generator.config.layers * 4 * generator.config.width),
    }
    network = _frozen(generator, table_rows=1)
    return trace(_GeneratorStep(network), inputs, ["x0"], dict.fromkeys(inputs, BATCH))


BATCH = {0: "batch"}


class _AnimatorCondition(nn.Module):
    def __init__(self, animator: Animator) -> None:
        super().__init__()
        self.animator = animator

    def forward(
        self, anchor: Tensor, anchor_joints: Tensor, timesteps: Tensor, text: Tensor | None = None
    ) -> Tensor:
        return self.animator.modulation(timesteps[None], anchor, anchor_joints, text)


class _AnimatorStep(nn.Module):
    def __init__(self, animator: Animator) -> None:
        super().__init__()
        self.animator = animator

    def forward(
        self,
        x_t: Tensor,
        known: Tensor,
        known_mask: Tensor,
        anchor: Tensor,
        modulation: Tensor,
        abar_t: Tensor,
        abar_s: Tensor,
    ) -> tuple[Tensor, Tensor]:
        x0 = self.animator.denoise(x_t, known, known_mask, anchor, modulation)
        return ddim_update(x_t, x0, abar_t.view(-1, 1, 1, 1), abar_s.view(-1, 1, 1, 1)), x0


class _GeneratorCondition(nn.Module):
    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, text: Tensor, timesteps: Tensor) -> Tensor:
        return self.generator.modulation(timesteps[None], text)


class _GeneratorStep(nn.Module):
    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, x_t: Tensor, pose: Tensor, pose_mask: Tensor, modulation: Tensor) -> Tensor:
        return self.generator.denoise(x_t, pose, pose_mask, modulation)


Network = TypeVar("Network", Animator, Generator)


def _frozen(network: Network, *, table_rows: int) -> Network:
    """A float32 copy on the CPU whose sinusoidal table has only the rows that its graph reads."""
    frozen = copy.deepcopy(network).cpu().float().requires_grad_(False)
    table = frozen.sequence_pos_encoder
    table.pe = table.pe[:table_rows].clone()
    return frozen


# ----------------------------------------------------------------------------- the directory
def _save(path: Path, model: onnx.ModelProto, weights: Weights) -> None:
    path.parent.mkdir(exist_ok=True)
    if weights == "compact":
        store_int8(model)
        store_sinusoids(model)
    if weights != "f32":
        store_halves(model)
    onnx.save(model, path)


def _check_size(bundle: Bundle, path: Path, most_bytes: int | None) -> None:
    found = sum(record.bytes for record in bundle.manifest.files.values())
    if most_bytes is not None and found > most_bytes:
        parts = ", ".join(f"{n} {r.bytes}" for n, r in bundle.manifest.files.items())
        raise BundleError(
            f"{path}: would have {found} bytes, at most {most_bytes} are allowed ({parts})",
            field="files",
        )


def _refuse_foreign(path: Path) -> None:
    if path.exists() and not (path / MANIFEST).is_file():
        raise BundleError(
            f"{path}: exists and is no bundle; name another path, or remove it", field="path"
        )


def _check_text_width(text: TextEncoder, animator: Animator, generator: Generator | None) -> None:
    takers = {"animator": animator.config, "generator": generator.config if generator else None}
    for name, config in takers.items():
        if config is not None and config.text_width not in (0, text.width):
            raise BundleError(
                f"the text encoder gives {text.width} numbers, the {name} takes "
                f"{config.text_width}; train the {name} with this encoder",
                field="text",
            )
