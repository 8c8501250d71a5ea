"""Distillation: a student that reaches in 1, 2 or 4 calls where its teacher's DDIM loop ends.

The loop without noise leads from x_T to a window along one trajectory x(t). A student of K calls
cuts it into K segments: called where one begins, it answers with the x0 whose DDIM update lands
where the segment ends. With one segment that is the consistency function at T (Song et al. 2023,
arXiv:2303.01469), with very many the teacher itself (multistep consistency, Heek et al. 2024,
arXiv:2403.06807). What it learns from is read off whole trajectories of the teacher (Luhman and
Luhman 2021, arXiv:2101.02388), and one trajectory serves every call of every schedule. Each call
is taught from where the student's own calls before it have led.

All schedules are one network's: no two share a timestep, so the timestep embedding tells it which
one it is in. At all other timesteps it learns its teacher's own answers on noised clips, and so
keeps sampling in 8 or 50 steps. Knows tasks and networks; knows no optimiser and no checkpoint.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from engine.bundle import DIFFUSION_STEPS
from engine.errors import ConfigError
from engine.sampling.schedule import step_schedule
from trainer.data.shards import load_clips
from trainer.models.animator.family import FAMILY, AnimatorConfig, denoised_window
from trainer.models.animator.losses import animator_losses
from trainer.models.animator.network import Animator
from trainer.models.blocks import NetworkConfig
from trainer.models.checkpoints import load_network
from trainer.models.diffusion import cumulative_alphas, ddim_update
from trainer.models.family import DrawBatch, LossTerms, Tensors
from trainer.models.losses import mesh_of
from trainer.text.captions import load_captions
from trainer.training.config import TrainConfig
from trainer.training.tasks import Task, network_task

CLEAN = -1
"""Stands for the end of a trajectory among timesteps."""
PATH = "path_"
"""Before the names of what trajectories start from, in a batch."""
Denoise = Callable[[Tensor, int], Tensor]
"""(x_t, timestep) -> x0, as a network answers under given conditions."""
CONDITIONS = ("known", "known_mask", "anchor", "anchor_joints", "rest_joints", "text")


@dataclass(frozen=True, kw_only=True)
class DistillConfig:
    """What a student of few denoiser calls learns from its teacher."""

    teacher: Path
    """Checkpoint of an animator: its averaged weights teach, and are where the student starts; or a
    bundle."""
    schedules: tuple[tuple[int, ...], ...] = ((830,), (910, 13), (890, 610, 310, 7))
    """Timesteps of each number of calls to learn, descending. No two share one: by them the network
    tells the schedules apart. These lie between those of 8, 10, 20 and 50 even steps; a last call
    near 0 cleans away what trembling the noise has left."""
    teacher_steps: int = 10
    """Denoiser calls of a trajectory, evenly spaced."""
    windows_per_path: int = 4
    """Noised windows of clips, where the student is to answer as its teacher, per trajectory."""
    animator: AnimatorConfig = field(default_factory=AnimatorConfig)
    """The clips and the loss terms."""

    def __post_init__(self) -> None:
        timesteps = [timestep for schedule in self.schedules for timestep in schedule]
        descend = all(list(s) == sorted(s, reverse=True) and s for s in self.schedules)
        if (
            not (timesteps and descend)
            or len(set(timesteps)) < len(timesteps)
            or not set(timesteps) <= set(range(DIFFUSION_STEPS))
        ):
            raise ConfigError(
                f"schedules is {self.schedules}, expected lists of different timesteps that "
                f"descend from below {DIFFUSION_STEPS}",
                field="schedules",
            )
        for name in ("teacher_steps", "windows_per_path"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, expected 1 on", field=name)


def distill_task(config: TrainConfig) -> Task:
    """The animator's task from its teacher's weights, and beside it the teacher's trajectories.

    Raises ConfigError where the configuration gives what follows from the teacher.
    """
    objective: DistillConfig = config.objective
    for name, default in (("size", NetworkConfig()), ("init", None)):
        if getattr(config, name) != default:
            raise ConfigError(f"{name} follows from distill.teacher; leave it out", field=name)
    teacher = load_network(objective.teacher, Animator)
    clips = load_clips(config.data)
    has_text = bool(teacher.config.text_width)
    captions = load_captions(clips, config.data, config.text_encoder) if has_text else None
    size = dataclasses.replace(teacher.config, text_width=0)  # `network_task` sets it
    alike = dataclasses.replace(config, size=size, init=objective.teacher)
    task = network_task(FAMILY, alike, objective.animator, clips, captions)
    return dataclasses.replace(
        task,
        draw=with_paths(task.draw, objective.windows_per_path),
        check=with_paths(task.check, objective.windows_per_path),
        loss_terms=distilled_loss_terms(
            teacher.requires_grad_(False), objective, config.bf16 is True
        ),
        about={**task.about, "schedules": [list(s) for s in objective.schedules]},
    )


def with_paths(draw: DrawBatch, windows_per_path: int) -> DrawBatch:
    """The same windows, and for every so many of them the conditions and noise of a trajectory."""

    def drawn(rows: int, rng: np.random.Generator) -> Tensors:
        start = draw(max(rows // windows_per_path, 1), rng)
        noise = rng.standard_normal(start["x_t"].shape, np.float32)
        path = {PATH + name: start[name] for name in CONDITIONS}
        return draw(rows, rng) | path | {f"{PATH}noise": torch.from_numpy(noise)}

    return drawn


def distilled_loss_terms(teacher: Animator, objective: DistillConfig, bf16: bool) -> LossTerms:
    """The animator's terms, with what the teacher makes of noise in place of the truth."""
    loss = objective.animator.loss
    mesh = mesh_of(loss)

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # torch; loops, compiled for long
    @torch.no_grad()
    def taught(student: nn.Module, batch: Tensors) -> Tensors:
        path = {n.removeprefix(PATH): v for n, v in batch.items() if n.startswith(PATH)}

        def calling(network: nn.Module) -> Denoise:
            def at(x_t: Tensor, timestep: int) -> Tensor:
                rows = torch.full((len(x_t),), timestep, device=x_t.device)
                return denoised_window(network, path | {"x_t": x_t, "timesteps": rows}, bf16)

            return at

        teaching = teacher.to(path["noise"].device)
        schedules = objective.schedules
        points = trajectory(calling(teaching), path["noise"], objective.teacher_steps, schedules)
        lesson = lessons(calling(student), path["noise"], points, schedules)
        calls = len(lesson["x0"]) // len(path["noise"])
        lesson |= {name: torch.cat([path[name]] * calls) for name in CONDITIONS}
        # Frames past a clip's end count like any others: what the teacher says there is the target.
        windows = {name: batch[name] for name in (*CONDITIONS, "x_t", "timesteps")}
        windows["x0"] = denoised_window(teaching, windows, bf16)
        return {name: torch.cat([lesson[name], windows[name]]) for name in windows}

    def loss_terms(network: nn.Module, batch: Tensors) -> Tensors:
        lesson = taught(network, batch)
        anchor = lesson["anchor"]
        return animator_losses(
            denoised_window(network, lesson, bf16),
            lesson["x0"] + anchor[:, :, None],
            anchor,
            lesson["rest_joints"],
            None,
            loss,
            mesh,
        )

    return loss_terms


