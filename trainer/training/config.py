"""Configurations of training: frozen dataclasses, and the TOML files that fill them.

A file is a TrainConfig plus one table that is named after what is trained, its objective:
`[animator]`, `[generator]`, `[distill]`. Knows types, names and ranges; knows no data, no network
and no loop.
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from engine.bundle import DIFFUSION_STEPS
from engine.errors import ConfigError
from trainer.data.windows import KnownSetConfig, NoiseConfig, PairConfig
from trainer.models.blocks import NetworkConfig
from trainer.training.losses import AnimatorLossConfig, GeneratorLossConfig

T = TypeVar("T")


# ------------------------------------------------------------------------------- the parts of a run
@dataclass(frozen=True, kw_only=True)
class OptimiserConfig:
    """How weights move. The learning rate rises in a line and falls as half a cosine."""

    name: Literal["adamw", "muon"] = "adamw"
    """"muon": the matrices of attention and feed-forward by Muon, all else by AdamW."""
    learning_rate: float = 1e-4
    muon_learning_rate: float = 1e-3
    """Scaled as in arXiv:2502.16982, so that an update has about the size of one of AdamW."""
    muon_momentum: float = 0.95
    weight_decay: float = 2e-5
    betas: tuple[float, float] = (0.9, 0.999)
    warm_up: float = 0.02
    """Part of the run in which the learning rate rises."""
    last: float = 0.01
    """What is left of the learning rate at the end; 1 keeps it constant."""
    gradient_clip: float = 1.0
    """Largest norm of all gradients together; 0 never clips."""
    ema: float = 0.999
    """Decay of the averaged weights, which are the ones that get exported."""

    def __post_init__(self) -> None:
        ranges = {
            "learning_rate": (0, 1),
            "muon_learning_rate": (0, 1),
            "muon_momentum": (0, 1),
            "weight_decay": (0, 10),
            "warm_up": (0, 0.9),
            "last": (0, 1),
            "gradient_clip": (0, float("inf")),
            "ema": (0, 1),
        }
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}, expected {low} to {high}", field=name
                )


@dataclass(frozen=True, kw_only=True)
class AnimatorConfig:
    """What the animator learns from."""

    loss: AnimatorLossConfig = field(default_factory=AnimatorLossConfig)
    known_sets: KnownSetConfig = field(default_factory=KnownSetConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    contact_bias: float = 0.6
    """How often a window is placed by one of the clip's anchor frames."""
    text_dropout: float = 0.3
    """How often a window's caption is withheld."""
    timestep_power: float = 1.0
    """t = floor(1000 u^power): above 1 favours low noise, where small residuals are decided."""


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig:
    """What the generator learns from."""

    loss: GeneratorLossConfig = field(default_factory=GeneratorLossConfig)
    conditions: PairConfig = field(default_factory=PairConfig)
    timestep_power: float = 1.0


