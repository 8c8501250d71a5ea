"""What a folder of shards gives back, and what it refuses to give."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.errors import InputError
from tests.trainer.synthetic import clip_records
from trainer.data.shards import (
    MANIFEST,
    Clips,
    ShardsManifest,
    load_clips,
    read_manifest,
    write_manifest,
    write_shard,
)

RECORDS = clip_records(7)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Seven clips in three shards, of which the middle one is empty."""
    parts = [RECORDS[:3], [], RECORDS[3:]]
    shards = [write_shard(tmp_path, f"shard-{i:05d}", part) for i, part in enumerate(parts)]
    write_manifest(
        tmp_path,
        ShardsManifest(source="test", options={"a": 1}, shards=tuple(shards), is_complete=True),
    )
    return tmp_path


@pytest.fixture
def clips(folder: Path) -> Clips:
    return load_clips(folder, verify=True)


def test_every_clip_comes_back_as_it_was_written(clips: Clips) -> None:
    assert len(clips) == 7
    for i, record in enumerate(RECORDS):
        np.testing.assert_array_equal(clips.motion_of(i), record.features)
        np.testing.assert_array_equal(clips.rest_joints[i], record.rest_joints)
        np.testing.assert_array_equal(clips.betas[i], record.betas)
        assert tuple(clips.anchor_frames[i]) == record.anchor_frames
        assert clips.contacts[i] == record.contacts
        assert clips.captions[i] == record.captions
        found = (clips.kinds[i], clips.splits[i], clips.sources[i], clips.is_mirrorable[i])
        assert found == (record.kind, record.split, record.source, record.is_mirrorable)
        assert clips.leads[i] == record.leads


def test_frames_of_several_shards_are_gathered_in_the_order_asked_for(clips: Clips) -> None:
    whole = np.concatenate([record.features for record in RECORDS])
    wanted = np.random.default_rng(0).integers(len(whole), size=(5, 4))
    np.testing.assert_array_equal(clips.frames_at(wanted), whole[wanted])


def test_frames_stay_on_disk_until_they_are_asked_for(clips: Clips) -> None:
    assert len(clips.features) == 2
    assert all(isinstance(part, np.memmap) for part in clips.features)


def test_chosen_clips_keep_their_frames_and_their_order(clips: Clips) -> None:
    chosen = clips.only(np.array([5, 0]))
    np.testing.assert_array_equal(chosen.motion_of(0), RECORDS[5].features)
    np.testing.assert_array_equal(chosen.motion_of(1), RECORDS[0].features)
    assert chosen.sources == (RECORDS[5].source, RECORDS[0].source)


def test_the_three_splits_hold_every_clip_once(clips: Clips) -> None:
    parts = [clips.subset(split) for split in ("train", "val", "test")]
    assert sorted(np.concatenate(parts)) == list(range(7))
    assert all(len(part) for part in parts)


def test_the_manifest_tells_sizes_hashes_and_what_was_skipped(tmp_path: Path) -> None:
    shard = write_shard(tmp_path, "shard-00000", RECORDS[:2], skipped={"P1": "broken"}, empty=3)
    manifest = ShardsManifest(source="test", options={}, shards=(shard,), is_complete=True)
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest
    stored = json.loads((tmp_path / MANIFEST).read_text())
    frames = sum(len(record.features) for record in RECORDS[:2])
    size = sum(file.stat().st_size for file in (tmp_path / "shard-00000").iterdir())
    assert stored["totals"] == {
        "shards": 1, "clips": 2, "frames": frames, "bytes": size, "skipped": 1, "empty": 3,
    }  # fmt: skip


def test_one_changed_bit_is_found_by_its_hash(folder: Path) -> None:
    file = folder / "shard-00002" / "features.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    load_clips(folder)
    with pytest.raises(InputError, match=r"shard-00002.*features\.npy.*SHA-256"):
        load_clips(folder, verify=True)


def test_a_cut_off_file_is_refused_by_name(folder: Path) -> None:
    file = folder / "shard-00000" / "index.json"
    file.write_text(file.read_text()[:-10])
    with pytest.raises(InputError, match=r"shard-00000.*index\.json"):
        load_clips(folder)


def test_a_missing_file_is_refused_by_name(folder: Path) -> None:
    (folder / "shard-00000" / "betas.npy").unlink()
    with pytest.raises(InputError, match=r"betas\.npy is missing"):
        load_clips(folder)


def test_an_unfinished_folder_is_refused(folder: Path) -> None:
    write_manifest(folder, ShardsManifest(source="test", options={}))
    with pytest.raises(InputError, match="unfinished"):
        load_clips(folder)


def test_a_folder_without_clips_is_refused(tmp_path: Path) -> None:
    write_manifest(tmp_path, ShardsManifest(source="test", options={}, is_complete=True))
    with pytest.raises(InputError, match="no clips"):
        load_clips(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", '{"format": "contrapose-shards/2"}', '{"a": 1}'])
def test_what_is_no_manifest_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / MANIFEST).write_text(content)
    with pytest.raises(InputError, match="not readable as a manifest"):
        read_manifest(tmp_path)


def test_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text('{"format": "contrapose-shards/9"}')
    with pytest.raises(InputError, match="contrapose-shards/9"):
        read_manifest(tmp_path)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="contrapose data"):
        load_clips(tmp_path)
