"""The processing size in simulated runs: it settles, stays, and comes back."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from realtime.live.size_control import SHARES, SizeControl, may_adapt
from realtime.sources import DemoSource, PictureSource
from tests.fakes import FakeClock

TARGET_FPS = 30.0
Work = Callable[[float, float], float]  # share, seconds since the start -> seconds for a frame


def work_of(full_ms: float, fixed_ms: float = 3.0, spread: float = 0.1, seed: int = 0) -> Work:
    """Painting that grows with the pixels, a part that does not, and noise."""
    random = np.random.default_rng(seed)
    return lambda share, _: (fixed_ms + (full_ms - fixed_ms) * share**2) / 1000 * random.lognormal(0, spread)


def simulate(
    clock: FakeClock, work: Work, seconds: float, source_fps: float = 30.0, painting: float = 0.9, told: bool = False
) -> list[float]:
    """The share of every frame of a run: newest frame wins, so a slow frame delays only the next.

    Args:
        told: whether the control knows the source's rate.
    """
    control = SizeControl(TARGET_FPS, clock)
    began, shares = clock(), []
    share = control.share
    while clock() - began < seconds:
        took = work(share, clock() - began)
        clock.advance(took)
        share = control.frame_done(took, took * painting, 1 / source_fps if told else 0.0)
        shares.append(share)
        clock.advance(max(0.0, 1 / source_fps - took))
    return shares


def changes(shares: list[float]) -> int:
    return sum(before != after for before, after in itertools.pairwise(shares))


def test_machine_that_is_fast_enough_works_at_full_size(clock: FakeClock) -> None:
    assert set(simulate(clock, work_of(28), 60)) == {1.0}


@pytest.mark.parametrize("full_ms", [40.0, 60.0, 100.0, 180.0])
@pytest.mark.parametrize("seed", range(3))
def test_slow_machine_settles_where_it_holds_the_rate(clock: FakeClock, full_ms: float, seed: int) -> None:
    shares = simulate(clock, work_of(full_ms, seed=seed), 90)
    settled = shares[len(shares) // 2 :]
    assert changes(settled) <= 2  # no going back and forth
    work_ms = 3 + (full_ms - 3) * settled[-1] ** 2
    assert work_ms <= 1000 / TARGET_FPS * 1.02
    assert work_ms >= 1000 / TARGET_FPS * 0.65  # and not smaller than it must be


def test_larger_size_has_to_fit_with_all_that_is_not_painting(clock: FakeClock) -> None:
    shares = simulate(clock, work_of(45, fixed_ms=20), 90, painting=0.5)
    settled = shares[len(shares) // 2 :]
    assert changes(settled) <= 2
    assert 20 + 25 * settled[-1] ** 2 <= 1000 / TARGET_FPS * 1.02


def test_it_gets_there_in_seconds(clock: FakeClock) -> None:
    shares = simulate(clock, work_of(100), 15)
    assert 3 + 97 * shares[-1] ** 2 <= 1000 / TARGET_FPS * 1.02


def test_no_step_is_large(clock: FakeClock) -> None:
    shares = simulate(clock, work_of(150), 60)
    assert min(after / before for before, after in itertools.pairwise(shares)) > 0.86


def test_load_that_passes_is_recovered_from(clock: FakeClock) -> None:
    slow, free = work_of(90), work_of(20)
    shares = simulate(clock, lambda share, at_s: slow(share, at_s) if at_s < 20 else free(share, at_s), 120)
    assert min(shares) < 0.75
    assert shares[-1] == 1.0


def test_full_size_returns_where_it_leaves_an_eighth_to_spare(clock: FakeClock) -> None:
    """720p on two cores: something else ran for a while; full size would take 28 of 33 ms."""
    slow, free = work_of(60), work_of(28, spread=0.03)
    shares = simulate(clock, lambda share, at_s: slow(share, at_s) if at_s < 10 else free(share, at_s), 60)
    assert min(shares) < 0.9
    assert shares[-1] == 1.0


def test_single_slow_frames_change_nothing(clock: FakeClock) -> None:
    number = itertools.count()
    work = work_of(25)
    assert set(simulate(clock, lambda share, at_s: 0.2 if next(number) % 20 == 0 else work(share, at_s), 60)) == {1.0}


def test_a_first_frame_that_takes_long_changes_nothing(clock: FakeClock) -> None:
    """One frame alone is none to judge by: memory and caches are filled by it."""
    number, work = itertools.count(), work_of(25)
    assert set(simulate(clock, lambda share, at_s: work(share, at_s) if next(number) else 2.0, 10)) == {1.0}


def test_machine_that_lies_between_two_sizes_does_not_swing(clock: FakeClock) -> None:
    """A larger size that always looks as if it would fit, and never does, is tried less and less often."""
    shares = simulate(clock, lambda share, _: 0.040 if share > 0.9 else 0.020, 600)
    assert changes(shares) <= 20
    assert changes(shares[-len(shares) // 5 :]) <= 2  # the last two minutes


def test_two_steps_are_taken_at_a_time_where_it_is_far_too_slow(clock: FakeClock) -> None:
    first_change = [share for share in simulate(clock, work_of(60, spread=0.0), 5) if share < 1][0]  # noqa: RUF015
    assert first_change == SHARES[2]
    first_change = [share for share in simulate(clock, work_of(38, spread=0.0), 5) if share < 1][0]  # noqa: RUF015
    assert first_change == SHARES[1]


def test_a_larger_size_that_settled_is_no_mistake_later(clock: FakeClock) -> None:
    """After a step up that proved wrong the next one is waited for longer, but not for ever."""

    def drive(control: SizeControl, seconds: float, full_ms: float, until_larger: bool = False) -> float:
        """Seconds until the size grew, or all of them."""
        began = clock()
        while clock() - began < seconds:
            before = control.share
            work_s = (3 + (full_ms - 3) * before**2) / 1000
            clock.advance(max(work_s, 1 / 30))
            if control.frame_done(work_s, work_s * 0.9) > before and until_larger:
                break
        return clock() - began

    control = SizeControl(TARGET_FPS, clock)
    drive(control, 4.0, 60.0)
    usual_s = drive(control, 60.0, 5.0, until_larger=True)
    drive(control, 3.0, 120.0)  # the step up was a mistake
    longer_s = drive(control, 60.0, 5.0, until_larger=True)
    assert longer_s > 1.5 * usual_s
    drive(control, 300.0, 5.0)  # up to full size, and it holds
    drive(control, 4.0, 60.0)
    assert drive(control, 60.0, 5.0, until_larger=True) == pytest.approx(usual_s, abs=1.0)


def test_slow_source_is_not_taken_for_a_slow_machine(clock: FakeClock) -> None:
    assert set(simulate(clock, work_of(28), 60, source_fps=5)) == {1.0}


@pytest.mark.parametrize(("source_fps", "full_ms"), [(10.0, 80.0), (15.0, 58.0)])
def test_slow_source_leaves_its_frames_their_time(clock: FakeClock, source_fps: float, full_ms: float) -> None:
    assert set(simulate(clock, work_of(full_ms), 60, source_fps, told=True)) == {1.0}


def test_machine_that_is_slower_than_a_slow_source_follows_the_source(clock: FakeClock) -> None:
    share = simulate(clock, work_of(150), 60, source_fps=15, told=True)[-1]
    assert 1 / 30 < (3 + 147 * share**2) / 1000 <= 1 / 15 * 1.02


def test_what_painting_is_not_the_reason_of_is_not_paid_for_with_it(clock: FakeClock) -> None:
    """A display over a slow line takes its time whatever the size is."""
    assert set(simulate(clock, lambda share, at_s: 0.08, 60, painting=0.1)) == {1.0}


def test_smallest_size_is_the_end(clock: FakeClock) -> None:
    shares = simulate(clock, lambda share, at_s: 1.0, 200)
    assert shares[-1] == SHARES[-1]
    assert 0.35 <= SHARES[-1] < 0.38


def test_only_what_moves_at_its_own_pace_is_made_smaller(tmp_path: Path) -> None:
    assert may_adapt(DemoSource(), None)
    assert not may_adapt(DemoSource(), (320, 240))  # the user's word
    assert not may_adapt(DemoSource(paced=False), None)  # a film: every frame, at full size
    assert not may_adapt(PictureSource(tmp_path / "still.png", repeated=True), None)


def test_frames_are_judged_against_the_target(clock: FakeClock) -> None:
    control = SizeControl(60.0, clock)
    for _ in range(200):
        clock.advance(0.025)
        control.frame_done(0.025, 0.02)
    assert control.share < 1.0  # 25 ms are enough for 30 frames a second, not for 60
