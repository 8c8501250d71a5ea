"""`docs/formats.md` and `proto/README.md` name the numbers that the code writes and reads."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from engine.serving.server_info import PROTOCOL_MINOR

REPOSITORY = Path(__file__).resolve().parent.parent


def rows(page: str, columns: int) -> list[list[str]]:
    """The cells of a page's table, without its head."""
    lines = (REPOSITORY / page).read_text().splitlines()
    table = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    return [row for row in table[1:] if len(row) == columns and not row[0].startswith("---")]


FORMATS = {row[0].partition(":")[0]: row for row in rows("docs/formats.md", 5)}


@pytest.mark.parametrize("name", FORMATS)
def test_the_page_states_the_number_of_a_format(name: str) -> None:
    _, writes, reads, constant, _ = FORMATS[name]
    module, _, attribute = constant.strip("`").rpartition(".")
    number = re.search(r"\d+$", str(getattr(importlib.import_module(module), attribute)))
    assert number is not None
    assert writes == number[0]
    assert reads.split()[-1] == writes


def test_bundles_recordings_tokens_and_motions_are_on_the_page() -> None:
    assert {"bundle", "recording", "resume token", "motion"} <= set(FORMATS)


@pytest.mark.parametrize(("kind", "row"), [("recording", "recording"), ("token", "resume token")])
def test_the_page_links_to_the_schema_of_today(kind: str, row: str) -> None:
    page = (REPOSITORY / "docs/formats.md").read_text()
    assert set(re.findall(rf"{kind}-(\d+)\.txt", page)) == {FORMATS[row][1]}


def test_the_last_minor_on_the_page_of_the_contract_is_that_of_the_code() -> None:
    minors = [int(row[0]) for row in rows("proto/README.md", 3)]
    assert minors == sorted(minors)
    assert minors[-1] == PROTOCOL_MINOR
