"""The sampler reproduces the published networks, row by row, whatever else is in the batch."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Mapping

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.arrays import Array
from engine.backends import open_backend
from engine.bundle import Bundle, TextSpec, write_manifest
from engine.errors import ConfigError, InputError
from engine.sampling.models import Models, encode_text, load_models
from engine.sampling.pairs import sample_generator
from engine.sampling.request import WindowRequest
from engine.sampling.sampler import (
    advance_windows,
    begin_windows,
    draw_noise,
    sample_again,
    sample_animator,
    sample_windows,
    window_noise,
)
from engine.sampling.schedule import cumulative_alphas, ddim_update, step_schedule
from engine.sampling.text import TEXT_CHARACTERS
from engine.testing import with_animator
from trainer.text.encoder import encode_texts
from trainer.text.minilm import minilm_text


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


def test_a_trace_is_all_it_takes_to_get_the_same_bits_again(
    models: Models, parity_animator: Mapping[str, Array]
) -> None:
    """Windows join and leave; what the other rows held does not matter, only where a row stood."""
    requests = _requests(parity_animator, (3, 5, 2, 4))
    windows = begin_windows(models, requests[:1])
    advance_windows(models, windows)
    windows += begin_windows(models, requests[1:])
    while unfinished := [window for window in windows if not window.is_done]:
        advance_windows(models, unfinished)
    assert [len(window.trace.denoiser) for window in windows] == [3, 5, 2, 4]
    assert windows[2].trace.denoiser == ((4, 2), (4, 2))
    for window in windows:
        again = sample_again(models, window.request, window.trace)
        np.testing.assert_array_equal(again, window.x0)


def test_the_same_seed_gives_the_same_bits(
    models: Models, parity_animator: Mapping[str, Array]
) -> None:
    requests = _requests(parity_animator, (5, 5))
    first = sample_windows(models, requests)
    np.testing.assert_array_equal(first, sample_windows(models, requests))
    reseeded = [dataclasses.replace(r, seed=r.seed + 9) for r in requests]
    assert not np.array_equal(first, sample_windows(models, reseeded))


def test_the_noise_of_a_thousand_windows_is_that_of_a_generator_for_each_frame() -> None:
    """The digest is of what the first version drew, in which recordings are made."""
    draw = np.random.default_rng(12)
    seeds = [
        int(seed) >> int(shift)
        for seed, shift in zip(
            draw.integers(0, 2**63, 1000), draw.integers(0, 63, 1000), strict=True
        )
    ]
    pairs = [*zip(seeds, draw.integers(-500, 400_000, 1000).tolist(), strict=True)]
    pairs[:2] = [(0, 0), (2**64 - 1, -30)]
    digest = hashlib.sha256()
    for seed, first_frame in pairs:
        digest.update(window_noise(seed, first_frame).tobytes())
    assert digest.hexdigest() == "8c69db8588054e98c9d1f759b87b90e7ca8c05e355fe85a2499bebbe157b60f0"
    for seed, first_frame in [*pairs[:20], (2**64 + 3, 7), (2**127, -1)]:
        for row in (0, 29):
            counter = np.array([0, 0, 0, (first_frame + row) % 2**64], np.uint64)
            alone = np.random.Generator(np.random.Philox(key=seed, counter=counter))
            np.testing.assert_array_equal(
                window_noise(seed, first_frame)[:, row],
                alone.standard_normal((2, 135), dtype=np.float32),
            )


@pytest.mark.parametrize("first_frame", [-5, 0, 1000])
def test_windows_of_one_seed_share_the_noise_of_the_frames_they_share(first_frame: int) -> None:
    early, late = window_noise(7, first_frame), window_noise(7, first_frame + 4)
    np.testing.assert_array_equal(early[:, 4:], late[:, :-4])
    assert not np.array_equal(early[:, 0], early[:, 1])
    assert not np.array_equal(early, window_noise(8, first_frame))


def test_the_object_form_and_the_array_form_agree(
    models: Models, parity_animator: Mapping[str, Array]
) -> None:
    requests = _requests(parity_animator, (5, 5))
    arrays = {
        name: np.stack([getattr(r, name) for r in requests])
        for name in ("known", "known_mask", "anchor", "anchor_joints")
    }
    noise = np.stack([window_noise(r.seed, r.first_frame) for r in requests])
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


# ----------------------------------------------------------------------------- words and schedules
def _anchored(text: Array | None, *, steps: int = 3, seed: int = 0) -> WindowRequest:
    """A window that is told its first pair, and perhaps what to do."""
    anchor = draw_noise(100 + seed, (2, 135))
    known_mask = np.zeros((2, 30, 1), np.float32)
    known_mask[:, 0] = 1
    return WindowRequest(
        known=np.repeat(anchor[:, None], 30, axis=1),
        known_mask=known_mask,
        anchor=anchor,
        anchor_joints=draw_noise(200 + seed, (2, 22, 3)),
        seed=seed,
        steps=steps,
        text=text,
    )


def test_words_change_the_motion_and_zeros_are_no_words(talking_models: Models) -> None:
    hug, push, nothing = encode_text(talking_models, ["hug", "push", ""])
    mute = sample_windows(talking_models, [_anchored(None)])
    np.testing.assert_array_equal(sample_windows(talking_models, [_anchored(nothing)]), mute)
    hugging, pushing = (sample_windows(talking_models, [_anchored(text)]) for text in (hug, push))
    assert np.abs(hugging - mute).max() > 0.01
    assert np.abs(hugging - pushing).max() > 0.01


def test_a_window_is_the_same_alone_and_among_windows_of_other_words(
    talking_models: Models,
) -> None:
    texts = [None, *encode_text(talking_models, ["hug", "push", "wave her"])]
    requests = [_anchored(text, steps=2 + row % 2, seed=row) for row, text in enumerate(texts)]
    together = sample_windows(talking_models, requests)
    for request, x0 in zip(requests, together, strict=True):
        np.testing.assert_allclose(x0, sample_windows(talking_models, [request])[0], atol=1e-4)


def test_the_array_form_takes_words_too(talking_models: Models) -> None:
    text = encode_text(talking_models, ["hug"])
    request = _anchored(text[0])
    x0 = sample_animator(
        talking_models,
        noise=window_noise(request.seed, 0)[None],
        known=request.known[None],
        known_mask=request.known_mask[None],
        anchor=request.anchor[None],
        anchor_joints=request.anchor_joints[None],
        steps=3,
        text=text,
    )
    np.testing.assert_allclose(x0, sample_windows(talking_models, [request]), atol=1e-6)


def test_words_are_refused_by_an_animator_that_takes_none(models: Models) -> None:
    with pytest.raises(InputError, match="takes no text") as caught:
        begin_windows(models, [_anchored(np.ones(8, np.float32))])
    assert caught.value.field == "text"


def test_a_step_count_takes_its_schedule_from_the_bundle_and_others_are_even(
    talking_models: Models,
) -> None:
    assert talking_models.animator.schedule(2).timesteps.tolist() == [900, 300]
    assert talking_models.animator.schedule(4).timesteps.tolist() == [750, 500, 250, 0]
    even = with_animator(talking_models, schedules={})
    requests = [_anchored(None, steps=2)]
    (window,) = begin_windows(talking_models, requests)
    before = window.x_t
    advance_windows(talking_models, [window])
    assert window.x0 is not None
    abar = cumulative_alphas()[[900, 300]].astype(np.float32)
    expected = ddim_update(before[None], window.x0[None], abar[:1], abar[1:])
    np.testing.assert_allclose(window.x_t[None], expected, atol=1e-5)
    assert np.abs(sample_windows(talking_models, requests) - sample_windows(even, requests)).any()


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


# ----------------------------------------------------------------------------- precision
def test_in_bf16_the_network_is_coarser_but_the_ddim_update_is_not(
    parity_bundle: Bundle, parity_animator: Mapping[str, Array], models: Models
) -> None:
    backend = open_backend(cache_dir=None, threads=1)
    if backend.precision != "bf16":
        pytest.skip("this processor computes in f32 only")
    coarse = load_models(parity_bundle, backend, buckets=(1,), is_lazy=True)
    requests = _requests(parity_animator, (1, 50))
    (window,) = begin_windows(coarse, requests[1:])
    before, schedule = window.x_t, step_schedule(50)
    advance_windows(coarse, [window])
    assert window.x0 is not None
    expected = ddim_update(before[None], window.x0[None], schedule.abar_t[:1], schedule.abar_s[:1])
    np.testing.assert_allclose(window.x_t[None], expected, atol=1e-5)
    error = sample_windows(coarse, requests) - sample_windows(models, requests)
    assert np.abs(error).mean() < 0.02


# ----------------------------------------------------------------------------- text
@pytest.fixture(scope="module")
def speaking(parity_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Models:
    """The parity networks with the real sentence encoder beside them."""
    text = minilm_text()
    root = tmp_path_factory.mktemp("bundles") / "speaking.bundle"
    shutil.copytree(parity_bundle.path, root)
    (root / "text").mkdir()
    onnx.save(text.model, root / "text" / "encoder.onnx")
    (root / "text" / "tokenizer.json").write_text(text.tokenizer, encoding="utf-8")
    old = parity_bundle.manifest
    assert old.generator is not None
    bundle = write_manifest(
        root,
        name="speaking",
        licence="none",
        description="",
        animator=old.animator,
        generator=dataclasses.replace(old.generator, text_width=text.width),
        text=TextSpec(kind=text.kind, max_tokens=text.max_tokens),
    )
    return load_models(
        bundle, open_backend(precision="f32", cache_dir=None, threads=1), is_lazy=True
    )


def test_texts_mean_what_the_trainer_was_told(speaking: Models) -> None:
    texts = ["two people shake hands", "one person waves with the left hand"]
    encoded, trained = encode_text(speaking, texts), encode_texts(texts, minilm_text())
    norms = np.linalg.norm(encoded, axis=1) * np.linalg.norm(trained, axis=1)
    assert np.all((encoded * trained).sum(axis=1) / norms > 0.98)


def test_a_text_is_encoded_the_same_alone_and_in_company(speaking: Models) -> None:
    texts = ["hug", "a" * 900, "push the other person away and stumble", "\N{WAVING HAND SIGN} hé"]
    together = encode_text(speaking, texts)
    for text, row in zip(texts, together, strict=True):
        np.testing.assert_array_equal(row, encode_text(speaking, [text])[0])


def test_an_empty_text_is_no_text(speaking: Models) -> None:
    assert not encode_text(speaking, ["", "  \n"]).any()
    assert encode_text(speaking, []).shape == (0, 384)


def test_a_text_longer_than_the_encoder_reads_is_cut(speaking: Models) -> None:
    words = "hug " * 240
    np.testing.assert_array_equal(
        encode_text(speaking, [words]), encode_text(speaking, [words[:800]])
    )


@pytest.mark.parametrize("length", [TEXT_CHARACTERS + 1, 100_000])
def test_an_endless_text_is_refused(speaking: Models, length: int) -> None:
    with pytest.raises(InputError, match=f"text has {length} characters") as caught:
        encode_text(speaking, ["shake hands", "a" * length])
    assert caught.value.field == "text"


def test_half_a_character_is_refused(speaking: Models) -> None:
    with pytest.raises(InputError, match="not valid Unicode"):
        encode_text(speaking, ["\ud83d"])


def test_a_bundle_without_a_text_encoder_says_so(models: Models) -> None:
    with pytest.raises(InputError, match="no text encoder"):
        encode_text(models, ["hug"])
