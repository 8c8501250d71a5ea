"""Animators that are shown less, for ablations: one thing missing at a time.

Knows what the published network is shown, and how to withhold it. Knows no data and no measure.
With everything shown it is the animator itself, with the same tensors and the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.motion.motion import POSE_FEATURES
from trainer.models.animator.network import Animator
from trainer.models.blocks import NetworkConfig


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What the network is shown. The rows of Ponimator's table 2 (facts/ponimator.md 17), as we
    read them: the paper names them and does not define them."""

    anchor: bool = True
    """The given pair is an anchor: windows are residuals to it and its frame is never noisy. False:
    it is a condition only. Windows are denoised as they are, and each noisy frame comes with
    the given pose of its person, without which nothing would tell the two people apart."""
    time: bool = True
    """Where the anchor stands. False: the mask is empty, so no frame is given either."""
    joints: bool = True
    """The anchor's world joints, in the condition vector beside its features."""


class AblatedAnimator(Animator):
    """`x_t` and what `forward` returns are absolute windows where `sight.anchor` is False."""

    def __init__(self, config: NetworkConfig, sight: Sight) -> None:
        super().__init__(config)
        self.sight = sight
        if not sight.anchor:
            self.motion_embed = nn.Linear(2 * POSE_FEATURES + 1, config.width)

    def modulation(
        self,
        timesteps: Tensor,
        anchor: Tensor,
        anchor_joints: Tensor,
        text: Tensor | None = None,
    ) -> Tensor:
        if not self.sight.joints:
            anchor_joints = torch.zeros_like(anchor_joints)
        return super().modulation(timesteps, anchor, anchor_joints, text)

    def denoise(
        self,
        x_t: Tensor,
        known: Tensor,
        known_mask: Tensor,
        anchor: Tensor,
        modulation: Tensor,
        valid: Tensor | None = None,
    ) -> Tensor:
        if not self.sight.time:
            known_mask = torch.zeros_like(known_mask)
        if not self.sight.anchor:
            x_t = torch.cat([x_t, anchor[:, :, None].expand_as(x_t)], dim=-1)
            known = x_t  # what is put in the place of known frames is what stands there
            anchor = torch.zeros_like(x_t[:, :, 0])
        return super().denoise(x_t, known, known_mask, anchor, modulation, valid)
