"""Training of animator and generator on one machine: `python -m trainer.train animator ...`.

Knows optimiser, schedule, checkpoints and the log. Knows no bundle: `starter.py` makes that.
All randomness of a step comes from (seed, step): a resumed run draws what an unbroken one would.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import multiprocessing
import queue
import signal
import sys
import tempfile
import threading
import time
from collections import abc, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, distributed, nn

from engine.errors import ConfigError
from trainer import losses
from trainer.data import windows
from trainer.data.shards import Clips, load_clips
from trainer.models.animator import Animator
from trainer.models.blocks import NetworkConfig, zero_init
from trainer.models.diffusion import DIFFUSION_STEPS, q_sample
from trainer.models.generator import Generator

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"
CHECK_BATCHES = 8
"""Held-out batches whose loss is logged at every checkpoint."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One run. It ends after `steps` or after `minutes`, whichever is planned; not both."""

    network: Literal["animator", "generator"]
    clips: Path
    steps: int | None = None
    minutes: float | None = None
    """Wall time over all resumed parts; the learning rate falls with the elapsed fraction."""
    width: int = 256
    heads: int = 4
    layers: int = 8
    ffn_width: int = 512
    dropout: float = 0.0
    batch: int = 64
    learning_rate: float = 8e-4
    weight_decay: float = 0.01
    warm_up: float = 0.02
    """Part of the run in which the learning rate rises."""
    ema: float = 0.998
    gradient_clip: float = 1.0
    timestep_power: float = 1.5
    """t = floor(1000 u^power): above 1 favours low noise, where small residuals are decided."""
    seed: int = 0
    processes: int = 2
    """Each takes an equal part of every batch."""
    threads: int = 1
    """Of each process."""
    bf16: bool = True
    compile: bool = True
    checkpoint_minutes: float = 4.0
    log_every: int = 50
    animator_loss: losses.AnimatorLossConfig = field(default_factory=losses.AnimatorLossConfig)
    generator_loss: losses.GeneratorLossConfig = field(default_factory=losses.GeneratorLossConfig)

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.minutes is None):
            raise ConfigError("give either --steps or --minutes", field="steps")
        if self.batch % self.processes:
            raise ConfigError(
                f"{self.batch=} must be a multiple of {self.processes=}", field="batch"
            )


# ------------------------------------------------------------------------------------ the networks
def build_network(config: TrainConfig, text_width: int) -> Animator | Generator:
    """The network of `config`, initialised from its seed."""
    torch.manual_seed(config.seed)
    sizes = NetworkConfig(
        width=config.width,
        heads=config.heads,
        layers=config.layers,
        ffn_width=config.ffn_width,
        text_width=text_width,
        dropout=config.dropout,
    )
    if config.network == "generator":
        return Generator(sizes)
    animator = Animator(sizes)
    zero_init(animator.trans_out)  # as published it starts metres off; this start saves steps
    return animator


@dataclass(frozen=True, kw_only=True)
class StepInputs:
    """What one optimiser step needs, as tensors: the batch, its timesteps and its noise."""

    tensors: dict[str, Tensor]
    all_valid: bool = True


def _noised(clean: Tensor, config: TrainConfig, rng: np.random.Generator) -> dict[str, Tensor]:
    """x_t = sqrt(abar_t) x0 + sqrt(1 - abar_t) noise, with t by the run's distribution."""
    t = (DIFFUSION_STEPS * rng.random(len(clean)) ** config.timestep_power).astype(np.int64)
    noise = torch.from_numpy(rng.standard_normal(clean.shape, np.float32))
    return {"x_t": q_sample(clean, torch.from_numpy(t), noise), "timesteps": torch.from_numpy(t)}


Draw = Callable[[int, int], StepInputs]
"""(seed, step) -> the inputs of that step."""


