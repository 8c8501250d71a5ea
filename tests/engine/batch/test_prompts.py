"""Files of prompts: what they ask for, and which rows are left out and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.batch.prompts import Defaults, Prompt, read_prompts
from engine.errors import InputError
from tests.data.make_motion_files import DATA

USUAL = Defaults(seed=100)


def rows(path: Path, text: str) -> tuple[list[Prompt], dict[int, str]]:
    path.write_text(text)
    good, bad = read_prompts(path, USUAL)
    return good, {row.line: row.problem for row in bad}


def test_a_text_a_line_and_seeds_that_count_up(tmp_path: Path) -> None:
    good, bad = rows(tmp_path / "a.txt", "they hug\n\n  they bow  \n")
    assert [(p.line, p.name, p.text, p.seed) for p in good] == [
        (1, "000000", "they hug", 100),
        (3, "000001", "they bow", 101),
    ]
    assert [(p.frames, p.at) for p in good] == [(30, 0), (30, 0)]
    assert bad == {}


def test_columns_say_what_rows_leave_open(tmp_path: Path) -> None:
    table = "text,seconds,at,seed,name\nthey hug,2,middle,7,hug\nthey bow,,,,\n"
    good, bad = rows(tmp_path / "a.csv", table)
    assert (good[0].frames, good[0].at, good[0].seed, good[0].name) == (20, 10, 7, "hug")
    assert (good[1].frames, good[1].at, good[1].seed, good[1].name) == (30, 0, 101, "000001")
    assert bad == {}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ('{"text": "a", "seconds": "x"}', "seconds is 'x', expected a number"),
        ('{"text": "a", "seconds": 1e9}', "seconds is 1000000000.0, expected 0.1 to 600"),
        ('{"text": "a", "seed": -1}', "seed is -1, expected 0 to"),
        ('{"text": "a", "seed": 1.5}', "seed is 1.5, expected a whole number"),
        ('{"text": "a", "at": "end"}', "at is 'end', expected first, middle, last or a frame"),
        ('{"text": "a", "name": "../b"}', "name is '../b'; letters"),
        ('{"text": "a", "name": "first"}', "name 'first' is that of an earlier row"),
        ('{"texts": "a"}', "texts is unknown"),
        ('{"seconds": 2}', "asks for nothing; give text, pair or pose"),
        ('{"pair": "no.npz"}', "pair is 'no.npz'; there is no such file"),
        ('{"pair": "a.doc"}', "pair is 'a.doc'; files that are read end in .npz"),
        ("[1]", "is no JSON object"),
        ("{", "is no JSON"),
    ],
)
def test_a_bad_row_is_named_and_the_others_stay(tmp_path: Path, row: str, problem: str) -> None:
    lines = ['{"text": "they hug", "name": "first"}', row, '{"text": "they bow"}']
    good, bad = rows(tmp_path / "a.jsonl", "\n".join(lines))
    assert [p.text for p in good] == ["they hug", "they bow"]
    assert list(bad) == [2]
    assert problem in bad[2]


def test_files_are_looked_for_beside_the_prompts(tmp_path: Path) -> None:
    (tmp_path / "pair.pkl").write_bytes((DATA / "pair_buddi.pkl").read_bytes())
    good, _ = rows(tmp_path / "a.csv", "pair\npair.pkl\n")
    assert good[0].pair == str(tmp_path / "pair.pkl")


def test_a_column_that_nobody_knows_is_an_error_of_the_whole_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.csv: column 'words' is unknown; .* text, pair, pose"):
        rows(tmp_path / "a.csv", "words\nthey hug\n")
    with pytest.raises(InputError, match=r"prompts come in files named \.txt, \.csv, \.jsonl"):
        rows(tmp_path / "a.docx", "they hug\n")


def test_a_changed_row_has_another_digest_and_a_moved_one_has_not(tmp_path: Path) -> None:
    (before,), _ = rows(tmp_path / "a.jsonl", '{"text": "a", "name": "n", "seed": 1}')
    (moved,), _ = rows(tmp_path / "a.jsonl", '\n{"text": "a", "name": "n", "seed": 1}')
    (changed,), _ = rows(tmp_path / "a.jsonl", '{"text": "b", "name": "n", "seed": 1}')
    assert before.digest == moved.digest != changed.digest
