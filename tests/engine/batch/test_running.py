"""A batch through a real engine of random weights: each prompt once, however often it is begun."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.batch import BatchFolder, Maker, Prompt, made_motions, read_prompts
from engine.batch.engines import OwnThread
from engine.batch.making import Begun
from engine.batch.prompts import Defaults
from engine.body.shape import load_body
from engine.bundle import Bundle
from engine.errors import InputError
from engine.formats import read_motion
from engine.motion.motion import Motion
from engine.sampling.executor import Executor
from engine.sampling.loaded import LoadedBundle
from engine.sampling.models import Models
from tests.data.make_motion_files import DATA

MADE_BY = {"bundle": "talking"}


@pytest.fixture
def maker(talking_bundle: Bundle, talking_models: Models) -> Iterator[Maker]:
    with Executor(talking_models) as executor:
        loaded = LoadedBundle(
            bundle=talking_bundle,
            executor=executor,
            body=load_body(),
            backend="openvino",
            precision="f32",
        )
        yield Maker(loaded, steps=2, foot_lock=True)


def prompts_of(path: Path, rows: list[dict[str, object]]) -> list[Prompt]:
    path.write_text("\n".join(map(json.dumps, rows)))
    good, bad = read_prompts(path, Defaults(seconds=1.0))
    assert bad == []
    return good


def filled(maker: Maker, folder: BatchFolder, prompts: list[Prompt]) -> list[str]:
    """Make what is not there; the names of what was made."""
    wanted = [prompt for prompt in prompts if not folder.holds(prompt)]
    for outcome in made_motions([OwnThread(maker)], wanted, folder.path, ".npz"):
        assert outcome.entry is not None, outcome.problem
        folder.add(outcome.entry)
    return [prompt.name for prompt in wanted]


def test_words_pairs_and_poses_become_motions_each_once(maker: Maker, tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"text": f"they wave {n}"} for n in range(9)]
    rows += [{"pair": str(DATA / "pair_buddi.pkl"), "at": "middle"}]
    rows += [{"pose": str(DATA / "wave.npz"), "frame": 3}]
    prompts = prompts_of(tmp_path / "a.jsonl", rows)
    folder = BatchFolder(tmp_path / "out", MADE_BY)
    assert filled(maker, folder, prompts) == [prompt.name for prompt in prompts]
    names = sorted(path.name for path in folder.path.iterdir())
    assert names == [*(f"{n:06d}.npz" for n in range(11)), "manifest.jsonl"]
    pair, given = read_motion(folder.path / "000009.npz"), read_motion(DATA / "pair_buddi.pkl")
    np.testing.assert_allclose(pair.transl[:, 5], given.transl[:, 0], atol=1e-3)
    posed, single = read_motion(folder.path / "000010.npz"), read_motion(DATA / "wave.npz")
    np.testing.assert_allclose(posed.transl[0, 0], single.transl[0, 3], atol=1e-3)


def test_who_spoils_a_motion_spoils_no_other(maker: Maker, tmp_path: Path) -> None:
    prompts = prompts_of(tmp_path / "a.jsonl", [{"text": f"they bow {n}"} for n in range(4)])
    starts = [start for start in maker.begin(prompts).values() if isinstance(start, Begun)]
    alone = maker.finish(starts[:1])[prompts[0]]
    starts[2] = replace(starts[2], words=np.zeros(3, np.float32))
    found = maker.finish(starts)
    assert isinstance(found[prompts[2]], InputError)
    good = [found[prompt] for prompt in prompts if isinstance(found[prompt], Motion)]
    assert len(good) == 3
    assert isinstance(alone, Motion)
    np.testing.assert_allclose(good[0].transl, alone.transl, atol=1e-4)


def test_motions_of_several_lengths_are_made_in_one_go(maker: Maker, tmp_path: Path) -> None:
    seconds = [1.0, 5.0, 1.0, 0.1]
    rows: list[dict[str, object]] = [{"text": "they bow", "seconds": s} for s in seconds]
    rows[2]["at"] = "last"
    prompts = prompts_of(tmp_path / "a.jsonl", rows)
    filled(maker, BatchFolder(tmp_path / "out", MADE_BY), prompts)
    made = [read_motion(tmp_path / f"out/{prompt.name}.npz") for prompt in prompts]
    assert [motion.frames for motion in made] == [10, 50, 10, 1]


def test_it_goes_on_where_it_stopped(maker: Maker, tmp_path: Path) -> None:
    prompts = prompts_of(tmp_path / "a.jsonl", [{"text": f"they bow {n}"} for n in range(4)])
    filled(maker, BatchFolder(tmp_path / "out", MADE_BY), prompts)
    (tmp_path / "out/000001.npz").unlink()
    (tmp_path / "out/000002.npz").write_bytes(b"cut off")
    manifest = tmp_path / "out/manifest.jsonl"
    manifest.write_text(manifest.read_text() + '{"name": "0000')
    folder = BatchFolder(tmp_path / "out", MADE_BY)
    assert filled(maker, folder, prompts) == ["000001", "000002"]
    assert filled(maker, folder, prompts) == []
    changed = prompts_of(tmp_path / "a.jsonl", [{"text": "they hug"}])
    assert filled(maker, folder, changed) == ["000000"]
    folder.close()
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    assert [line["name"] for line in lines[1:]] == [f"{n:06d}" for n in range(4)]
    assert lines[1]["text"] == "they hug"


def test_the_same_prompt_and_seed_make_the_same_motion(maker: Maker, tmp_path: Path) -> None:
    prompts = prompts_of(tmp_path / "a.jsonl", [{"text": "they hug", "seed": 5}] * 1)
    for name in ("one", "two"):
        filled(maker, BatchFolder(tmp_path / name, MADE_BY), prompts)
    motions = [read_motion(tmp_path / name / "000000.npz") for name in ("one", "two")]
    np.testing.assert_array_equal(motions[0].quats_xyzw, motions[1].quats_xyzw)


def test_a_row_that_cannot_be_made_is_an_outcome_with_its_problem(
    maker: Maker, tmp_path: Path
) -> None:
    rows: list[dict[str, object]] = [
        {"pair": str(DATA / "wave.npz")},
        {"pose": str(DATA / "wave.npz"), "frame": 99},
        {"text": "they hug"},
    ]
    prompts = prompts_of(tmp_path / "a.jsonl", rows)
    (tmp_path / "out").mkdir()
    outcomes = {
        outcome.prompt.name: outcome
        for outcome in made_motions([OwnThread(maker)], prompts, tmp_path / "out", ".npz")
    }
    assert "holds 1 people and 11 frames; 2 people at frame 0" in outcomes["000000"].problem
    assert "1 people at frame 99 are wanted" in outcomes["000001"].problem
    assert outcomes["000002"].entry is not None


def test_a_folder_that_was_begun_with_something_else_is_refused(tmp_path: Path) -> None:
    BatchFolder(tmp_path / "out", {"bundle": "other"})
    with pytest.raises(InputError, match="was begun with bundle 'other', now it is 'talking'"):
        BatchFolder(tmp_path / "out", MADE_BY)
