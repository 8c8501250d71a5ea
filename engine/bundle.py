"""A bundle: the directory of graphs, body and text encoder that a trainer exports and we serve.

The one place that knows the format of `manifest.json`: the exporter writes through
`write_manifest`, the engine reads through `load_bundle`, which trusts nothing until every file has
the size and the SHA-256 that the manifest names (50 MB take about 50 ms). Knows no backend.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from engine.errors import BundleError

FORMAT = 3
READ_FORMATS = (2, FORMAT)
"""2 has no `intent`."""
MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 2**20
MOST = 2**20
"""Of any number in a manifest but the bytes of a file."""
DIFFUSION_STEPS = 1000
"""Steps of the process that the networks were trained on."""
STARTER = Path(__file__).parent / "data" / "starter.bundle"

INTENT_FILE = "intent/net.npz"
KINDS_FILE, ACTS_FILE = "text/kinds.npz", "text/acts.npz"
"""What the networks were trained to do, in words, and words for what needs no network, as
`sampling/kinds.py` keeps them: may be missing."""


Natural = Annotated[int, 0, MOST]
"""A whole number from 0 on; fields that are plain `int` begin at 1."""
Bytes = Annotated[int, 1, 2**40]


@dataclass(frozen=True, kw_only=True)
class FileRecord:
    sha256: str
    bytes: Bytes


@dataclass(frozen=True, kw_only=True)
class StepQuality:
    """What `contrapose eval` measured on motion the network never saw."""

    fid: float
    contact_ratio: float
    jerk_m_s3: float
    foot_skating_cm_s: float


@dataclass(frozen=True, kw_only=True)
class ScheduleSpec:
    """The diffusion steps that a window is denoised with, when it gets that many."""

    steps: int
    timesteps: tuple[Natural, ...]
    """Steps of the 1000-step process, as they are visited: descending."""
    quality: StepQuality | None
    """None: not measured."""


@typing.runtime_checkable
class PartSpec(typing.Protocol):
    """What a manifest says of a part: a field that names its files."""

    @property
    def files(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, kw_only=True)
class AnimatorSpec:
    files = ("animator/condition.onnx", "animator/step.onnx")

    width: int
    heads: int
    layers: int
    text_width: Natural
    """Length of the text vector it takes; 0: words reach the generator alone."""
    window_frames: int
    history_frames: int
    """Known frames before the future that the network was trained to take; 1: the anchor alone."""
    steps_default: int
    schedules: tuple[ScheduleSpec, ...]
    """Step counts that the trainer supports; at any other the sampler spaces its steps evenly."""
    precision: Literal["float", "int8"] = "float"
    """int8: products of the step graph are int8, whatever a backend computes all else in."""


@dataclass(frozen=True, kw_only=True)
class GeneratorSpec:
    files = ("generator/condition.onnx", "generator/step.onnx")

    width: int
    heads: int
    layers: int
    text_width: int
    guidance: float
    steps_default: int


@dataclass(frozen=True, kw_only=True)
class TextSpec:
    files = ("text/encoder.onnx", "text/tokenizer.json")

    kind: Literal["minilm", "clip"]
    max_tokens: int


@dataclass(frozen=True, kw_only=True)
class BodySpec:
    file: str

    @property
    def files(self) -> tuple[str, ...]:
        return (self.file,)


@dataclass(frozen=True, kw_only=True)
class IntentSpec:
    """What tells a player's offers (`python -m trainer.intent.train`); see `motion/intent.py`."""

    file: str

    @property
    def files(self) -> tuple[str, ...]:
        return (self.file,)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Field by field what `manifest.json` holds; None stands for a part that the bundle lacks.

    One more network is one more field here, of a type that says its sizes and files.
    """

    format: int
    name: str
    created: str
    licence: str
    description: str
    files: dict[str, FileRecord]
    animator: AnimatorSpec
    generator: GeneratorSpec | None = None
    text: TextSpec | None = None
    body: BodySpec | None = None
    intent: IntentSpec | None = None

    @property
    def text_width(self) -> int:
        """Length of the text vectors that the networks take; 0 where none takes any."""
        return self.animator.text_width or (self.generator.text_width if self.generator else 0)

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest, which names that of every file: two bundles of one digest are
        the same."""
        return hashlib.sha256(_encode(self).encode()).hexdigest()

    def required_files(self) -> tuple[str, ...]:
        held = (getattr(self, field.name) for field in dataclasses.fields(self))
        return tuple(file for part in held if isinstance(part, PartSpec) for file in part.files)


