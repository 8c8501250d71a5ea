"""The GPU benchmark on a CPU: its code runs, a wrong backend is found, its bounds are bounds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from benchmarks.gpu import Bounds, Kind, Plan, Work, main, measure
from engine.arrays import Array
from engine.backends import Precision
from engine.backends.ports import Inputs
from engine.backends.torch import TorchBackend, TorchLoop
from engine.bundle import STARTER, load_bundle

QUICK = ["--device", "cpu", "--quick", "--repeats", "1"]


def test_it_runs_end_to_end_and_says_what_it_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "gpu.json"
    wanted = ["--networks", "full-size", "--backends", "torch", "tensorrt", "--precisions", "f32"]
    assert main([*QUICK, *wanted, "--json", str(out)]) == 0
    report = json.loads(out.read_text())
    assert [(row["batch"], row["steps"]) for row in report["rows"]] == [
        (1, 1),
        (1, 2),
        (2, 1),
        (2, 2),
    ]
    assert all(row["call_ms"] > 0 and row["bound_ms"] > 0 for row in report["rows"])
    assert [check["is_right"] for check in report["checks"]] == [True]
    assert any("no figure here is a GPU" in note for note in report["notes"])
    if not torch.cuda.is_available():
        assert any(note.startswith("tensorrt f32 is left out") for note in report["notes"])
    assert "full-size, torch f32" in capsys.readouterr().out


class Exaggerating(TorchBackend):
    """A backend with a mistake of one part in a thousand."""

    def load_loop(self, condition: Path, step: Path, buckets: Sequence[int]) -> TorchLoop:
        class Loop(TorchLoop):
            def __call__(self, inputs: Inputs) -> Array:
                return 1.001 * super().__call__(inputs)

        return Loop(self, condition, step, buckets)


def test_a_backend_that_is_wrong_is_not_timed() -> None:
    def opened(precision: Precision) -> TorchBackend:
        return Exaggerating(precision=precision)

    plan = Plan(
        device=torch.device("cpu"),
        precisions=("f32",),
        batches=(1,),
        steps=(1,),
        repeats=1,
        is_quick=True,
    )
    report = measure(plan, [Kind("wrong", opened)], {"starter": load_bundle(STARTER)})
    assert report["rows"] == []
    assert not report["checks"][0].is_right
    assert report["checks"][0].relative_error == pytest.approx(1e-3, rel=0.01)


def test_a_window_is_bound_by_memory_alone_and_by_arithmetic_in_company() -> None:
    work = Work(step_flops=8e9, step_bytes=134e6, condition_flops=0, condition_bytes=0)
    bounds = Bounds(gbytes_per_s=4000, tflops_per_s=600)
    assert work.bound_ms(1, 50, bounds) == (pytest.approx(50 * 0.0335), "memory")
    assert work.bound_ms(64, 10, bounds) == (pytest.approx(640 * 8 / 600), "arithmetic")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_it_says_how_to_try_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "--device cpu --quick" in capsys.readouterr().err
