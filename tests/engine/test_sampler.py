"""The sampler reproduces the published networks, row by row, whatever else is in the batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.arrays import Array
from engine.errors import ConfigError, InputError
from engine.sampler import (
    TEXT_CHARACTERS,
    Models,
    WindowRequest,
    advance_windows,
    begin_windows,
    cumulative_alphas,
    ddim_update,
    draw_noise,
    encode_text,
    sample_animator,
    sample_generator,
    sample_windows,
    step_schedule,
)


# ----------------------------------------------------------------------------- step schedules
def test_the_schedule_is_the_published_one(parity_animator: Mapping[str, Array]) -> None:
    schedule = step_schedule(50)
    np.testing.assert_array_equal(schedule.timesteps[::-1], parity_animator["ddim50_timesteps"])
    np.testing.assert_allclose(
        schedule.abar_t[::-1], parity_animator["ddim50_alphas_cumprod"], rtol=1e-6
    )


def test_the_cumulative_alphas_are_the_published_ones() -> None:
    abar = cumulative_alphas()
    for index, expected in {
        0: 0.9999587158,
        100: 0.9715756818,
        500: 0.4922851725,
        980: 0.0008765294,
        999: 2.43e-9,
    }.items():
        assert abar[index] == pytest.approx(expected, abs=1e-10, rel=1e-8)


@given(st.integers(1, 1000))
def test_each_step_starts_where_the_last_ended_and_the_last_ends_clean(steps: int) -> None:
    schedule = step_schedule(steps)
    assert schedule.steps == steps
    assert np.all(np.diff(schedule.timesteps) < 0)
    assert schedule.timesteps[-1] == 0
    assert schedule.abar_s[-1] == 1
    np.testing.assert_array_equal(schedule.abar_s[:-1], schedule.abar_t[1:])


@pytest.mark.parametrize("steps", [0, -1, 1001])
def test_a_schedule_without_steps_is_refused(steps: int) -> None:
    with pytest.raises(ConfigError, match=r"must lie in 1\.\.1000") as caught:
        step_schedule(steps)
    assert caught.value.field == "steps"


def test_an_exact_estimate_is_kept_at_every_noise_level() -> None:
    schedule = step_schedule(10)
    x0, eps = draw_noise(1, (10, 2, 5)), draw_noise(2, (10, 2, 5))
    a_t, a_s = schedule.abar_t[:, None, None], schedule.abar_s[:, None, None]
    x_s = ddim_update(
        np.sqrt(a_t) * x0 + np.sqrt(1 - a_t) * eps, x0, schedule.abar_t, schedule.abar_s
    )
    np.testing.assert_allclose(x_s, np.sqrt(a_s) * x0 + np.sqrt(1 - a_s) * eps, atol=1e-3)


@given(st.integers(0, 2**64))
def test_noise_is_a_function_of_its_seed(seed: int) -> None:
    assert draw_noise(seed, (2, 3)).dtype == np.float32
    np.testing.assert_array_equal(draw_noise(seed, (2, 3)), draw_noise(seed, (2, 3)))
    assert not np.array_equal(draw_noise(seed, (2, 3)), draw_noise(seed + 1, (2, 3)))


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(InputError, match="seed is -1"):
        draw_noise(-1, (2,))


# ----------------------------------------------------------------------------- windows
def _requests(parity: Mapping[str, Array], steps: tuple[int, ...]) -> list[WindowRequest]:
    """Windows around the parity file's anchors, each with its own seed and step count."""
    requests = []
    for row, count in enumerate(steps):
        anchor = parity["anchor"][row % 3, :, 0]
        requests.append(
            WindowRequest(
                known=np.repeat(anchor[:, None], 30, axis=1),
                known_mask=parity["anchor_mask"][row % 3],
                anchor=anchor,
                anchor_joints=parity["anchor_joints"][row % 3, :, 0],
                seed=row,
                steps=count,
            )
        )
    return requests


@pytest.mark.parametrize(("place", "index"), [("first", 0), ("middle", 15), ("last", 29)])
def test_an_anchor_only_window_is_the_published_animators(
    models: Models, parity_animator: Mapping[str, Array], place: str, index: int
) -> None:
    anchor = parity_animator["anchor"][:1, :, 0]
    known_mask = np.zeros((1, 2, 30, 1), np.float32)
    known_mask[:, :, index] = 1
    x0 = sample_animator(
        models,
        noise=parity_animator["ddim50_noise"],
        known=np.repeat(anchor[:, :, None], 30, axis=2),
        known_mask=known_mask,
        anchor=anchor,
        anchor_joints=parity_animator["anchor_joints"][:1, :, 0],
        steps=50,
    )
    np.testing.assert_allclose(x0, parity_animator[f"ddim50_{place}_x0"], atol=1e-3)


def test_a_window_is_the_same_alone_and_among_windows_of_other_schedules(
    models: Models, parity_animator: Mapping[str, Array]
) -> None:
    requests = _requests(parity_animator, (4, 7, 4, 12, 1))
    together = sample_windows(models, requests)
    for request, x0 in zip(requests, together, strict=True):
        np.testing.assert_allclose(x0, sample_windows(models, [request])[0], atol=1e-4)


