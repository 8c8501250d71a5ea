"""Trains the evaluator on the train split of shards, once for each folder of them."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.arrays import IntArray
from engine.errors import InputError
from engine.motion.motion import WINDOW_FRAMES
from trainer.data.shards import MANIFEST, Clips
from trainer.data.windows import KnownSetConfig, WindowSampler
from trainer.evaluation.captions import Captions, read_captions
from trainer.evaluation.evaluator.evaluator import Evaluator, load_evaluator, save_evaluator
from trainer.evaluation.evaluator.features import window_features
from trainer.evaluation.evaluator.networks import EvaluatorConfig, EvaluatorNetworks

logger = logging.getLogger(__name__)

FROM_ANCHOR = KnownSetConfig(anchor_only=1, history=0, player_known=0, ends=0)
CALIBRATION_WINDOWS = 1024
DRAW = 512
"""Windows cut at once."""


def open_evaluator(
    data: Path, clips: Clips, path: Path | None = None, config: EvaluatorConfig | None = None
) -> Evaluator:
    """The evaluator of the folder DATA in a file, or one trained now and put there.

    path  None: beside the folder, DATA.evaluator.pt
    """
    data = data.absolute()
    path, shards = path or data.with_name(f"{data.name}.evaluator.pt"), shards_hash(data)
    if path.exists():
        return load_evaluator(path, shards)
    logger.info("no evaluator at %s: training one", path)
    evaluator = train_evaluator(clips, shards, config)
    save_evaluator(evaluator, path)
    return evaluator


def shards_hash(folder: Path) -> str:
    """SHA-256 of the manifest, which itself lists the hash of every file."""
    return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()


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
    sampler = window_sampler(clips, clips.subset("train"), FROM_ANCHOR)
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