@dataclass(frozen=True, kw_only=True)
class Bundle:
    path: Path
    manifest: Manifest

    def optional(self, relative: str) -> Path | None:
        """The path of a file that a bundle may lack; None: this one does."""
        return self.file(relative) if relative in self.manifest.files else None

    def file(self, relative: str) -> Path:
        """The path of a file that the manifest lists. Raises BundleError for any other."""
        if relative not in self.manifest.files:
            raise BundleError(
                f"{self.path}: no file {relative}; the bundle holds {_listed(self.manifest.files)}",
                field=relative,
            )
        return self.path / relative


# ----------------------------------------------------------------------------- reading
def load_bundle(path: Path) -> Bundle:
    """Read and verify a bundle.

    Raises BundleError when the manifest is absent, malformed or of another format, or when any file
    is missing, truncated, altered or not listed: a bundle is taken whole or not at all.
    """
    manifest = _read_manifest(path / MANIFEST)
    for relative in manifest.required_files():
        if relative not in manifest.files:
            raise BundleError(
                f"{path / MANIFEST}: files does not list {relative}, which this bundle needs; "
                "export again",
                field="files",
            )
    for relative, record in manifest.files.items():
        _verify(path, relative, record)
    extra = _files_below(path) - set(manifest.files)
    if extra:
        raise BundleError(
            f"{path}: holds {_listed(extra)}, which the manifest does not list; remove it, or "
            "export again",
            field="files",
        )
    return Bundle(path=path, manifest=manifest)


def _read_manifest(path: Path) -> Manifest:
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise BundleError(
                f"{path}: is larger than {MAX_MANIFEST_BYTES >> 10} KiB; export again"
            )
        data = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except FileNotFoundError as exc:
        raise BundleError(
            f"{path}: not found; a bundle is a directory with {MANIFEST} in it", field=MANIFEST
        ) from exc
    except OSError as exc:
        raise BundleError(f"{path}: cannot be read: {exc.strerror}", field=MANIFEST) from exc
    except (ValueError, RecursionError) as exc:
        raise BundleError(f"{path}: not valid JSON: {exc}; export again", field=MANIFEST) from exc
    found = data.get("format") if isinstance(data, dict) else None
    if type(found) is int and found not in READ_FORMATS:
        remedy = "upgrade contrapose" if found > FORMAT else "export again"
        readable = " and ".join(map(str, READ_FORMATS))
        raise BundleError(
            f"{path}: format is {found}, this engine reads {readable}; {remedy}",
            field="format",
        )
    manifest = _decode(Manifest, data, "", path)
    assert isinstance(manifest, Manifest)
    _check_schedules(manifest.animator, path)
    _check_text(manifest, path)
    return manifest


def _check_schedules(animator: AnimatorSpec, path: Path) -> None:
    """Raises BundleError for a schedule that is no descent in its steps, or is given twice."""
    counts: set[int] = set()
    for index, schedule in enumerate(animator.schedules):
        field, found = f"animator.schedules[{index}]", list(schedule.timesteps)
        if found != sorted({t for t in found if t < DIFFUSION_STEPS}, reverse=True) or (
            len(found) != schedule.steps
        ):
            expected = f"{schedule.steps} timesteps descending from below {DIFFUSION_STEPS}"
            raise _wrong(path, f"{field}.timesteps", found, expected)
        if schedule.steps in counts:
            raise _wrong(path, f"{field}.steps", schedule.steps, "a count that none before has")
        counts.add(schedule.steps)