def test_a_window_that_joins_late_is_the_window_that_started_alone(
    models: Models, parity_animator: Mapping[str, Array]
) -> None:
    early, late = begin_windows(models, _requests(parity_animator, (6, 6)))
    for _ in range(3):
        advance_windows(models, [early])
    for _ in range(3):
        advance_windows(models, [early, late])
    assert early.is_done
    assert not late.is_done
    assert early.x0 is not None
    alone = sample_windows(models, [early.request])[0]
    np.testing.assert_allclose(early.x0, alone, atol=1e-4)


def test_the_same_seed_gives_the_same_bits(
    models: Models, parity_animator: Mapping[str, Array]
) -> None:
    requests = _requests(parity_animator, (5, 5))
    first = sample_windows(models, requests)
    np.testing.assert_array_equal(first, sample_windows(models, requests))
    reseeded = [dataclasses.replace(r, seed=r.seed + 9) for r in requests]
    assert not np.array_equal(first, sample_windows(models, reseeded))


def test_the_object_form_and_the_array_form_agree(
    models: Models, parity_animator: Mapping[str, Array]
) -> None:
    requests = _requests(parity_animator, (5, 5))
    arrays = {
        name: np.stack([getattr(r, name) for r in requests])
        for name in ("known", "known_mask", "anchor", "anchor_joints")
    }
    noise = np.stack([draw_noise(r.seed, (2, 30, 135)) for r in requests])
    np.testing.assert_array_equal(
        sample_windows(models, requests), sample_animator(models, noise, **arrays, steps=5)
    )


def test_the_last_noise_level_is_the_clean_estimate(
    models: Models, parity_animator: Mapping[str, Array]
) -> None:
    (window,) = begin_windows(models, _requests(parity_animator, (3,)))
    while not window.is_done:
        advance_windows(models, [window])
    assert window.x0 is not None
    np.testing.assert_allclose(window.x_t, window.x0, atol=1e-5)
    with pytest.raises(ValueError, match="done"):
        advance_windows(models, [window])


def test_nan_in_one_window_is_named_and_moves_no_window(
    models: Models, parity_animator: Mapping[str, Array]
) -> None:
    windows = begin_windows(models, _requests(parity_animator, (3, 3)))
    broken = dataclasses.replace(windows[1].request, known=np.full((2, 30, 135), np.nan))
    windows[1].request = broken
    with pytest.raises(InputError, match="input known holds NaN"):
        advance_windows(models, windows)
    assert [w.step for w in windows] == [0, 0]


def test_no_windows_are_no_call(models: Models) -> None:
    advance_windows(models, [])
    assert sample_windows(models, []).shape == (0, 2, 30, 135)


# ----------------------------------------------------------------------------- pairs
CASES = ("none", "text", "pose", "both")


def _conditions(parity: Mapping[str, Array], cases: tuple[str, ...]) -> dict[str, Array]:
    text, pose = parity["text"][0], parity["pose"][0]
    given_pose = np.array([1, 0], np.float32)
    return {
        "noise": np.repeat(parity["ddim50_noise"], len(cases), axis=0),
        "pose": np.repeat(pose[None], len(cases), axis=0),
        "pose_mask": np.stack([given_pose * (case in ("pose", "both")) for case in cases]),
        "text": np.stack([text * (case in ("text", "both")) for case in cases]),
    }


@pytest.mark.parametrize("case", CASES)
def test_a_guided_pair_is_the_published_generators(
    models: Models, parity_generator: Mapping[str, Array], case: str
) -> None:
    inputs = _conditions(parity_generator, (case,))
    x0 = sample_generator(models, **inputs, guidance=3.5, steps=50)
    np.testing.assert_allclose(x0, parity_generator[f"ddim50_{case}"], atol=1e-3)


def test_rows_of_different_conditions_share_a_batch(
    models: Models, parity_generator: Mapping[str, Array]
) -> None:
    cases = ("both", "none", "pose", "text", "both")
    inputs = _conditions(parity_generator, cases)
    x0 = sample_generator(models, **inputs, guidance=np.full(5, 3.5, np.float32), steps=50)
    for row, case in enumerate(cases):
        np.testing.assert_allclose(x0[row], parity_generator[f"ddim50_{case}"][0], atol=1e-3)


def test_without_guidance_the_conditions_are_without_effect(
    models: Models, parity_generator: Mapping[str, Array]
) -> None:
    inputs = _conditions(parity_generator, ("none", "both"))
    x0 = sample_generator(models, **inputs, guidance=0.0, steps=8)
    np.testing.assert_allclose(x0[0], x0[1], atol=1e-4)


# ----------------------------------------------------------------------------- text
@pytest.mark.parametrize("length", [TEXT_CHARACTERS + 1, 100_000])
def test_an_endless_text_is_refused(models: Models, length: int) -> None:
    with pytest.raises(InputError, match=f"text has {length} characters") as caught:
        encode_text(models, ["shake hands", "a" * length])
    assert caught.value.field == "text"


def test_a_bundle_without_a_text_encoder_says_so(models: Models) -> None:
    with pytest.raises(InputError, match="no text encoder"):
        encode_text(dataclasses.replace(models, text=None), ["hug"])
