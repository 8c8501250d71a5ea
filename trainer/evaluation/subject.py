"""What is evaluated: a bundle or a checkpoint, as functions that answer the engine's requests.

Knows files, graphs, torch networks, and how the engine reads a window. Knows no measure. Whatever
samples windows has the type of `generation.SampleWindows`, so the engine's own way from a known
pair to frames on a screen can be followed with any network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from engine.arrays import Array
from engine.body.capsules import Capsules, fitted_capsules
from engine.body.shape import Body
from engine.bundle import MANIFEST
from engine.errors import InputError
from engine.motion.cleanup import CleanupConfig, cleaned
from engine.motion.floor import floor_height
from engine.motion.motion import WINDOW_FRAMES, features_from_pose, pose_from_features
from engine.motion.seams import MARGIN
from engine.motion.track import Track
from engine.sampling.generation import PAIR_FEATURES, People, SampleWindows, generate_pair
from engine.sampling.models import Models, encode_text
from engine.sampling.pairs import sample_generator
from engine.sampling.request import WindowRequest
from engine.sampling.sampler import window_noise
from engine.sampling.schedule import StepSchedule, schedule_of
from engine.sampling.windows import Window, close_window, open_window, read_window
from trainer.data.windows import WindowBatch
from trainer.models.animator import Animator
from trainer.models.blocks import config_from_state_dict
from trainer.models.diffusion import ddim_sample
from trainer.models.generator import Generator
from trainer.text.encoder import encode_texts
from trainer.training.runs import averaged_weights, read_checkpoint

BATCH = 16
"""Windows denoised at once in torch; bundles have buckets of their own."""


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
        return self.models is not None and self.models.generator_step is not None


# ----------------------------------------------------------------------------------------- opening
def open_subject(path: Path) -> Subject:
    """A bundle's folder or an animator's checkpoint. Raises InputError for anything else."""
    if (path / MANIFEST).exists():
        return _open_bundle(path)
    network = load_checkpoint(path)
    if not isinstance(network, Animator):
        raise InputError(f"{path}: holds a generator; name an animator", field="network")
    return Subject(
        name=str(path),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        sample=torch_sampler(network, checkpoint_schedules(path)),
        history_frames=10,
        steps_default=10,
        encode=encode_texts if network.config.text_width else None,
    )


def _open_bundle(path: Path) -> Subject:
    from engine.backends import open_backend
    from engine.bundle import load_bundle
    from engine.sampling.models import load_models
    from engine.sampling.sampler import sample_windows

    bundle = load_bundle(path)
    models = load_models(bundle, open_backend("openvino"), is_lazy=True)
    animator, generator = bundle.manifest.animator, bundle.manifest.generator
    return Subject(
        name=str(path),
        sha256=hashlib.sha256((path / MANIFEST).read_bytes()).hexdigest(),
        sample=lambda requests: sample_windows(models, requests),
        history_frames=animator.history_frames,
        steps_default=animator.steps_default,
        encode=(lambda texts: encode_text(models, texts)) if animator.text_width else None,
        models=models,
        guidance=generator.guidance if generator else None,
        generator_steps=generator.steps_default if generator else None,
    )


def load_checkpoint(path: Path) -> Animator | Generator:
    """The exported (EMA) network of a checkpoint that `contrapose train` wrote."""
    stored = read_checkpoint(path)
    state, about = averaged_weights(stored), stored["contrapose"]
    config = replace(config_from_state_dict(state, heads=about["heads"]), dropout=0.0)
    network = Animator(config) if about["network"] == "animator" else Generator(config)
    network.load_state_dict(state)
    return network.eval()


def checkpoint_schedules(path: Path) -> dict[int, tuple[int, ...]]:
    """The timesteps for each number of calls that a network was distilled to, descending."""
    schedules = read_checkpoint(path)["contrapose"].get("schedules", ())
    return {len(timesteps): tuple(timesteps) for timesteps in schedules}


def torch_sampler(
    animator: Animator, schedules: Mapping[int, Sequence[int]] | None = None
) -> SampleWindows:
    """DDIM in torch, float32, with the noise that the engine would draw.

    schedules  timesteps for some numbers of steps; at others they are evenly spaced
    """
    own = {steps: schedule_of(timesteps) for steps, timesteps in (schedules or {}).items()}

    def sample(requests: Sequence[WindowRequest]) -> Array:
        steps = requests[0].steps
        parts = [
            _sample_batch(animator, requests[first : first + BATCH], own.get(steps, steps))
            for first in range(0, len(requests), BATCH)
        ]
        return np.concatenate(parts)

    return sample


def _sample_batch(
    animator: Animator, requests: Sequence[WindowRequest], steps: int | StepSchedule
) -> Array:
    """(n, 2, 30, 135) residual; all requests want the same number of steps."""
    known, mask, anchor, joints = (
        torch.from_numpy(np.stack([getattr(request, name) for request in requests]))
        for name in ("known", "known_mask", "anchor", "anchor_joints")
    )
    noise = np.stack([window_noise(request.seed, request.first_frame) for request in requests])
    silence = np.zeros(animator.config.text_width, np.float32)
    told = np.stack([silence if request.text is None else request.text for request in requests])
    text = torch.from_numpy(told) if silence.size else None
    x0 = ddim_sample(
        lambda x, t: animator(x, t, known, mask, anchor, joints, text=text),
        torch.from_numpy(noise),
        steps,
    )
    return np.asarray(x0.numpy())


# ----------------------------------------------------------------------------------------- windows
def animated(
    sample: SampleWindows,
    batch: WindowBatch,
    bodies: Sequence[PairCapsules],
    steps: int,
    seed: int,
    text: Array | None = None,
) -> tuple[Array, Array]:
    """Windows (n, 2, 30, 135) from what a batch says is known: finished, and as the network left
    them. Finished is what a user gets: joined to the known frames and cleaned up by the engine.

    bodies  of both people of each window, as `capsules_of` gives them
    text    (n, width) what the two do, for an animator that takes words
    """
    opened = [_opened(batch, row, steps, seed + row) for row in range(len(batch.motion))]
    if text is not None:
        requests = [replace(window.request, text=t) for window, t in zip(opened, text, strict=True)]
        opened = [replace(w, request=request) for w, request in zip(opened, requests, strict=True)]
    x0 = sample([window.request for window in opened])
    finished, raw = zip(*map(_closed, opened, x0, bodies), strict=True)
    return np.stack(finished), np.stack(raw)


PairCapsules = tuple[Capsules, Capsules]


def capsules_of(body: Body, betas: Array) -> list[PairCapsules]:
    """The capsules of both people of each window, of shapes (n, 2, 10)."""
    return [(fitted_capsules(body, one), fitted_capsules(body, two)) for one, two in betas]


def _opened(batch: WindowBatch, row: int, steps: int, seed: int) -> Window:
    pose = pose_from_features(batch.motion[row].astype(np.float64))
    return open_window(
        Track(pose, batch.known_mask[row, ..., 0] > 0),
        first=0,
        anchor=int(batch.anchor_index[row]),
        rest_joints=batch.rest_joints[row],
        seed=seed,
        steps=steps,
    )


def _closed(window: Window, x0: Array, capsules: PairCapsules) -> tuple[Array, Array]:
    known = window.known.cut(MARGIN, WINDOW_FRAMES)
    anchor = int(np.flatnonzero(known.is_known.all(axis=0))[0])
    floor = floor_height(known.pose[:, anchor], window.rest_joints)
    cleanup = CleanupConfig(floor=float(floor.min()), capsules=capsules)
    finished = cleaned(close_window(window, x0), known.is_known, window.rest_joints, cleanup)
    raw = read_window(window, x0).cut(MARGIN, WINDOW_FRAMES)
    return features_of(finished), features_of(raw)


def features_of(track: Track) -> Array:
    """(2, frames, 135)"""
    return features_from_pose(track.pose)


# ------------------------------------------------------------------------------------------- pairs
def text_pairs(
    subject: Subject, body: Body, texts: Sequence[str], seeds: Sequence[int]
) -> tuple[list[People], Array]:
    """The pair for each text and seed, and the generator's own answers (n, 2, 201).

    The answers are sampled in one batch, then turned into pairs by the engine as for a user.
    """
    assert subject.models is not None
    assert subject.guidance is not None
    assert subject.generator_steps is not None
    words = encode_text(subject.models, list(dict.fromkeys(texts)))
    row_of = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    text = words[[row_of[t] for t in texts]]
    noise = np.concatenate([_pair_noise(seed) for seed in seeds])
    nothing, unposed = np.zeros_like(noise), np.zeros((len(noise), 2), np.float32)
    x0 = sample_generator(
        subject.models, noise, nothing, unposed, text, subject.guidance, subject.generator_steps
    )
    pairs = [
        generate_pair(
            body=body,
            text=text[row],
            single=None,
            seed=seeds[row],
            sample=lambda *_, row=row: x0[row : row + 1],
        )
        for row in range(len(x0))
    ]
    return pairs, x0


def _pair_noise(seed: int) -> Array:
    """As `engine.sampling.generation.generate_pair` draws it."""
    return np.random.default_rng(seed).standard_normal((1, 2, PAIR_FEATURES), np.float32)