def _check_text(manifest: Manifest, path: Path) -> None:
    """Raises BundleError when the networks want different vectors, or nobody wants any."""
    generator, width = manifest.generator, manifest.animator.text_width
    if generator is not None and width not in (0, generator.text_width):
        expected = f"0 or that of the generator, {generator.text_width}"
        raise _wrong(path, "animator.text_width", width, expected)
    if manifest.text is not None and not manifest.text_width:
        raise _wrong(path, "text", "an encoder", "null where no network takes text")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _decode(kind: Any, value: Any, field: str, path: Path) -> Any:
    """Turn parsed JSON into `kind`, a type that `Manifest` uses, or say which field is wrong."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        kind, least, most = arguments
        if not least <= _expect(kind, value, field, path) <= most:
            raise _wrong(path, field, value, f"{least} to {most}")
        return value
    if origin is types.UnionType:
        return None if value is None else _decode(arguments[0], value, field, path)
    if origin is Literal:
        if value not in arguments:
            raise _wrong(path, field, value, "one of " + ", ".join(arguments))
        return value
    if origin is dict:
        entries = _expect(dict, value, field, path)
        for key in entries:
            _decode(arguments[0], key, field, path)
        return {k: _decode(arguments[1], v, f"{field}[{k}]", path) for k, v in entries.items()}
    if origin is tuple:
        items = _expect(list, value, field, path)
        return tuple(_decode(arguments[0], v, f"{field}[{i}]", path) for i, v in enumerate(items))
    if dataclasses.is_dataclass(kind):
        return _decode_dataclass(kind, _expect(dict, value, field, path), field, path)
    if kind is int:
        return _decode(Annotated[int, 1, MOST], value, field, path)
    if kind is float:
        if type(value) not in (int, float) or not -MOST <= value <= MOST:
            raise _wrong(path, field, value, f"a number, {-MOST} to {MOST}")
        return float(value)
    if not _expect(kind, value, field, path).isprintable():
        raise _wrong(path, field, value, "a text of printable characters")
    return value


def _decode_dataclass(kind: Any, data: dict[str, Any], field: str, path: Path) -> Any:
    hints = typing.get_type_hints(kind, include_extras=True)
    prefix = f"{field}." if field else ""
    required = [f.name for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING]
    for name in required:
        if name not in data:
            raise BundleError(
                f"{path}: field {prefix}{name} is missing; export again", field=prefix + name
            )
    unknown = set(data) - set(hints)
    if unknown:
        raise BundleError(
            f"{path}: {_listed(unknown)} is no field of {field or 'a manifest'}; "
            f"known are {_listed(hints)}",
            field=prefix + min(unknown),
        )
    return kind(**{n: _decode(hints[n], value, prefix + n, path) for n, value in data.items()})


_JSON_NAMES = {dict: "an object", list: "a list", str: "a text", int: "a whole number"}


def _expect(kind: Any, value: Any, field: str, path: Path) -> Any:
    if type(value) is not kind:
        raise _wrong(path, field, value, _JSON_NAMES.get(kind, "a number"))
    return value


def _wrong(path: Path, field: str, value: Any, expected: str) -> BundleError:
    found = json.dumps(value)
    found = found if len(found) <= 60 else found[:57] + "..."
    return BundleError(
        f"{path}: {field or 'the manifest'} is {found}, must be {expected}; export again",
        field=field or MANIFEST,
    )


# ----------------------------------------------------------------------------- files
def _verify(root: Path, relative: str, record: FileRecord) -> None:
    """Compare one file with its record. Raises BundleError naming the file and the difference."""
    pure = PurePosixPath(relative)
    if pure.is_absolute() or ".." in pure.parts or str(pure) != relative:
        raise BundleError(
            f"{root / MANIFEST}: files names {relative!r}, which does not lie in the bundle",
            field="files",
        )
    path = root / relative
    try:
        found_bytes = path.stat().st_size
        found_sha256 = _sha256(path) if found_bytes == record.bytes else ""
    except OSError as exc:
        raise BundleError(
            f"{path}: {exc.strerror}, but the manifest lists it; copy the bundle again",
            field=relative,
        ) from exc
    if found_bytes != record.bytes:
        raise BundleError(
            f"{path}: has {found_bytes} bytes, the manifest says {record.bytes}; "
            "copy the bundle again",
            field=relative,
        )
    if found_sha256 != record.sha256:
        raise BundleError(
            f"{path}: sha256 is {found_sha256}, the manifest says {record.sha256[:64]}; "
            "the file was altered: copy the bundle again",
            field=relative,
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _files_below(root: Path) -> set[str]:
    """Every file of the bundle but its manifest, as paths relative to `root`."""
    files = {p.relative_to(root).as_posix() for p in root.rglob("*") if not p.is_dir()}
    return files - {MANIFEST}


def _listed(names: typing.Iterable[str]) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:8]) + (f" and {len(ordered) - 8} more" if len(ordered) > 8 else "")


# ----------------------------------------------------------------------------- writing
def write_manifest(
    path: Path,
    *,
    name: str,
    licence: str,
    description: str,
    created: str | None = None,
    **parts: Any,
) -> Bundle:
    """Seal a bundle: list every file below `path` with its hash, and write `manifest.json` last.

    parts  what it holds, by the fields of `Manifest`

    Raises BundleError when the files that the given networks need are not all there.
    """
    manifest = Manifest(
        format=FORMAT,
        name=name,
        created=created or datetime.now(UTC).isoformat(timespec="seconds"),
        licence=licence,
        description=description,
        files={},
        **parts,
    )
    return reseal(path, manifest)


def reseal(path: Path, manifest: Manifest) -> Bundle:
    """Write the manifest of a bundle whose files have changed, with their hashes as they are."""
    (path / MANIFEST).unlink(missing_ok=True)
    files = {
        relative: FileRecord(
            sha256=_sha256(path / relative), bytes=(path / relative).stat().st_size
        )
        for relative in sorted(_files_below(path))
    }
    sealed = dataclasses.replace(manifest, format=FORMAT, files=files)
    (path / MANIFEST).write_text(_encode(sealed), encoding="utf-8")
    return load_bundle(path)


def _encode(manifest: Manifest) -> str:
    data: Mapping[str, Any] = dataclasses.asdict(manifest)
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
