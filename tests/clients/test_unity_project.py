"""The Unity project, as far as it can be read without Unity: metas, guids, scenes, assemblies."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2] / "clients/unity_sample"
PACKAGE = PROJECT / "Packages/com.contrapose.client"
TOOLS = PROJECT / "Tools~"
MOST_BYTES = 1_000_000
CLASSES = {"GameObject": 1, "Transform": 4, "MonoBehaviour": 114}
STATIC_FIELD = (
    r"\s*(?:public |internal |private )?static (?!readonly|class)[\w<>\[\], ]+ \w+(?: =[^>]|;)"
)
STUBS = sorted((TOOLS / "Stubs").rglob("*.cs"))
TYPE = re.compile(
    r" {4}(?:\[[^\]]*\]\s*)*public (?:(?:sealed|static|abstract|readonly) )*"
    r"(?:class|struct|enum) (\w+)"
)
NEWER_THAN_2022 = ("Awaitable", "FindFirstObjectByType", "FindObjectsByType", "linearVelocity")
"""Names of Unity's API that 2022.3 does not have, or warns of."""


def imported() -> list[Path]:
    sys.path.insert(0, str(TOOLS))
    try:
        import metas
    finally:
        sys.path.remove(str(TOOLS))
    return list(metas.assets())


def guid_of(meta: Path) -> str:
    found = re.search(r"^guid: ([0-9a-f]{32})$", meta.read_text(), re.MULTILINE)
    assert found, f"{meta} has no guid"
    return found[1]


