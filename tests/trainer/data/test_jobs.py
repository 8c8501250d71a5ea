"""A job makes the same folder however it is shared, and however often it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import ConfigError
from tests.trainer.synthetic import clip_records
from trainer.choreography.clips import synth_job
from trainer.data.jobs import Job, Made, cut
from trainer.data.shards import load_clips, read_manifest

PAUSE = "CONTRAPOSE_TEST_PAUSE"
"""FOLDER:SEED, where and before which clip to wait for ever."""
OTHERS = 3
"""Of the four shards of a job, without the one that waits."""


def die(seeds: Sequence[int]) -> Made:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def make(seeds: Sequence[int]) -> Made:
    """A clip for each seed. At the seed that the environment names it waits until all other shards
    are done, however fast other workers are, says so, and waits for ever."""
    folder, _, seed = os.environ.get(PAUSE, "").rpartition(":")
    if str(seeds[0]) == seed:
        while len(read_manifest(Path(folder)).shards) < OTHERS:
            time.sleep(0.01)
        print("waiting", flush=True)
        signal.pause()
    return Made(clips=[clip_records(1, seed=seed)[0] for seed in seeds])


def job(folder: Path, seeds: int = 8, **options: object) -> Job[int]:
    parts = cut(range(seeds), 2)
    return Job(folder=folder, source="test", options={"a": 1, **options}, parts=parts, make=make)


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def written_at(folder: Path) -> dict[str, int]:
    """File -> number on disk, another one if the file was written again."""
    return {str(path.relative_to(folder)): path.stat().st_ino for path in folder.rglob("*.npy")}


def test_the_number_of_workers_changes_no_byte(tmp_path: Path) -> None:
    synth_job(tmp_path / "one", count=6, seed=4, clips_in_shard=2).run()
    synth_job(tmp_path / "two", count=6, seed=4, clips_in_shard=2).run(workers=2)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")
    assert len(load_clips(tmp_path / "two", verify=True)) == 6


def test_a_ray_cluster_changes_no_byte(tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    with ray.init(num_cpus=2, log_to_driver=False, include_dashboard=False):
        synth_job(tmp_path / "ray", count=4, seed=4, clips_in_shard=2).run(on_ray=True)
    synth_job(tmp_path / "one", count=4, seed=4, clips_in_shard=2).run()
    assert files_of(tmp_path / "ray") == files_of(tmp_path / "one")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_job_goes_on_without_redoing_a_shard(tmp_path: Path, workers: int) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.trainer.data.test_jobs import job; "
        f"job(Path(sys.argv[1])).run(workers={workers})"
    )
    folder = tmp_path / "killed"
    with subprocess.Popen(
        [sys.executable, "-c", f"if __name__ == '__main__': {code}", str(folder)],
        env={**os.environ, PAUSE: f"{folder}:6", "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"  # one shard is being made
        process.kill()
        assert process.stdout.read() == ""  # ends when no worker is left that could write
    before = written_at(folder)
    finished = {shard.name for shard in read_manifest(folder).shards}
    assert len(finished) == OTHERS
    job(folder).run()
    after = written_at(folder)
    assert all(after[f] == n for f, n in before.items() if f.split("/")[0] in finished)
    job(tmp_path / "unbroken").run()
    assert files_of(folder) == files_of(tmp_path / "unbroken")


def test_a_finished_job_does_nothing_more(tmp_path: Path) -> None:
    job(tmp_path).run()
    before = written_at(tmp_path)
    job(tmp_path).run()
    assert written_at(tmp_path) == before


def test_a_damaged_shard_is_made_again_and_no_other(tmp_path: Path) -> None:
    job(tmp_path).run()
    good, before = files_of(tmp_path), written_at(tmp_path)
    damaged = tmp_path / "shard-00001" / "features.npy"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")
    job(tmp_path).run()
    assert files_of(tmp_path) == good
    changed = {name for name, number in written_at(tmp_path).items() if before[name] != number}
    assert {name.split("/")[0] for name in changed} == {"shard-00001"}


def test_other_options_in_a_begun_folder_are_one_clear_error(tmp_path: Path) -> None:
    job(tmp_path, colour="red").run()
    with pytest.raises(ConfigError, match=r"colour 'red', not 'blue'.*another folder"):
        job(tmp_path, colour="blue").run()


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(ConfigError, match="other files"):
        job(tmp_path).run()
    assert files_of(tmp_path) == {"letter.txt": b"dear"}


def test_what_a_kill_left_half_written_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".manifest.json.1").write_text("{")  # killed before anything was done
    job(tmp_path).run()
    (tmp_path / ".shard-00002.1").mkdir()
    (tmp_path / ".shard-00002.1" / "features.npy").write_bytes(b"half")
    job(tmp_path).run()
    assert {path.name[0] for path in tmp_path.iterdir()} == {"s", "m"}


def test_a_worker_that_is_killed_ends_the_job_with_advice(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="fewer --workers"):
        replace(job(tmp_path), make=die).run(workers=2)


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        job(tmp_path / "file" / "shards").run()


def test_what_was_skipped_is_named_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def make_half(seeds: Sequence[int]) -> Made:
        return Made(clips=make(seeds[:1]).clips, skipped={f"clip {seeds[1]}": "broken"}, empty=0)

    parts = cut(range(4), 2)
    manifest = Job(folder=tmp_path, source="test", options={}, parts=parts, make=make_half).run()
    assert manifest.skipped == {"clip 1": "broken", "clip 3": "broken"}
    assert "skipped clip 1: broken" in capsys.readouterr().err


def test_parts_hold_every_item_once() -> None:
    assert [list(part) for part in cut(range(5), 2)] == [[0, 1], [2, 3], [4]]
