"""Recordings become clips around their touches; what cannot be read is named and left out."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.body.rotations import axis_angle_from_rotmat
from engine.body.shape import KEYS, PACKAGED_BODY, bone_lengths, load_body
from engine.errors import ConfigError, InputError
from engine.motion.motion import pose_from_features
from trainer.choreography.clips import make_clip
from trainer.commands import add_commands
from trainer.data.contact import find_touches, thinned
from trainer.data.importing import NEUTRAL_BODY, clips_of, import_job
from trainer.data.readers import Recording, Source
from trainer.data.shards import Clip, load_clips, read_manifest
from trainer.data.windows import WindowSampler

pytestmark = pytest.mark.slow

BODY = load_body()
NEUTRAL = BODY.rest_joints(np.zeros((2, 10)))
SOURCE = Source("a meeting", (), "test")


@pytest.fixture(scope="module")
def hug() -> Clip:
    return make_clip(3, kind="hug")


def recording_of(clip: Clip, kind: str = "hug") -> Recording:
    return Recording(
        name="a meeting",
        rotmats=clip.pose.rotmats,
        transl=clip.pose.transl,
        rest_joints=clip.rest_joints,
        betas=clip.betas,
        body_kind="open",
        genders=("neutral", "neutral"),
        kind=kind,
        captions=("two people meet",),
    )


def write_pair(root: Path, name: str, clip: Clip) -> None:
    """AMASS-style files with the clip's joints in place on bodies of mean shape."""
    for i in range(2):
        poses = np.zeros((clip.pose.transl.shape[1], 165))
        poses[:, :66] = axis_angle_from_rotmat(clip.pose.rotmats[i].astype(float)).reshape(-1, 66)
        np.savez(
            root / f"{name}_P{i + 1}.npz",
            poses=poses,
            trans=clip.pose.transl[i] + clip.rest_joints[i, 0] - NEUTRAL[i, 0],
            betas=np.ones(16),
            gender="neutral",
            mocap_frame_rate=10.0,
        )
    (root / f"{name}.txt").write_text("two people meet\n")


@pytest.fixture(scope="module")
def data_set(tmp_path_factory: pytest.TempPathFactory, hug: Clip) -> Path:
    """Two hugs, a wave in which nobody touches, and a broken file."""
    root = tmp_path_factory.mktemp("amass")
    write_pair(root, "hug_a", hug)
    write_pair(root, "hug_b", make_clip(4, kind="hug"))
    write_pair(root, "wave", make_clip(3, kind="wave"))
    write_pair(root, "broken", hug)
    broken = root / "broken_P2.npz"
    broken.write_bytes(broken.read_bytes()[:1000])
    return root


def run(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers())
    args = parser.parse_args(["data", "import", *map(str, arguments)])
    return int(args.run(args))


# --------------------------------------------------------------------------------- one recording
def test_a_clip_holds_the_recorded_frames_and_its_touches(hug: Clip) -> None:
    touches = find_touches(BODY, hug.betas, hug.pose, hug.rest_joints)
    (clip,) = clips_of(recording_of(hug), SOURCE, BODY, 0.013)
    pose = pose_from_features(clip.features.swapaxes(0, 1))
    there = slice(len(clip.features))
    np.testing.assert_allclose(pose.rotmats, hug.pose.rotmats[:, there], atol=1e-5)
    np.testing.assert_array_equal(pose.transl, hug.pose.transl[:, there])
    assert clip.anchor_frames == thinned(touches.distance)
    assert clip.contacts == touches.contacts
    assert {frame for frame, _, _ in clip.contacts} >= set(clip.anchor_frames)
    assert (clip.split, clip.source, clip.captions) == ("test", "a meeting", ("two people meet",))
    np.testing.assert_array_equal(clip.rest_joints, hug.rest_joints)


def test_frames_far_from_any_touch_are_left_out(hug: Clip) -> None:
    still = np.repeat(hug.pose.rotmats[:, -1:], 100, axis=1)
    apart = np.repeat(hug.pose.transl[:, -1:], 100, axis=1)
    apart[0, :, 0] += 5
    together = slice(0, thinned(recorded_distance(hug))[0] + 1)
    near = hug.pose[:, together]
    whole = replace(
        recording_of(hug),
        rotmats=np.concatenate([near.rotmats, still, near.rotmats], 1),
        transl=np.concatenate([near.transl, apart, near.transl], 1),
    )
    first, second = clips_of(whole, SOURCE, BODY, 0.013)
    last = together.stop - 1
    assert len(first.features) == last + 31
    assert second.anchor_frames[-1] == len(second.features) - 1
    np.testing.assert_array_equal(
        second.features[-1, :, -3:], hug.pose.transl[:, last].astype(np.float32)
    )


def recorded_distance(clip: Clip) -> np.ndarray:
    return find_touches(BODY, clip.betas, clip.pose, clip.rest_joints).distance