# ------------------------------------------------------------------------------------ trajectories
def trajectory(
    denoise: Denoise, noise: Tensor, steps: int, schedules: Sequence[Sequence[int]]
) -> dict[int, Tensor]:
    """The teacher's loop from noise (batch, ...): x where calls of the schedules end, and CLEAN.

    The loop is the engine's, evenly spaced. Between two of its calls x follows the update of the
    first; before the first call x is the noise itself.
    """
    calls = [int(timestep) for timestep in step_schedule(steps).timesteps]
    wanted = {timestep for schedule in schedules for timestep in schedule[1:]}
    points = {timestep: noise for timestep in wanted if timestep > calls[0]}
    x = noise
    for timestep, after in zip(calls, (*calls[1:], CLEAN), strict=True):
        x0 = denoise(x, timestep)
        for to in (*(t for t in wanted if after < t <= timestep), after):
            points[to] = ddim_update(x, x0, _abar(timestep, x), _abar(to, x))
        x = points[after]
    return points


def lessons(
    denoise: Denoise,
    noise: Tensor,
    points: Mapping[int, Tensor],
    schedules: Sequence[Sequence[int]],
) -> Tensors:
    """Every call of every schedule as rows of one batch: "x_t", "timesteps" and the wanted "x0".

    x_t is where the student's own calls so far have led it, and x0 leads from there back onto the
    trajectory: so it learns to mend what it did before, as it must when it samples.
    """
    rows: list[tuple[Tensor, int, Tensor]] = []
    for schedule in schedules:
        x = noise
        for start, end in zip(schedule, (*schedule[1:], CLEAN), strict=True):
            rows.append((x, start, landing(x, points[end], start, end)))
            if end != CLEAN:
                x = ddim_update(x, denoise(x, start), _abar(start, x), _abar(end, x))
    timesteps = torch.tensor([start for _, start, _ in rows], device=noise.device)
    return {
        "x_t": torch.cat([x_t for x_t, _, _ in rows]),
        "timesteps": timesteps.repeat_interleave(len(noise)),
        "x0": torch.cat([x0 for _, _, x0 in rows]),
    }


def landing(x_t: Tensor, x_s: Tensor, start: int, end: int) -> Tensor:
    """The x0 with which `ddim_update` leads from x_t at `start` to x_s at `end`.

    x0 = (x_s - r x_t) / (sqrt(abar_s) - r sqrt(abar_t)),  r = sqrt((1 - abar_s) / (1 - abar_t))
    """
    abar_t, abar_s = _abar(start, x_t), _abar(end, x_t)
    ratio = ((1 - abar_s) / (1 - abar_t)).sqrt()
    return (x_s - ratio * x_t) / (abar_s.sqrt() - ratio * abar_t.sqrt())


def _abar(timestep: int, like: Tensor) -> Tensor:
    return like.new_tensor(1.0 if timestep == CLEAN else float(cumulative_alphas()[timestep]))