@dataclass(frozen=True, kw_only=True)
class DistillConfig:
    """What a student of few denoiser calls learns from its teacher."""

    teacher: Path
    """Checkpoint of an animator: its averaged weights teach, and are where the student starts."""
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


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One run. It ends after `steps` or after `minutes`, whichever is given; not both."""

    objective: Any
    """One of OBJECTIVES, or what another trainer defines (`trainer/ablation/task.py`)."""
    data: Path
    """Folder of shards, as `contrapose data` makes it."""
    steps: int | None = None
    minutes: float | None = None
    """Wall time over all resumed parts; the learning rate falls with the elapsed fraction."""
    size: NetworkConfig = field(default_factory=NetworkConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    text_encoder: str = "minilm"
    """Frozen encoder of the captions: "minilm", or "" to train without text."""
    init: Path | None = None
    """Checkpoint of another run: its averaged weights are where this run starts, at step 0."""
    batch: int = 64
    """Rows of one step, over all processes."""
    draw_rows: int = 16
    """Rows drawn from one random stream. Fixed, so the data does not depend on the processes."""
    draw_workers: int = 0
    """Processes that assemble batches, of each training process; 0: a thread, enough on a CPU."""
    seed: int = 0
    processes: int = 1
    """Started on this machine by torchrun; each takes an equal part of every batch."""
    threads: int = 1
    """Of each process on a CPU. Two processes of one thread are faster than one of two."""
    bf16: bool = True
    compile: bool = True
    checkpoint_minutes: float = 4.0
    check_batches: int = 8
    """Held-out batches whose loss is logged at every checkpoint."""
    log_every: int = 50

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.minutes is None):
            raise ConfigError("give either steps or minutes", field="steps")
        if self.batch % (self.draw_rows * self.processes):
            raise ConfigError(
                f"batch is {self.batch}, expected a multiple of draw_rows * processes = "
                f"{self.draw_rows} * {self.processes}",
                field="batch",
            )
        if self.size.text_width:
            raise ConfigError(
                "size.text_width follows from text_encoder; leave it out", field="size.text_width"
            )


def plain(config: TrainConfig) -> dict[str, Any]:
    """The configuration as JSON has it: what a checkpoint can hold and compare."""
    values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config), default=str))
    return values


OBJECTIVES: dict[str, type[Any]] = {
    "animator": AnimatorConfig,
    "generator": GeneratorConfig,
    "distill": DistillConfig,
}


# -------------------------------------------------------------------------------------- TOML files
def load_config(
    path: Path, objective: str, kind: type[Any], changes: Sequence[str] = ()
) -> TrainConfig:
    """Read FILE.toml and apply changes such as "optimiser.learning_rate=2e-4".

    The table named `objective` fills a `kind` and becomes `TrainConfig.objective`.
    Raises ConfigError that names the file, the key and the keys there are.
    """
    table = read_toml(path)
    for change in changes:
        _apply(table, change)
    table.setdefault(objective, {})
    hints = get_type_hints(TrainConfig)
    del hints["objective"]
    values = _converted_table(table, hints | {objective: kind}, str(path), "")
    values["objective"] = values.pop(objective)
    return _built(TrainConfig, values, str(path), "")


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a file; raises ConfigError that names it."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read ({exc.strerror}); name a TOML file") from exc
    except ValueError as exc:
        raise ConfigError(f"{path}: is no TOML ({exc})") from exc


def from_table(kind: type[T], table: Mapping[str, Any], where: str, prefix: str = "") -> T:
    """A dataclass from a table whose keys are its fields; `prefix` is the dotted way to it."""
    return _built(kind, _converted_table(table, get_type_hints(kind), where, prefix), where, prefix)


def _apply(table: dict[str, Any], change: str) -> None:
    """One `--set key=value`: the value as TOML would read it, or else as a plain string."""
    key, separator, text = change.partition("=")
    if not separator:
        raise ConfigError(f"--set {change}: expected KEY=VALUE", field=key)
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *way, last = key.strip().split(".")
    for part in way:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise ConfigError(f"--set {change}: {part} is no table", field=key)
    table[last] = value


def _converted_table(
    table: Mapping[str, Any], hints: Mapping[str, Any], where: str, prefix: str
) -> dict[str, Any]:
    values = {}
    for key, value in table.items():
        dotted = f"{prefix}.{key}" if prefix else key
        if key not in hints:
            known = ", ".join(sorted(hints))
            raise ConfigError(f"{where}: unknown key {dotted}; known here: {known}", field=dotted)
        values[key] = _converted(value, hints[key], where, dotted)
    return values


def _built(kind: type[T], values: Mapping[str, Any], where: str, prefix: str) -> T:
    required = {
        item.name
        for item in dataclasses.fields(kind)  # type: ignore[arg-type]  # any dataclass
        if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
    }
    if missing := sorted(required - set(values)):
        names = ", ".join(f"{prefix}.{name}" if prefix else name for name in missing)
        raise ConfigError(f"{where}: has no {names}; add it, or use --set", field=missing[0])
    try:
        return kind(**values)
    except ConfigError as exc:
        inside = f" in [{prefix}]" if prefix else ""
        raise ConfigError(f"{where}{inside}: {exc}", field=exc.field) from exc


def _converted(value: Any, hint: Any, where: str, key: str) -> Any:
    """`value` as the type that a field declares; ConfigError if it is of another."""
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        assert isinstance(hint, type)
        return from_table(hint, value, where, key)
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _converted(value, next(a for a in args if a is not type(None)), where, key)
    if origin is Literal and value in args:
        return value
    if origin is tuple and isinstance(value, list):
        kinds = [args[0]] * len(value) if args[-1] is Ellipsis else args
        if len(kinds) == len(value):
            return tuple(_converted(v, k, where, key) for v, k in zip(value, kinds, strict=True))
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if hint is Path and isinstance(value, str):
        return Path(value)
    if hint is float and is_number:
        return float(value)
    if isinstance(hint, type) and type(value) is hint:
        return value
    expected = " or ".join(map(repr, args)) if origin is Literal else _type_name(hint)
    raise ConfigError(f"{where}: {key} is {value!r}, expected {expected}", field=key)


def _type_name(hint: Any) -> str:
    if dataclasses.is_dataclass(hint):
        return "a table"
    if get_origin(hint) is tuple:
        return f"{len(get_args(hint))} numbers"
    names = {Path: "a path", float: "a number", int: "a whole number", str: "a string"}
    return names.get(hint, "true or false")
