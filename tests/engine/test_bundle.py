"""A bundle is taken whole or refused with one clear error."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.bundle import (
    FORMAT,
    AnimatorSpec,
    BodySpec,
    GeneratorSpec,
    Manifest,
    ScheduleSpec,
    StepQuality,
    TextSpec,
    load_bundle,
    write_manifest,
)
from engine.errors import BundleError

ANIMATOR = AnimatorSpec(
    width=8,
    heads=2,
    layers=2,
    text_width=4,
    window_frames=30,
    history_frames=3,
    steps_default=8,
    schedules=(
        ScheduleSpec(
            steps=2,
            timesteps=(700, 0),
            quality=StepQuality(fid=3.5, contact_ratio=0.5, jerk_m_s3=12.0, foot_skating_cm_s=1.5),
        ),
        ScheduleSpec(steps=1, timesteps=(999,), quality=None),
    ),
)
GENERATOR = GeneratorSpec(width=8, heads=2, layers=2, text_width=4, guidance=2.5, steps_default=8)
TEXT = TextSpec(kind="minilm", max_tokens=64)


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A bundle whose graphs are plain bytes: verification does not look inside them."""
    root = tmp_path / "walk.bundle"
    for relative in (
        "animator/condition.onnx",
        "animator/step.onnx",
        "generator/condition.onnx",
        "generator/step.onnx",
        "text/encoder.onnx",
        "text/tokenizer.json",
        "body.npz",
    ):
        (root / relative).parent.mkdir(parents=True, exist_ok=True)
        (root / relative).write_bytes(relative.encode() * 100)
    _seal(root)
    return root


def _seal(root: Path, **changes: Any) -> None:
    settings: dict[str, Any] = {
        "name": "walk",
        "licence": "Apache-2.0",
        "description": "two people who walk",
        "animator": ANIMATOR,
        "generator": GENERATOR,
        "text": TEXT,
        "body": BodySpec(file="body.npz"),
    }
    write_manifest(root, **(settings | changes))


def _edit(root: Path, change: Callable[[dict[str, Any]], None]) -> None:
    manifest = json.loads((root / "manifest.json").read_text())
    change(manifest)
    (root / "manifest.json").write_text(json.dumps(manifest))


def _refusal(root: Path) -> BundleError:
    with pytest.raises(BundleError) as caught:
        load_bundle(root)
    assert "\n" not in str(caught.value)
    assert str(root) in str(caught.value)
    return caught.value


def test_what_was_written_is_what_is_read(sealed: Path) -> None:
    manifest = load_bundle(sealed).manifest
    assert manifest.animator == ANIMATOR
    assert manifest.generator == GENERATOR
    assert manifest.text == TEXT
    assert manifest.body == BodySpec(file="body.npz")
    assert set(manifest.files) == set(manifest.required_files())


def test_networks_may_be_absent(sealed: Path) -> None:
    _seal(sealed, generator=None, text=None, body=None)
    manifest = load_bundle(sealed).manifest
    assert (manifest.generator, manifest.text, manifest.body) == (None, None, None)


def test_one_more_network_is_one_more_field_of_the_manifest(sealed: Path) -> None:
    @dataclass(frozen=True, kw_only=True)
    class ComposerSpec:
        files = ("composer/condition.onnx", "composer/step.onnx")
        width: int

    @dataclass(frozen=True, kw_only=True)
    class Wider(Manifest):
        composer: ComposerSpec | None = None

    without = load_bundle(sealed).manifest
    wider = Wider(**vars(without), composer=ComposerSpec(width=8))
    assert wider.required_files() == (*without.required_files(), *ComposerSpec.files)
    assert Wider(**vars(without)).required_files() == without.required_files()


def test_a_text_encoder_that_no_network_listens_to_is_refused(sealed: Path) -> None:
    with pytest.raises(BundleError, match="no network takes text"):
        _seal(sealed, generator=None, animator=dataclasses.replace(ANIMATOR, text_width=0))


def test_an_older_format_asks_for_another_export(sealed: Path) -> None:
    _edit(sealed, lambda m: m.update(format=1))
    assert f"format is 1, this engine reads 2 and {FORMAT}; export again" in str(_refusal(sealed))


def test_a_network_is_not_sealed_without_its_graphs(sealed: Path) -> None:
    (sealed / "generator" / "step.onnx").unlink()
    with pytest.raises(BundleError, match=r"does not list generator/step\.onnx"):
        _seal(sealed)


