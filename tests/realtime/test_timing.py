"""Rates, latencies and percentiles, by a clock that is told the time."""

from __future__ import annotations

from collections import deque

import pytest

from realtime.timing import STAGES, RunTimes, percentile
from tests.fakes import FakeClock


def show(times: RunTimes, clock: FakeClock, count: int, interval_s: float, latency_s: float = 0.02) -> None:
    """Shows frames at a steady rate."""
    for _ in range(count):
        clock.advance(interval_s)
        times.frame_shown(clock() - latency_s)


def test_rate_is_frames_less_one_over_the_time_from_first_to_last(clock: FakeClock) -> None:
    times = RunTimes(clock)
    show(times, clock, 21, 0.05)
    assert times.shown == 21
    assert times.seconds == pytest.approx(1.0)
    assert times.fps == pytest.approx(20.0)


def test_nothing_shown_gives_zeros(clock: FakeClock) -> None:
    times = RunTimes(clock)
    assert times.fps == times.seconds == times.recent_fps == times.recent_latency_ms == 0.0
    assert times.first_shown_s is None
    assert times.latencies_ms() == {"p50": 0.0, "p95": 0.0, "p99": 0.0}


def test_one_frame_has_no_rate(clock: FakeClock) -> None:
    times = RunTimes(clock)
    show(times, clock, 1, 0.1)
    assert times.first_shown_s == times.last_shown_s == clock()
    assert times.fps == times.recent_fps == times.seconds == 0.0


def test_recent_figures_forget_what_is_older_than_a_second(clock: FakeClock) -> None:
    times = RunTimes(clock)
    show(times, clock, 50, 0.1, latency_s=0.5)
    show(times, clock, 60, 0.02, latency_s=0.01)
    assert times.recent_fps == pytest.approx(50.0)
    assert times.recent_latency_ms == pytest.approx(10.0)


@pytest.mark.parametrize(("later_s", "fps", "latency_ms"), [(1.5, 50.0, 10.0), (60.0, 0.0, 0.0)])
def test_recent_figures_end_where_no_frame_comes_any_more(
    clock: FakeClock, later_s: float, fps: float, latency_ms: float
) -> None:
    times = RunTimes(clock)
    show(times, clock, 60, 0.02, latency_s=0.01)
    clock.advance(later_s)
    assert (times.recent_fps, times.recent_latency_ms) == pytest.approx((fps, latency_ms))
    show(times, clock, 60, 0.02, latency_s=0.01)
    assert times.recent_fps == pytest.approx(50.0)


def test_latency_percentiles(clock: FakeClock) -> None:
    times = RunTimes(clock)
    for latency_ms in range(1, 102):
        times.frame_shown(clock() - latency_ms / 1000)
    assert times.latencies_ms() == {"p50": 51.0, "p95": 96.0, "p99": 100.0}


def test_stage_medians(clock: FakeClock) -> None:
    times = RunTimes(clock)
    for seconds in (0.001, 0.002, 0.3):
        with times.stage("style"):
            clock.advance(seconds)
    assert times.stage_medians_ms() == {"capture": 0.0, "style": 2.0, "composite": 0.0, "present": 0.0}


def test_stages_are_those_of_the_report() -> None:
    assert STAGES == ("capture", "style", "composite", "present")


@pytest.mark.parametrize(
    ("values", "share", "expected"), [([], 50, 0.0), ([7.0], 99, 7.0), ([1.0, 2.0], 50, 1.5), ([4.0, 1.0, 3.0, 2.0], 100, 4.0)]
)
def test_percentile(values: list[float], share: float, expected: float) -> None:
    assert percentile(values, share) == pytest.approx(expected)
    assert percentile(deque(values), share) == pytest.approx(expected)
