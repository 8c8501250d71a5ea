"""An animator of a few operators, whose windows take no time: x0 is drawn towards its anchor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from onnx import helper

from engine.bundle import STARTER, Bundle, ScheduleSpec, load_bundle
from engine.sampling.schedule import step_schedule
from tests.backends.conftest import written

WIDTH = 16
"""Of the modulation."""


def small_animator(folder: Path, schedules: tuple[int, ...]) -> Bundle:
    """A bundle of nothing else, whose manifest names these schedules."""
    manifest = load_bundle(STARTER).manifest
    animator = replace(
        manifest.animator,
        text_width=0,
        schedules=tuple(
            ScheduleSpec(
                steps=steps,
                timesteps=tuple(int(t) for t in step_schedule(steps).timesteps),
                quality=None,
            )
            for steps in schedules
        ),
    )
    (folder / "animator").mkdir(parents=True)
    _write_condition(folder / "animator/condition.onnx")
    _write_step(folder / "animator/step.onnx")
    return Bundle(
        path=folder,
        manifest=replace(
            manifest, animator=animator, generator=None, text=None, body=None, intent=None
        ),
    )


def _write_condition(path: Path) -> None:
    """modulation = timestep x mean of the anchor and its joints x weights"""
    nodes = [
        helper.make_node("ReduceSum", ["anchor", "last_two"], ["sum"], keepdims=1),
        helper.make_node("ReduceSum", ["anchor_joints", "last_three"], ["joints"], keepdims=0),
        helper.make_node("Unsqueeze", ["joints", "last_two"], ["joints3"]),
        helper.make_node("Add", ["sum", "joints3"], ["total"]),
        helper.make_node("Unsqueeze", ["timesteps", "outer"], ["times"]),
        helper.make_node("Mul", ["total", "times"], ["product"]),
        helper.make_node("Mul", ["product", "weights"], ["modulation"]),
    ]
    constants = {
        "last_two": np.array([1, 2]),
        "last_three": np.array([1, 2, 3]),
        "outer": np.array([0, 2]),
        "weights": np.linspace(1e-7, 1e-6, WIDTH, dtype=np.float32),
    }
    inputs = {
        "anchor": ("batch", 2, 135),
        "anchor_joints": ("batch", 2, 22, 3),
        "timesteps": ("steps",),
    }
    written(path, nodes, inputs, {"modulation": ("batch", "steps", WIDTH)}, constants)


def _write_step(path: Path) -> None:
    """x0 = abar_t x_t + mask known + anchor + sum of the modulation;  x_s = abar_s x0"""
    nodes = [
        helper.make_node("ReduceSum", ["modulation", "last"], ["pull"], keepdims=0),
        helper.make_node("Add", ["pull", "abar_t"], ["level"]),
        helper.make_node("Unsqueeze", ["level", "inner"], ["level4"]),
        helper.make_node("Mul", ["x_t", "level4"], ["scaled"]),
        helper.make_node("Mul", ["known", "known_mask"], ["imputed"]),
        helper.make_node("Unsqueeze", ["anchor", "frames"], ["anchor4"]),
        helper.make_node("Add", ["scaled", "imputed"], ["sum"]),
        helper.make_node("Add", ["sum", "anchor4"], ["x0"]),
        helper.make_node("Unsqueeze", ["abar_s", "inner"], ["next4"]),
        helper.make_node("Mul", ["x0", "next4"], ["x_s"]),
    ]
    constants = {
        "last": np.array([1]),
        "inner": np.array([1, 2, 3]),
        "frames": np.array([2]),
    }
    window = ("batch", 2, 30, 135)
    inputs = {
        "x_t": window,
        "modulation": ("batch", WIDTH),
        "abar_t": ("batch",),
        "abar_s": ("batch",),
        "known": window,
        "known_mask": ("batch", 2, 30, 1),
        "anchor": ("batch", 2, 135),
    }
    written(path, nodes, inputs, {"x_s": window, "x0": window}, constants)
