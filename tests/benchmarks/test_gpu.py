"""The GPU benchmark on a CPU: its code runs, a wrong backend is found, its bounds are bounds."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.gpu import (
    Bounds,
    Check,
    Journal,
    Kind,
    Note,
    Plan,
    Row,
    Subject,
    Work,
    kind_of,
    main,
    measure,
)
from engine.arrays import Array
from engine.backends import Precision
from engine.backends.ports import Inputs
from engine.backends.torch import TorchBackend, TorchLoop
from tests.conftest import REPOSITORY
from tests.engine.backends.small_animator import small_animator

PLAN = Plan(
    device=torch.device("cpu"),
    precisions=("f32",),
    shapes=((1, 2), (2, 2), (8, 1)),
    checked=((4, 4), (1, 4)),
    profiled=((1, 2),),
    repeats=1,
    is_quick=True,
)


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    return Subject("small", small_animator(tmp_path / "small.bundle", (1, 2)))


def backend_with(change: Callable[[Inputs, Array], Array]) -> Kind:
    """PyTorch whose windows go through a function of the inputs and the outcome."""

    class Loop(TorchLoop):
        def __call__(self, inputs: Inputs) -> Array:
            return change(inputs, super().__call__(inputs))

    class Changed(TorchBackend):
        def load_loop(
            self,
            condition: Path,
            step: Path,
            buckets: Sequence[int],
            steps: Sequence[int] | None = None,
        ) -> TorchLoop:
            return Loop(self, condition, step, buckets, steps)

    def opened(precision: Precision) -> TorchBackend:
        return Changed(precision=precision, threads=1)

    return Kind("changed", opened)


def measured(kind: Kind, subject: Subject, plan: Plan = PLAN) -> dict[type, list[Any]]:
    journal = Journal()
    measure(plan, [kind], [subject], journal)
    found: dict[type, list[Any]] = {kind: [] for kind in (Bounds, Check, Row, Note)}
    for entry in journal.entries:
        found.setdefault(type(entry), []).append(entry)
    return found


def test_a_right_backend_is_checked_in_every_batch_and_timed_in_order(
    subject: Subject, tmp_path: Path
) -> None:
    plan = replace(PLAN, profile=tmp_path / "profile.txt")
    found = measured(backend_with(lambda inputs, x0: x0), subject, plan)
    shapes = [(check.batch, check.steps) for check in found[Check]]
    assert shapes == [(4, 4), (1, 4), (8, 4)]
    assert found[Check][-1].compared == "its own batch of 4"
    assert all(check.is_right for check in found[Check])
    assert [(row.batch, row.steps) for row in found[Row]] == [(1, 2), (2, 2), (8, 1)]
    assert all(row.call_ms > 0 for row in found[Row])
    assert found[Note] == []
    assert "1x2" in plan.profile.read_text() if plan.profile else False


def test_a_backend_that_is_wrong_is_not_timed(subject: Subject) -> None:
    found = measured(backend_with(lambda inputs, x0: 1.001 * x0), subject)
    assert found[Row] == []
    assert found[Check][0].relative_error == pytest.approx(1e-3, rel=0.01)
    assert not found[Check][0].is_right
    assert len(found[Note]) == 3


def test_a_batch_that_fails_loses_its_own_row_alone(subject: Subject) -> None:
    def failing(inputs: Inputs, x0: Array) -> Array:
        if len(x0) == 2:
            raise RuntimeError("no room\nfor two")
        return x0

    found = measured(backend_with(failing), subject)
    assert [(row.batch, row.steps) for row in found[Row]] == [(1, 2), (8, 1)]
    assert [note.text for note in found[Note]] == [
        "changed f32: small 2x2 failed: RuntimeError: no room for two"
    ]


def test_nothing_is_begun_when_the_budget_is_spent(subject: Subject) -> None:
    found = measured(backend_with(lambda inputs, x0: x0), subject, replace(PLAN, ends_at=0.0))
    assert found[Row] == found[Check] == []
    assert all("not found right" in n.text or "budget" in n.text for n in found[Note])


def test_large_work_is_left_out_in_float32() -> None:
    plan = replace(PLAN, shapes=((1, 50), (8, 10), (64, 10)), is_quick=False)
    assert plan.shapes_in("f32") == [(8, 10)]
    assert plan.shapes_in("bf16") == [(1, 50), (8, 10), (64, 10)]


HANGS = """
import sys, time
from pathlib import Path
from benchmarks.gpu import Journal, Subject, measure
from tests.benchmarks.test_gpu import PLAN, backend_with, small_animator
folder = Path(sys.argv[1])

def hanging(inputs, x0):
    if len(x0) == 2:
        print("hangs", flush=True)
        time.sleep(600)
    return x0

subject = Subject("small", small_animator(folder / "small.bundle", (1, 2)))
measure(PLAN, [backend_with(hanging)], [subject], Journal(folder / "gpu.jsonl"))
"""


@pytest.mark.long
def test_a_run_that_is_killed_has_written_all_it_knew(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HANGS, str(tmp_path)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        shown = []
        for line in process.stdout:
            shown.append(line)
            if line == "hangs\n":
                process.send_signal(signal.SIGKILL)
                break
    lines = [json.loads(line) for line in (tmp_path / "gpu.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in lines] == [
        "machine",
        "bounds",
        "check",
        "check",
        "check",
        "row",
    ]
    assert len(shown) == len(lines) + 1


def test_a_window_is_bound_by_memory_alone_and_by_arithmetic_in_company() -> None:
    work = Work(step_flops=8e9, step_bytes=134e6, condition_flops=0, condition_bytes=0)
    bounds = Bounds(precision="bf16", gbytes_per_s=4000, tflops_per_s=600)
    assert work.bound_ms(1, 50, bounds) == (pytest.approx(50 * 0.0335), "memory")
    assert work.bound_ms(64, 10, bounds) == (pytest.approx(640 * 8 / 600), "arithmetic")


@pytest.mark.parametrize(
    ("kernel", "kind"),
    [
        ("nvjet_hsh_64x32_64x16_2x1_v_bz_coopA_bias_TNT", "products"),
        ("sm90_xmma_gemm_bf16bf16_bf16f32", "products"),
        ("void pytorch_flash::flash_fwd_kernel<...>", "attention"),
        ("triton_per_fused_native_layer_norm_3", "fused"),
        ("Memcpy HtoD (Pinned -> Device)", "copies"),
        ("void at::native::vectorized_elementwise_kernel", "other"),
    ],
)
def test_kernels_are_told_apart_by_their_names(kernel: str, kind: str) -> None:
    assert kind_of(kernel) == kind


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_it_says_how_to_try_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "--device cpu --quick" in capsys.readouterr().err
