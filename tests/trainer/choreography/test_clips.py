"""What must hold in every clip that the data maker makes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.arrays import Array
from engine.body.rotations import quat_from_rotmat, rotmat_about
from engine.body.shape import load_body
from engine.body.skeleton import JOINT
from engine.commands.play import DEMO_PLAYER
from engine.errors import InputError
from engine.formats import read_motion, write_motion
from engine.motion.motion import Motion, pose_from_features
from engine.motion.standing import standing_pose
from tests.builders import joints_of_clip
from trainer.choreography.base_motion import RATE, load_recordings
from trainer.choreography.clips import KINDS, make_clip, synth_job
from trainer.data.shards import NOBODY, PARTNER, PLAYER, Clip, load_clips

SEEDS = (11, 12)
SIDES = ("left", "right")


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return [make_clip(seed, kind=kind) for kind in KINDS for seed in SEEDS]


def of_kind(clips: list[Clip], kind: str) -> list[Clip]:
    return [clip for clip in clips if clip.kind == kind]


def flexion(joints: Array, upper: str, middle: str, end: str) -> Array:
    """Angle in radians by which a limb is bent, 0 when straight."""
    a = joints[..., JOINT[middle], :] - joints[..., JOINT[upper], :]
    b = joints[..., JOINT[end], :] - joints[..., JOINT[middle], :]
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return np.arccos(np.clip(np.sum(a * b, axis=-1) / lengths, -1, 1))


def test_the_kinds_that_people_ask_for_are_made() -> None:
    wanted = {"handshake", "high_five", "hug", "wave", "push", "bow"}
    wanted |= {"pat_shoulder", "hand_over", "point_and_look"}
    assert wanted | {"face_and_follow", "idle_together", "dance"} <= set(KINDS)


def test_the_same_seed_gives_the_same_bits() -> None:
    for kind in ("handshake", "face_and_follow"):
        first, second = make_clip(5, kind=kind), make_clip(5, kind=kind)
        np.testing.assert_array_equal(first.pose.rotmats, second.pose.rotmats)
        np.testing.assert_array_equal(first.pose.transl, second.pose.transl)
        assert first.captions == second.captions


def test_another_seed_gives_another_clip() -> None:
    first, second = make_clip(5, kind="hug"), make_clip(6, kind="hug")
    assert not np.array_equal(first.betas, second.betas)
    assert not np.array_equal(first.pose.transl[:, :30], second.pose.transl[:, :30])


def test_a_clip_is_longer_than_a_window_and_not_endless(clips: list[Clip]) -> None:
    for clip in clips:
        least, most = (200, 600) if clip.kind == "idle_together" else (31, 130)
        assert least <= clip.pose.transl.shape[1] <= most


def test_while_nobody_begins_the_partner_keeps_both_hands_down(clips: list[Clip]) -> None:
    calm = of_kind(clips, "idle_together")
    assert {clip.leads for clip in calm} == {NOBODY}
    for clip in calm:
        joints = joints_of_clip(clip)[PARTNER]
        for side in SIDES:
            wrist, hip = joints[:, JOINT[f"{side}_wrist"], 1], joints[:, JOINT[f"{side}_hip"], 1]
            assert (wrist - hip).max() < 0.15
    assert {clip.leads for clip in clips if clip.kind != "idle_together"} == {PLAYER, PARTNER}


def test_each_clip_has_five_wordings_or_more(clips: list[Clip]) -> None:
    for clip in clips:
        assert len(set(clip.captions)) >= 5


def test_rotations_are_proper(clips: list[Clip]) -> None:
    for clip in clips:
        product = clip.pose.rotmats @ np.swapaxes(clip.pose.rotmats, -1, -2)
        np.testing.assert_allclose(product, np.broadcast_to(np.eye(3), product.shape), atol=1e-5)
        np.testing.assert_allclose(np.linalg.det(clip.pose.rotmats), 1, atol=1e-5)


def test_no_joint_is_faster_than_people_are(clips: list[Clip]) -> None:
    for clip in clips:
        steps = np.linalg.norm(np.diff(joints_of_clip(clip), axis=1), axis=-1)
        assert steps.max() * 10 < 8.0, clip.kind


def test_feet_stay_above_the_floor_and_stand_on_it(clips: list[Clip]) -> None:
    body = load_body()
    feet = [JOINT[f"{side}_{part}"] for side in SIDES for part in ("ankle", "foot")]
    for clip in clips:
        joints = joints_of_clip(clip)
        for person in range(2):
            sole = body.rest_vertices(clip.betas[person])[:, 1].min()
            above = joints[person][:, feet, 1] - (clip.rest_joints[person][feet, 1] - sole)
            assert above.min() > -0.02, clip.kind
            assert above.min(axis=1).max() < 0.03, clip.kind


def test_a_planted_foot_does_not_move(clips: list[Clip]) -> None:
    for clip in clips:
        joints = joints_of_clip(clip)
        for side in SIDES:
            ball = joints[:, :, JOINT[f"{side}_foot"]]
            lowest = ball[..., 1].min(axis=1, keepdims=True)
            is_down = ball[..., 1] < lowest + 0.003
            moved = np.linalg.norm(np.diff(ball[..., [0, 2]], axis=1), axis=-1)
            is_planted = is_down[:, 1:] & is_down[:, :-1]
            assert is_planted.any()
            assert np.quantile(moved[is_planted], 0.99) < 0.002, clip.kind


def test_knees_bend_backward_and_are_never_locked(clips: list[Clip]) -> None:
    for clip in clips:
        joints, world = clip.pose.in_world(clip.rest_joints[:, None])
        for side in SIDES:
            shin = joints[..., JOINT[f"{side}_ankle"], :] - joints[..., JOINT[f"{side}_knee"], :]
            thigh = world[..., JOINT[f"{side}_hip"], :, :]
            behind = -np.einsum("ptij,pti->ptj", thigh, shin)[..., 2]
            bend = flexion(joints, f"{side}_hip", f"{side}_knee", f"{side}_ankle")
            assert behind.min() > 0, clip.kind
            assert np.degrees(bend.min()) > 2, clip.kind
            assert np.degrees(bend.max()) < 120, clip.kind


def test_elbows_bend_forward(clips: list[Clip]) -> None:
    for clip in clips:
        joints, world = clip.pose.in_world(clip.rest_joints[:, None])
        for side in SIDES:
            arm = world[..., JOINT[f"{side}_shoulder"], :, :]
            forearm = (
                joints[..., JOINT[f"{side}_wrist"], :] - joints[..., JOINT[f"{side}_elbow"], :]
            )
            before = np.einsum("ptij,pti->ptj", arm, forearm)[..., 2]
            bend = flexion(joints, f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist")
            assert before.min() > -0.01, clip.kind
            assert np.degrees(bend.max()) < 155, clip.kind


def contact_distances(clip: Clip) -> list[float]:
    joints = joints_of_clip(clip)
    return [float(np.linalg.norm(joints[0, f, a] - joints[1, f, b])) for f, a, b in clip.contacts]


def test_hands_meet_in_a_handshake(clips: list[Clip]) -> None:
    for clip in of_kind(clips, "handshake"):
        assert clip.contacts
        assert all(0.10 < distance < 0.20 for distance in contact_distances(clip))


def test_palms_meet_in_a_high_five(clips: list[Clip]) -> None:
    for clip in of_kind(clips, "high_five"):
        assert clip.contacts
        assert all(0.03 < distance < 0.12 for distance in contact_distances(clip))


def test_chests_are_close_in_a_hug(clips: list[Clip]) -> None:
    for clip in of_kind(clips, "hug"):
        assert all(0.25 < distance < 0.70 for distance in contact_distances(clip))


def test_anchor_frames_lie_in_the_clip(clips: list[Clip]) -> None:
    for clip in clips:
        assert clip.anchor_frames
        assert all(0 <= frame < clip.pose.transl.shape[1] for frame in clip.anchor_frames)


def test_the_pushed_one_is_driven_away(clips: list[Clip]) -> None:
    for clip in of_kind(clips, "push"):
        ground = joints_of_clip(clip)[:, :, 0][..., [0, 2]]
        apart = np.linalg.norm(ground[0] - ground[1], axis=-1)
        hit = clip.anchor_frames[0]
        assert apart[hit : hit + 15].max() > apart[hit] + 0.15


def test_the_partner_keeps_facing_a_player_who_walks_about(clips: list[Clip]) -> None:
    for clip in of_kind(clips, "face_and_follow"):
        joints, world = clip.pose.in_world(clip.rest_joints[:, None])
        away = joints[0, :, 0] - joints[1, :, 0]
        forward = world[1, :, JOINT["spine3"], :, 2]
        cosine = np.sum((away * forward)[:, [0, 2]], axis=-1) / np.linalg.norm(
            away[:, [0, 2]], axis=-1
        )
        distance = np.linalg.norm(away[:, [0, 2]], axis=-1)
        assert np.median(cosine) > 0.9
        assert distance.min() > 0.5
        assert np.median(distance) < 3.0


def test_clips_read_back_as_they_were_made(tmp_path: Path) -> None:
    synth_job(tmp_path, count=2, seed=4).run()
    stored = load_clips(tmp_path, verify=True)
    first, second = (make_clip(int(source.split(":")[1])) for source in stored.sources)
    pose = pose_from_features(stored.motion_of(1).swapaxes(0, 1))
    np.testing.assert_allclose(pose.rotmats, second.pose.rotmats, atol=1e-5)
    np.testing.assert_array_equal(pose.transl, second.pose.transl)
    np.testing.assert_array_equal(stored.rest_joints[0], first.rest_joints)
    np.testing.assert_array_equal(stored.betas[0], first.betas)
    assert stored.contacts == (first.contacts, second.contacts)
    assert stored.captions == (first.captions, second.captions)
    assert tuple(stored.anchor_frames[0]) == first.anchor_frames


def written_by_us(folder: Path) -> None:
    """Half a minute of someone who stands and sways, and a player who walks."""
    body, seconds = load_body(), np.arange(0, 30, 1 / RATE)
    rotmats = np.tile(standing_pose(), (len(seconds), 1, 1, 1))
    rotmats[:, JOINT["spine1"]] = rotmat_about("z", 0.02 * np.sin(1.3 * seconds))
    transl = np.zeros((len(seconds), 3))
    transl[:, 0] = 0.01 * np.sin(0.7 * seconds)
    sways = Motion(
        quats_xyzw=quat_from_rotmat(rotmats)[None].astype(np.float32),
        transl=transl[None].astype(np.float32),
        betas=np.zeros((1, 10), np.float32),
        frame_rate=RATE,
    )
    write_motion(folder / "sways.bvh", sways, body)
    write_motion(folder / "walks.bvh", read_motion(DEMO_PLAYER), body)


@pytest.fixture(params=["ours", "recorded"])
def recordings(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "ours":
        written_by_us(tmp_path)
        return tmp_path
    folder = request.getfixturevalue("recordings_dir")
    for name in ("cmu02/02.asf", "cmu02/02_04.amc", "idle/003_genuine.bvh"):
        (tmp_path / Path(name).name).symlink_to(folder / name)
    return tmp_path


def test_recordings_lend_life_and_players(recordings: Path) -> None:
    base = load_recordings([recordings])
    life = base.life(100, np.random.default_rng(0))
    assert 0 < np.abs(life.shift).max() < 0.1
    for seed in range(3):
        clip = make_clip(seed, kind="face_and_follow", base=base)
        steps = np.linalg.norm(np.diff(joints_of_clip(clip), axis=1), axis=-1)
        assert steps.max() * 10 < 9.0
        assert joints_of_clip(clip)[..., 1].min() > -0.02


def test_a_folder_without_a_standing_person_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="base-motion"):
        load_recordings([tmp_path])
