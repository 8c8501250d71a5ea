"""The rows of the ablation table, after Ponimator's table 2: variants that are trained, and floors.

Knows names and settings; imports nothing heavy, so a machine without PyTorch lists the command.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CONFIG = Path(__file__).parent.parent / "configs" / "ablation.toml"


@dataclass(frozen=True)
class Variant:
    """A trained row: what it is, and what it has otherwise than the configuration file."""

    about: str
    changes: tuple[str, ...] = ()


OURS = "full"
VARIANTS = {
    OURS: Variant("the animator"),
    "without-anchor": Variant(
        "the pair is a condition only: windows are absolute, not residuals, and no frame is given",
        ("ablation.sight.anchor=false",),
    ),
    "without-time": Variant(
        "neither mask nor given frame: the network knows the pair, but not where it stands",
        ("ablation.sight.time=false",),
    ),
    "without-joints": Variant(
        "no world joints in the condition vector", ("ablation.sight.joints=false",)
    ),
    "random-pose": Variant(
        "trained around random frames instead of poses that touch",
        ("ablation.animator.contact_bias=0.0",),
    ),
    "intergen-like": Variant(
        "two streams with cross-attention; the pair is a condition only, as without-anchor",
        ("ablation.is_intergen=true", "size.layers=3"),  # three of its blocks outweigh four of ours
    ),
}
FLOORS = {
    "copy": "no network: the pair, held still",
    "nearest": "no network: the training window around the nearest pair",
}
ROWS = (*VARIANTS, *FLOORS)
