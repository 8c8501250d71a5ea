"""Laws of steering: the partner keeps his distance where he is generated; nothing else moves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from engine.arrays import Array
from engine.motion.motion import POSE_FEATURES, WINDOW_FRAMES
from engine.sampling.models import Models
from engine.sampling.request import WindowRequest
from engine.sampling.sampler import advance_windows, begin_windows, sample_again, sample_windows
from engine.sampling.schedule import ddim_update
from engine.sampling.steering import RAMP_FRAMES, KeepAway
from engine.testing import GraphInputs, LoopOf, still_models, with_animator

KNOWN_FRAMES = 10
FLOOR = [-3, -1]
REST_PELVIS = np.array([[0.0, -0.35, 0.03], [0.02, -0.4, 0.01]])


def a_request(seed: int = 1, distance: float | None = 0.8, gap: float = 1.2) -> WindowRequest:
    """The partner stands `gap` metres before the player; both are known for KNOWN_FRAMES."""
    anchor = np.zeros((2, POSE_FEATURES), np.float32)
    anchor[1, -1] = gap
    known_mask = np.zeros((2, WINDOW_FRAMES, 1), np.float32)
    known_mask[:, :KNOWN_FRAMES] = 1
    keep_away = KeepAway(distance=distance, rest_pelvis=REST_PELVIS) if distance else None
    return WindowRequest(
        known=anchor[:, None] * known_mask,
        known_mask=known_mask,
        anchor=anchor,
        anchor_joints=np.zeros((2, 22, 3), np.float32),
        seed=seed,
        steps=5,
        keep_away=keep_away,
    )


def walks_along(x: Callable[[Array], Array], z: Callable[[Array], Array]) -> Models:
    """Networks by which the partner walks x(u), z(u) metres over the unknown part of a window, u
    from 0 to 1; his arms hang on to the noise, so that rows differ."""

    def step(inputs: GraphInputs) -> dict[str, Array]:
        x_t, abar_t, abar_s = (
            inputs[name].astype(np.float32) for name in ("x_t", "abar_t", "abar_s")
        )
        x0 = 0.1 * np.tanh(x_t)
        u = np.clip((np.arange(WINDOW_FRAMES) - KNOWN_FRAMES + 1) / 20, 0, 1)
        x0[..., -3:] = 0
        x0[:, 1, :, -3], x0[:, 1, :, -1] = x(u), z(u)
        return {"x_s": ddim_update(x_t, x0, abar_t, abar_s), "x0": x0}

    return with_animator(still_models(), step=step)


INTO_THE_PLAYER = walks_along(lambda u: 0 * u, lambda u: -1.2 * u)
WALKS = {
    "into him": INTO_THE_PLAYER,
    "through him": walks_along(lambda u: 0.1 * u, lambda u: -3.0 * u),
    "around him": walks_along(
        lambda u: 0.5 * np.sin(3 * u) * u, lambda u: 0.5 * np.cos(3 * u) * u - 1.2 * u
    ),
}


def distances(request: WindowRequest, x0: Array) -> Array:
    pelvis = x0[..., FLOOR] + request.anchor[:, None, FLOOR] + REST_PELVIS[:, None, [0, 2]]
    return np.asarray(np.linalg.norm(pelvis[1] - pelvis[0], axis=-1))


@pytest.mark.parametrize("walk", WALKS)
@pytest.mark.parametrize("gap", [0.6, 1.2])
def test_the_partner_keeps_his_distance_where_he_is_generated(walk: str, gap: float) -> None:
    request, free = a_request(gap=gap), a_request(distance=None, gap=gap)
    beyond = slice(KNOWN_FRAMES + RAMP_FRAMES - 1, None)
    assert distances(free, sample_windows(WALKS[walk], [free])[0])[beyond].min() < 0.6
    x0 = sample_windows(WALKS[walk], [request])[0]
    assert distances(request, x0)[beyond].min() > 0.8 - 1e-4
    steps = np.diff(x0[1][:, FLOOR], axis=0)
    assert np.linalg.norm(steps, axis=-1).max() < 0.45


def test_known_frames_heights_and_the_player_stay() -> None:
    request, free = a_request(gap=0.6), a_request(distance=None, gap=0.6)
    x0, untouched = (sample_windows(INTO_THE_PLAYER, [r])[0] for r in (request, free))
    changed = x0 != untouched
    assert not changed[0].any()
    assert not changed[1, :KNOWN_FRAMES].any()
    assert not changed[1, :, -2].any()
    assert changed[1, KNOWN_FRAMES:, -1].all()


def test_the_noisy_row_is_what_the_moved_estimate_would_have_led_to() -> None:
    window = begin_windows(INTO_THE_PLAYER, [a_request()])[0]
    for _ in range(4):
        x_t, step = window.x_t, window.step
        schedule = INTO_THE_PLAYER.animator.schedule(5)
        advance_windows(INTO_THE_PLAYER, [window])
        assert window.x0 is not None
        levels = schedule.abar_t[step, None], schedule.abar_s[step, None]
        expected = ddim_update(x_t[None], window.x0[None], *levels)[0]
        np.testing.assert_allclose(window.x_t, expected, atol=1e-5)


def test_company_changes_no_bit_of_a_window() -> None:
    requests = [a_request(1), a_request(2, distance=None), a_request(3, distance=1.0)]
    together = sample_windows(INTO_THE_PLAYER, requests)
    for request, x0 in zip(requests, together, strict=True):
        np.testing.assert_array_equal(x0, sample_windows(INTO_THE_PLAYER, [request])[0])


def test_one_who_is_far_enough_is_left_alone() -> None:
    still, free = a_request(distance=0.8), a_request(distance=None)
    models = walks_along(lambda u: 0 * u, lambda u: 0.1 * u)
    np.testing.assert_array_equal(*(sample_windows(models, [r])[0] for r in (still, free)))


def test_where_there_is_a_loop_steered_windows_go_step_by_step() -> None:
    by_steps = INTO_THE_PLAYER
    loop = LoopOf(by_steps.animator.condition, by_steps.animator.step)
    models = with_animator(by_steps, loop=loop)
    requests = [a_request(1), a_request(2, distance=None), a_request(3)]
    windows = begin_windows(models, requests)
    while unfinished := [window for window in windows if not window.is_done]:
        advance_windows(models, unfinished)
    assert loop.calls == [(1, 5)]
    for window, x0 in zip(windows, sample_windows(by_steps, requests), strict=True):
        np.testing.assert_array_equal(window.x0, x0)
        again = sample_again(models, window.request, window.trace)
        np.testing.assert_array_equal(again, window.x0)
