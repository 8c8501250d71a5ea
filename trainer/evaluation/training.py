"""Trains the evaluator on the train split of shards, and keeps it in a file of its own.

Knows clips, captions and the networks. Knows nothing of what will be evaluated: an evaluator must
never have seen a generated motion.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.arrays import Array, BoolArray, IntArray
from engine.errors import InputError
from engine.motion.motion import WINDOW_FRAMES
from trainer.data.shards import MANIFEST, Clips
from trainer.data.windows import KnownSetConfig, WindowSampler
from trainer.evaluation.features import window_features
from trainer.evaluation.networks import EvaluatorConfig, EvaluatorNetworks
from trainer.text.encoder import encode_texts

logger = logging.getLogger(__name__)

FORMAT = "contrapose-evaluator/1"
ANCHOR_ONLY = KnownSetConfig(anchor_only=1, history=0, player_known=0, ends=0)
CALIBRATION_WINDOWS = 1024
DRAW = 512
"""Windows cut at once."""


# ---------------------------------------------------------------------------------------- using it
@dataclass(frozen=True)
class Evaluator:
    """Embeddings of motions and words; all are numpy, row by row.

    shards  SHA-256 of the manifest of the shards it was trained on
    """

    config: EvaluatorConfig
    networks: EvaluatorNetworks
    shards: str

    def windows(self, motion: Array, rest_joints: Array) -> Array:
        """(batch, 2, 30, 135), (batch, 2, 22, 3) -> (batch, latent), of unit variance on average
        over the training set: for FID, precision, recall, diversity and multimodality."""
        latent = self.networks.window.encoder(self._features(motion, rest_joints))
        return _numpy(latent * self.networks.window_scale)

    def pairs(self, pair: Array, rest_joints: Array) -> Array:
        """The same for single pairs (batch, 2, 135), with an autoencoder of their own."""
        latent = self.networks.pair.encoder(self._features(pair[:, :, None], rest_joints))
        return _numpy(latent * self.networks.pair_scale)

    def matched_windows(self, motion: Array, rest_joints: Array) -> Array:
        """(batch, latent) unit vectors, to be compared with those of texts."""
        return _numpy(self.networks.matching.embed_motion(self._features(motion, rest_joints)))

    def matched_texts(self, text: Array) -> Array:
        """Text vectors (batch, 384) of `trainer.text.encoder.encode_texts` -> (batch, latent)."""
        return _numpy(self.networks.matching.embed_text(torch.from_numpy(text)))

    def _features(self, motion: Array, rest_joints: Array) -> Tensor:
        features = torch.from_numpy(window_features(motion, rest_joints))
        return self.networks.standardised(features)


def _numpy(tensor: Tensor) -> Array:
    return np.asarray(tensor.detach().numpy().astype(np.float64))


# ----------------------------------------------------------------------------------------- captions
@dataclass(frozen=True, kw_only=True)
class Captions:
    """The wordings of clips as vectors.

    texts    every wording once; vectors (texts, 384)
    of_clip  for each clip the indices of its wordings
    """

    texts: tuple[str, ...]
    vectors: Array
    of_clip: tuple[IntArray, ...]

    def draw(self, clips: IntArray, rng: np.random.Generator) -> IntArray:
        """(batch,) the index of one wording of each clip; every clip must have one."""
        return np.array([rng.choice(self.of_clip[clip]) for clip in clips])

    def is_true(self, clips: IntArray, drawn: IntArray) -> BoolArray:
        """(batch, n): whether wording j is one of clip i's."""
        return np.stack([np.isin(drawn, self.of_clip[clip]) for clip in clips])


def read_captions(clips: Clips) -> Captions:
    texts = tuple(dict.fromkeys(text for wordings in clips.captions for text in wordings))
    row_of = {text: row for row, text in enumerate(texts)}
    return Captions(
        texts=texts,
        vectors=encode_texts(texts),
        of_clip=tuple(np.array([row_of[t] for t in set_], np.int64) for set_ in clips.captions),
    )


# ---------------------------------------------------------------------------------------- training
def window_sampler(clips: Clips, subset: IntArray, known_sets: KnownSetConfig) -> WindowSampler:
    """Whole windows around interactive poses, as they are, of the clips that are long enough."""
    long = np.array([clip for clip in subset if clips.frames(int(clip)) >= WINDOW_FRAMES], np.int64)
    if len(long) < 2:
        raise InputError(
            f"{len(long)} clips of {len(subset)} have {WINDOW_FRAMES} frames, at least 2 are "
            "needed; make more data",
            field="data",
        )
    return WindowSampler(
        clips=clips, subset=long, known_sets=known_sets, augment=False, contact_bias=1.0
    )


