"""`contrapose bundle ...` gives the published numbers, and one clear line for each mistake."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from engine.arrays import Array
from engine.bundle import Bundle, ScheduleSpec, StepQuality
from engine.commands.bundle import add_commands, schedule_line
from engine.errors import ConfigError, ContraposeError, InputError


def _contrapose(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers())
    args = parser.parse_args(["bundle", *map(str, arguments)])
    return int(args.run(args))


@pytest.fixture
def animator_arrays(parity_animator: Mapping[str, Array]) -> dict[str, Array]:
    anchor = parity_animator["anchor"][:1, :, 0]
    known_mask = np.zeros((1, 2, 30, 1), np.float32)
    known_mask[:, :, 15] = 1
    return {
        "noise": parity_animator["ddim50_noise"],
        "known": np.repeat(anchor[:, :, None], 30, axis=2),
        "known_mask": known_mask,
        "anchor": anchor,
        "anchor_joints": parity_animator["anchor_joints"][:1, :, 0],
    }


@pytest.fixture
def generator_arrays(parity_generator: Mapping[str, Array]) -> dict[str, Array]:
    return {
        "noise": parity_generator["ddim50_noise"],
        "pose": parity_generator["pose"][:1],
        "pose_mask": np.array([[1, 0]], np.float32),
        "text": parity_generator["text"][:1],
        "guidance": np.array(3.5),
    }


def _run(
    bundle: Bundle, network: str, arrays: Mapping[str, Array], folder: Path, *options: object
) -> Array:
    np.savez(folder / "in.npz", **arrays)
    out = folder / "out.npz"
    status = _contrapose(
        "run", bundle.path, network, folder / "in.npz", "-o", out, "--precision", "f32", *options
    )
    assert status == 0
    with np.load(out) as archive:
        assert archive.files == ["x0"]
        x0: Array = archive["x0"]
    return x0


def test_the_animator_runs_as_published(
    parity_bundle: Bundle,
    parity_animator: Mapping[str, Array],
    animator_arrays: dict[str, Array],
    tmp_path: Path,
) -> None:
    x0 = _run(parity_bundle, "animator", animator_arrays, tmp_path, "--steps", 50)
    assert x0.dtype == np.float32
    np.testing.assert_allclose(x0, parity_animator["ddim50_middle_x0"], atol=1e-3)


def test_the_generator_runs_as_published(
    parity_bundle: Bundle,
    parity_generator: Mapping[str, Array],
    generator_arrays: dict[str, Array],
    tmp_path: Path,
) -> None:
    x0 = _run(parity_bundle, "generator", generator_arrays, tmp_path, "--steps", 50)
    np.testing.assert_allclose(x0, parity_generator["ddim50_both"], atol=1e-3)


def test_without_a_step_count_the_bundles_own_is_taken(
    parity_bundle: Bundle, animator_arrays: dict[str, Array], tmp_path: Path
) -> None:
    own = _run(parity_bundle, "animator", animator_arrays, tmp_path)
    eight = _run(parity_bundle, "animator", animator_arrays, tmp_path, "--steps", 8)
    np.testing.assert_array_equal(own, eight)


@pytest.mark.parametrize("steps", [0, -4, 1001])
def test_a_step_count_out_of_range_is_refused(
    parity_bundle: Bundle, animator_arrays: dict[str, Array], tmp_path: Path, steps: int
) -> None:
    with pytest.raises(ConfigError, match=f"steps is {steps}"):
        _run(parity_bundle, "animator", animator_arrays, tmp_path, "--steps", steps)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("noise", None, "array noise is missing; found anchor"),
        ("noise", np.zeros((2, 30, 135)), r"noise has shape \(2, 30, 135\), must be \(B, 2, 30"),
        ("noise", np.zeros((0, 2, 30, 135)), "noise has shape"),
        ("anchor", np.zeros((2, 2, 135)), r"anchor has shape \(2, 2, 135\), must be \(1, 2, 135\)"),
        ("anchor", np.full((1, 2, 135), np.nan), "anchor holds NaN"),
        ("known", np.full((1, 2, 30, 135), 1e300), "known holds NaN or infinity"),
        ("known", np.array("x"), "known is <U1, must be numbers"),
        ("known_mask", np.zeros((1, 2, 30)), "known_mask has shape"),
    ],
)
def test_a_wrong_array_is_named_with_its_file(
    parity_bundle: Bundle,
    animator_arrays: dict[str, Array],
    tmp_path: Path,
    name: str,
    value: Array | None,
    complaint: str,
) -> None:
    arrays = {k: v for k, v in (animator_arrays | {name: value}).items() if v is not None}
    with pytest.raises(InputError, match=complaint) as caught:
        _run(parity_bundle, "animator", arrays, tmp_path)
    assert caught.value.field == name
    assert str(tmp_path / "in.npz") in str(caught.value)


@pytest.mark.parametrize("guidance", [np.zeros(3), np.zeros((1, 1)), np.array(np.inf)])
def test_a_wrong_guidance_is_refused(
    parity_bundle: Bundle, generator_arrays: dict[str, Array], tmp_path: Path, guidance: Array
) -> None:
    with pytest.raises(InputError, match="guidance"):
        _run(parity_bundle, "generator", generator_arrays | {"guidance": guidance}, tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"\x93NUMPY", b"words"])
def test_a_file_that_is_no_npz_is_one_line(
    parity_bundle: Bundle, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "in.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"in\.npz: ") as caught:
        _contrapose("run", parity_bundle.path, "animator", path, "-o", tmp_path / "out.npz")
    assert "\n" not in str(caught.value)


def test_one_array_without_a_name_is_refused(parity_bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "in.npy"
    np.save(path, np.zeros(3))
    with pytest.raises(InputError, match="one array without a name"):
        _contrapose("run", parity_bundle.path, "animator", path, "-o", tmp_path / "out.npz")


def test_an_npz_with_a_pickle_inside_is_refused(parity_bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "in.npz"
    np.savez(path, noise=np.array([{}], dtype=object))
    with pytest.raises(InputError, match="npz of plain arrays"):
        _contrapose("run", parity_bundle.path, "animator", path, "-o", tmp_path / "out.npz")


def test_files_that_are_not_there_are_named(
    parity_bundle: Bundle, animator_arrays: dict[str, Array], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"absent\.npz: cannot be read"):
        _contrapose("run", parity_bundle.path, "animator", tmp_path / "absent.npz", "-o", "x.npz")
    np.savez(tmp_path / "in.npz", **animator_arrays)
    with pytest.raises(InputError, match=r"nowhere/out\.npz: cannot be written"):
        _contrapose(
            *("run", parity_bundle.path, "animator", tmp_path / "in.npz"),
            *("-o", tmp_path / "nowhere" / "out.npz"),
        )


def test_info_and_verify_describe_a_sound_bundle(
    parity_bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _contrapose("info", parity_bundle.path) == 0
    assert _contrapose("verify", parity_bundle.path) == 0
    printed = capsys.readouterr().out
    assert "4 layers, width 64, 4 heads" in printed
    assert "8 (875 750 625 500 375 250 125 0): not measured" in printed
    assert "50 (980 960 ... 0): not measured" in printed
    assert "4 files as the manifest says" in printed


def test_info_shows_the_quality_of_schedules() -> None:
    quality = StepQuality(fid=12.08, contact_ratio=0.617, jerk_m_s3=14.2, foot_skating_cm_s=2.06)
    line = schedule_line(ScheduleSpec(steps=2, timesteps=(700, 0), quality=quality))
    assert line == "2 (700 0): FID 12.1, contact 0.62, jerk 14.2 m/s3, skating 2.1 cm/s"


def test_an_animator_that_listens_runs_on_given_words(
    talking_bundle: Bundle, animator_arrays: dict[str, Array], tmp_path: Path
) -> None:
    mute, worded = (
        _run(talking_bundle, "animator", {**animator_arrays, "text": text}, tmp_path)
        for text in (np.zeros((1, 8)), np.ones((1, 8)))
    )
    assert np.abs(mute - worded).max() > 0.01
    with pytest.raises(InputError, match="array text is missing"):
        _run(talking_bundle, "animator", animator_arrays, tmp_path)


@pytest.mark.parametrize("action", ["info", "verify"])
def test_info_and_verify_refuse_what_is_no_bundle(tmp_path: Path, action: str) -> None:
    with pytest.raises(ContraposeError, match=r"manifest\.json: not found"):
        _contrapose(action, tmp_path)
