"""Another frame rate tells the same motion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.body.rotations import axis_angle_from_rotmat, geodesic_angle
from engine.errors import InputError
from engine.formats import resampled
from tests.data.make_motion_files import wave


@pytest.mark.parametrize(
    ("rate", "frames"), [(10.0, 11), (30.0, 31), (5.0, 6), (24.0, 25), (7.0, 8)]
)
def test_the_duration_stays(rate: float, frames: int) -> None:
    assert (resampled(wave(), rate).frames, resampled(wave(), rate).frame_rate) == (frames, rate)


def test_frames_that_both_rates_have_stay_as_they_are() -> None:
    found = resampled(wave(), 30.0)
    np.testing.assert_allclose(found.transl[:, ::3], wave().transl, atol=1e-6)
    assert geodesic_angle(found.rotmats[:, ::3], wave().rotmats).max() < 1e-3


@settings(max_examples=20)
@given(st.integers(2, 24))
def test_going_up_and_down_again_changes_nothing(times: int) -> None:
    back = resampled(resampled(wave(), 10.0 * times), 10.0)
    np.testing.assert_allclose(back.transl, wave().transl, atol=1e-5)
    assert geodesic_angle(back.rotmats, wave().rotmats).max() < 1e-3


def test_rotations_take_the_shortest_arc_at_a_steady_speed() -> None:
    root = resampled(wave(), 100.0).rotmats[0, :, 0]
    turn = axis_angle_from_rotmat(np.swapaxes(root[:-1], -1, -2) @ root[1:])
    np.testing.assert_allclose(turn[:, 1], turn[:, 1].mean(), atol=1e-3)


def test_a_single_frame_stays_one() -> None:
    one = wave(frames=1)
    assert resampled(one, 30.0).frames == 1


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(InputError, match=r"expected frames a second, 0\.01 to"):
        resampled(wave(), rate)
