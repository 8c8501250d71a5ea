"""What is evaluated: a bundle or a checkpoint, as functions that answer the engine's requests.

Knows files, compiled graphs and torch networks. Knows no measure. Whatever samples windows has the
type of `generation.SampleWindows`, so the engine's own way from a known pair to frames on a screen
can be followed with any network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from engine.arrays import Array
from engine.backends import open_backend
from engine.bundle import MANIFEST, load_bundle
from engine.sampling.generation import SampleWindows
from engine.sampling.models import Models, encode_text, load_models
from engine.sampling.sampler import sample_windows
from trainer.models.animator.network import Animator
from trainer.models.animator.sampler import torch_sampler
from trainer.models.checkpoints import distilled_schedules, load_network
from trainer.text.encoder import encode_texts
from trainer.text.minilm import minilm_text


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is evaluated.

    sha256          of the manifest, or of the checkpoint
    history_frames  known frames that it was trained to go on from
    steps_default   denoiser calls of a window
    encode          texts -> vectors (n, width), of an animator that takes words, else None
    models          of a bundle, None for a checkpoint
    guidance, generator_steps  of a bundle with a generator, else None
    """

    name: str
    sha256: str
    sample: SampleWindows
    history_frames: int
    steps_default: int
    encode: Callable[[Sequence[str]], Array] | None = None
    models: Models | None = None
    guidance: float | None = None
    generator_steps: int | None = None

    @property
    def has_generator(self) -> bool:
        return self.models is not None and self.models.generator is not None


# ----------------------------------------------------------------------------------------- opening
def open_subject(path: Path) -> Subject:
    """A bundle's folder or an animator's checkpoint. Raises InputError for anything else."""
    if (path / MANIFEST).exists():
        return _open_bundle(path)
    network = load_network(path, Animator)
    return Subject(
        name=str(path),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        sample=torch_sampler(network, distilled_schedules(path)),
        history_frames=10,
        steps_default=10,
        encode=_encode_minilm if network.config.text_width else None,
    )


def _open_bundle(path: Path) -> Subject:
    bundle = load_bundle(path)
    models = load_models(bundle, open_backend("openvino"), is_lazy=True)
    animator, generator = bundle.manifest.animator, bundle.manifest.generator
    return Subject(
        name=str(path),
        sha256=hashlib.sha256((path / MANIFEST).read_bytes()).hexdigest(),
        sample=partial(sample_windows, models),
        history_frames=animator.history_frames,
        steps_default=animator.steps_default,
        encode=partial(encode_text, models) if animator.text_width else None,
        models=models,
        guidance=generator.guidance if generator else None,
        generator_steps=generator.steps_default if generator else None,
    )


def _encode_minilm(texts: Sequence[str]) -> Array:
    return encode_texts(texts, minilm_text())
