"""A student's calls lead where its teacher's loop ends, and its run is a run like any other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.errors import ConfigError
from engine.sampling.schedule import schedule_of
from tests.trainer.synthetic import write_clips
from tests.trainer.training.test_train import same, tiny, weights
from trainer.models.animator.network import Animator
from trainer.models.checkpoints import load_network, read_checkpoint
from trainer.models.diffusion import cumulative_alphas, ddim_sample, ddim_update
from trainer.training import distill, train
from trainer.training.config import TrainConfig
from trainer.training.config_file import load_config
from trainer.training.distill import CLEAN, landing, lessons, trajectory
from trainer.training.objectives import OBJECTIVES

TINY_DISTILL = Path(__file__).parent / "tiny_distill.toml"
SCHEDULES = ((830,), (910, 13), (890, 610, 310, 7))


def gaussian_denoiser(mean: float, deviation: float) -> Callable[[Tensor, int], Tensor]:
    """E[x0 | x_t] for x0 ~ N(mean, deviation^2): a network that needs no training."""

    def denoise(x_t: Tensor, timestep: int) -> Tensor:
        abar = float(cumulative_alphas()[timestep])
        gain = deviation**2 * abar**0.5 / (deviation**2 * abar + 1 - abar)
        return mean + gain * (x_t - abar**0.5 * mean)

    return denoise


def noise(rows: int = 8) -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal((rows, 2, 3)))


def bent(x_t: Tensor, timestep: int) -> Tensor:
    """Answers that make a crooked trajectory."""
    return torch.tanh(2 * x_t + timestep / 500)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_student_that_answers_its_lessons_ends_where_the_teachers_loop_ends(
    schedule: tuple[int, ...],
) -> None:
    points = trajectory(bent, noise(), 16, SCHEDULES)
    ends = dict(zip(schedule, (*schedule[1:], CLEAN), strict=True))

    def student(x_t: Tensor, timesteps: Tensor) -> Tensor:
        start = int(timesteps[0])
        return landing(x_t, points[ends[start]], start, ends[start])

    end = ddim_sample(student, noise(), schedule_of(schedule))
    torch.testing.assert_close(end, ddim_sample(on_rows(bent), noise(), 16), atol=1e-5, rtol=0)


def on_rows(denoise: Callable[[Tensor, int], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda x_t, timesteps: denoise(x_t, int(timesteps[0]))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_lessons_lead_back_onto_the_trajectory_from_where_the_student_went(
    schedule: tuple[int, ...],
) -> None:
    def student(x_t: Tensor, timestep: int) -> Tensor:
        return 0.5 * bent(x_t, timestep)

    points = trajectory(bent, noise(), 16, [schedule])
    lesson = lessons(student, noise(), points, [schedule])
    x = noise()
    for i, (start, end) in enumerate(zip(schedule, (*schedule[1:], CLEAN), strict=True)):
        rows = slice(i * len(x), (i + 1) * len(x))
        assert bool((lesson["timesteps"][rows] == start).all())
        torch.testing.assert_close(lesson["x_t"][rows], x, atol=1e-6, rtol=0)
        abar_t = cumulative_alphas()[start]
        abar_s = torch.ones(()) if end == CLEAN else cumulative_alphas()[end]
        mended = ddim_update(x, lesson["x0"][rows], abar_t, abar_s)
        torch.testing.assert_close(mended, points[end], atol=1e-5, rtol=0)
        x = ddim_update(x, student(x, start), abar_t, abar_s)


def test_a_fine_trajectory_is_the_solution_of_the_flow_of_a_gaussian() -> None:
    """x(t) = sqrt(abar) m + sqrt(abar d^2 + 1 - abar) z for data N(m, d^2) (probability flow)."""
    mean, deviation = 0.7, 0.4
    schedules = ((999, 470), (998, 670, 430, 7))
    points = trajectory(gaussian_denoiser(mean, deviation), noise(), 500, schedules)
    for timestep, x in points.items():
        abar = 1.0 if timestep == CLEAN else float(cumulative_alphas()[timestep])
        exact = abar**0.5 * mean + (abar * deviation**2 + 1 - abar) ** 0.5 * noise()
        torch.testing.assert_close(x, exact, atol=0.02, rtol=0)


def test_landing_inverts_the_ddim_update() -> None:
    x_t, x0 = noise(), noise().flip(0)
    abar = cumulative_alphas()
    for start, end in ((830, CLEAN), (910, 13), (7, CLEAN)):
        abar_s = torch.ones(()) if end == CLEAN else abar[end]
        x_s = ddim_update(x_t, x0, abar[start], abar_s)
        torch.testing.assert_close(landing(x_t, x_s, start, end), x0, atol=1e-4, rtol=0)


# ------------------------------------------------------------------------------------------- a run
@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clips(tmp_path_factory.mktemp("data") / "shards", clips=8)


@pytest.fixture(scope="module")
def teacher(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An animator with random heads: its trajectories bend, so there is something to learn."""
    path = train.train(tiny(data, "steps=1"), tmp_path_factory.mktemp("teacher"))
    stored = read_checkpoint(path)
    generator = torch.Generator().manual_seed(0)
    for name, tensor in stored["state_dict"].items():
        if "_out." in name:
            tensor += 0.2 * torch.randn(tensor.shape, generator=generator)
    torch.save(stored, path)
    return path


