"""Pictures show the people, keep them in view, and land in files of the right kind."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.body.shape import Body, load_body
from engine.errors import InputError
from engine.formats.render import (
    LEAST_HEIGHT,
    contact_sheet,
    render_frames,
    write_animation,
    write_gif,
    write_mp4,
)
from engine.motion.motion import Motion

SIZE = (160, 120)


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body()


def standing(people: int, frames: int = 6) -> Motion:
    """People 1 m apart along x; the first walks away along z."""
    quats = np.zeros((people, frames, 22, 4), np.float32)
    quats[..., 3] = 1
    transl = np.zeros((people, frames, 3), np.float32)
    transl[:, :, 0] = 1.6 * np.arange(people)[:, None]
    transl[:, :, 1] = 1.3
    transl[0, :, 2] = np.linspace(0, 1, frames)
    return Motion(quats_xyzw=quats, transl=transl, betas=np.zeros((people, 10), np.float32))


def hues(image: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """Masks (height, width) of pixels of the player's and of the partner's colour."""
    red, _, blue = np.moveaxis(np.asarray(image).astype(int), -1, 0)
    return red - blue > 40, blue - red > 40


def test_pictures_are_the_same_whoever_draws_them(
    body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn(cores: int) -> list[bytes]:
        monkeypatch.setattr(os, "cpu_count", lambda: cores)
        return [image.tobytes() for image in render_frames(standing(2, 9), body, SIZE)]

    alone = drawn(1)
    assert drawn(3) == alone
    assert len(set(alone)) == 9


def test_both_people_are_in_view_player_left_in_every_frame(body: Body) -> None:
    for image in render_frames(standing(2), body, SIZE):
        assert image.size == SIZE
        player, partner = hues(image)
        assert player.sum() > 150
        assert partner.sum() > 150
        assert np.nonzero(player)[1].mean() < np.nonzero(partner)[1].mean()
        for mask in (player, partner):
            assert not mask[[0, -1]].any()
            assert not mask[:, [0, -1]].any()


def walking(people: int, metres: float, frames: int = 16) -> Motion:
    """The first walks away along x; the others stay where they are."""
    motion = standing(people, frames)
    motion.transl[0, :, 2] = -1
    motion.transl[0, :, 0] = np.linspace(0, metres, frames)
    return replace(motion, frame_rate=frames / 15)


@pytest.mark.parametrize("people", [1, 2])
def test_who_walks_far_stays_large_and_in_view(body: Body, people: int) -> None:
    for image in render_frames(walking(people, metres=20), body, SIZE):
        player, _ = hues(image)
        rows = np.flatnonzero(player.any(axis=1))
        assert np.ptp(rows) + 1 >= LEAST_HEIGHT * SIZE[1]
        assert not player[[0, -1]].any()
        assert not player[:, [0, -1]].any()


@pytest.mark.parametrize(("metres", "follows"), [(1.0, False), (20.0, True)])
def test_the_floor_passes_by_only_when_the_camera_follows(
    body: Body, metres: float, follows: bool
) -> None:
    frames = list(render_frames(walking(1, metres), body, SIZE, time_code=False))
    unshaded = [np.asarray(image)[-8:, :20] for image in frames]
    assert all(np.any(now != then) == follows for now, then in pairwise(unshaded))


def test_one_person_is_drawn_alone(body: Body) -> None:
    (image,) = render_frames(standing(1, frames=1), body, SIZE)
    player, partner = hues(image)
    assert player.sum() > 150
    assert not partner.any()


def test_hands_are_drawn_as_they_are_bent(body: Body) -> None:
    """A fist shows less of a hand than open fingers do."""

    def drawn(curl: float | None) -> np.ndarray:
        motion = standing(1, 1)
        curls = None if curl is None else np.full((1, 1, 10), curl, np.float32)
        (image,) = render_frames(replace(motion, curls=curls), body, (640, 480), time_code=False)
        return hues(image)[0]

    still, flat, fist = drawn(None), drawn(0.0), drawn(1.0)
    assert fist.sum() < flat.sum() - 50
    assert fist.sum() < still.sum() - 50


def test_the_nearer_person_hides_the_other(body: Body) -> None:
    motion = standing(2, frames=1)
    motion.transl[:, 0] = [[0, 1.3, 0], [0, 1.3, 0.02]]
    motion.betas[:, 0] = [-2, 2]
    (image,) = render_frames(motion, body, SIZE)
    player, partner = hues(image)
    assert partner.sum() > 3 * player.sum()


def test_pictures_are_the_same_bits_each_time(body: Body) -> None:
    first, second = (next(render_frames(standing(2), body, SIZE)).tobytes() for _ in range(2))
    assert first == second


def test_stride_skips_frames_and_the_caption_is_written(body: Body) -> None:
    plain = list(render_frames(standing(1), body, SIZE, stride=2, time_code=False))
    written = list(render_frames(standing(1), body, SIZE, stride=2, caption="wave"))
    assert len(plain) == len(written) == 3
    assert np.any(np.asarray(plain[0])[:20] != np.asarray(written[0])[:20])


def test_a_contact_sheet_has_a_tile_for_each_moment(body: Body) -> None:
    sheet = contact_sheet(standing(2), body, columns=3, rows=2, tile=(100, 90))
    assert sheet.size == (300, 180)
    short = contact_sheet(standing(2, frames=2), body, columns=3, rows=2, tile=(100, 90))
    assert short.size == (300, 90)


def test_a_gif_keeps_frames_time_and_colours(tmp_path: Path, body: Body) -> None:
    frames = list(render_frames(standing(2), body, SIZE))
    path = tmp_path / "pair.gif"
    write_gif(path, frames, 10)
    with Image.open(path) as gif:
        assert getattr(gif, "n_frames", 1) == len(frames)
        assert gif.info["duration"] == 100
        error = np.abs(np.asarray(gif.convert("RGB"), float) - np.asarray(frames[0], float))
        assert error.mean() < 3


def test_an_mp4_keeps_frames_and_rate(tmp_path: Path, body: Body) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "pair.mp4"
    write_mp4(path, render_frames(standing(2), body, SIZE), 10)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == 10
        assert len(list(container.decode(stream))) == 6


def test_the_suffix_chooses_the_writer(tmp_path: Path, body: Body) -> None:
    write_animation(tmp_path / "sheet.png", standing(1, frames=1), body)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.format == "PNG"
    with pytest.raises(InputError, match=r"expected \.gif, \.mp4 or \.png"):
        write_animation(tmp_path / "pair.avi", standing(1, frames=1), body)
    with pytest.raises(InputError, match="no frames"):
        write_gif(tmp_path / "empty.gif", [], 10)