def train_evaluator(clips: Clips, shards: str, config: EvaluatorConfig | None = None) -> Evaluator:
    """Train all three networks on the train split; a function of the clips and the config.

    Clips without captions are left out of the matching pair, and with none it stays untrained.
    """
    config = config or EvaluatorConfig()
    rng = np.random.default_rng(config.seed)
    pool = _drawn_pool(clips, config, rng)
    captions = read_captions(clips)
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        networks = EvaluatorNetworks(config)
    _standardise(networks, pool)
    optimiser = torch.optim.AdamW(networks.parameters(), lr=config.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, config.steps)
    for step in range(config.steps):
        loss = _loss(networks, pool, rng.integers(config.pool, size=config.batch), captions, rng)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimiser.step()
        schedule.step()
        if (step + 1) % 200 == 0:
            logger.info("evaluator: step %d of %d, loss %.3f", step + 1, config.steps, loss.item())
    _unit_variance(networks.eval(), pool)
    return Evaluator(config, networks, shards)


@dataclass(frozen=True, kw_only=True)
class _Pool:
    """Windows to train on, as features in half precision; their anchors alone; their clips."""

    windows: Tensor
    pairs: Tensor
    clip: IntArray


def _drawn_pool(clips: Clips, config: EvaluatorConfig, rng: np.random.Generator) -> _Pool:
    sampler = window_sampler(clips, clips.subset("train"), ANCHOR_ONLY)
    drawn_windows, pairs, clip = [], [], []
    for first in range(0, config.pool, DRAW):
        batch = sampler.draw(min(DRAW, config.pool - first), rng)
        drawn_windows.append(window_features(batch.motion, batch.rest_joints).astype(np.float16))
        pairs.append(window_features(batch.clean_anchor[:, :, None], batch.rest_joints))
        clip.append(batch.clip)
    return _Pool(
        windows=torch.from_numpy(np.concatenate(drawn_windows)),
        pairs=torch.from_numpy(np.concatenate(pairs)),
        clip=np.concatenate(clip),
    )


def _loss(
    networks: EvaluatorNetworks,
    pool: _Pool,
    rows: IntArray,
    captions: Captions,
    rng: np.random.Generator,
) -> Tensor:
    features = networks.standardised(pool.windows[rows].float())
    loss = networks.window.loss(features)
    loss = loss + networks.pair.loss(networks.standardised(pool.pairs[rows]))
    clip = pool.clip[rows]
    worded = np.flatnonzero([len(captions.of_clip[c]) > 0 for c in clip])
    if len(worded) > 1:
        drawn = captions.draw(clip[worded], rng)
        is_true = torch.from_numpy(captions.is_true(clip[worded], drawn))
        text = torch.from_numpy(captions.vectors[drawn])
        loss = loss + networks.matching.loss(features[worded], text, is_true)
    return loss


def _standardise(networks: EvaluatorNetworks, pool: _Pool) -> None:
    flat = pool.windows[:CALIBRATION_WINDOWS].float().flatten(0, 1)
    networks.mean.copy_(flat.mean(0))
    networks.deviation.copy_(flat.std(0).clamp_min(0.02))


@torch.no_grad()
def _unit_variance(networks: EvaluatorNetworks, pool: _Pool) -> None:
    """Scale embeddings, so that figures of two evaluators are of one size."""
    for network, scale, features in (
        (networks.window, networks.window_scale, pool.windows[:CALIBRATION_WINDOWS].float()),
        (networks.pair, networks.pair_scale, pool.pairs[:CALIBRATION_WINDOWS]),
    ):
        latent = network.encoder(networks.standardised(features))
        scale.copy_(latent.var(0).mean().rsqrt())


# ----------------------------------------------------------------------------------------- the file
def shards_hash(folder: Path) -> str:
    """SHA-256 of the manifest, which itself lists the hash of every file."""
    return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()


def save_evaluator(evaluator: Evaluator, path: Path) -> None:
    content = {
        "format": FORMAT,
        "shards": evaluator.shards,
        "config": dataclasses.asdict(evaluator.config),
        "networks": evaluator.networks.state_dict(),
    }
    partial = path.with_name(f".{path.name}.partial")
    torch.save(content, partial)
    partial.replace(path)


def load_evaluator(path: Path, shards: str) -> Evaluator:
    """Raises InputError when the file is no evaluator, or one of other shards."""
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
        if content["format"] != FORMAT:
            raise ValueError(f"format is {content['format']}")
        config = EvaluatorConfig(**content["config"])
        networks = EvaluatorNetworks(config)
        networks.load_state_dict(content["networks"])
    except Exception as exc:  # torch.load raises whatever the file makes it do
        raise InputError(
            f"{path}: not readable as an evaluator ({exc}); delete it and it is trained again",
            field="--evaluator",
        ) from exc
    if content["shards"] != shards:
        raise InputError(
            f"{path}: was trained on shards {content['shards'][:12]}, these are {shards[:12]}; "
            "name another file",
            field="--evaluator",
        )
    return Evaluator(config, networks.eval(), shards)


def open_evaluator(
    path: Path, clips: Clips, shards: str, config: EvaluatorConfig | None = None
) -> Evaluator:
    """The evaluator in the file, or one trained now and put there."""
    if path.exists():
        return load_evaluator(path, shards)
    logger.info("no evaluator at %s: training one", path)
    evaluator = train_evaluator(clips, shards, config)
    save_evaluator(evaluator, path)
    return evaluator