def distilled(data: Path, teacher: Path, *changes: str) -> TrainConfig:
    given = [f"data={data}", f"distill.teacher={teacher}", *changes]
    return load_config(TINY_DISTILL, "distill", OBJECTIVES["distill"].config, given)


@pytest.mark.long
def test_a_student_starts_as_its_teacher_and_comes_nearer_to_its_trajectories(
    data: Path, teacher: Path, tmp_path: Path
) -> None:
    terms = ("distance", "contact", "velocity", "acceleration", "skate")  # random heads tremble
    changes = [f"distill.animator.loss.{term}=0" for term in terms]
    config = distilled(data, teacher, "steps=40", *changes)
    task = distill.distill_task(config)
    start, ours = task.average.state_dict(), load_network(teacher, Animator).state_dict()
    assert same(ours, {name: start[name] for name in ours})

    checkpoint = train.train(config, tmp_path)
    student = load_network(checkpoint, Animator)
    stored = read_checkpoint(checkpoint)["contrapose"]["schedules"]
    assert stored == [list(schedule) for schedule in SCHEDULES]
    never_seen = [task.check(8, np.random.default_rng(1))]
    before = train.held_out_means(task.loss_terms, task.average, never_seen)["total"]
    after = train.held_out_means(task.loss_terms, student, never_seen)["total"]
    assert after < 0.95 * before


@pytest.mark.long
def test_a_resumed_distillation_ends_with_the_bits_of_an_unbroken_one(
    data: Path, teacher: Path, tmp_path: Path
) -> None:
    train.train(distilled(data, teacher, "steps=6"), tmp_path / "unbroken")
    train.train(distilled(data, teacher, "steps=3"), tmp_path / "resumed")
    train.train(distilled(data, teacher, "steps=6"), tmp_path / "resumed")
    assert same(weights(tmp_path / "resumed"), weights(tmp_path / "unbroken"))


def test_what_follows_from_the_teacher_cannot_be_given(data: Path, teacher: Path) -> None:
    with pytest.raises(ConfigError, match=r"size follows from distill\.teacher"):
        train.train(distilled(data, teacher, "steps=1", "size.width=32"), teacher.parent / "none")


@pytest.mark.parametrize(
    "schedules", ["[[999], [999, 500]]", "[[999, 500, 700]]", "[[1000]]", "[[]]", "[]"]
)
def test_schedules_must_descend_and_share_no_timestep(
    data: Path, teacher: Path, schedules: str
) -> None:
    with pytest.raises(ConfigError, match=r"lists of different timesteps"):
        distilled(data, teacher, "steps=1", f"distill.schedules={schedules}")
