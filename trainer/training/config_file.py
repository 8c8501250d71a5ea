"""TOML files and `--set KEY=VALUE`, as the frozen dataclasses that they fill.

A file is a TrainConfig plus one table that is named after its objective: `[animator]`, `[distill]`
... Knows types and names; knows no range and no network.
"""

from __future__ import annotations

import dataclasses
import tomllib
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from engine.errors import ConfigError
from engine.formats.toml import read_toml
from trainer.training.config import TrainConfig

T = TypeVar("T")
LARGEST_WHOLE = 2**63
"""TOML's own limit; what is beyond it may be no float either."""


def load_config(
    path: Path, objective: str, kind: type[Any], changes: Sequence[str] = ()
) -> TrainConfig:
    """Read FILE.toml and apply changes such as "optimiser.learning_rate=2e-4".

    Of `steps` and `minutes`, the one that is changed takes the place of the one in the file.
    The table named `objective` fills a `kind` and becomes `TrainConfig.objective`.
    Raises ConfigError that names the file, the key and the keys there are.
    """
    table = read_toml(path, ConfigError)
    changed = {_apply(table, change) for change in changes}
    if len(ends := {"steps", "minutes"} & changed) == 1:
        for other in {"steps", "minutes"} - ends:
            table.pop(other, None)
    table.setdefault(objective, {})
    hints = get_type_hints(TrainConfig)
    del hints["objective"]
    values = _converted_table(table, hints | {objective: kind}, str(path), "")
    values["objective"] = values.pop(objective)
    return _built(TrainConfig, values, str(path), "")


def from_table(kind: type[T], table: Mapping[str, Any], where: str, prefix: str = "") -> T:
    """A dataclass from a table whose keys are its fields; `prefix` is the dotted way to it."""
    return _built(kind, _converted_table(table, get_type_hints(kind), where, prefix), where, prefix)


def _apply(table: dict[str, Any], change: str) -> str:
    """One `--set key=value`: the value as TOML would read it, or else as a plain string.

    Returns the key.
    """
    key, separator, text = change.partition("=")
    if not separator:
        raise ConfigError(f"--set {change}: expected KEY=VALUE", field=key)
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        value = text
    key = key.strip()
    *way, last = key.split(".")
    for part in way:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise ConfigError(f"--set {change}: {part} is no table", field=key)
    table[last] = value
    return key


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
    if origin is Literal and any(type(value) is type(a) and value == a for a in args):
        return value
    if origin is tuple and isinstance(value, list):
        kinds = [args[0]] * len(value) if args[-1] is Ellipsis else args
        if len(kinds) == len(value):
            return tuple(_converted(v, k, where, key) for v, k in zip(value, kinds, strict=True))
    is_number = type(value) is float or (type(value) is int and abs(value) < LARGEST_WHOLE)
    if hint is Path and isinstance(value, str):
        return Path(value)
    if hint is float and is_number:
        return float(value)
    if isinstance(hint, type) and type(value) is hint:
        return value
    expected = " or ".join(map(repr, args)) if origin is Literal else _type_name(hint)
    raise ConfigError(f"{where}: {key} is {value!r:.100}, expected {expected}", field=key)


def _type_name(hint: Any) -> str:
    if dataclasses.is_dataclass(hint):
        return "a table"
    if get_origin(hint) is tuple:
        return f"{len(get_args(hint))} numbers"
    names = {Path: "a path", float: "a number", int: "a whole number", str: "a string"}
    return names.get(hint, "true or false")
