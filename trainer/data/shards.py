"""Shards: two-person clips on disk, in folders that training reads without loading them whole.

    SHARDS/manifest.json       what made them, a SHA-256 of every file, what was skipped and why
    SHARDS/shard-00000/        features.npy starts.npy rest_joints.npy betas.npy index.json

Knows the layout. Knows neither where clips come from (`jobs.py`, `importing.py`, choreography)
nor what is drawn from them (`windows.py`). A folder or a shard is there whole or not at all.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.arrays import Array, BoolArray, IntArray
from engine.body.pose import Pose
from engine.body.skeleton import JOINT_COUNT
from engine.errors import InputError
from engine.motion.motion import POSE_FEATURES, pose_from_features
from trainer.data.splits import Split

MANIFEST = "manifest.json"
FORMAT = "contrapose-shards/2"
Contact = tuple[int, int, int]
"""(frame, joint of person 0, joint of person 1) that touch."""
PLAYER, PARTNER, NOBODY, UNTOLD = range(4)
"""Who begins what is done in a clip; recordings do not tell."""


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One two-person clip at 10 frames a second: Y up, floor at y = 0, person 0 is the player.

    features       (frame, 2, 135) float32 (engine/motion/motion.py)
    rest_joints    (2, 22, 3) of each person's own body; betas (2, 10)
    anchor_frames  the interactive poses, thinned over time
    source         file name, or "synth:SEED"
    """

    features: Array
    rest_joints: Array
    betas: Array
    kind: str
    captions: tuple[str, ...]
    anchor_frames: tuple[int, ...]
    contacts: tuple[Contact, ...]
    split: Split
    source: str
    is_mirrorable: bool = True
    """False where handedness is a convention (a handshake): such clips are never mirrored."""
    leads: int = UNTOLD
    """PLAYER, PARTNER or NOBODY begins what is done."""

    def __post_init__(self) -> None:
        expected = {
            "features": (len(self.features), 2, POSE_FEATURES),
            "rest_joints": (2, JOINT_COUNT, 3),
            "betas": (2, 10),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, expected {shape}")

    @property
    def pose(self) -> Pose:
        """Both people in all frames: rotmats (2, frame, 22, 3, 3), transl (2, frame, 3)."""
        return pose_from_features(np.swapaxes(self.features, 0, 1))


# ------------------------------------------------------------------------------------ reading them
@dataclass(frozen=True, kw_only=True)
class Clips:
    """Many clips, their frames left on disk until they are asked for.

    features       memory-mapped (frames of the shard, 2, 135), one for each shard
    starts         (clips,) first frame of each clip, counted over all shards; lengths (clips,)
    rest_joints    (clips, 2, 22, 3); betas (clips, 2, 10); is_mirrorable (clips,)
    leads          (clips,) PLAYER, PARTNER, NOBODY or UNTOLD
    kinds, captions, anchor_frames, contacts, splits, sources: one entry for each clip
    """

    features: tuple[Array, ...]
    starts: IntArray
    lengths: IntArray
    rest_joints: Array
    betas: Array
    kinds: tuple[str, ...]
    captions: tuple[tuple[str, ...], ...]
    anchor_frames: tuple[IntArray, ...]
    contacts: tuple[tuple[Contact, ...], ...]
    splits: tuple[Split, ...]
    sources: tuple[str, ...]
    is_mirrorable: BoolArray
    leads: IntArray

    def __len__(self) -> int:
        return len(self.starts)

    def frames(self, clip: int) -> int:
        return int(self.lengths[clip])

    def frames_at(self, indices: IntArray) -> Array:
        """Frames counted over all shards, (...) -> (..., 2, 135) float32."""
        ends = np.cumsum([len(part) for part in self.features])
        flat = np.asarray(indices).reshape(-1)
        shard_of = np.searchsorted(ends, flat, side="right")
        result = np.empty((len(flat), 2, POSE_FEATURES), np.float32)
        for shard in np.unique(shard_of):
            part = self.features[shard]
            chosen = shard_of == shard
            result[chosen] = part[flat[chosen] - (ends[shard] - len(part))]
        if not np.isfinite(result).all():
            raise InputError(
                "a clip that was drawn holds numbers that are not finite: the shards are damaged; "
                "make them again",
                field="data",
            )
        return result.reshape(*np.shape(indices), 2, POSE_FEATURES)

    def motion_of(self, clip: int) -> Array:
        """All frames of one clip, (frames, 2, 135)."""
        return self.frames_at(self.starts[clip] + np.arange(self.lengths[clip]))

    def subset(self, split: Split) -> IntArray:
        """Indices of the clips of one split."""
        return np.flatnonzero([s == split for s in self.splits])

    def only(self, chosen: IntArray) -> Clips:
        """The chosen clips, in the order given; their frames stay where they are."""
        per_clip = ("kinds", "captions", "anchor_frames", "contacts", "splits", "sources")
        arrays = ("starts", "lengths", "rest_joints", "betas", "is_mirrorable", "leads")
        changes: dict[str, Any] = {name: getattr(self, name)[chosen] for name in arrays}
        changes |= {name: tuple(getattr(self, name)[i] for i in chosen) for name in per_clip}
        return dataclasses.replace(self, **changes)


def load_clips(path: Path, *, verify: bool = False) -> Clips:
    """All clips of a folder of shards; `verify` computes the hashes too.

    Raises InputError when the folder is unfinished, or a file is missing, altered or malformed.
    """
    manifest = read_manifest(path)
    if not manifest.is_complete:
        raise InputError(
            f"{path}: unfinished, {len(manifest.shards)} shards so far; run the command that makes "
            "it again and it goes on where it stopped"
        )
    records = [record for record in manifest.shards if record.clips]
    if not records:
        raise InputError(f"{path}: holds no clips; make it again")
    for record in records:
        if fault := shard_fault(path, record, verify=verify):
            raise InputError(f"{path}/{record.name}: {fault}; delete it and make it again")
    try:
        return _joined([path / record.name for record in records])
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise InputError(f"{path}: not readable as shards ({exc}); make it again") from exc


def _joined(shards: Sequence[Path]) -> Clips:
    features = tuple(np.load(shard / "features.npy", mmap_mode="r") for shard in shards)
    starts = [np.load(shard / "starts.npy") for shard in shards]
    offsets = np.cumsum([0, *(len(part) for part in features)])
    index = [item for shard in shards for item in json.loads((shard / "index.json").read_text())]
    return Clips(
        features=features,
        starts=np.concatenate([s[:-1] + o for s, o in zip(starts, offsets[:-1], strict=True)]),
        lengths=np.concatenate([np.diff(s) for s in starts]),
        rest_joints=np.concatenate([np.load(shard / "rest_joints.npy") for shard in shards]),
        betas=np.concatenate([np.load(shard / "betas.npy") for shard in shards]),
        kinds=tuple(str(item["kind"]) for item in index),
        captions=tuple(tuple(item["captions"]) for item in index),
        anchor_frames=tuple(np.array(item["anchor_frames"], np.int64) for item in index),
        contacts=tuple(tuple((f, a, b) for f, a, b in item["contacts"]) for item in index),
        splits=tuple(item["split"] for item in index),
        sources=tuple(item["source"] for item in index),
        is_mirrorable=np.array([item["is_mirrorable"] for item in index], np.bool_),
        leads=np.array([item["leads"] for item in index], np.int64),
    )


# ------------------------------------------------------------------------------------ writing them
@dataclass(frozen=True, kw_only=True)
class ShardRecord:
    """A finished shard: its size, a SHA-256 and the bytes of every file, what had to be skipped."""

    name: str
    clips: int
    frames: int
    sha256: Mapping[str, str]
    bytes: Mapping[str, int]
    skipped: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Sources that could not be read, and why."""
    empty: int = 0
    """Sources that were read and hold nothing of use."""


def write_shard(
    folder: Path,
    name: str,
    clips: Sequence[Clip],
    *,
    skipped: Mapping[str, str] | None = None,
    empty: int = 0,
) -> ShardRecord:
    """Write FOLDER/NAME whole or not at all; without clips there is a record but no folder."""
    sources: dict[str, Any] = {"skipped": skipped or {}, "empty": empty}
    if not clips:
        return ShardRecord(name=name, clips=0, frames=0, sha256={}, bytes={}, **sources)
    lengths = [len(clip.features) for clip in clips]
    partial, final = folder / f".{name}.{os.getpid()}", folder / name
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    arrays: dict[str, Array | IntArray] = {
        "features": np.concatenate([clip.features for clip in clips]).astype(np.float32),
        "starts": np.cumsum([0, *lengths]).astype(np.int64),
        "rest_joints": np.stack([clip.rest_joints for clip in clips]).astype(np.float32),
        "betas": np.stack([clip.betas for clip in clips]).astype(np.float32),
    }
    for array, values in arrays.items():
        np.save(partial / f"{array}.npy", values)
    (partial / "index.json").write_text(json.dumps([_index_of(clip) for clip in clips]))
    files = sorted(partial.iterdir())
    record = ShardRecord(
        name=name,
        clips=len(clips),
        frames=sum(lengths),
        sha256={file.name: _sha256(file) for file in files},
        bytes={file.name: file.stat().st_size for file in files},
        **sources,
    )
    shutil.rmtree(final, ignore_errors=True)
    partial.replace(final)
    return record


def _index_of(clip: Clip) -> dict[str, object]:
    words = ("kind", "captions", "split", "source", "is_mirrorable", "leads")
    return {name: getattr(clip, name) for name in (*words, "anchor_frames", "contacts")}


def shard_fault(folder: Path, record: ShardRecord, *, verify: bool) -> str | None:
    """What is wrong with a recorded shard on disk, or None."""
    for name, size in record.bytes.items():
        file = folder / record.name / name
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != size:
            return f"{name} has {file.stat().st_size} bytes, expected {size}"
        if verify and _sha256(file) != record.sha256[name]:
            return f"{name} does not match its SHA-256"
    return None


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


# --------------------------------------------------------------------------------------- manifest
@dataclass(frozen=True, kw_only=True)
class ShardsManifest:
    """What a folder of shards was made from, and how far it has come."""

    source: str
    options: Mapping[str, Any]
    """Everything that decides the content; a folder is only ever continued with the same."""
    shards: tuple[ShardRecord, ...] = ()
    is_complete: bool = False

    @property
    def skipped(self) -> dict[str, str]:
        return {name: why for shard in self.shards for name, why in shard.skipped.items()}


def write_manifest(folder: Path, manifest: ShardsManifest) -> None:
    """Replace the manifest whole."""
    content = {"format": FORMAT, **dataclasses.asdict(manifest), "totals": totals(manifest)}
    partial = folder / f".{MANIFEST}.{os.getpid()}"
    partial.write_text(json.dumps(content, indent=1) + "\n")
    partial.replace(folder / MANIFEST)


def totals(manifest: ShardsManifest) -> dict[str, int]:
    return {
        "shards": sum(shard.clips > 0 for shard in manifest.shards),
        "clips": sum(shard.clips for shard in manifest.shards),
        "frames": sum(shard.frames for shard in manifest.shards),
        "bytes": sum(sum(shard.bytes.values()) for shard in manifest.shards),
        "skipped": len(manifest.skipped),
        "empty": sum(shard.empty for shard in manifest.shards),
    }


def read_manifest(folder: Path) -> ShardsManifest:
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text())
        if (found := content["format"]) != FORMAT:
            raise InputError(
                f"{path}: format is {found!r}, expected {FORMAT!r}; make it again", field="format"
            )
        return ShardsManifest(
            source=content["source"],
            options=content["options"],
            shards=tuple(ShardRecord(**shard) for shard in content["shards"]),
            is_complete=content["is_complete"],
        )
    except FileNotFoundError as exc:
        raise InputError(
            f"{path}: there is none; name a folder that `contrapose data` made"
        ) from exc
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise InputError(f"{path}: not readable as a manifest ({exc!r}); make it again") from exc
