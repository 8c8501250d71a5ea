"""Windows that start from a plan of before: fewer steps, the same process."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.arrays import Array
from engine.errors import ConfigError
from engine.sampling.request import WINDOW_SHAPE, WindowRequest
from engine.sampling.sampler import (
    advance_windows,
    begin_windows,
    sample_again,
    sample_windows,
    window_noise,
)
from engine.session.config import SessionConfig
from engine.testing import noisy_windows, still_models
from tests.builders import player_at, standing_player
from tests.engine.playing import Play, new_play

START = np.random.default_rng(5).standard_normal(WINDOW_SHAPE).astype(np.float32)


def request(**changes: object) -> WindowRequest:
    cold = WindowRequest(
        known=np.zeros(WINDOW_SHAPE, np.float32),
        known_mask=np.zeros((2, 30, 1), np.float32),
        anchor=np.zeros((2, 135), np.float32),
        anchor_joints=np.zeros((2, 22, 3), np.float32),
        seed=3,
        steps=8,
    )
    return replace(cold, **changes)  # type: ignore[arg-type]


def test_a_warm_window_begins_at_its_step_with_the_plan_noised_to_it() -> None:
    models = still_models()
    (window,) = begin_windows(models, [request(start=START, skip=3)])
    abar = models.animator.schedule(8).abar_t[3]
    expected = np.sqrt(abar) * START + np.sqrt(1 - abar) * window_noise(3, 0)
    np.testing.assert_allclose(window.x_t, expected, atol=1e-6)
    assert window.steps_left == 5
    for _ in range(5):
        assert not window.is_done
        advance_windows(models, [window])
    assert window.is_done
    assert len(window.trace.denoiser) == 5


def test_a_start_without_a_step_left_out_changes_no_bit() -> None:
    cold, warm = (begin_windows(still_models(), [r])[0] for r in (request(), request(start=START)))
    np.testing.assert_array_equal(cold.x_t, warm.x_t)


def test_warm_and_cold_windows_share_a_call_and_warm_ones_are_sampled_again() -> None:
    models = still_models()
    requests = [request(), request(start=START, skip=5)]
    together = sample_windows(models, requests)
    for row, alone in enumerate(requests):
        np.testing.assert_allclose(together[row], sample_windows(models, [alone])[0], atol=1e-6)
    (window,) = begin_windows(models, requests[1:])
    while not window.is_done:
        advance_windows(models, [window])
    again = sample_again(models, requests[1], window.trace)
    np.testing.assert_array_equal(again, window.x0)


@pytest.mark.parametrize(("start", "skip"), [(None, 1), (START, 8), (START, -1)])
def test_steps_that_cannot_be_left_out_are_refused(start: Array | None, skip: int) -> None:
    with pytest.raises(ConfigError) as caught:
        request(start=start, skip=skip)
    assert caught.value.field == "skip"


# ----------------------------------------------------------------------------------------- sessions
def asked(config: SessionConfig) -> tuple[Play, list[WindowRequest]]:
    requests: list[WindowRequest] = []
    sample = noisy_windows(0.02)

    def noting(batch: list[WindowRequest]) -> Array:
        requests.extend(batch)
        return sample(batch)

    return new_play(config, sample=noting, player=standing_player), requests


def test_revisions_start_from_the_plan_that_they_revise() -> None:
    play, requests = asked(SessionConfig(steps=4, warm_steps=2, departure_threshold=1.0))
    play.run(range(30))
    assert [r.skip for r in requests] == [0] * len(requests)  # nothing to start from, then chains
    requests.clear()
    play.session.direct(play.session.direction)
    plan = play.session.state().plan
    made = dict(zip(plan.frames.indices[plan.is_made].tolist(), plan.made.transl[1], strict=True))
    planned, before = made[39], made[32]
    play.run([30, 31])
    warm = next(r for r in requests if r.skip)
    assert warm.start is not None
    at = 39 - warm.first_frame
    moved = warm.start[1, at, -3:] - warm.start[1, 32 - warm.first_frame, -3:]
    assert np.linalg.norm(moved) == pytest.approx(np.linalg.norm(planned - before), abs=1e-3)


def test_a_plan_that_ran_dry_is_no_start() -> None:
    play, requests = asked(SessionConfig(steps=4, warm_steps=2, departure_threshold=0.0))
    play.run(range(30))
    assert {r.skip for r in requests} == {0, 2}
    play.run(range(30, 80), window_takes=None)
    play.session.fail(play.lost[-1].ticket)
    requests.clear()
    play.player = player_at
    play.run([80, 81])
    assert requests[0].skip == 0
