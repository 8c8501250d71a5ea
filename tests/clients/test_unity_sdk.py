"""The .csproj files of the Unity package, read as MSBuild would: no .NET SDK runs here."""

from __future__ import annotations

import glob
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

TOOLS = Path(__file__).parents[2] / "clients/unity_sample/Tools~"
PROJECTS = sorted(TOOLS.glob("*.csproj"))
SYMBOLS = "$(UnitySymbols)"
"""Where a project takes the symbols that it is compiled with."""


@pytest.fixture(scope="module")
def csharp() -> Iterator[ModuleType]:
    sys.path.insert(0, str(TOOLS))
    try:
        import csharp

        yield csharp
    finally:
        sys.path.remove(str(TOOLS))


def project(name: str) -> ElementTree.Element:
    root = ElementTree.parse(TOOLS / f"{name}.csproj").getroot()
    assert (root.tag, root.get("Sdk")) == ("Project", "Microsoft.NET.Sdk")
    return root


def items(root: ElementTree.Element, kind: str, symbols: str = "") -> list[str]:
    """What a project includes; the conditions that are used here compare the symbols with a set."""
    included = []
    for item in root.iter(kind):
        condition = item.get("Condition")
        if condition is None or condition == f"'{SYMBOLS}' == '{symbols}'":
            included.append(item.attrib["Include"])
    return included


def sources(root: ElementTree.Element) -> set[Path]:
    found = [glob.glob(str(TOOLS / each), recursive=True) for each in items(root, "Compile")]
    assert all(found), "a folder without sources"
    return {Path(path).resolve() for paths in found for path in paths}


def test_each_assembly_has_a_project_of_the_same_sources_references_and_symbols(
    csharp: ModuleType,
) -> None:
    seen = set()
    for assembly in csharp.assemblies():
        name, _, title = assembly.name.partition("@")
        seen.add(name)
        root = project(name)
        wanted = {path.resolve() for path in assembly.sources}
        if name == "Contrapose.Tests":  # NUnit takes the place of our own runner
            wanted -= set((TOOLS / "Runner").resolve().iterdir())
        assert sources(root) == wanted, name
        uses = {used.partition("@")[0] for used in assembly.uses}
        given = ";".join(csharp.DEFINES[title or "none"])
        references = items(root, "ProjectReference", given)
        assert sorted(references) == sorted(f"{used}.csproj" for used in uses), assembly.name
        told = root.findtext("PropertyGroup/DefineConstants", "").replace(SYMBOLS, given)
        assert {*told.split(";")} - {"$(DefineConstants)", ""} == {*assembly.defines}, assembly.name
    assert seen == {path.stem for path in PROJECTS}


def test_projects_compile_as_unity_does_and_test_with_nunit_3() -> None:
    common = ElementTree.parse(TOOLS / "Directory.Build.props").getroot()
    settings = {each.tag: each.text for each in common.iterfind("PropertyGroup/*")}
    assert (settings["TargetFramework"], settings["LangVersion"]) == ("netstandard2.1", "9.0")
    assert settings["TreatWarningsAsErrors"] == "true"
    # Two projects of one folder may not share what is built, nor take each other's sources.
    assert settings["EnableDefaultItems"] == "false"
    for folder in ("BaseIntermediateOutputPath", "BaseOutputPath"):
        assert (settings[folder] or "").endswith("$(MSBuildProjectName)/")
    tests = project("Contrapose.Tests")
    packages = {
        each.attrib["Include"]: each.attrib["Version"] for each in tests.iter("PackageReference")
    }
    assert packages.keys() == {"Microsoft.NET.Test.Sdk", "NUnit", "NUnit3TestAdapter"}
    assert packages["NUnit"].startswith("3."), "4 has no Assert.AreEqual, as Unity's has"
    assert [
        path.stem for path in PROJECTS if list(project(path.stem).iter("PackageReference"))
    ] == ["Contrapose.Tests"]


def dotnet(folder: Path, *, sdks: str, code: int) -> Path:
    """A command of that name that notes what it is asked for in `asked`, and compiles nothing."""
    path = folder / "dotnet"
    path.write_text(
        "#!/bin/sh\n"
        f'if [ "$1" = --list-sdks ]; then printf "{sdks}"; exit 0; fi\n'
        f'echo "$@" >> {folder}/asked\n'
        f"echo CS1061\nexit {code}\n"
    )
    path.chmod(0o755)
    return path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(TOOLS / "csharp.py"), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"},
    )


@pytest.mark.skipif(os.name == "nt", reason="the command in the SDK's place is a shell script")
def test_where_there_is_an_sdk_it_builds_every_project_with_every_set(
    tmp_path: Path, csharp: ModuleType
) -> None:
    dotnet(tmp_path, sdks="8.0.100 [/usr/share/dotnet/sdk]", code=0)
    done = run(tmp_path, "build")
    assert done.returncode == 0, done.stderr
    asked = (tmp_path / "asked").read_text().splitlines()
    built = {
        (Path(line.split()[2]).stem, line.split()[3].removeprefix("-p:UnitySymbols="))
        for line in asked
    }
    wanted = {
        (name, "%3B".join(csharp.DEFINES[title or "none"]))
        for assembly in csharp.assemblies()
        for name, _, title in [assembly.name.partition("@")]
        if name.startswith("Contrapose.") and name != "Contrapose.Tests"
    }
    assert built == wanted
    assert len(asked) == len(wanted)
    assert "--no-sdk" in run(tmp_path, "test", "--junit", "out.xml").stderr


@pytest.mark.skipif(os.name == "nt", reason="the command in the SDK's place is a shell script")
def test_what_the_sdk_does_not_compile_is_told_in_its_words(tmp_path: Path) -> None:
    dotnet(tmp_path, sdks="8.0.100 [/usr/share/dotnet/sdk]", code=1)
    done = run(tmp_path, "build")
    assert done.returncode == 1
    assert "CS1061" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="the command in the SDK's place is a shell script")
def test_a_runtime_alone_is_no_sdk(
    tmp_path: Path, csharp: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert csharp.sdk() is None
    path = dotnet(tmp_path, sdks="", code=0)
    assert csharp.sdk() is None
    dotnet(tmp_path, sdks="8.0.100 [/usr/share/dotnet/sdk]", code=0)
    assert csharp.sdk() == str(path)