def animator_draw(sampler: windows.WindowSampler, config: TrainConfig, rank: int) -> Draw:
    def draw(seed: int, step: int) -> StepInputs:
        rng = np.random.default_rng([seed, step, rank])
        tensors = _tensors(sampler.draw(config.batch // config.processes, rng))
        tensors |= _noised(tensors["motion"] - tensors["clean_anchor"][:, :, None], config, rng)
        return StepInputs(tensors=tensors, all_valid=bool(tensors["valid"].all()))

    return draw


def generator_draw(sampler: windows.PairSampler, config: TrainConfig, rank: int) -> Draw:
    def draw(seed: int, step: int) -> StepInputs:
        rng = np.random.default_rng([seed, step, rank])
        tensors = _tensors(sampler.draw(config.batch // config.processes, rng))
        return StepInputs(tensors=tensors | _noised(tensors["pair"], config, rng))

    return draw


def _tensors(batch: windows.WindowBatch | windows.PairBatch) -> dict[str, Tensor]:
    return {
        item.name: torch.from_numpy(np.ascontiguousarray(getattr(batch, item.name)))
        for item in dataclasses.fields(batch)
    }


def make_draws(config: TrainConfig, clips: Clips, rank: int) -> tuple[Draw, Draw, int]:
    """Draws for training and for the held-out check, and the width of the text vectors."""
    kept, held = clips.subset("train"), clips.subset("val")
    if config.network == "animator":
        train = windows.WindowSampler(clips=clips, subset=kept)
        check = dataclasses.replace(train, subset=held if len(held) else kept, augment=False)
        return animator_draw(train, config, rank), animator_draw(check, config, rank), 0
    table = load_captions(clips, config.clips)
    pairs = windows.PairSampler(clips=clips, subset=kept, captions=table)
    check_pairs = dataclasses.replace(pairs, subset=held if len(held) else kept)
    text_width = int(table.vectors.shape[1])
    return (
        generator_draw(pairs, config, rank),
        generator_draw(check_pairs, config, rank),
        text_width,
    )


def load_captions(clips: Clips, path: Path) -> windows.CaptionTable:
    """Sentence vectors of all captions; computed once and stored beside the clips."""
    texts = windows.unique_captions(clips.captions)
    stored = path.with_suffix(".captions.npz")
    if stored.exists():
        with np.load(stored) as arrays:
            if list(arrays["texts"]) == texts:
                return windows.caption_table(clips, texts, arrays["vectors"])
    from trainer.text import encode_texts

    vectors = encode_texts(texts).astype(np.float32)
    np.savez(stored, texts=np.array(texts), vectors=vectors)
    return windows.caption_table(clips, texts, vectors)


def loss_terms(
    network: nn.Module, inputs: dict[str, Tensor], config: TrainConfig, valid: Tensor | None
) -> dict[str, Tensor]:
    """All loss terms of one batch; the network in bf16 where configured, the losses in float32."""
    with torch.autocast("cpu", torch.bfloat16, enabled=config.bf16):
        if config.network == "animator":
            x0 = network(
                inputs["x_t"],
                inputs["timesteps"],
                inputs["known"],
                inputs["known_mask"],
                inputs["anchor"],
                inputs["anchor_joints"],
                valid=valid,
            )
        else:
            x0 = network(
                inputs["x_t"],
                inputs["timesteps"],
                inputs["text"],
                inputs["pair"],
                inputs["pose_mask"],
            )
    x0 = x0.float()
    if config.network == "animator":
        return losses.animator_losses(
            x0,
            inputs["motion"],
            inputs["clean_anchor"],
            inputs["rest_joints"],
            inputs["valid"],
            config.animator_loss,
        )
    return losses.generator_losses(x0, inputs["pair"], inputs["rest_joints"], config.generator_loss)


# --------------------------------------------------------------------------------- state of a run
@dataclass
class Run:
    """What a checkpoint holds and a resumed run starts from."""

    network: nn.Module
    ema: nn.Module
    optimiser: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0

    def save(self, out: Path, config: TrainConfig, text_width: int) -> None:
        """Write the checkpoint whole or not at all. The EMA is what gets exported."""
        state = {
            "state_dict": {f"model.decoder.net.{k}": v for k, v in self.ema.state_dict().items()},
            "contrapose": {
                "network": config.network,
                "heads": config.heads,
                "text_width": text_width,
                "config": json.loads(json.dumps(dataclasses.asdict(config), default=str)),
            },
            "training": {
                "network": self.network.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "step": self.step,
                "seconds": self.seconds,
                "torch_rng": torch.get_rng_state(),
            },
        }
        partial = out / f"{CHECKPOINT}.partial"
        torch.save(state, partial)
        partial.replace(out / CHECKPOINT)

    def restore(self, out: Path) -> None:
        state = torch.load(out / CHECKPOINT, weights_only=True)
        prefix = "model.decoder.net."
        self.ema.load_state_dict(
            {k.removeprefix(prefix): v for k, v in state["state_dict"].items()}
        )
        training = state["training"]
        self.network.load_state_dict(training["network"])
        self.optimiser.load_state_dict(training["optimiser"])
        self.step, self.seconds = training["step"], training["seconds"]
        torch.set_rng_state(training["torch_rng"])

    @torch.no_grad()
    def update_ema(self, decay: float) -> None:
        """The decay grows with the steps, so early weights are soon forgotten."""
        weight = 1 - min(decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(list(self.ema.parameters()), list(self.network.parameters()), weight)


def progress(config: TrainConfig, step: int, seconds: float) -> float:
    """0 at the start, 1 when the run is over."""
    if config.steps is not None:
        return step / config.steps
    assert config.minutes is not None
    return seconds / (60 * config.minutes)


def learning_rate(config: TrainConfig, done: float) -> float:
    """Linear warm-up, then a half cosine down to one hundredth."""
    if done < config.warm_up:
        return config.learning_rate * max(done / config.warm_up, 1e-3)
    fall = min((done - config.warm_up) / (1 - config.warm_up), 1.0)
    return config.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * fall)))


def prefetched(draw: Draw, seed: int, first: int) -> abc.Generator[StepInputs]:
    """Inputs of steps first, first + 1, ... assembled by one thread, at most three ahead."""
    ready: queue.Queue[StepInputs | Exception] = queue.Queue(maxsize=3)
    stop = threading.Event()

    def fill() -> None:
        step = first
        while not stop.is_set():
            try:
                item: StepInputs | Exception = draw(seed, step)
            except Exception as exc:
                item = exc
            while not stop.is_set():
                try:
                    ready.put(item, timeout=0.2)
                    break
                except queue.Full:
                    continue
            step += 1

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    try:
        while True:
            item = ready.get()
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()


def train(config: TrainConfig, out: Path, *, resume: bool = True) -> Path:
    """Train until the plan is fulfilled or SIGTERM asks to stop; returns the checkpoint's path.

    With several processes each computes its part of every batch and gradients are averaged once a
    step: on a shared CPU that costs far less than threads, which wait at every layer.
    """
    out.mkdir(parents=True, exist_ok=True)
    if config.network == "generator":
        load_captions(load_clips(config.clips), config.clips)  # once, before the workers
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as meeting:
        store = Path(meeting) / "store"
        others = [
            context.Process(target=_work, args=(rank, config, out, resume, store), daemon=True)
            for rank in range(1, config.processes)
        ]
        for process in others:
            process.start()
        _work(0, config, out, resume, store)
        for process in others:
            process.join()
    return out / CHECKPOINT


def _work(rank: int, config: TrainConfig, out: Path, resume: bool, store: Path) -> None:
    """The training loop of one process; only rank 0 writes, reads the clock and hears SIGTERM."""
    torch.set_num_threads(config.threads)
    if config.processes > 1:
        distributed.init_process_group(
            "gloo", init_method=f"file://{store}", rank=rank, world_size=config.processes
        )
    draw, check_draw, text_width = make_draws(config, load_clips(config.clips), rank)
    network = build_network(config, text_width)
    gradients = GradientBuffer(network)
    optimiser = torch.optim.AdamW(
        network.parameters(),
        config.learning_rate,
        betas=(0.9, 0.99),
        weight_decay=config.weight_decay,
        fused=True,
    )
    run = Run(network, build_network(config, text_width).eval(), optimiser)
    if resume and (out / CHECKPOINT).exists():
        run.restore(out)
    terms_of = torch.compile(loss_terms) if config.compile else loss_terms

    stop = threading.Event()
    previous = {
        number: signal.signal(number, lambda *_: stop.set() if rank == 0 else None)
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    check_inputs = [check_draw(12345, i) for i in range(CHECK_BATCHES)] if rank == 0 else []
    last, saved = time.monotonic(), run.seconds
    sums, summed = defaultdict[str, float](float), 0
    batches = prefetched(draw, config.seed, run.step)
    done = progress(config, run.step, run.seconds)
    try:
        while done < 1:
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(config, done)
            inputs = next(batches)
            valid = None if inputs.all_valid else inputs.tensors["valid"]
            terms = terms_of(network, inputs.tensors, config, valid)
            terms["total"].backward()  # type: ignore[no-untyped-call]  # torch
            now = time.monotonic()
            run.step, run.seconds, last = run.step + 1, run.seconds + now - last, now
            done = 1.0 if stop.is_set() else progress(config, run.step, run.seconds)
            done = gradients.average(config.processes, done if rank == 0 else 0.0)
            norm = nn.utils.clip_grad_norm_(network.parameters(), config.gradient_clip)
            if torch.isfinite(norm):
                optimiser.step()
            gradients.clear()
            run.update_ema(config.ema)

            if rank:
                continue
            for name, value in terms.items():
                sums[name] += value.item()
            sums["gradient_norm"] += float(norm)
            summed += 1
            if run.step % config.log_every == 0:
                _report(out, config, run, {n: v / summed for n, v in sums.items()})
                sums, summed = defaultdict[str, float](float), 0
            if done >= 1 or run.seconds - saved > 60 * config.checkpoint_minutes:
                run.save(out, config, text_width)
                _report(out, config, run, held_out_terms(run.ema, check_inputs, config), "held out")
                saved = run.seconds
    finally:
        batches.close()
        for number, handler in previous.items():
            signal.signal(number, handler)
        if config.processes > 1:
            distributed.destroy_process_group()


class GradientBuffer:
    """All gradients of a network in one flat tensor, so that one message averages them."""

    def __init__(self, network: nn.Module) -> None:
        parameters = list(network.parameters())
        self._flat = torch.zeros(sum(p.numel() for p in parameters) + 1)
        parts = torch.split(self._flat[:-1], [p.numel() for p in parameters])
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.grad = part.view_as(parameter)

    def average(self, processes: int, notice: float) -> float:
        """Average over the processes; returns the sum of their notices."""
        if processes == 1:
            return notice
        self._flat[-1] = notice
        distributed.all_reduce(self._flat)
        self._flat[:-1] /= processes
        return float(self._flat[-1])

    def clear(self) -> None:
        self._flat.zero_()


@torch.no_grad()
def held_out_terms(
    network: nn.Module, inputs: list[StepInputs], config: TrainConfig
) -> dict[str, float]:
    """Mean loss terms of the EMA on clips that training never sees."""
    totals = defaultdict[str, float](float)
    for item in inputs:
        valid = None if item.all_valid else item.tensors["valid"]
        for name, value in loss_terms(network, item.tensors, config, valid).items():
            totals[name] += value.item() / len(inputs)
    return dict(totals)


def _report(
    out: Path, config: TrainConfig, run: Run, values: dict[str, float], kind: str = "train"
) -> None:
    """One JSON line in the log and one line for people."""
    rounded = {name: float(f"{value:.5g}") for name, value in values.items()}
    record = {"kind": kind, "step": run.step, "seconds": round(run.seconds, 1), **rounded}
    with (out / LOG).open("a") as log:
        log.write(json.dumps(record) + "\n")
    done = progress(config, run.step, run.seconds)
    shown = " ".join(f"{name} {value:.4g}" for name, value in rounded.items() if value)
    print(f"{100 * done:5.1f} % step {run.step} {run.seconds:.0f} s {kind}: {shown}", flush=True)


# ------------------------------------------------------------------------------------ command line
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m trainer.train", description=__doc__)
    parser.add_argument("network", choices=("animator", "generator"))
    parser.add_argument("--clips", type=Path, required=True, help="file of the data maker")
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoint and log")
    parser.add_argument("--fresh", action="store_true", help="do not resume what is in --out")
    for option in dataclasses.fields(TrainConfig):
        if option.name in ("network", "clips", "animator_loss", "generator_loss"):
            continue
        flag = f"--{option.name.replace('_', '-')}"
        default = None if option.default is dataclasses.MISSING else option.default
        kind: Any = {"steps": int, "minutes": float}.get(option.name, type(default))
        if kind is bool:
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=default)
        else:
            parser.add_argument(flag, type=kind, default=default)
    parser.add_argument(
        "--loss", action="append", default=[], metavar="TERM=WEIGHT", help="change a loss weight"
    )
    values = vars(parser.parse_args(arguments))
    out, fresh = values.pop("out"), values.pop("fresh")
    weights = {name: float(weight) for name, weight in (w.split("=") for w in values.pop("loss"))}
    loss = f"{values['network']}_loss"
    kinds = {"animator": losses.AnimatorLossConfig, "generator": losses.GeneratorLossConfig}
    values[loss] = kinds[values["network"]](**weights)
    train(TrainConfig(**values), out, resume=not fresh)
    return 0


if __name__ == "__main__":
    sys.exit(main())