def test_a_truncated_file_is_named_with_both_sizes(sealed: Path) -> None:
    path = sealed / "animator" / "step.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    error = _refusal(sealed)
    assert error.field == "animator/step.onnx"
    assert "has 1799 bytes, the manifest says 1800" in str(error)


def test_one_flipped_bit_is_found(sealed: Path) -> None:
    path = sealed / "text" / "encoder.onnx"
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(bytes(content))
    error = _refusal(sealed)
    assert error.field == "text/encoder.onnx"
    assert "sha256 is" in str(error)


def test_a_missing_file_is_named(sealed: Path) -> None:
    (sealed / "body.npz").unlink()
    assert _refusal(sealed).field == "body.npz"


def test_a_file_that_the_manifest_does_not_list_is_refused(sealed: Path) -> None:
    (sealed / "animator" / "step.onnx.data").write_bytes(b"")
    assert r"animator/step.onnx.data" in str(_refusal(sealed))


def test_a_manifest_cannot_reach_out_of_the_bundle(sealed: Path) -> None:
    (sealed.parent / "secret").write_bytes(b"x")
    record = {"sha256": "0" * 64, "bytes": 1}
    _edit(sealed, lambda m: m["files"].update({"../secret": record}))
    assert "does not lie in the bundle" in str(_refusal(sealed))


def test_a_newer_format_asks_for_an_upgrade_whatever_else_changed(sealed: Path) -> None:
    (sealed / "manifest.json").write_text(json.dumps({"format": FORMAT + 1, "graphs": []}))
    error = _refusal(sealed)
    assert error.field == "format"
    assert f"format is {FORMAT + 1}, this engine reads 2 and {FORMAT}; upgrade" in str(error)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1, NaN]", b"\xff\xfe", b"[" * 100_000, b"null", b'"text"']
)
def test_a_manifest_that_is_no_json_object_is_one_error(sealed: Path, content: bytes) -> None:
    (sealed / "manifest.json").write_bytes(content)
    assert _refusal(sealed).field == "manifest.json"


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path: Path) -> None:
    assert "not found" in str(_refusal(tmp_path))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda m: m.pop("licence"), "licence"),
        (lambda m: m["animator"].pop("heads"), "animator.heads"),
        (lambda m: m["animator"].update(width="8"), "animator.width"),
        (lambda m: m["animator"].update(layers=0), "animator.layers"),
        (lambda m: m["animator"].update(layers=True), "animator.layers"),
        (lambda m: m["animator"].update(text_width=-1), "animator.text_width"),
        (lambda m: m["animator"].update(text_width=5), "animator.text_width"),
        (
            lambda m: m["animator"]["schedules"][0].update(timesteps=[7, 8]),
            "animator.schedules[0].timesteps",
        ),
        (
            lambda m: m["animator"]["schedules"][0].update(timesteps=[700]),
            "animator.schedules[0].timesteps",
        ),
        (
            lambda m: m["animator"]["schedules"][1].update(timesteps=[1000]),
            "animator.schedules[1].timesteps",
        ),
        (
            lambda m: m["animator"]["schedules"][0].update(steps=1, timesteps=[5]),
            "animator.schedules[1].steps",
        ),
        (
            lambda m: m["animator"]["schedules"][0]["quality"].pop("fid"),
            "animator.schedules[0].quality.fid",
        ),
        (lambda m: m["animator"].update(colour="red"), "animator.colour"),
        (lambda m: m["generator"].update(guidance="strong"), "generator.guidance"),
        (lambda m: m["text"].update(kind="bert"), "text.kind"),
        (lambda m: m["files"]["body.npz"].update(bytes=None), "files[body.npz].bytes"),
        (lambda m: m.update(format="1"), "format"),
    ],
)
def test_a_wrong_field_is_named(
    sealed: Path, change: Callable[[dict[str, Any]], None], field: str
) -> None:
    _edit(sealed, change)
    assert _refusal(sealed).field == field


def test_a_bundle_gives_only_the_files_it_lists(sealed: Path) -> None:
    bundle = load_bundle(sealed)
    assert bundle.file("body.npz") == sealed / "body.npz"
    with pytest.raises(BundleError, match="no file faces"):
        bundle.file("faces.npz")
