"""The pages name what is there, and say it plainly."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = [
    REPOSITORY / "README.md",
    *sorted(REPOSITORY.glob("docs/*.md")),
    REPOSITORY / "proto/README.md",
]
OURS = re.compile(
    r"`((?:engine|trainer|clients|proto|tests|examples|benchmarks|docs)/[\w./-]*\w/?)[`:\s]"
)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
HE = re.compile(r"\b(he|him|his|himself)\b", re.IGNORECASE)


def named(page: Path) -> set[Path]:
    """Files and folders of ours that a page names in backticks or links to."""
    text = page.read_text()
    paths = {REPOSITORY / path for path in OURS.findall(text)}
    return paths | {(page.parent / link).resolve() for link in LINK.findall(text)}


def tree() -> dict[str, str]:
    """README's map: folder -> what it says of it."""
    block = (REPOSITORY / "README.md").read_text().partition("## The map")[2].split("```")[1]
    found: dict[str, str] = {}
    above = ""
    for line in block.strip().splitlines():
        folder, _, says = line.strip().partition("  ")
        above = above if line.startswith("  ") else folder
        found[above + folder if line.startswith("  ") else folder] = says.strip()
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_only_what_is_there(page: Path) -> None:
    assert sorted(path for path in named(page) if not path.exists()) == []


def test_the_map_has_every_folder_with_a_line_of_its_own() -> None:
    folders = {
        f"{path.parent.relative_to(REPOSITORY)}/"
        for package in ("engine", "trainer")
        for path in REPOSITORY.glob(f"{package}/*/__init__.py")
    }
    assert folders <= set(tree())
    assert [folder for folder in tree() if not (REPOSITORY / folder).is_dir()] == []
    assert all(tree().values())
    assert len(set(tree().values())) == len(tree())


def test_every_page_is_found_from_the_readme() -> None:
    found: set[Path] = set()
    waiting = {REPOSITORY / "README.md"}
    while waiting:
        found |= waiting
        waiting = {path for page in waiting for path in named(page)} & set(PAGES) - found
    assert set(PAGES) - found == set()


def prose() -> list[Path]:
    names = ("clients", "engine/bench", "engine/commands", "examples", "proto/contrapose")
    folders = [REPOSITORY / name for name in names]
    kinds = (".py", ".proto")
    found = (p for f in folders for p in sorted(f.rglob("*")) if p.suffix in kinds)
    files = [path for path in found if "node_modules" not in path.parts]
    return [*PAGES, *files, REPOSITORY / "trainer/commands.py"]


@pytest.mark.parametrize("path", prose(), ids=lambda path: path.name)
def test_the_player_and_the_partner_are_named_and_no_he(path: Path) -> None:
    assert [line for line in path.read_text().splitlines() if HE.search(line)] == []
