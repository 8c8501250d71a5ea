"""Which single-person files make a pair, and what lies beside them."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from engine.errors import InputError
from trainer.data.readers.listing import gender_of, read_captions, read_splits
from trainer.data.readers.pairing import pair_sources, words_of
from trainer.data.splits import split_by_name


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_names_and_folders_make_pairs_at_any_depth(tmp_path: Path) -> None:
    touch(tmp_path, "a_P1.bvh", "a_P2.bvh", "test/b/P1/c.bvh", "test/b/P2/c.bvh", "b_P1.npz")
    found = pair_sources(tmp_path, ".bvh")
    assert [source.name for source in found] == ["a", "test/b/c"]
    assert found[1].paths == (tmp_path / "test/b/P1/c.bvh", tmp_path / "test/b/P2/c.bvh")
    assert found[1].split == "test"


def test_files_without_a_partner_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(tmp_path, "a_P1.bvh", "a_P2.bvh", "b_P1.bvh", "c.bvh", "d_P2.bvh")
    with caplog.at_level(logging.WARNING):
        assert len(pair_sources(tmp_path, ".bvh")) == 1
    assert "3 of 5 .bvh files have no partner" in caplog.text


def test_a_list_says_which_pairs_what_they_do_and_in_which_words(tmp_path: Path) -> None:
    touch(tmp_path, "x.bvh", "y z.bvh", "w.bvh")
    line = 'x.bvh "y z.bvh" "high five" "they clap"  "hands meet"'
    (tmp_path / "pairs.txt").write_text(f"# person 0, person 1\n\n{line}\nw.bvh x.bvh\n")
    first, second = pair_sources(tmp_path, ".bvh")
    assert (first.name, second.name) == ("x+y z", "w+x")
    words = words_of(first)
    assert (words.kind, words.captions) == ("high five", ("they clap", "hands meet"))
    assert words_of(second).captions == ()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x.bvh gone.bvh", r"pairs\.txt:2: .*gone\.bvh is no file; expected FIRST SECOND"),
        ("x.bvh", r"pairs\.txt:2: one word; expected FIRST SECOND"),
        ('x.bvh "x.bvh', r"pairs\.txt:2: No closing quotation"),
    ],
)
def test_a_mistake_in_the_list_is_named_with_its_line(
    tmp_path: Path, line: str, message: str
) -> None:
    touch(tmp_path, "x.bvh")
    (tmp_path / "pairs.txt").write_text(f"# pairs\n{line}\n")
    with pytest.raises(InputError, match=message):
        pair_sources(tmp_path, ".bvh")


def test_captions_are_one_a_line_without_the_tokens_of_other_programs(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("They hug.\r\n\nA hug#a/DET hug/NOUN#0.0#0.0\n")
    assert read_captions(tmp_path / "c.txt") == ("They hug.", "A hug")
    assert read_captions(tmp_path / "absent.txt") == ()


@pytest.mark.parametrize(
    ("value", "gender"),
    [
        ("female", "female"), (b"male", "male"), ("b'male'", "male"), ("Neutral ", "neutral"),
        (np.array("female"), "female"), (np.array(b"male"), "male"), (np.array(["male"]), "male"),
        (np.bytes_(b"female"), "female"), (None, "neutral"), (np.array([]), "neutral"),
    ],
)  # fmt: skip
def test_genders_come_as_text_bytes_or_arrays_of_them(value: object, gender: str) -> None:
    assert gender_of(value) == gender


def test_split_files_are_sought_in_each_place(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a\nb\n")
    (tmp_path / "val.txt").write_text("c\n")
    assert read_splits(tmp_path, ["split", "."]) == {"a": "train", "b": "train", "c": "val"}
    with pytest.raises(InputError, match=r"splits/train\.txt: no such file"):
        read_splits(tmp_path, ["splits"])


def test_clips_without_an_official_split_fall_in_the_same_one_each_time() -> None:
    counts = Counter(split_by_name(f"clip {i}") for i in range(2000))
    assert counts["train"] == pytest.approx(1800, abs=60)
    assert counts["val"] == pytest.approx(100, abs=40)
    assert split_by_name("clip 0") == split_by_name("clip 0")
