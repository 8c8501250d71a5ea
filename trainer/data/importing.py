"""Importing: from the recordings of a data set to clips around the moments of touch.

Each recording is searched for interactive poses (`contact.py`), and what lies within three seconds
of one is kept, whole. The paper cuts windows there, canonicalises and mirrors them beforehand;
`windows.py` does the same to each window as it is drawn, with the anchor at a random index, so one
clip on disk gives all windows that hold its poses. Knows no file format and no training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.arrays import Array
from engine.body.pose import Pose
from engine.body.shape import Body, bone_lengths, fit_betas, load_body
from engine.errors import InputError
from engine.motion.motion import WINDOW_FRAMES, features_from_pose
from trainer.data.contact import THRESHOLD, find_touches, stretches, thinned
from trainer.data.jobs import Job, Made, cut
from trainer.data.readers import READERS, Recording, Source
from trainer.data.readers.recording import VERTICES
from trainer.data.shards import Clip

SOURCES_IN_SHARD = 64
RIGHT_HANDED = frozenset({"handshake", "shake hands", "thumb up"})
"""Kinds done with the right hand by convention, whose mirror image nobody does."""
NEUTRAL_BODY = "neutral open body: a licensed body's shape coordinates do not carry over to it"


def clips_of(recording: Recording, source: Source, body: Body, threshold: float) -> list[Clip]:
    """The stretches of a recording around its interactive poses; none if nobody touches.

    threshold  metres between two skins that touch
    """
    betas = betas_on(recording, body)
    motion = Pose(recording.rotmats, recording.transl)
    touches = find_touches(body, betas, motion, recording.rest_joints, threshold)
    anchors = thinned(touches.distance)
    features = np.swapaxes(features_from_pose(motion), 0, 1)
    return [
        Clip(
            features=features[kept.start : kept.stop],
            rest_joints=recording.rest_joints,
            betas=betas,
            kind=recording.kind,
            captions=recording.captions,
            anchor_frames=tuple(frame - kept.start for frame in anchors if frame in kept),
            contacts=tuple((f - kept.start, a, b) for f, a, b in touches.contacts if f in kept),
            split=source.split,
            source=source.name,
            is_mirrorable=recording.kind.lower() not in RIGHT_HANDED,
        )
        for kept in stretches(anchors, len(features), WINDOW_FRAMES)
    ]


def betas_on(recording: Recording, body: Body) -> Array:
    """(2, 10) in the space of the body: the file's if they belong to it, else by bone lengths."""
    if VERTICES.get(len(body.template), "open") == recording.body_kind:
        return recording.betas
    return fit_betas(body, bone_lengths(recording.rest_joints))


@dataclass(frozen=True, kw_only=True)
class Importer:
    """Turns sources of a data set into clips; whatever cannot be read is named and left out."""

    data_set: str
    body_file: Path | None
    threshold: float

    def __call__(self, sources: Sequence[Source]) -> Made:
        body = load_body(self.body_file)
        clips: list[Clip] = []
        skipped: dict[str, str] = {}
        empty = 0
        for source in sources:
            try:
                recording = READERS[self.data_set].read(source, body)
                found = clips_of(recording, source, body, self.threshold)
            except InputError as error:
                skipped[source.name] = str(error)
            except Exception as error:  # a broken file fails in ways that no reader can list
                skipped[source.name] = f"{type(error).__name__}: {error}"
            else:
                clips += found
                empty += not found
        return Made(clips=clips, skipped=skipped, empty=empty)


def import_job(
    folder: Path,
    data_set: str,
    root: Path,
    *,
    body_file: Path | None = None,
    threshold: float = THRESHOLD,
    limit: int | None = None,
    sources_in_shard: int = SOURCES_IN_SHARD,
) -> Job[Source]:
    """All recordings under `root`, or the first `limit`, in shards of a fixed number of them."""
    body = load_body(body_file)
    sources = READERS[data_set].sources(root)[:limit]
    names = "\n".join(source.name for source in sources)
    return Job(
        folder=folder,
        source=data_set,
        options={
            "root": str(root.resolve()),
            "recordings": len(sources),
            "recordings_sha256": hashlib.sha256(names.encode()).hexdigest(),
            "body": NEUTRAL_BODY if body_file is None else body.name,
            "threshold_cm": round(100 * threshold, 6),
            "sources_in_shard": sources_in_shard,
        },
        parts=cut(sources, sources_in_shard),
        make=Importer(data_set=data_set, body_file=body_file, threshold=threshold),
    )
