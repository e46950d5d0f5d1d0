"""The reader thread: policies, ends, errors, and cameras that are lost, hang or freeze."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np
import pytest

from realtime.capture import Capture, CaptureState, Policy
from realtime.errors import SourceError
from realtime.frame import Frame
from tests.fakes import (
    Block,
    End,
    FakeClock,
    ScriptedSource,
    Session,
    Step,
    camera_that_changes_size,
    camera_that_hangs,
    file_of,
    file_that_fails,
    flat_picture,
    noisy_picture,
    source_without_beginning,
    wait_until,
)

StartCapture = Callable[..., Capture]


@pytest.fixture
def start_capture(monkeypatch: pytest.MonkeyPatch) -> Iterator[StartCapture]:
    """Starts captures that wait in milliseconds, and ends them and their blocked sources after the test."""
    monkeypatch.setattr("realtime.capture._FIRST_BACK_OFF_S", 0.001)
    monkeypatch.setattr("realtime.capture._LONGEST_BACK_OFF_S", 0.002)
    monkeypatch.setattr("realtime.capture._JOIN_S", 20.0)
    started: list[Capture] = []

    def start(source: ScriptedSource, policy: Policy = Policy.EVERY, **options: object) -> Capture:
        capture = Capture(source, policy, **options)  # type: ignore[arg-type]
        capture.start()
        started.append(capture)
        return capture

    yield start
    for capture in started:
        assert isinstance(capture.source, ScriptedSource)
        capture.source.release()
        capture.stop()
    wait_until(lambda: not any(thread.name == "capture" for thread in threading.enumerate()))


def fetch_all(capture: Capture) -> list[Frame]:
    """Every frame until the source is exhausted."""
    frames = []
    while not capture.is_exhausted:
        frame = capture.get(0.5)
        if frame is not None:
            frames.append(frame)
    return frames


def fetch(capture: Capture) -> Frame:
    """The next frame, which must come."""
    frame = capture.get(20.0)
    assert frame is not None
    return frame


def test_every_frame_of_a_file_arrives_once_and_in_order(start_capture: StartCapture) -> None:
    capture = start_capture(file_of(30))
    frames = fetch_all(capture)
    assert [frame.index for frame in frames] == list(range(30))
    assert [int(frame.image_bgr[0, 0, 0]) for frame in frames] == list(range(30))
    assert frames[10].presented_at_s == pytest.approx(1.0)
    assert capture.frames_in == 30
    assert capture.frames_dropped == 0
    assert capture.state is CaptureState.ENDED


def test_reader_of_a_file_runs_only_a_few_frames_ahead(start_capture: StartCapture) -> None:
    source = file_of(30)
    capture = start_capture(source)
    wait_until(lambda: source.reads >= 5)
    assert capture.get(0.05) is not None
    wait_until(lambda: source.reads >= 6)
    assert source.reads < 10
    assert capture.frames_in == 1  # only what was fetched: the rest is neither styled nor dropped


def test_newest_policy_keeps_one_frame_and_counts_the_others(start_capture: StartCapture) -> None:
    source = camera_that_hangs(7)
    capture = start_capture(source, Policy.NEWEST)
    wait_until(lambda: capture.frames_in == 7)
    assert fetch(capture).index == 6
    assert capture.frames_dropped == 6
    assert capture.get(0.01) is None


def test_last_frame_of_a_live_source_is_not_lost_at_its_end(start_capture: StartCapture) -> None:
    capture = start_capture(file_of(3), Policy.NEWEST)
    wait_until(lambda: capture.is_over)
    assert not capture.is_exhausted
    assert fetch(capture).index == 2
    assert capture.is_exhausted


def test_frames_carry_the_time_at_which_the_source_handed_them_over(start_capture: StartCapture, clock: FakeClock) -> None:
    capture = start_capture(file_of(1), clock=clock)
    assert fetch(capture).captured_at_s == clock.now_s


def test_source_that_does_not_open_raises_at_start_and_is_not_waited_for() -> None:
    source = source_without_beginning()
    capture = Capture(source, Policy.NEWEST)
    with pytest.raises(SourceError, match="cannot be opened"):
        capture.start()
    assert source.opened == 1
    assert source.reads == 0
    capture.stop()


def test_error_of_a_source_comes_after_the_frames_before_it(start_capture: StartCapture) -> None:
    capture = start_capture(file_that_fails(3, SourceError("ends damaged")))
    wait_until(lambda: capture.is_over)
    assert [fetch(capture).index for _ in range(3)] == [0, 1, 2]
    with pytest.raises(SourceError, match="ends damaged"):
        capture.get(1.0)
    assert capture.state is CaptureState.FAILED
    assert not capture.is_exhausted


def test_whatever_a_driver_raises_reaches_the_caller(start_capture: StartCapture) -> None:
    capture = start_capture(file_that_fails(0, RuntimeError("driver")), Policy.NEWEST)
    wait_until(lambda: capture.is_over)
    with pytest.raises(RuntimeError, match="driver"):
        capture.get(1.0)


def test_sizes_may_change_from_frame_to_frame(start_capture: StartCapture) -> None:
    sizes_wh = [(64, 48), (32, 48), (65, 47)]
    capture = start_capture(camera_that_changes_size(sizes_wh))
    assert [frame.size_wh for frame in fetch_all(capture)] == sizes_wh


def test_stop_ends_the_thread_and_closes_the_source(start_capture: StartCapture) -> None:
    source = file_of(200)
    capture = start_capture(source)
    fetch(capture)
    capture.stop()
    assert source.closed == 1
    assert not capture.abandoned
    assert not any(thread.name == "capture" for thread in threading.enumerate())


def test_stop_may_come_twice_and_before_the_start() -> None:
    source = file_of(3)
    capture = Capture(source, Policy.EVERY)
    capture.stop()
    capture.stop()
    assert source.opened == 0


def test_reader_stuck_in_a_driver_is_left_behind_and_said_so(
    start_capture: StartCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime.capture._JOIN_S", 0.1)
    source = camera_that_hangs(1)
    capture = start_capture(source, Policy.NEWEST)
    fetch(capture)
    capture.stop()
    assert capture.abandoned
    assert source.closed == 0  # releasing a capture that another thread is reading from crashes in C


def test_lost_source_is_opened_again(start_capture: StartCapture) -> None:
    away = SourceError("still away")
    sessions: list[Session] = [[flat_picture(1)], away, away, [flat_picture(2), Block()]]
    source = ScriptedSource(sessions, can_return=True, is_live=True)
    capture = start_capture(source, Policy.EVERY)
    assert [int(fetch(capture).image_bgr[0, 0, 0]) for _ in range(2)] == [1, 2]
    assert source.opened == 4
    assert source.closed >= 1  # released before it is opened again
    assert capture.state is CaptureState.RUNNING


def test_loss_is_told_while_it_lasts(start_capture: StartCapture) -> None:
    source = ScriptedSource([[flat_picture(1)], SourceError("away")], can_return=True, is_live=True)
    capture = start_capture(source, Policy.NEWEST)
    fetch(capture)
    wait_until(lambda: capture.state is CaptureState.LOST)
    assert capture.get(0.01) is None
    assert not capture.is_exhausted


def test_retry_ends_the_waiting_with_an_error(start_capture: StartCapture, clock: FakeClock) -> None:
    source = ScriptedSource([[flat_picture(1)], SourceError("away")], can_return=True, is_live=True)
    capture = start_capture(source, Policy.NEWEST, retry_s=5.0, clock=clock)
    fetch(capture)
    wait_until(lambda: source.opened >= 3)
    assert capture.state is CaptureState.LOST
    clock.advance(5.0)
    wait_until(lambda: capture.is_over)
    with pytest.raises(SourceError, match="lost, and not back within 5 seconds"):
        capture.get(1.0)


def pass_time(capture: Capture, clock: FakeClock, seconds: float) -> float:
    """Lets time go by second after second, until the capture is over; how much of it."""
    began = clock()
    while clock() - began < seconds and not capture.is_over:
        clock.advance(1.0)
        for _ in range(5):  # the reader has to see it
            with suppress(SourceError):  # told again at the end
                capture.get(0.002)
    return clock() - began


@pytest.mark.parametrize("comes_back_as", [[End()], [Block()]], ids=["giving nothing", "hanging"])
def test_source_that_opens_and_gives_no_frame_is_waited_for_no_longer(
    start_capture: StartCapture, clock: FakeClock, comes_back_as: list[Step]
) -> None:
    source = ScriptedSource([[flat_picture(1)], comes_back_as], can_return=True, is_live=True)
    capture = start_capture(source, Policy.NEWEST, retry_s=20.0, clock=clock, freeze_s=5.0)
    fetch(capture)
    wait_until(lambda: capture.state is CaptureState.LOST)
    assert 20.0 <= pass_time(capture, clock, 60.0) <= 30.0
    with pytest.raises(SourceError, match="lost, and not back within 20 seconds"):
        capture.get(1.0)


def test_readers_that_hang_are_replaced_ever_more_rarely(start_capture: StartCapture, clock: FakeClock) -> None:
    """Each one left behind keeps a thread, and without --retry there is no end to it."""
    source = ScriptedSource([[flat_picture(1), Block()], [Block()]], can_return=True, is_live=True)
    capture = start_capture(source, Policy.NEWEST, clock=clock, freeze_s=5.0)
    fetch(capture)
    pass_time(capture, clock, 600.0)
    assert 4 <= source.opened <= 8


def test_opening_under_way_when_the_waiting_ends_may_finish(start_capture: StartCapture, clock: FakeClock) -> None:
    source = ScriptedSource([[flat_picture(1)], [flat_picture(2), Block()]], can_return=True, is_live=True)
    open_source, may_open = source.open, threading.Event()

    def open_slowly() -> None:
        if source.opened:
            may_open.wait(20.0)
        open_source()

    source.open = open_slowly  # type: ignore[method-assign]
    capture = start_capture(source, Policy.NEWEST, retry_s=2.0, clock=clock, freeze_s=5.0)
    fetch(capture)
    wait_until(lambda: capture.state is CaptureState.LOST)
    clock.advance(3.0)
    assert capture.get(0.01) is None
    may_open.set()
    assert fetch(capture).image_bgr[0, 0, 0] == 2


def test_source_whose_opening_hangs_is_waited_for_no_longer(start_capture: StartCapture, clock: FakeClock) -> None:
    source = ScriptedSource([[flat_picture(1)]], can_return=True, is_live=True)
    capture = start_capture(source, Policy.NEWEST, retry_s=20.0, clock=clock, freeze_s=5.0)
    source.open = source._released.wait  # type: ignore[assignment]
    fetch(capture)
    wait_until(lambda: capture.state is CaptureState.LOST)
    clock.advance(25.0)
    assert capture.get(0.001) is None
    with pytest.raises(SourceError, match="lost, and not back within 20 seconds"):
        capture.get(1.0)


def test_waits_between_openings_grow_to_a_limit_and_begin_anew_with_a_frame(
    start_capture: StartCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = SourceError("away")
    source = ScriptedSource([[flat_picture(1)], away, away, away, away, [flat_picture(2)], away], can_return=True, is_live=True)
    waits: list[float] = []
    stop_wait = threading.Event.wait

    def note(event: threading.Event, timeout_s: float | None = None) -> bool:
        if threading.current_thread().name == "capture" and timeout_s is not None:
            waits.append(timeout_s)
        return stop_wait(event, timeout_s)

    monkeypatch.setattr(threading.Event, "wait", note)
    capture = start_capture(source, Policy.NEWEST)
    assert [int(fetch(capture).image_bgr[0, 0, 0]) for _ in range(2)] == [1, 2]
    wait_until(lambda: source.opened >= 7)
    assert waits[:6] == [0.001, 0.002, 0.002, 0.002, 0.002, 0.001]


def test_stop_ends_the_waiting_for_a_lost_source(start_capture: StartCapture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.capture._FIRST_BACK_OFF_S", 60.0)
    source = ScriptedSource([[flat_picture(1)], SourceError("away")], can_return=True, is_live=True)
    capture = start_capture(source, Policy.NEWEST)
    wait_until(lambda: capture.state is CaptureState.LOST)
    capture.stop()
    assert not capture.abandoned


def test_reader_that_hangs_is_replaced(start_capture: StartCapture, clock: FakeClock) -> None:
    source = ScriptedSource(
        [[flat_picture(1), Block()], [flat_picture(2), Block()]], can_return=True, is_live=True, is_hardware=True
    )
    capture = start_capture(source, Policy.NEWEST, clock=clock, freeze_s=5.0)
    assert fetch(capture).image_bgr[0, 0, 0] == 1
    clock.advance(4.9)
    assert capture.get(0.01) is None
    assert capture.state is CaptureState.RUNNING
    clock.advance(0.2)
    assert capture.get(0.01) is None
    wait_until(lambda: source.opened == 2)
    frame = fetch(capture)
    assert frame.image_bgr[0, 0, 0] == 2
    assert frame.index == 1
    assert source.closed == 0  # the first one is still reading from it


def test_error_of_a_reader_that_was_left_behind_ends_nothing(start_capture: StartCapture, clock: FakeClock) -> None:
    source = ScriptedSource([[flat_picture(1)], [flat_picture(2), Block()]], can_return=True, is_live=True)
    read_next, hangs, wakes = source.read, [False, True], threading.Event()

    def read() -> tuple[np.ndarray, float | None] | None:
        if hangs and hangs.pop(0):
            wakes.wait(20.0)
            raise RuntimeError("driver")
        return read_next()

    source.read = read  # type: ignore[method-assign]
    capture = start_capture(source, Policy.NEWEST, clock=clock, freeze_s=5.0)
    fetch(capture)
    wait_until(lambda: not hangs)
    clock.advance(5.1)
    assert capture.get(0.01) is None
    assert fetch(capture).image_bgr[0, 0, 0] == 2
    wakes.set()
    wait_until(lambda: sum(thread.name == "capture" for thread in threading.enumerate()) == 1)
    assert capture.get(0.01) is None
    assert capture.state is CaptureState.RUNNING


def test_file_that_takes_long_is_not_replaced(start_capture: StartCapture, clock: FakeClock) -> None:
    source = ScriptedSource([[flat_picture(1), Block()]], can_return=False)
    capture = start_capture(source, clock=clock, freeze_s=5.0)
    fetch(capture)
    clock.advance(60.0)
    assert capture.get(0.01) is None
    assert source.opened == 1
    assert capture.state is CaptureState.RUNNING


class FrozenCamera(ScriptedSource):
    """Hands over one picture again and again; each reading takes a second of the fake clock."""

    def __init__(self, clock: FakeClock, sessions: list[list[np.ndarray | Block]], *, is_hardware: bool) -> None:
        super().__init__(sessions, can_return=True, is_live=True, is_hardware=is_hardware)
        self._clock = clock

    def read(self) -> tuple[np.ndarray, float | None] | None:
        self._clock.advance(1.0)
        return super().read()


def test_camera_that_repeats_one_picture_is_opened_again(start_capture: StartCapture, clock: FakeClock) -> None:
    frozen = noisy_picture()
    source = FrozenCamera(clock, [[frozen] * 20, [noisy_picture(seed=1), Block()]], is_hardware=True)
    capture = start_capture(source, clock=clock, freeze_s=5.0)
    seen = [fetch(capture).image_bgr]
    while np.array_equal(seen[-1], frozen):
        seen.append(fetch(capture).image_bgr)
    assert source.opened == 2
    assert len(seen) - 1 == 6  # the first second and five more of patience


def test_camera_that_shows_a_still_is_opened_again_once(start_capture: StartCapture, clock: FakeClock) -> None:
    still, other = noisy_picture(), noisy_picture(seed=1)
    sessions: list[list[np.ndarray | Block]] = [[still] * 20, [*[still] * 20, *[other] * 20], [Block()]]
    source = FrozenCamera(clock, sessions, is_hardware=True)
    capture = start_capture(source, clock=clock, freeze_s=5.0)
    for _ in range(6 + 20):
        fetch(capture)
    assert source.opened == 2
    for _ in range(6):
        fetch(capture)
    wait_until(lambda: source.opened == 3)  # the next picture that stands still may be a fault again


def test_interval_of_the_source_is_known_after_a_few_frames(start_capture: StartCapture, clock: FakeClock) -> None:
    pictures: list[np.ndarray | Block] = [flat_picture(level) for level in range(20)]
    source = FrozenCamera(clock, [[*pictures, Block()]], is_hardware=False)
    capture = start_capture(source, clock=clock)
    assert capture.interval_s == 0.0
    for _ in range(20):
        fetch(capture)
    assert capture.interval_s == pytest.approx(1.0)


def test_still_scene_of_a_stream_is_no_fault(start_capture: StartCapture, clock: FakeClock) -> None:
    source = FrozenCamera(clock, [[noisy_picture()] * 20 + [Block()]], is_hardware=False)
    capture = start_capture(source, clock=clock, freeze_s=5.0)
    for _ in range(20):
        fetch(capture)
    assert source.opened == 1


def test_camera_with_a_little_noise_is_not_taken_for_frozen(start_capture: StartCapture, clock: FakeClock) -> None:
    pictures = [noisy_picture() for _ in range(20)]
    for number, picture in enumerate(pictures):
        picture[0, 0, 0] = number
    source = FrozenCamera(clock, [[*pictures, Block()]], is_hardware=True)
    capture = start_capture(source, clock=clock, freeze_s=5.0)
    for _ in range(20):
        fetch(capture)
    assert source.opened == 1


class SlowToOpen(ScriptedSource):
    """A camera that takes until it is released to open, and then fails."""

    def open(self) -> None:
        self.opened += 1
        self._released.wait()
        super().open()


def test_opening_that_is_interrupted_is_left_behind() -> None:
    source = SlowToOpen([SourceError("too late")], can_return=True, is_live=True)
    capture = Capture(source, Policy.NEWEST)
    interrupted = threading.Event()
    threading.Timer(0.1, interrupted.set).start()
    assert capture.start(interrupted) is False
    capture.stop()
    assert (capture.abandoned, source.opened, source.closed) == (True, 1, 0)
    source.release()


def test_file_that_passes_over_frames_while_it_opens_is_asked_to_leave_off() -> None:
    source = SlowToOpen([[]])
    source.can_be_cancelled, source.cancel = True, source.release  # type: ignore[method-assign]
    capture = Capture(source, Policy.EVERY)
    interrupted = threading.Event()
    threading.Timer(0.1, interrupted.set).start()
    assert capture.start(interrupted) is False
    capture.stop()
    assert (capture.abandoned, source.closed) == (False, 1)


@pytest.mark.parametrize("can_return", [False, True])
def test_opening_that_fails_is_told_to_whoever_could_interrupt(can_return: bool) -> None:
    source = ScriptedSource([SourceError("not there")], can_return=can_return)
    with pytest.raises(SourceError, match="not there"):
        Capture(source, Policy.NEWEST).start(threading.Event())


def test_second_stop_does_not_wait_for_a_stuck_reader_again(monkeypatch: pytest.MonkeyPatch) -> None:
    source = camera_that_hangs(1)
    capture = Capture(source, Policy.NEWEST)
    assert capture.start(threading.Event())
    monkeypatch.setattr("realtime.capture._JOIN_S", 0.05)
    capture.stop()
    monkeypatch.setattr("realtime.capture._JOIN_S", "not a time")  # raises if it is used
    capture.stop()
    assert capture.abandoned
    source.release()


def test_source_that_passes_over_frames_is_told_to_end() -> None:
    source = file_of(3)
    cancelled = threading.Event()
    source.cancel = cancelled.set  # type: ignore[method-assign]
    capture = Capture(source, Policy.EVERY)
    capture.start()
    capture.stop()
    assert cancelled.is_set()
