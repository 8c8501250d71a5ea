"""Arrays in one block of memory: offsets, the addresses of a loop's steps, and who may use a blob.

The loop is run for real in a block of host memory: a wrong address makes a wrong window.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.arrays import Array
from engine.backends.arena import (
    ALIGNMENT,
    Arena,
    ArraySpec,
    BlobIdentity,
    arranged,
    level_table,
    loop_arena,
    loop_steps,
)
from engine.sampling.models import Models
from engine.sampling.sampler import sample_animator

FLOAT = np.dtype(np.float32)
IDENTITY = BlobIdentity(
    graph="a" * 64,
    library="10.16.1.11",
    gpu="NVIDIA H200",
    capability="9.0",
    precision="f16",
    bucket=8,
)


def _view(block: npt.NDArray[np.uint8], at: int, spec: ArraySpec) -> npt.NDArray[Any]:
    return block[at : at + spec.bytes].view(spec.dtype).reshape(spec.shape)


def _specs(**values: npt.NDArray[Any]) -> dict[str, ArraySpec]:
    return {n: ArraySpec(shape=value.shape, dtype=value.dtype) for n, value in values.items()}


# ----------------------------------------------------------------------------- arrays in a block
@given(st.lists(st.integers(1, 700), min_size=3, max_size=9), st.data())
def test_arrays_are_aligned_and_do_not_overlap(sizes: list[int], data: st.DataObject) -> None:
    first, second = sorted(data.draw(st.tuples(*[st.integers(0, len(sizes))] * 2)))
    specs = [(str(i), ArraySpec(shape=(n,), dtype=FLOAT)) for i, n in enumerate(sizes)]
    arena = arranged(dict(specs[:first]), dict(specs[first:second]), dict(specs[second:]))
    end = 0
    for name, spec in specs:
        at = arena.offsets[name]
        assert at >= end
        assert at % ALIGNMENT == 0
        end = at + spec.bytes
        is_sent, is_returned = end <= arena.sent_bytes, at >= arena.returned
        assert (is_sent, is_returned) == (int(name) < first, int(name) >= second)
    assert end <= arena.bytes < end + ALIGNMENT


def test_two_arrays_of_one_name_are_refused() -> None:
    spec = {"x": ArraySpec(shape=(1,), dtype=FLOAT)}
    with pytest.raises(ValueError, match="same name"):
        arranged(spec, {}, spec)


# ----------------------------------------------------------------------------- the loop
def _loop_of(rows: int, steps: int, width: int) -> Arena:
    rng = np.random.default_rng(0)
    window = rng.random((rows, 2, 30, 135), np.float32)
    pair = np.zeros((rows, 2, 135), np.float32)
    condition = _specs(anchor=pair, timesteps=np.zeros(steps, np.int64))
    level = np.zeros(rows, np.float32)
    step = _specs(
        x_t=window,
        known=window,
        known_mask=window[..., :1],
        anchor=pair,
        modulation=np.zeros((rows, width), np.float32),
        abar_t=level,
        abar_s=level,
    )
    return loop_arena(condition, step, ArraySpec(shape=(rows, steps, width), dtype=FLOAT), steps)


@given(st.integers(1, 9), st.integers(1, 12), st.sampled_from([64, 100, 8192]))
def test_every_address_of_a_loop_is_aligned_and_inside(rows: int, steps: int, width: int) -> None:
    arena = _loop_of(rows, steps, width)
    calls = loop_steps(arena)
    assert len(calls) == steps
    for step in calls:
        assert all(at % ALIGNMENT == 0 and 0 <= at < arena.bytes for at in step.offsets.values())
        assert step.offsets["x_t"] != step.offsets["x_s"]
    for step, following in itertools.pairwise(calls):
        assert following.offsets["x_t"] == step.offsets["x_s"]


def test_one_row_reads_its_modulation_where_it_is_and_more_are_gathered() -> None:
    alone, together = loop_steps(_loop_of(1, 3, 64)), loop_steps(_loop_of(2, 3, 64))
    assert all(step.copy is None for step in alone)
    assert len({step.offsets["modulation"] for step in alone}) == 3
    assert all(step.copy is not None for step in together)
    assert all(step.copy is not None for step in loop_steps(_loop_of(1, 3, 100)))  # misaligned


@pytest.mark.usefixtures("openvino")
@pytest.mark.parametrize("rows", [1, 2, 4])
@pytest.mark.parametrize("steps", [1, 4, 5])
def test_a_loop_over_its_addresses_is_the_sampler(models: Models, rows: int, steps: int) -> None:
    rng = np.random.default_rng(7)
    noise, known = rng.standard_normal((2, rows, 2, 30, 135)).astype(np.float32)
    known_mask = (rng.random((rows, 2, 30, 1)) < 0.2).astype(np.float32)
    anchor = 0.5 * rng.standard_normal((rows, 2, 135)).astype(np.float32)
    anchor_joints = 0.5 * rng.standard_normal((rows, 2, 22, 3)).astype(np.float32)
    expected = sample_animator(models, noise, known, known_mask, anchor, anchor_joints, steps)

    found = _loop_in_host_memory(
        models,
        steps,
        condition={"anchor": anchor, "anchor_joints": anchor_joints},
        step={"x_t": noise, "known": known, "known_mask": known_mask, "anchor": anchor},
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)


def _loop_in_host_memory(
    models: Models, steps: int, condition: dict[str, Array], step: dict[str, Array]
) -> Array:
    """What a device does, in a block of host memory, with both graphs run by OpenVINO."""
    schedule = models.animator.schedule(steps)
    timed = {**condition, "timesteps": schedule.timesteps}
    rows = len(step["x_t"])
    width = models.animator.condition(timed)["modulation"].shape[-1]
    level = np.zeros(rows, np.float32)
    inner = {"modulation": np.zeros((rows, width), np.float32), "abar_t": level, "abar_s": level}
    step_specs = _specs(**step, **inner)
    modulation = ArraySpec(shape=(rows, steps, width), dtype=FLOAT)
    arena = loop_arena(_specs(**timed), step_specs, modulation, steps)
    block = np.zeros(arena.bytes, np.uint8)

    levels = {"abar_t": schedule.abar_t, "abar_s": schedule.abar_s}
    for name, value in level_table(arena, {**timed, **step, **levels}).items():
        _view(block, arena.offsets[name], arena.specs[name])[...] = value
    block[arena.sent_bytes :] = 0xFF  # NaN, wherever something is read before it is written
    inputs = {name: _view(block, arena.offsets[name], arena.specs[name]) for name in timed}
    _view(block, arena.offsets["modulations"], modulation)[...] = models.animator.condition(inputs)[
        "modulation"
    ]
    for call in loop_steps(arena):
        if call.copy is not None:
            for row in range(call.copy.rows):
                source = call.copy.source + row * call.copy.source_pitch
                target = call.copy.target + row * call.copy.width
                block[target : target + call.copy.width] = block[source : source + call.copy.width]
        inputs = {n: _view(block, call.offsets[n], spec) for n, spec in step_specs.items()}
        for name, value in models.animator.step(inputs).items():
            _view(block, call.offsets[name], step_specs["x_t"])[...] = value
    return _view(block, arena.offsets["x0"], step_specs["x_t"])


# ----------------------------------------------------------------------------- compiled plans
def test_a_sealed_plan_opens_for_the_same_identity_alone() -> None:
    blob = IDENTITY.sealed(b"blob")
    assert IDENTITY.opened(blob) == b"blob"
    assert IDENTITY.opened(None) is None
    assert IDENTITY.opened(b"blob") is None


@pytest.mark.parametrize(
    "change",
    [
        {"graph": "b" * 64},
        {"library": "11.4.0.106"},
        {"gpu": "NVIDIA A100"},
        {"capability": "8.0"},
        {"precision": "bf16"},
        {"bucket": 4},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_plan_made_for_anything_else_has_another_key_and_stays_closed(
    change: dict[str, Any],
) -> None:
    other = dataclasses.replace(IDENTITY, **change)
    assert other.key() != IDENTITY.key()
    assert other.opened(IDENTITY.sealed(b"blob")) is None


def test_timings_are_shared_by_graphs_and_not_by_versions_or_gpus() -> None:
    same = dataclasses.replace(IDENTITY, graph="b" * 64, precision="f32", bucket=1)
    assert same.timing_key() == IDENTITY.timing_key()
    for change in ({"library": "11.0"}, {"gpu": "NVIDIA A100"}, {"capability": "8.0"}):
        assert dataclasses.replace(IDENTITY, **change).timing_key() != IDENTITY.timing_key()
