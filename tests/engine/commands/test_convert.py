"""`contrapose convert` as people call it."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from engine.commands.convert import add_commands
from engine.errors import InputError
from engine.formats import READABLE, WRITABLE, read_motion
from tests.data.make_motion_files import DATA


def convert(*words: str | Path) -> int:
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers())
    args = parser.parse_args(["convert", *map(str, words)])
    return int(args.run(args))


def test_a_recording_is_converted_at_the_wanted_rate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.npz"
    assert convert(DATA / "wave_mixamo.bvh", "-o", out, "--frame-rate", "30") == 0
    assert read_motion(out).frames == 31
    assert "1 person, 11 frames at 10 a second" in capsys.readouterr().out


def test_a_pair_becomes_one_bvh_a_person(tmp_path: Path) -> None:
    assert convert(DATA / "pair_buddi.pkl", "-o", tmp_path / "pair.bvh") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "pair_person0.bvh",
        "pair_person1.bvh",
    ]


def test_a_rig_map_is_used(tmp_path: Path) -> None:
    text = (DATA / "wave_mixamo.bvh").read_text()
    strange = tmp_path / "strange.bvh"
    strange.write_text(text.replace("mixamorig:LeftUpLeg", "bone7"))
    with pytest.raises(InputError, match="no joint found for left_hip"):
        convert(strange, "-o", tmp_path / "out.npz")
    (tmp_path / "map.toml").write_text('[joints]\nleft_hip = "bone7"\n')
    assert convert(strange, "-o", tmp_path / "out.npz", "--rig", tmp_path / "map.toml") == 0


@pytest.mark.parametrize("name", ["broken_number.bvh", "broken_truncated.bvh", "broken_evil.pkl"])
def test_a_broken_file_leaves_one_clear_line_and_no_output(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out.npz"
    with pytest.raises(InputError) as caught:
        convert(DATA / name, "-o", out)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not out.exists()


def test_an_output_of_an_unknown_kind_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write files named"):
        convert(tmp_path / "missing.bvh", "-o", tmp_path / "out.abc")


def test_help_names_every_kind_of_file(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        convert("--help")
    text = capsys.readouterr().out
    for suffix in (set(READABLE) | set(WRITABLE)) - {".pickle"}:
        assert suffix in text


def test_several_outputs_and_a_span_of_one_person(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = [word for name in ("a.glb", "a.csv", "a.npz") for word in ("-o", tmp_path / name)]
    options = ("--person", "partner", "--trim", "0:0")
    assert convert(DATA / "pair_buddi.pkl", *outputs, *options) == 0
    assert capsys.readouterr().out.count(str(tmp_path)) == 3
    assert read_motion(tmp_path / "a.npz").people == 1
    assert read_motion(tmp_path / "a.glb").frames == 1


def test_a_dash_is_npz_to_standard_output_and_the_words_go_elsewhere(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert convert(DATA / "wave.npz", "-o", "-") == 0
    told = capfdbinary.readouterr()
    (tmp_path / "piped.npz").write_bytes(told.out)
    assert read_motion(tmp_path / "piped.npz").frames == 11
    assert b"1 person, 11 frames" in told.err


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("-o", "a.npz", "-o", "a.npz"), "names one file twice"),
        (("-o", "-", "--layout", "amass"), "- is one file, --layout amass writes one a person"),
        (("-o", "a.npz", "--trim", "5:6"), "holds no frame"),
    ],
)
def test_outputs_that_make_no_sense_are_refused(
    words: tuple[str, ...], problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=problem):
        convert(DATA / "wave.npz", *words)


@pytest.mark.parametrize("span", ["1", "b:2", "3:2", "-1:2"])
def test_a_span_that_is_none_is_refused_by_the_parser(span: str) -> None:
    with pytest.raises(SystemExit):
        convert(DATA / "wave.npz", "-o", "a.npz", f"--trim={span}")


def test_without_blender_fbx_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTRAPOSE_BLENDER", str(tmp_path / "no-blender"))
    with pytest.raises(InputError, match=r"FBX goes through Blender, .* pip install bpy"):
        convert(DATA / "wave.npz", "-o", tmp_path / "a.fbx")
