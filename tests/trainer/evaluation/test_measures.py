"""Tables of windows: the truth as a subject measures as the truth, a still one does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from engine.arrays import Array
from engine.body.shape import load_body
from engine.body.skeleton import JOINT
from engine.body.skins import Skins
from engine.errors import ConfigError
from engine.sampling.generation import SampleWindows
from engine.sampling.request import WindowRequest
from tests.trainer.synthetic import write_clips
from trainer.data.canonical import canonicalised
from trainer.data.shards import Clips, load_clips
from trainer.evaluation import measures, sequences
from trainer.evaluation.animated import animated
from trainer.evaluation.captions import read_captions
from trainer.evaluation.evaluator.evaluator import Evaluator
from trainer.evaluation.evaluator.networks import EvaluatorConfig
from trainer.evaluation.evaluator.training import train_evaluator
from trainer.evaluation.measures import TRUTH, Draw, EvaluationSettings
from trainer.evaluation.metrics import penetration

FEW = EvaluationSettings(
    windows=12, steps=(2,), repeats=2, mesh_frames=6, modes=(2, 2), chains=1, sessions=2, anchors=5
)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    return load_clips(write_clips(tmp_path_factory.mktemp("data") / "shards", clips=40))


@pytest.fixture(scope="module")
def evaluator(clips: Clips) -> Evaluator:
    config = EvaluatorConfig(width=16, latent=8, pool=64, steps=10, batch=16)
    return train_evaluator(clips, "shards", config)


@pytest.fixture(scope="module")
def drawn(clips: Clips) -> list[Draw]:
    return measures.draws(clips, read_captions(clips), measures.FROM_HISTORY, FEW)


def copy(requests: Sequence[WindowRequest]) -> Array:
    """Holds the anchor still."""
    return np.zeros((len(requests), 2, 30, 135), np.float32)


def knowing(draw: Draw) -> SampleWindows:
    """Answers with the truth, row by row of the draw."""
    batch = draw.batch
    return lambda requests: (batch.motion - batch.clean_anchor[:, :, None])[: len(requests)]


def test_draws_are_the_same_for_a_seed_and_never_share_clips(
    clips: Clips, drawn: list[Draw]
) -> None:
    again = measures.draws(clips, drawn[0].captions, measures.FROM_HISTORY, FEW)
    np.testing.assert_array_equal(again[1].batch.motion, drawn[1].batch.motion)
    assert not np.array_equal(drawn[0].batch.motion, drawn[1].batch.motion)
    told = {int(clip) for draw in drawn for clip in draw.batch.clip}
    compared = {int(clip) for draw in drawn for clip in draw.reference.clip}
    assert not told & compared
    assert told | compared <= set(clips.subset("test").tolist())


def test_a_network_that_knows_the_truth_measures_as_the_truth(
    drawn: list[Draw], evaluator: Evaluator
) -> None:
    finished, raw = animated(
        knowing(drawn[0]),
        drawn[0].batch,
        Skins(body=FEW.body, betas=drawn[0].betas),
        2,
        seed=0,
    )
    np.testing.assert_allclose(raw, drawn[0].batch.motion, atol=2e-3)
    made, true = (
        measures.window_measures(motion, drawn[0], FEW, evaluator)
        for motion in (raw, drawn[0].batch.motion)
    )
    assert made == pytest.approx(true, rel=0.02, abs=0.02)
    known = drawn[0].batch.known_mask[..., 0] > 0
    np.testing.assert_allclose(finished[known], drawn[0].batch.motion[known], atol=2e-3)


def test_the_table_has_the_truth_first_and_every_row_asked_for(
    drawn: list[Draw], evaluator: Evaluator
) -> None:
    table = measures.measure_case(copy, drawn, replace(FEW, with_raw=True), evaluator)
    assert list(table) == [TRUTH, "2 steps", "2 steps, raw"]
    truth, still = table[TRUTH], table["2 steps, raw"]
    assert truth["unknown_frame_error_cm"].mean == 0
    assert still["unknown_frame_error_cm"].mean > 1
    assert still["jerk_m_s3"].mean < 1e-3 < truth["jerk_m_s3"].mean
    assert table["2 steps"]["multimodality"].mean == pytest.approx(0, abs=1e-6)
    assert truth["fid"].interval is not None


def test_the_mesh_measures_are_those_of_the_chosen_pairs(drawn: list[Draw]) -> None:
    draw, every = drawn[0], EvaluationSettings(mesh_frames=10**6)
    motion = draw.batch.motion[:2, :, ::15]
    found = measures.mesh_measures(motion, draw.betas[:2], 0, every)
    pairs = motion.transpose(0, 2, 1, 3).reshape(4, 2, 135)
    gaps = penetration.pair_gaps(load_body(), pairs, np.repeat(draw.betas[:2], 2, axis=0))
    assert found["contact_ratio_pct"] == penetration.contact_ratio(gaps)
    assert found["penetration_cm"] == pytest.approx(penetration.penetration(gaps))


def test_the_error_over_the_window_is_by_distance_from_the_anchor(drawn: list[Draw]) -> None:
    batch = drawn[0].batch
    away = np.abs(np.arange(30) - batch.anchor_index[:, None])
    moved = batch.motion.copy()
    moved[..., -3] += 0.01 * away[:, None]  # a centimetre for each frame of distance
    error = measures.error_over_window(moved, batch)
    reached = np.isfinite(error)
    np.testing.assert_allclose(error[reached], np.arange(30)[reached], atol=1e-3)


@pytest.mark.long
def test_acceptance_compares_with_the_truth_of_the_same_anchors(
    clips: Clips, drawn: list[Draw]
) -> None:
    table = measures.acceptance(copy, clips, FEW, drawn[0].captions, steps=2)
    assert table["jerk_m_s3"]["is_met"]  # who stands still does not jerk
    for row in table.values():
        if row["truth"]:
            assert row["ratio"] == pytest.approx(row["made"] / row["truth"])
    assert not measures.accepted("contact_ratio_pct", made=10, truth=20)["is_met"]
    assert measures.accepted("penetration_cm", made=10, truth=20)["is_met"]
    assert not measures.accepted("penetration_cm", made=31, truth=20)["is_met"]


def test_settings_that_measure_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="windows is 4, must be at least 5"):
        EvaluationSettings(windows=4)


# -------------------------------------------------------------------------------------- sequences
def test_reacting_with_the_truth_gives_the_truth(clips: Clips) -> None:
    long = [clip for clip in range(len(clips)) if clips.frames(clip) >= 40][:2]
    motion = np.stack([clips.motion_of(clip)[:40] for clip in long]).transpose(0, 2, 1, 3)
    rest = clips.rest_joints[long]

    def perfect(requests: Sequence[WindowRequest]) -> Array:
        """Each window in its own canonical frame, which its anchor sets."""
        first = requests[0].first_frame
        window = motion[:, :, first : first + 30]
        index = np.full(len(window), sequences.HISTORY_FRAMES - 1)

        canonical = canonicalised(window, rest, index)
        return canonical - canonical[:, :, sequences.HISTORY_FRAMES - 1, None]

    made, is_seam = sequences.reacted(perfect, motion, rest, steps=2, seed=0)
    assert np.flatnonzero(is_seam).tolist() == [10, 18, 23]
    np.testing.assert_array_equal(made[:, 0], motion[:, 0])
    np.testing.assert_array_equal(made[:, 1, :10], motion[:, 1, :10])
    gap = measures.points_of(made, rest) - measures.points_of(motion, rest)
    above_legs = slice(JOINT["neck"], None)  # the clean-up holds feet and lifts soles
    assert np.abs(gap[..., above_legs, :][..., [0, 2]]).max() < 0.02


def test_chains_and_sessions_have_a_row_for_each_step_count(
    clips: Clips, drawn: list[Draw]
) -> None:
    chains = sequences.chain_table(copy, drawn, FEW)
    assert list(chains) == ["2 steps"]
    assert list(sequences.session_table(copy, clips, FEW)) == [TRUTH, "2 steps"]
