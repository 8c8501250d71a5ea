"""Which families there are. A new one is a folder of this one, and its name here.

In the engine it is a field of `bundle.Manifest` and, once its graphs are run, one of
`sampling.models.Models`; export, checkpoints, training and the manifest's checks follow from them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainer.models.family import Family

FAMILIES = ("animator", "generator")


def family(name: str) -> Family:
    """Imported when it is asked for, so that a machine without PyTorch still lists the names."""
    found: Family = import_module(f"trainer.models.{name}.family").FAMILY
    return found
