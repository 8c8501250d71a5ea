"""The evaluator's networks: an autoencoder of windows, one of pairs, and motions matched to words.

Knows tensors of features and text vectors. Small on purpose: they are trained where the evaluation
runs. In spirit: the movement encoder and the matching pair of T2M (Guo et al. 2022, CVPR) and
InterCLIP (Liang et al. 2023, arXiv:2304.05684), with a cosine loss as in CLIP.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.motion.motion import WINDOW_FRAMES
from trainer.evaluation.evaluator.features import FEATURES

HALVINGS = 3
"""Strided convolutions over a window: 30, 15, 8, 4 frames."""


@dataclass(frozen=True, kw_only=True)
class EvaluatorConfig:
    width: int = 128
    latent: int = 64
    text_width: int = 384
    pool: int = 6144
    """Windows that are cut once and trained on again and again."""
    steps: int = 1200
    batch: int = 128
    learning_rate: float = 2e-3
    seed: int = 0


class MotionEncoder(nn.Module):
    """Standardised features (batch, frame, 528) -> (batch, latent); 30 frames, or a single one."""

    def __init__(self, config: EvaluatorConfig, frames: int) -> None:
        super().__init__()
        width = config.width
        self.per_frame = nn.Linear(FEATURES, width)
        self.halvings = nn.ModuleList(
            nn.Conv1d(width, width, 3, stride=2, padding=1) for _ in range(_halvings(frames))
        )
        self.out = nn.Linear(width * frames_after(frames), config.latent)

    def forward(self, features: Tensor) -> Tensor:
        hidden = functional.silu(self.per_frame(features)).transpose(1, 2)
        for halving in self.halvings:
            hidden = functional.silu(halving(hidden))
        return torch.as_tensor(self.out(hidden.flatten(1)))


class MotionDecoder(nn.Module):
    """The way back: (batch, latent) -> (batch, frame, 528)."""

    def __init__(self, config: EvaluatorConfig, frames: int) -> None:
        super().__init__()
        self.frames, self.start = frames, frames_after(frames)
        width = config.width
        self.into = nn.Linear(config.latent, width * self.start)
        self.doublings = nn.ModuleList(
            nn.Conv1d(width, width, 3, padding=1) for _ in range(_halvings(frames))
        )
        self.per_frame = nn.Linear(width, FEATURES)

    def forward(self, latent: Tensor) -> Tensor:
        hidden = functional.silu(self.into(latent)).view(len(latent), -1, self.start)
        for doubling in self.doublings:
            hidden = functional.silu(doubling(hidden.repeat_interleave(2, dim=-1)))
        return torch.as_tensor(self.per_frame(hidden[..., : self.frames].transpose(1, 2)))


def _halvings(frames: int) -> int:
    return HALVINGS if frames > 1 else 0


def frames_after(frames: int) -> int:
    """Frames that the strided convolutions leave."""
    for _ in range(_halvings(frames)):
        frames = (frames + 1) // 2
    return frames


class Autoencoder(nn.Module):
    def __init__(self, config: EvaluatorConfig, frames: int) -> None:
        super().__init__()
        self.encoder = MotionEncoder(config, frames)
        self.decoder = MotionDecoder(config, frames)

    def loss(self, features: Tensor) -> Tensor:
        """Mean squared error of standardised features (batch, frame, 528)."""
        return functional.mse_loss(self.decoder(self.encoder(features)), features)


class Matching(nn.Module):
    """Motions and text vectors on one sphere, near each other where they belong together."""

    def __init__(self, config: EvaluatorConfig) -> None:
        super().__init__()
        self.motion = MotionEncoder(config, WINDOW_FRAMES)
        self.text = nn.Sequential(
            nn.Linear(config.text_width, config.width),
            nn.SiLU(),
            nn.Linear(config.width, config.latent),
        )
        self.log_scale = nn.Parameter(torch.tensor(2.5))

    def embed_motion(self, features: Tensor) -> Tensor:
        return functional.normalize(self.motion(features), dim=-1)

    def embed_text(self, text: Tensor) -> Tensor:
        return functional.normalize(self.text(text), dim=-1)

    def loss(self, features: Tensor, text: Tensor, is_true: Tensor) -> Tensor:
        """InfoNCE both ways (CLIP, Radford et al. 2021) over rows that belong together.

        features (batch, 30, 528), text (batch, text width); is_true (batch, batch) bool: caption j
        holds for motion i too, so it is not pushed away.
        """
        logits = self.log_scale.exp() * self.embed_motion(features) @ self.embed_text(text).T
        own = torch.eye(len(logits), dtype=torch.bool)
        logits = logits.masked_fill(is_true & ~own, -torch.inf)
        target = torch.arange(len(logits))
        both = functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)
        return both / 2


class EvaluatorNetworks(nn.Module):
    """Everything that is trained, with the scales of what goes in and comes out."""

    mean: Tensor
    deviation: Tensor
    window_scale: Tensor
    pair_scale: Tensor

    def __init__(self, config: EvaluatorConfig) -> None:
        super().__init__()
        self.window = Autoencoder(config, WINDOW_FRAMES)
        self.pair = Autoencoder(config, 1)
        self.matching = Matching(config)
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("deviation", torch.ones(FEATURES))
        self.register_buffer("window_scale", torch.ones(()))
        self.register_buffer("pair_scale", torch.ones(()))

    def standardised(self, features: Tensor) -> Tensor:
        return (features - self.mean) / self.deviation
