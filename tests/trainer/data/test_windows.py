"""Windows are canonical, rigidly equal to their clips, and known where their known set says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.body.skeleton import MIRROR
from tests.builders import joints_of_features
from tests.trainer.synthetic import REST_JOINTS, clip_records, write_clips
from trainer.data import windows
from trainer.data.augmentation import draw_augmentation, mirrored
from trainer.data.canonical import canonicalised
from trainer.data.captions import CaptionTable, caption_of, caption_table, unique_captions
from trainer.data.pairs import PairSampler
from trainer.data.shards import (
    NOBODY,
    PARTNER,
    PLAYER,
    Clips,
    ShardsManifest,
    load_clips,
    write_manifest,
    write_shard,
)
from trainer.data.windows import WindowSampler


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    return load_clips(write_clips(tmp_path_factory.mktemp("clips")))


@pytest.fixture
def sampler(clips: Clips) -> WindowSampler:
    return WindowSampler(clips=clips, subset=np.arange(len(clips)))


def test_a_mirrored_body_has_mirrored_joints(clips: Clips) -> None:
    features = clips.frames_at(np.arange(40))[None].transpose(0, 2, 1, 3)
    rest = clips.rest_joints[:1]
    flipped, rest_flipped = mirrored(features, rest)
    expected = joints_of_features(features, rest)[..., MIRROR, :] * [-1, 1, 1]
    np.testing.assert_allclose(joints_of_features(flipped, rest_flipped), expected, atol=1e-5)


def test_mirroring_twice_changes_nothing(clips: Clips) -> None:
    features = clips.frames_at(np.arange(5))
    twice = mirrored(*mirrored(features, REST_JOINTS))
    np.testing.assert_array_equal(twice[0], features)
    np.testing.assert_array_equal(twice[1], REST_JOINTS)


def test_every_anchor_is_canonical(sampler: WindowSampler) -> None:
    batch = replace(sampler, augment=False).draw(32, np.random.default_rng(0))
    rows = np.arange(32)
    np.testing.assert_allclose(batch.clean_anchor[:, 0, [-3, -1]], 0, atol=1e-6)
    joints = batch.anchor_joints
    np.testing.assert_allclose(joints[..., 1].min(axis=(1, 2)), 0, atol=1e-5)
    across = joints[:, 0, 2] - joints[:, 0, 1] + joints[:, 0, 17] - joints[:, 0, 16]
    np.testing.assert_allclose(across[:, 2], 0, atol=1e-5)  # the player faces +Z exactly
    assert (across[:, 0] < 0).all()  # and his right is -X
    np.testing.assert_array_equal(batch.motion[rows, :, batch.anchor_index], batch.clean_anchor)


def test_canonicalisation_moves_both_people_as_one_rigid_body(clips: Clips) -> None:
    features = clips.frames_at(np.arange(30, 60))[None].transpose(0, 2, 1, 3)
    rest = clips.rest_joints[1:2]
    moved = canonicalised(features, rest, np.array([7]))
    before, after = (
        joints_of_features(features, rest).reshape(-1, 3),
        joints_of_features(moved, rest).reshape(-1, 3),
    )
    distances = [np.linalg.norm(p[::37, None] - p[None, ::41], axis=-1) for p in (before, after)]
    np.testing.assert_allclose(distances[0], distances[1], atol=1e-4)


@pytest.mark.parametrize("case", range(4))
def test_the_anchor_is_known_for_both_in_every_case(case: int) -> None:
    config, rng = windows.KnownSetConfig(), np.random.default_rng(case)
    for _ in range(200):
        anchor = windows.draw_anchor_index(case, config, 30, rng)
        assert windows.draw_known(case, anchor, config, 30, rng)[:, anchor].all()


def test_a_history_is_unbroken_and_only_the_partner_is_committed_further() -> None:
    config, rng = windows.KnownSetConfig(), np.random.default_rng(1)
    most = 0
    for _ in range(300):
        anchor = windows.draw_anchor_index(windows.HISTORY, config, 30, rng)
        known = windows.draw_known(windows.HISTORY, anchor, config, 30, rng)
        assert 4 <= anchor <= 14
        first = int(known[0].argmax())
        assert known[0].sum() == known[0, first : anchor + 1].sum() == anchor + 1 - first
        further = known[1].sum() - known[0].sum()
        assert known[1, first : anchor + 1 + further].all()
        most = max(most, int(further))
    assert most == config.committed_most


def test_anchors_often_stand_first_in_the_middle_and_last() -> None:
    config, rng = windows.KnownSetConfig(), np.random.default_rng(2)
    drawn = [windows.draw_anchor_index(windows.ANCHOR_ONLY, config, 30, rng) for _ in range(1000)]
    for index in (0, 15, 29):
        assert drawn.count(index) > 100


def test_known_frames_are_the_motion_but_for_noise(sampler: WindowSampler) -> None:
    batch = sampler.draw(64, np.random.default_rng(3))
    error = np.abs(batch.known - batch.motion) * batch.known_mask
    assert error.max() < 0.25
    assert np.median(error[batch.known_mask[..., 0] > 0]) < 0.01
    assert (batch.known[batch.known_mask[..., 0] == 0] == 0).all()
    rows = np.arange(64)
    np.testing.assert_array_equal(batch.known[rows, :, batch.anchor_index], batch.anchor)


def test_frames_past_the_end_of_a_clip_are_neither_valid_nor_known(clips: Clips) -> None:
    short = WindowSampler(clips=clips, subset=np.array([0]))
    batch = short.draw(16, np.random.default_rng(4))
    assert (batch.valid.sum(axis=-1) == 26).all()
    assert (batch.anchor_index < 26).all()
    assert not batch.known_mask[..., 0][~batch.valid].any()


def test_the_same_seed_draws_the_same_batch(sampler: WindowSampler) -> None:
    one, two = (sampler.draw(8, np.random.default_rng(5)) for _ in range(2))
    for name in ("motion", "known", "anchor", "anchor_joints", "text"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


LIVE = windows.KnownSetConfig(anchor_only=0, history=1, player_known=0, ends=0, young=0)


def told_who_leads(clips: Clips, leads: int) -> Clips:
    return replace(clips, leads=np.full(len(clips), leads))


def test_live_and_without_words_the_partner_never_begins(clips: Clips) -> None:
    batch = np.zeros(64, np.int64)
    live, still = np.full(64, windows.HISTORY), np.full(64, windows.ANCHOR_ONLY)
    by_chance = np.random.default_rng(6).random(64) < 0.5
    silent, told = np.zeros(64, np.bool_), np.ones(64, np.bool_)
    for leads, wanted in ((PLAYER, False), (PARTNER, True), (NOBODY, False)):
        sampler = WindowSampler(clips=told_who_leads(clips, leads), subset=np.arange(len(clips)))
        assert (sampler.roles(live, batch, silent, by_chance) == wanted).all()
        assert (sampler.roles(still, batch, silent, by_chance) == by_chance).all()
    assert not sampler.roles(live, batch, told, by_chance).any()  # nobody leads
    of_pairs = WindowSampler(clips=clips, subset=np.arange(len(clips)))
    assert (of_pairs.roles(live, batch, silent, by_chance) == by_chance).all()


def test_a_part_of_the_live_windows_is_of_clips_in_which_nobody_begins(clips: Clips) -> None:
    leads = np.full(len(clips), PLAYER)
    leads[3] = NOBODY
    calm = replace(clips, leads=leads)
    for known_sets, expected in ((LIVE, 0.5), (windows.KnownSetConfig(history=0), 0.0)):
        sampler = WindowSampler(
            clips=calm, subset=np.arange(len(clips)), known_sets=known_sets, quiet=0.5
        )
        cases = np.full(2000, windows.HISTORY if expected else windows.ENDS)
        share = (sampler.clips_for(cases, np.random.default_rng(7)) == 3).mean()
        chance = 1 / len(clips)
        assert abs(share - (expected + (1 - expected) * chance)) < 0.05


def test_drift_moves_histories_of_the_partner_and_is_gone_at_the_end(clips: Clips) -> None:
    chosen = np.arange(1, len(clips))
    config = windows.DriftConfig(probability=1.0, player=0.0, frames=10)
    straight, off = (
        WindowSampler(
            clips=told_who_leads(clips, PLAYER),
            subset=chosen,
            known_sets=LIVE,
            noise=windows.NoiseConfig(drift=replace(config, probability=p), jitter=0.0),
        ).draw(64, np.random.default_rng(8))
        for p in (0.0, 1.0)
    )
    apart = [joints_of_features(batch.motion, batch.rest_joints) for batch in (straight, off)]
    away = np.linalg.norm(apart[0] - apart[1], axis=-1)
    assert np.median(away[:, 1, 0].max(axis=-1)) > 0.1
    last = straight.known_mask[:, 1, :, 0].sum(axis=1) + 12 <= 29
    over_there = apart[1][:, 1] - apart[1][:, 0, :, :1]  # where the partner is, from the player
    wanted = apart[0][:, 1] - apart[0][:, 0, :, :1]
    np.testing.assert_allclose(over_there[last, -1], wanted[last, -1], atol=1e-4)
    is_known = off.known_mask[..., 0] > 0
    np.testing.assert_allclose(off.known[is_known], off.motion[is_known], atol=1e-6)


def test_captions_of_mirrored_and_swapped_clips_say_what_is_seen() -> None:
    caption = "The player's Left hand grips the partner's right one"
    mirrored = caption_of(caption, is_mirrored=True, is_swapped=False)
    assert mirrored == "The player's Right hand grips the partner's left one"
    both = caption_of(caption, is_mirrored=True, is_swapped=True)
    assert both == "The partner's Right hand grips the player's left one"
    assert caption_of(both, is_mirrored=True, is_swapped=True) == caption


def test_pairs_carry_rest_joints_captions_and_the_published_centring(clips: Clips) -> None:
    texts = unique_captions(clips.captions)
    table = caption_table(clips, texts, np.eye(len(texts), 16, dtype=np.float32))
    sampler = PairSampler(clips=clips, subset=np.arange(len(clips)), captions=table)
    batch = sampler.draw(200, np.random.default_rng(7))
    assert batch.pair.shape == (200, 2, 201)
    np.testing.assert_allclose(batch.pair[:, 0, [132, 134]], 0, atol=1e-6)
    np.testing.assert_array_equal(batch.pair[..., 135:].reshape(200, 2, 22, 3), batch.rest_joints)
    assert not batch.pose_mask[:, 1].any()
    has_text, has_pose = batch.text.any(axis=1), batch.pose_mask[:, 0] > 0
    cases = [(t, p) for t, p in zip(has_text, has_pose, strict=True)]
    assert {(True, False), (False, True), (False, False), (True, True)} == set(cases)


def captioned(clips: Clips) -> CaptionTable:
    """A table in which row i of the identity stands for the i-th text."""
    texts = unique_captions(clips.captions)
    return caption_table(clips, texts, np.eye(len(texts), dtype=np.float32))


def test_a_clip_with_a_handedness_is_never_mirrored(clips: Clips) -> None:
    chosen = np.tile(np.arange(len(clips)), 40)
    flipped, swapped = draw_augmentation(clips, chosen, np.random.default_rng(8))
    is_fixed = ~clips.is_mirrorable[chosen]
    assert is_fixed.any()
    assert not flipped[is_fixed].any()
    assert swapped[is_fixed].any()
    assert flipped[~is_fixed].any()


def test_no_sampler_gives_a_mirrored_caption_to_a_clip_with_a_handedness(clips: Clips) -> None:
    table = captioned(clips)
    texts = unique_captions(clips.captions)
    fixed = np.flatnonzero(~clips.is_mirrorable)
    samplers = (
        WindowSampler(clips=clips, subset=fixed, captions=table),
        PairSampler(clips=clips, subset=fixed, captions=table),
    )
    for sampler in samplers:
        text = sampler.draw(64, np.random.default_rng(9)).text
        used = {texts[row] for row in text[text.any(axis=1)].argmax(axis=1)}
        assert used == set(clips.captions[fixed[0]])


def test_a_window_carries_one_of_its_clips_captions_or_none(sampler: WindowSampler) -> None:
    described = replace(
        sampler, captions=captioned(sampler.clips), text_dropout=0.25, augment=False
    )
    batch = described.draw(400, np.random.default_rng(10))
    texts = unique_captions(sampler.clips.captions)
    has_text = batch.text.any(axis=1)
    assert 0.18 < 1 - has_text.mean() < 0.32
    for row in np.flatnonzero(has_text):
        assert texts[batch.text[row].argmax()] in sampler.clips.captions[batch.clip[row]]


def test_captions_change_nothing_but_the_text_in_a_check_without_augmentation(
    sampler: WindowSampler,
) -> None:
    plain = replace(sampler, augment=False)
    described = replace(plain, captions=captioned(sampler.clips))
    one, two = (s.draw(8, np.random.default_rng(11)) for s in (plain, described))
    np.testing.assert_array_equal(one.motion, two.motion)
    np.testing.assert_array_equal(one.known, two.known)
    assert one.text.shape == (8, 0)


def test_a_batch_is_the_same_however_its_clips_are_cut_into_shards(
    clips: Clips, tmp_path: Path
) -> None:
    records = clip_records(6)
    shards = tuple(write_shard(tmp_path, f"shard-{i}", records[i::6]) for i in range(6))
    write_manifest(tmp_path, ShardsManifest(source="", options={}, shards=shards, is_complete=True))
    subset = np.arange(6)
    one, two = (
        WindowSampler(clips=c, subset=subset).draw(16, np.random.default_rng(12))
        for c in (clips, load_clips(tmp_path))
    )
    np.testing.assert_array_equal(one.motion, two.motion)
    np.testing.assert_array_equal(one.known, two.known)
