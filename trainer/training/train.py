"""The training loop, for one process or many: `contrapose train`, or below torchrun
`python -m trainer.training.train animator CONFIG.toml`.

Knows tasks, optimisers, checkpoints and the log. Knows no pose, no loss by name and no bundle.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import torch
from torch import nn
from torch.distributed import run as torchrun
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from engine.errors import ConfigError, ContraposeError
from trainer.arguments import add_train_arguments, changes_of, train_arguments
from trainer.models.family import LossTerms, Tensors
from trainer.training.batches import from_workers, on_device, prefetched, share, stream_seed
from trainer.training.config import TrainConfig
from trainer.training.config_file import load_config
from trainer.training.objectives import OBJECTIVES, make_task
from trainer.training.optimisers import make_optimisers, set_learning_rate
from trainer.training.run_log import RunLog
from trainer.training.runs import CHECKPOINT, TrainingRun
from trainer.training.tasks import Task
from trainer.training.world import GradientBuffer, World, computes_bf16, joined_world

logger = logging.getLogger(__name__)

CHECK_SEED = 12345


def train(config: TrainConfig, out: Path, *, resume: bool = True) -> Path:
    """Train until the plan is fulfilled or SIGTERM asks to stop; returns the checkpoint's path.

    In each process that torchrun starts; they share every batch and average their gradients.
    """
    with joined_world(config.threads) as world:
        config = settled(config, world)
        if world.local_rank:  # what the first on a machine stores, its neighbours only read
            world.wait()
        task = make_task(config)
        if not world.local_rank:
            world.wait()
        return run_task(config, task, out, world, resume=resume)


def settled(config: TrainConfig, world: World) -> TrainConfig:
    """The configuration with what this machine decides; the first process says what was taken."""
    if config.bf16 != "auto":
        return config
    has_bf16 = computes_bf16(world.device)
    if world.is_first:
        says = "yes" if has_bf16 else "no, f32: emulated it would be slow"
        print(f"bf16 on this {world.device.type}: {says}")
    return dataclasses.replace(config, bf16=has_bf16)


def run_task(
    config: TrainConfig, task: Task, out: Path, world: World, *, resume: bool = True
) -> Path:
    """The loop. Only rank 0 writes and reads the clock; any process may be asked to stop."""
    out.mkdir(parents=True, exist_ok=True)
    network, average = task.network.to(world.device), task.average.to(world.device)
    gradients = GradientBuffer(network)
    run = TrainingRun(network, average, make_optimisers(network, config.optimiser))
    if resume and (out / CHECKPOINT).exists():
        run.restore(out, config)
    loss_terms = torch.compile(task.loss_terms) if config.compile else task.loss_terms
    held_out = [
        on_device(share(task.check, config, World())(CHECK_SEED, i), world.device)
        for i in range(config.check_batches if world.is_first else 0)
    ]
    batch = share(task.draw, config, world)
    batches = (
        from_workers(batch, config.seed, run.step, config.draw_workers)
        if config.draw_workers
        else prefetched(batch, config.seed, run.step)
    )

    saved, last = run.seconds, time.monotonic()
    done, has_begun = progress(config, run.step, run.seconds), threading.Event()

    def leave_before_the_first_step() -> None:
        """It may take minutes, as graphs are compiled in it, and there is nothing to save yet."""
        if not has_begun.is_set():
            if world.is_first:
                print(f"{out}: stopped before the first step; nothing is lost", flush=True)
            os._exit(0)

    with (
        stop_signals(leave_before_the_first_step) as stop,
        closing(batches),
        RunLog(out, run.step, done) if world.is_first else nullcontext() as log,
    ):
        while done < 1:
            set_learning_rate(run.optimisers, config.optimiser, done)
            torch.manual_seed(stream_seed(config.seed, run.step, world.rank))  # for dropout
            terms = loss_terms(network, on_device(next(batches), world.device))
            terms["total"].backward()  # type: ignore[no-untyped-call]  # torch
            now = time.monotonic()
            run.step, run.seconds, last = run.step + 1, run.seconds + now - last, now
            done = progress(config, run.step, run.seconds)
            done, values = agreed(world, done, stop.is_set(), terms)
            has_begun.set()

            gradients.average(world)
            norm = nn.utils.clip_grad_norm_(
                network.parameters(), config.optimiser.gradient_clip or torch.inf
            )
            is_finite = bool(torch.isfinite(norm))
            if is_finite:
                for optimiser in run.optimisers:
                    optimiser.step()
            gradients.clear()
            run.update_average(config.optimiser.ema)
            if log is None:
                continue

            values |= {"gradient_norm": float(norm), "skipped_steps": float(not is_finite)}
            run.add(values)
            if is_due := run.step % config.log_every == 0:
                log.record("train", run.step, run.seconds, run.means())
            part = progress(config, run.step, run.seconds)
            log.progress(run.step, part, values["total"], is_due=is_due)
            if done >= 1 or run.seconds - saved >= 60 * config.checkpoint_minutes:
                run.save(out, config, task.about)
                means = held_out_means(task.loss_terms, average, held_out)
                log.record("held_out", run.step, run.seconds, means)
                saved = run.seconds
    if world.is_first:
        is_over = progress(config, run.step, run.seconds) >= 1
        print(f"{out / CHECKPOINT}: {'finished' if is_over else 'stopped'} at step {run.step}")
    return out / CHECKPOINT


def progress(config: TrainConfig, step: int, seconds: float) -> float:
    """0 at the start, 1 when the run is over."""
    if config.steps is not None:
        return step / config.steps
    assert config.minutes is not None
    return seconds / (60 * config.minutes)


def agreed(
    world: World, done: float, is_stopped: bool, terms: Tensors
) -> tuple[float, dict[str, float]]:
    """What rank 0 says of progress, or 1 if any process was asked to stop; the mean of all terms.

    Each process averages over its own valid frames and contacts, as with PyTorch's DDP.
    """
    notice = float(is_stopped) + (done if world.is_first else 0.0)
    values = torch.stack([value.detach().double() for value in terms.values()])
    message = world.summed(torch.cat([values.new_tensor([notice]), values / world.size]))
    notices, *means = message.tolist()
    return min(notices, 1.0), dict(zip(terms, means, strict=True))


@torch.no_grad()
def held_out_means(
    loss_terms: LossTerms, network: nn.Module, batches: Sequence[Tensors]
) -> dict[str, float]:
    """Mean loss terms of the averaged weights on clips that training never sees."""
    totals = defaultdict[str, float](float)
    for batch in batches:
        for name, value in loss_terms(network, batch).items():
            totals[name] += value.item() / len(batches)
    return dict(totals)


@contextmanager
def stop_signals(told: Callable[[], None]) -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set while the block runs: the step under way is finished.

    told  called on another thread, as well: this one hears of signals only between two operations,
          and one that waits for another process may have no end
    """
    stop = threading.Event()
    numbers = (signal.SIGTERM, signal.SIGINT)
    hears, tells = socket.socketpair()
    tells.setblocking(False)

    def listen() -> None:
        while hears.recv(1):
            told()

    listener = threading.Thread(target=listen, name="contrapose-signals", daemon=True)
    listener.start()
    previous = {number: signal.signal(number, lambda *_: stop.set()) for number in numbers}
    woken = signal.set_wakeup_fd(tells.fileno())
    try:
        yield stop
    finally:
        signal.set_wakeup_fd(woken)
        for number, handler in previous.items():
            signal.signal(number, handler)
        tells.close()
        listener.join()
        hears.close()


