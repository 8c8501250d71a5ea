"""A partner who keeps what it was told of posture does not come back; one who stands up does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.arrays import Array
from engine.body.pose import Pose
from engine.body.rotations import rotmat_about
from engine.body.shape import load_body
from engine.motion.motion import features_from_pose
from engine.motion.standing import standing_pose
from engine.sampling.request import WindowRequest
from tests.trainer.synthetic import clip_records
from trainer.data.shards import Clips, ShardsManifest, load_clips, write_manifest, write_shard
from trainer.evaluation.measures import EvaluationSettings
from trainer.evaluation.restoring import FAULTS, restoring_table


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    """Two test clips of people who stand still for six seconds, face to face, hands down."""
    folder: Path = tmp_path_factory.mktemp("clips")
    records = [record for record in clip_records(16) if record.split == "test"]
    turned = rotmat_about("y", np.array(np.pi)) @ standing_pose()[0]
    rotmats = np.stack([standing_pose()] * 2)
    rotmats[1, 0] = turned
    pair = features_from_pose(Pose(rotmats, np.array([[0.0, 1.28, 0.0], [0.0, 1.28, 1.2]])))
    still = [replace(record, features=np.stack([pair] * 60)) for record in records]
    shard = write_shard(folder, "shard-00000", still)
    write_manifest(
        folder, ShardsManifest(source="still", options={}, shards=(shard,), is_complete=True)
    )
    return load_clips(folder)


def keeping(requests: Sequence[WindowRequest]) -> Array:
    """Windows in which everybody stays as at the anchor."""
    return np.zeros((len(requests), 2, 30, 135), np.float32)


def test_what_a_network_keeps_is_left_and_what_it_forgets_is_gone(clips: Clips) -> None:
    upright = []

    def standing_up(requests: Sequence[WindowRequest]) -> Array:
        """As at the anchors of the first session, in which nothing was wrong."""
        anchors = np.stack([request.anchor for request in requests])
        if len(upright) < 5 * len(requests):
            upright.extend(anchors)
        right = np.stack(upright[: len(requests)])
        return np.repeat((right - anchors)[:, :, None], 30, axis=2).astype(np.float32)

    settings = EvaluationSettings(body=load_body(), steps=(4,))
    for sample, expected in ((keeping, 1.0), (standing_up, 0.0)):
        table = restoring_table(sample, clips, settings)
        assert [name.split(",")[0] for name in table] == list(FAULTS)
        for row in table.values():
            assert row["begun_cm"].mean > 1
            assert abs(row["left_ratio"].mean - expected) < 0.1
