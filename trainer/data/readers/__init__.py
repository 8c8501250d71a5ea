"""Readers of two-person data sets, each in the layout of its owners (facts/datasets.md).

READERS names them as `contrapose data import` does. Data come from the user, under their terms.
Knows no shards and no network.
"""

from __future__ import annotations

from trainer.data.readers import (
    amass_pair,
    asf_amc_pair,
    bvh_pair,
    chi3d,
    dd100,
    hi4d,
    interhuman,
    interx,
)
from trainer.data.readers.recording import Reader, Recording, Source

__all__ = ["READERS", "Reader", "Recording", "Source"]

READERS: dict[str, Reader] = {
    "interx": interx,
    "interhuman": interhuman,
    "hi4d": hi4d,
    "chi3d": chi3d,
    "dd100": dd100,
    "amass-pair": amass_pair,
    "bvh-pair": bvh_pair,
    "asf-amc-pair": asf_amc_pair,
}