# ------------------------------------------------------------------------------------ command line
def run_command(args: argparse.Namespace) -> int:
    """`contrapose train`, and each process below torchrun."""
    settings = OBJECTIVES[args.objective].config
    config = load_config(args.config, args.objective, settings, changes_of(args))
    if config.processes > 1 and "RANK" not in os.environ:
        return under_torchrun(config.processes, args)
    out = args.out or Path("runs") / args.config.stem
    train(config, out, resume=not args.fresh)
    return 0


def under_torchrun(processes: int, args: argparse.Namespace) -> int:
    """Run this command in `processes` processes of this machine; what they print is shown.

    Raises ConfigError if there are GPUs, but not one for each.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if gpus and processes > gpus:
        raise ConfigError(
            f"processes is {processes}, and each takes a GPU, of which this machine has {gpus}; "
            f"use --set processes={gpus}",
            field="processes",
        )
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as torchrun would, after a page of warnings
    for name in ("agent.server.api", "multiprocessing.api"):  # they tell of each signal, too
        logging.getLogger(f"torch.distributed.elastic.{name}").setLevel(logging.ERROR)
    launcher = ["--standalone", f"--nproc-per-node={processes}", "-m", "trainer.training.train"]
    try:
        torchrun.main([*launcher, *train_arguments(args)])
    except SignalException as exc:  # the processes were told too, and have saved
        logger.info("stopped by signal %s", exc.sigval)
    except ChildFailedError as exc:
        return int(exc.get_first_failure()[1].exitcode)
    return 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m trainer.training.train", description=__doc__)
    add_train_arguments(parser)
    try:
        return run_command(parser.parse_args(arguments))
    except ContraposeError as error:
        print(f"trainer.training.train: error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
