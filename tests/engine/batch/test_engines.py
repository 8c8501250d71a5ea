"""Engines in processes of their own: each motion once and the same, whichever process makes it, and
whichever is killed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from engine.batch import BatchFolder, Engine, Maker, Outcome, Prompt, made_motions, open_engines
from engine.batch.engines import WORTH, OwnProcess, OwnThread, begun_processes
from engine.batch.making import Begun, load_maker
from engine.batch.running import FEW
from engine.bundle import Bundle
from engine.errors import BackendError, ContraposeError
from engine.sampling.loaded import ComputeConfig
from tests.engine.batch.test_running import MADE_BY, prompts_of

FATAL = "they push"


class MortalMaker(Maker):
    """A maker whose process is killed by one text, as a graph may be that wants too much memory."""

    def begin(self, prompts: Sequence[Prompt]) -> dict[Prompt, Begun | ContraposeError]:
        if any(prompt.text == FATAL for prompt in prompts):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().begin(prompts)


def load_mortal(config: ComputeConfig) -> Maker:
    return MortalMaker(load_maker(config, steps=2, foot_lock=True).loaded, 2, True)


@pytest.fixture
def config(talking_bundle: Bundle) -> ComputeConfig:
    return ComputeConfig(bundle=talking_bundle, backend="openvino", precision="f32", threads=1)


@contextmanager
def processes(load: Callable[[], Maker]) -> Iterator[list[OwnProcess]]:
    engines = begun_processes(2, load)
    try:
        yield engines
    finally:
        for engine in engines:
            engine.close()


def bows(folder: Path, count: int) -> list[Prompt]:
    return prompts_of(folder / "a.jsonl", [{"text": f"they bow {n}"} for n in range(count)])


def made(engines: Sequence[Engine], prompts: list[Prompt], folder: Path) -> list[Outcome]:
    folder.mkdir()
    return list(made_motions(engines, prompts, folder, ".npz"))


class CountingEngine:
    """Makes nothing, and notes how many it was asked for."""

    def __init__(self, counts: list[int]) -> None:
        self._counts = counts

    def made(self, prompts: Sequence[Prompt], part: Path, suffix: str) -> list[Outcome]:
        self._counts.append(len(prompts))
        return [Outcome(prompt=prompt) for prompt in prompts]

    def close(self) -> None:
        pass


@pytest.mark.parametrize("engines", [2, 3])
@pytest.mark.parametrize("count", [10, 50, 66, 200])
def test_no_rest_of_a_few_prompts_is_left_for_the_last(
    count: int, engines: int, tmp_path: Path
) -> None:
    counts: list[int] = []
    outcomes = made([CountingEngine(counts)] * engines, bows(tmp_path, count), tmp_path / "out")
    assert len(outcomes) == sum(counts) == count
    assert min(counts) >= FEW


def test_processes_make_the_same_bits_as_this_one(config: ComputeConfig, tmp_path: Path) -> None:
    load, prompts = partial(load_maker, config, steps=2, foot_lock=True), bows(tmp_path, 50)
    here = made([OwnThread(load()), OwnThread(load())], prompts, tmp_path / "here")
    with processes(load) as engines:
        assert made(engines, prompts, tmp_path / "there") == here
    assert [outcome.prompt for outcome in here] == prompts
    assert all(outcome.entry for outcome in here)
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == [
        f"{prompt.name}.npz" for prompt in prompts
    ]


def test_of_a_process_that_is_killed_no_motion_is_lost_or_made_twice(
    config: ComputeConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    load, prompts = partial(load_maker, config, steps=2, foot_lock=True), bows(tmp_path, 150)
    folder = BatchFolder(tmp_path / "out", MADE_BY)
    with processes(load) as engines:
        undisturbed = made(engines, prompts, tmp_path / "undisturbed")
        begun_with = {engine.pid for engine in engines}
        for outcome in made_motions(engines, prompts, folder.path, ".npz"):
            if not folder.entries:
                assert engines[0].pid is not None
                os.kill(engines[0].pid, signal.SIGKILL)
            assert outcome.entry is not None, outcome.problem
            assert outcome.prompt.name not in folder.entries
            folder.add(outcome.entry)
        assert len(begun_with & {engine.pid for engine in engines}) == 1
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "a process ended (signal 9)"
    ]
    assert list(folder.entries.values()) == [outcome.entry for outcome in undisturbed]
    assert all(folder.holds(prompt) for prompt in prompts)


def test_a_prompt_that_ends_its_process_is_named_and_the_others_are_made(
    config: ComputeConfig, tmp_path: Path
) -> None:
    texts = ["they bow", "they hug", FATAL, "they wave", "they bow", "they hug"]
    prompts = prompts_of(tmp_path / "a.jsonl", [{"text": text} for text in texts])
    with processes(partial(load_mortal, config)) as engines:
        outcomes = made(engines, prompts, tmp_path / "out")
    problems = [outcome.problem for outcome in outcomes if outcome.entry is None]
    assert problems == ["the process that made it ended, 2 times (signal 9)"]
    assert outcomes[2].problem == problems[0]
    assert [outcome.prompt for outcome in outcomes] == prompts


def test_what_is_wrong_over_there_is_said_here(config: ComputeConfig, tmp_path: Path) -> None:
    with (
        pytest.raises(ContraposeError, match=r"nobody\.npz"),
        processes(
            partial(
                load_maker,
                ComputeConfig(bundle=config.bundle, body=tmp_path / "nobody.npz"),
                steps=2,
                foot_lock=True,
            )
        ),
    ):
        pass
    with pytest.raises(BackendError, match=r"ended while it loaded \(exit code 3\); fewer of them"):
        begun_processes(1, partial(sys.exit, 3))


def test_whoever_stops_early_waits_for_no_process(config: ComputeConfig, tmp_path: Path) -> None:
    prompts = bows(tmp_path, 400)
    with processes(partial(load_maker, config, steps=2, foot_lock=True)) as engines:
        outcomes = made_motions(engines, prompts, tmp_path, ".npz")
        next(outcomes)
        outcomes.close()
        pids = [engine.pid for engine in engines if engine.pid]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_few_prompts_begin_no_process(config: ComputeConfig) -> None:
    engines = open_engines(config, prompts=10 * WORTH, steps=2, foot_lock=True)
    assert [type(engine) for engine in engines] == [OwnThread]  # one thread
    few = ComputeConfig(bundle=config.bundle, backend="openvino", precision="f32", threads=2)
    engines = open_engines(few, prompts=2 * WORTH - 1, steps=2, foot_lock=True)
    assert [type(engine) for engine in engines] == [OwnThread]
