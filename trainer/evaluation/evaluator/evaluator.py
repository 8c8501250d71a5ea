"""The evaluator in use, and its file."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.arrays import Array
from engine.errors import InputError
from trainer.evaluation.evaluator.features import window_features
from trainer.evaluation.evaluator.networks import EvaluatorConfig, EvaluatorNetworks

FORMAT = "contrapose-evaluator/1"


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


# ----------------------------------------------------------------------------------------- the file
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