@pytest.mark.parametrize("script", ["metas.py", "scenes.py", "assets.py"])
def test_what_scripts_write_is_not_stale(script: str) -> None:
    done = subprocess.run(
        [sys.executable, str(TOOLS / script), "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_messages_are_those_of_the_contract() -> None:
    generator = PROJECT.parents[1] / "proto/csharp.py"
    done = subprocess.run(
        [sys.executable, str(generator), "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_guids_are_unique() -> None:
    metas = list(PROJECT.rglob("*.meta"))
    assert len(metas) > 40
    assert len({guid_of(meta) for meta in metas}) == len(metas)


def test_every_guid_that_is_named_exists() -> None:
    known = {guid_of(meta) for meta in PROJECT.rglob("*.meta")}
    named = 0
    for path in [*PROJECT.glob("Assets/**/*.unity"), *PROJECT.glob("ProjectSettings/*.asset")]:
        for guid in re.findall(r"guid: ([0-9a-f]{32})", path.read_text()):
            named += 1
            assert guid in known, f"{path.name} names {guid}"
    assert named >= 7


@pytest.mark.parametrize("scene", sorted(PROJECT.glob("Assets/**/*.unity")), ids=lambda p: p.stem)
def test_scenes_hold_one_object_with_one_script(scene: Path) -> None:
    text = scene.read_text()
    assert len(text.splitlines()) < 80
    documents = dict(re.findall(r"^--- !u!(\d+) &(\d+)\n\w+:", text, re.MULTILINE))
    assert set(CLASSES.values()) <= {int(number) for number in documents}
    unityparser = pytest.importorskip("unityparser", reason="comes with the dev extra")
    entries = unityparser.UnityDocument.load_yaml(scene).entries
    (game,) = [entry for entry in entries if type(entry).__name__ == "GameObject"]
    listed = [part["component"]["fileID"] for part in game.m_Component]
    owned = [entry for entry in entries if hasattr(entry, "m_GameObject")]
    assert sorted(int(each) for each in listed) == sorted(int(each.anchor) for each in owned)
    assert all(int(each.m_GameObject["fileID"]) == int(game.anchor) for each in owned)
    (script,) = [entry for entry in owned if type(entry).__name__ == "MonoBehaviour"]
    (source,) = [
        path.with_suffix("")
        for path in PROJECT.rglob("*.cs.meta")
        if guid_of(path) == script.m_Script["guid"]
    ]
    fields = re.findall(r"public [\w<>]+ (\w+)(?: =|;)", source.read_text())
    own = [name for name in vars(script) if not name.startswith("m_") and name != "anchor"]
    own = [name for name in own if name in re.findall(r"^  (\w+):", text, re.MULTILINE)]
    assert "address" in own
    assert set(own) <= set(fields), f"{source.name} lacks some of {own}"


def test_assemblies_refer_to_each_other_without_a_circle() -> None:
    found = {}
    for path in PROJECT.rglob("*.asmdef"):
        definition = json.loads(path.read_text())
        assert definition["name"] == path.stem
        found[path.stem] = definition["references"]
    done: set[str] = set()
    while len(done) < len(found):
        ready = {
            name
            for name, uses in found.items()
            if name not in done and {use for use in uses if use in found} <= done
        }
        assert ready, f"a circle in {sorted(set(found) - done)}"
        done |= ready
    for name, uses in found.items():
        for use in uses:
            assert use in found or use.startswith("Unity"), f"{name} uses {use}"


def test_no_file_is_large_and_names_differ_by_more_than_case() -> None:
    assets = imported()
    for path in assets:
        assert path.is_dir() or path.stat().st_size <= MOST_BYTES, path
    names = [path.as_posix().lower() for path in assets]
    assert len(names) == len(set(names))


def test_no_script_uses_what_2022_does_not_have() -> None:
    for path in [*PACKAGE.rglob("*.cs"), *PROJECT.glob("Assets/**/*.cs")]:
        code = re.sub(r"#if UNITY_6000_0_OR_NEWER.*?#endif", "", path.read_text(), flags=re.DOTALL)
        for name in NEWER_THAN_2022:
            assert not re.search(rf"\b{name}\b", code), f"{path.name} uses {name}"


@pytest.mark.parametrize("path", STUBS, ids=lambda path: path.stem)
def test_every_declaration_of_unity_names_its_page(path: Path) -> None:
    """Above each type and each member that says more than its type's page: `/// Quaternion.Euler`,
    which is docs.unity3d.com/ScriptReference/Quaternion.Euler.html."""
    lines = path.read_text().splitlines()
    assert any("docs.unity3d.com" in line for line in lines[:3]), "where do the pages lie?"
    declared, is_unitys = 0, False
    for number, line in enumerate(lines):
        if line.startswith("namespace "):
            is_unitys = line.startswith("namespace Unity")
        found = TYPE.match(line)
        if found is None or not is_unitys:
            continue
        declared += 1
        above = number - 1
        while lines[above].strip().startswith("["):
            above -= 1
        named = re.match(r"\s*/// ([\w.]+)", lines[above])
        assert named, f"{path.name}:{number + 1}: no page above {found[1]}"
        assert named[1].split(".")[-1] in (found[1], found[1].removesuffix("Attribute")), (
            f"{path.name}:{number + 1}: {found[1]} under the page of {named[1]}"
        )
    assert declared


def test_every_setting_is_in_the_documentation() -> None:
    page = (PACKAGE / "Documentation~/index.md").read_text()
    sections = dict(re.findall(r"^##+ (\w+)$(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL))
    seen = 0
    for path in sorted((PACKAGE / "Runtime/Unity").glob("*.cs")):
        text = path.read_text()
        if "AddComponentMenu" not in text:
            continue
        assert path.stem in sections, f"{path.stem} has no section"
        body = text[text.index("[AddComponentMenu") :]
        for names in re.findall(
            r"^        public [\w<>]+ ([\w, ]+)(?: = [^;{]*)?;", body, re.MULTILINE
        ):
            for name in names.split(", "):
                seen += 1
                assert re.search(rf"\b{name}\b", sections[path.stem]), f"{path.stem}.{name}"
    assert seen > 35


def test_nothing_in_a_script_is_static_and_changes() -> None:
    """Play mode is entered without a domain reload: what is static would be left from before."""
    for path in [*PACKAGE.rglob("*.cs"), *PROJECT.glob("Assets/**/*.cs")]:
        if "Tests" in path.parts:
            continue
        for line in path.read_text().splitlines():
            found = re.match(STATIC_FIELD, line)
            assert not found, f"{path.name}: {line.strip()}"


def test_the_package_names_versions_that_its_changelog_has() -> None:
    package = json.loads((PACKAGE / "package.json").read_text())
    assert f"## {package['version']}" in (PACKAGE / "CHANGELOG.md").read_text()
    for sample in package["samples"]:
        assert (PACKAGE / sample["path"]).is_dir()
