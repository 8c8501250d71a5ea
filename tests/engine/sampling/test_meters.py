"""What the meters say of a virtual clock's last seconds."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sampling.meters import BusyMeter, PeakMeter


def test_a_meter_says_which_part_of_the_last_seconds_was_busy() -> None:
    meter = BusyMeter(0.0, span_s=4.0)
    for tenth in range(1, 101):
        meter.add(tenth / 10, 0.05)
    assert meter.fraction(10.0) == pytest.approx(0.5, abs=0.05)


def test_a_meter_forgets_after_its_span_and_counts_anew() -> None:
    meter = BusyMeter(0.0, span_s=4.0)
    meter.add(1.0, 1.0)
    assert meter.fraction(1.0) == pytest.approx(1.0)
    assert meter.fraction(100.0) == 0.0
    meter.add(101.0, 1.0)
    assert meter.fraction(101.0) == pytest.approx(0.25)


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 1)), max_size=200))
def test_a_meter_stays_within_bounds(works: list[tuple[float, float]]) -> None:
    meter, now = BusyMeter(0.0), 0.0
    for pause, busy in works:
        now += pause + busy
        meter.add(now, busy)
        assert 0 <= meter.fraction(now) <= 1
        assert len(pickle.dumps(meter)) < 1000


def test_a_peak_is_the_largest_of_the_last_seconds() -> None:
    meter = PeakMeter(span_s=10.0)
    for at, value in ((0.0, 5.0), (1.0, 9.0), (2.0, 3.0), (8.0, 4.0)):
        meter.add(at, value)
    assert meter.peak(8.0) == 9.0
    assert meter.peak(11.5) == 4.0
    assert meter.peak(30.0) == 0.0