def test_a_handshake_is_never_mirrored_and_a_hug_is(hug: Clip) -> None:
    for kind, expected in (("handshake", False), ("Handshake", False), ("hug", True)):
        (clip,) = clips_of(recording_of(hug, kind), SOURCE, BODY, 0.013)
        assert clip.is_mirrorable is expected


def test_a_smaller_threshold_finds_fewer_touches(hug: Clip) -> None:
    counts = [
        len(clips_of(recording_of(hug), SOURCE, BODY, threshold)[0].contacts)
        for threshold in (0.003, 0.013, 0.03)
    ]
    assert counts == sorted(set(counts))


# ------------------------------------------------------------------------------------ a data set
def test_a_data_set_becomes_windows_and_the_broken_file_is_named(
    data_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("amass-pair", data_set, "-o", tmp_path, "--workers", 1) == 0
    told = capsys.readouterr()
    assert "skipped broken: " in told.err
    assert "broken_P2.npz" in told.err
    assert "4 recordings; 1 could not be read, in 1 nobody touches" in told.out
    manifest = read_manifest(tmp_path)
    assert list(manifest.skipped) == ["broken"]
    assert manifest.options["body"] == NEUTRAL_BODY
    clips = load_clips(tmp_path, verify=True)
    assert set(clips.sources) == {"hug_a", "hug_b"}
    assert set(clips.captions) == {("two people meet",)}
    np.testing.assert_allclose(clips.betas, 0, atol=1e-4)
    batch = WindowSampler(clips=clips, subset=np.arange(len(clips))).draw(
        8, np.random.default_rng(0)
    )
    assert np.isfinite(batch.motion).all()


def test_an_import_of_nothing_but_broken_files_fails(tmp_path: Path, hug: Clip) -> None:
    write_pair(tmp_path, "broken", hug)
    (tmp_path / "broken_P1.npz").write_bytes(b"not an archive")
    with pytest.raises(
        InputError, match=r"1 recordings; 1 could not be read.*nothing was imported"
    ):
        run("amass-pair", tmp_path, "-o", tmp_path / "out")


def test_an_import_with_another_threshold_goes_to_another_folder(
    data_set: Path, tmp_path: Path
) -> None:
    run("amass-pair", data_set, "-o", tmp_path, "--limit", 2)
    with pytest.raises(ConfigError, match=r"threshold_cm 1\.3, not 2\.0"):
        run("amass-pair", data_set, "-o", tmp_path, "--limit", 2, "--threshold-cm", 2)


def test_a_killed_import_goes_on_where_it_stopped(
    data_set: Path, tmp_path: Path, hug: Clip
) -> None:
    """The last source is a pipe: who opens it knows that all others are imported."""
    root, folder = tmp_path / "source", tmp_path / "out"
    root.mkdir()
    write_pair(root, "a", hug)
    write_pair(root, "b", hug)
    ready = (root / "b_P1.npz").rename(tmp_path / "ready.npz")
    os.mkfifo(root / "b_P1.npz")
    code = (
        "from pathlib import Path; from trainer.data.importing import import_job; "
        f"import_job(Path({str(folder)!r}), 'amass-pair', Path({str(root)!r}), "
        "sources_in_shard=1).run()"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment)
    with (root / "b_P1.npz").open("wb"):
        process.send_signal(signal.SIGKILL)
        process.wait()
    finished = read_manifest(folder)
    assert [shard.name for shard in finished.shards] == ["shard-00000"]
    kept = (folder / "shard-00000" / "features.npy").stat().st_ino
    (root / "b_P1.npz").unlink()
    ready.rename(root / "b_P1.npz")
    import_job(folder, "amass-pair", root, sources_in_shard=1).run()
    assert (folder / "shard-00000" / "features.npy").stat().st_ino == kept
    assert load_clips(folder, verify=True).sources == ("a", "b")


def test_shape_coordinates_are_kept_on_the_body_they_belong_to_and_fitted_on_another(
    hug: Clip, tmp_path: Path
) -> None:
    with np.load(PACKAGED_BODY) as packaged:
        arrays = {key: packaged[key] for key in KEYS}
    missing = 10475 - len(BODY.template)  # as many vertices as SMPL-X; the new ones on no face
    for key, axis in (("v_template", 0), ("shapedirs", 0), ("weights", 0), ("J_regressor", 1)):
        extra = np.repeat(arrays[key].take([-1], axis=axis), missing, axis=axis)
        arrays[key] = np.concatenate([arrays[key], extra * (key != "J_regressor")], axis=axis)
    np.savez(tmp_path / "smplx.npz", **arrays)
    recording = replace(recording_of(hug), body_kind="smplx")
    (own,) = clips_of(recording, SOURCE, load_body(tmp_path / "smplx.npz"), 0.013)
    (other,) = clips_of(recording, SOURCE, BODY, 0.013)
    np.testing.assert_array_equal(own.betas, hug.betas)
    assert not np.array_equal(other.betas, hug.betas)
    lengths = bone_lengths(BODY.rest_joints(other.betas)) - bone_lengths(hug.rest_joints)
    assert np.abs(lengths).max() < 0.005
    assert own.anchor_frames == thinned(recorded_distance(hug))
