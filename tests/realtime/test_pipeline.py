"""The loop: what ends it, how files are paced, what it reports; and how all that was opened is closed."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.camera_noise import with_noise
from realtime.auto_levels import AutoLevels
from realtime.capture import Capture, Policy
from realtime.controls import ControlState
from realtime.errors import ModelError, OutputError, SourceError
from realtime.frame import Frame, Image
from realtime.live.errands import Errands
from realtime.live.messages import Messages
from realtime.live.repaint import Repainter, RepaintSettings
from realtime.live.size_control import SizeControl
from realtime.live.snapshots import SnapshotFolder
from realtime.live.view import LiveView
from realtime.networks.model_choice import ModelChoice
from realtime.outlets.recorder import Recorder
from realtime.overlay import Hud
from realtime.painter import PaintedFrame, Painter, SeenFrame
from realtime.pipeline import Pipeline, RunOptions, join_all
from realtime.program.notes import Note, no_note
from realtime.program.statistics_file import collect_stats, write_stats
from realtime.sinks import Sink
from realtime.steadying import Steadier
from realtime.studio import Studio
from realtime.timing import RunTimes
from realtime.video.job import VideoJob, VideoOptions
from realtime.video.reader import VideoFileSource
from tests.fakes import (
    CLIP_FRAMES,
    SMALL_WH,
    Block,
    FakeClock,
    FakeStylizer,
    FakeWindow,
    ScriptedSource,
    camera_that_changes_size,
    camera_that_hangs,
    clip_index,
    coloured_picture,
    file_of,
    file_that_fails,
    flat_picture,
    frame_of,
    noisy_picture,
    plain_style,
    read_clip,
    wait_until,
)

QUIT = ord("q")


class ListSink:
    """Keeps what it is given."""

    output_wh: tuple[int, int] | None = None

    def __init__(self, before_write: Callable[[int], None] | None = None) -> None:
        self.pictures: list[Image] = []
        self.times_s: list[float | None] = []
        self.closed: list[bool] = []
        self._before_write = before_write

    def write(self, image_bgr: Image, presented_at_s: float | None) -> None:
        """Keeps a picture."""
        if self._before_write is not None:
            self._before_write(len(self.pictures))
        self.pictures.append(image_bgr)
        self.times_s.append(presented_at_s)

    def close(self, complete: bool) -> None:
        """Keeps whether the run was complete."""
        self.closed.append(complete)


class Run:
    """A pipeline with everything around it."""

    def __init__(
        self,
        source: ScriptedSource,
        sink: Sink,
        *,
        policy: Policy = Policy.EVERY,
        state: ControlState | None = None,
        options: RunOptions | None = None,
        window: FakeWindow | None = None,
        clock: FakeClock | None = None,
        retry_s: float | None = None,
        size_control: SizeControl | None = None,
        note: Note = no_note,
        auto_levels: AutoLevels | None = None,
        steadier: Steadier | None = None,
    ) -> None:
        self.source = source
        self.stop = threading.Event()
        self.times = RunTimes(clock) if clock is not None else RunTimes()
        shown = state or ControlState()
        studio = Studio([plain_style("night_sky")], ModelChoice(), FakeStylizer)
        self.painter = Painter(studio, 0, None, self.times, warms_neighbours=False, steadier=steadier, auto_levels=auto_levels)
        self.capture = Capture(source, policy, retry_s=retry_s)
        self.view: LiveView | None = None
        if window is not None:
            messages = Messages()
            recorder = Recorder(Path("never_used"), messages.say)
            repainter = Repainter(RepaintSettings(), messages.say)
            snapshots = SnapshotFolder(Path("never_used"))
            errands = Errands(shown, studio, self.painter, snapshots, recorder, repainter, messages)
            self.view = LiveView(window, shown, studio, self.painter, errands, messages, self.times, source.description)
            sink = window
        self.capture.start()
        self.pipeline = Pipeline(
            self.capture,
            self.painter,
            sink,
            self.view,
            shown,
            self.times,
            options or RunOptions(),
            self.stop,
            size_control,
            note=note,
        )

    def stats(self) -> dict[str, Any]:
        """What the run reports."""
        return collect_stats(self.pipeline, self.capture, self.painter, self.times, "night_sky", self.times.clock() - 1.0)


@pytest.fixture(autouse=True)
def no_thread_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("realtime.capture._FIRST_BACK_OFF_S", 0.001)
    yield
    wait_until(lambda: not any(thread.name == "capture" for thread in threading.enumerate()))


def levels(sink: ListSink) -> list[int]:
    """The greys of the pictures, inverted back."""
    return [255 - int(picture[0, 0, 0]) for picture in sink.pictures]


# ------------------------------------------------------------------------------------------- files, no window


def test_every_frame_of_a_file_is_painted_and_written_in_order() -> None:
    sink = ListSink()
    run = Run(file_of(30), sink)
    run.pipeline.run()
    assert levels(sink) == list(range(30))
    assert sink.times_s == pytest.approx([number / 10 for number in range(30)])
    assert sink.closed == [True]
    assert run.source.closed >= 1
    assert run.pipeline.frames_styled == 30


class SlowAtTimes:
    """Paints every third frame more slowly than the others, and notes how many are painted at once."""

    def __init__(self, paint: Callable[..., PaintedFrame], fails_at: int | None = None) -> None:
        self.at_once = self.most_at_once = 0
        self._paint, self._fails_at, self._lock = paint, fails_at, threading.Lock()

    def __call__(self, seen: SeenFrame, state: ControlState) -> PaintedFrame:
        """Paints a frame."""
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(0.02 if seen.frame.index % 3 == 0 else 0.002)
        if seen.frame.index == self._fails_at:
            raise ModelError("model: broken")
        painted = self._paint(seen, state)
        with self._lock:
            self.at_once -= 1
        return painted


def test_frames_painted_in_lanes_are_written_in_order() -> None:
    sink = ListSink()
    run = Run(file_of(30), sink, options=RunOptions(lanes=3))
    slow = SlowAtTimes(run.painter.paint_alone)
    run.painter.paint_alone = slow  # type: ignore[method-assign]
    run.pipeline.run()
    assert levels(sink) == list(range(30))
    assert sink.times_s == pytest.approx([number / 10 for number in range(30)])
    assert sink.closed == [True]
    assert 2 <= slow.most_at_once <= 3
    assert (run.pipeline.frames_styled, run.capture.frames_in) == (30, 30)


@pytest.mark.parametrize("most", [1, 4, 5])
def test_lanes_paint_no_more_frames_than_asked_for(most: int) -> None:
    sink = ListSink()
    run = Run(file_of(30), sink, options=RunOptions(max_frames=most, lanes=3))
    slow = SlowAtTimes(run.painter.paint_alone)
    run.painter.paint_alone = slow  # type: ignore[method-assign]
    run.pipeline.run()
    assert levels(sink) == list(range(most))
    assert run.pipeline.is_complete
    assert run.capture.frames_in == most


def test_frames_in_lanes_before_a_damaged_end_are_written() -> None:
    sink = ListSink()
    run = Run(file_that_fails(4, SourceError("clip: damaged")), sink, options=RunOptions(lanes=3))
    run.painter.paint_alone = SlowAtTimes(run.painter.paint_alone)  # type: ignore[method-assign]
    with pytest.raises(SourceError, match="damaged"):
        run.pipeline.run()
    assert levels(sink) == list(range(4))
    assert sink.closed == [False]


def test_a_frame_that_fails_in_a_lane_leaves_no_gap() -> None:
    sink = ListSink()
    run = Run(file_of(30), sink, options=RunOptions(lanes=3))
    run.painter.paint_alone = SlowAtTimes(run.painter.paint_alone, fails_at=6)  # type: ignore[method-assign]
    with pytest.raises(ModelError):
        run.pipeline.run()
    assert levels(sink) == list(range(6))
    assert sink.closed == [False]
    assert not any(thread.name.startswith("painting") for thread in threading.enumerate())


def test_lanes_paint_at_the_levels_of_one_frame_after_the_other() -> None:
    pictures: list[list[Image]] = []
    for lanes in (1, 3):
        sink = ListSink()
        rooms = [np.asarray(noisy_picture(seed=n) // 6 + n, np.uint8) for n in range(12)]
        run = Run(ScriptedSource([rooms]), sink, options=RunOptions(lanes=lanes), auto_levels=AutoLevels())
        if lanes > 1:
            run.painter.paint_alone = SlowAtTimes(run.painter.paint_alone)  # type: ignore[method-assign]
        run.pipeline.run()
        pictures.append(sink.pictures)
    np.testing.assert_array_equal(*pictures)
    assert pictures[0][0].mean() < 200  # of a room that was not brightened: 230


def test_lanes_average_over_time_as_one_frame_after_the_other() -> None:
    pictures: list[list[Image]] = []
    for lanes in (1, 3):
        sink = ListSink()
        rooms = [with_noise(coloured_picture(), 3, seed) for seed in range(20)]
        run = Run(ScriptedSource([rooms]), sink, options=RunOptions(lanes=lanes), steadier=Steadier())
        if lanes > 1:
            run.painter.paint_alone = SlowAtTimes(run.painter.paint_alone)  # type: ignore[method-assign]
        run.pipeline.run()
        pictures.append(sink.pictures)
    np.testing.assert_array_equal(*pictures)
    assert float(np.abs(np.subtract(pictures[0][-1], 255.0 - coloured_picture())).mean()) < 1.5  # of a frame alone: 2.4


def test_a_stop_finishes_the_frames_in_lanes() -> None:
    run: Run
    sink = ListSink(lambda written: run.stop.set() if written == 5 else None)
    run = Run(file_of(30), sink, options=RunOptions(lanes=3))
    run.pipeline.run()
    assert levels(sink) == list(range(len(sink.pictures)))
    assert 6 <= len(sink.pictures) <= 9
    assert run.stats()["frames_in"] == run.stats()["frames_styled"] == len(sink.pictures)
    assert not run.pipeline.is_complete
    assert sink.closed == [False]


@pytest.mark.parametrize("frames", [3, 30])  # at the file's end, and in its middle
def test_after_a_stop_no_lane_begins_a_frame(frames: int) -> None:
    sink, let_go, begun = ListSink(), threading.Event(), []
    run = Run(file_of(frames), sink, options=RunOptions(lanes=2))
    paint = run.painter.paint_alone

    def hold(seen: SeenFrame, state: ControlState) -> PaintedFrame:
        begun.append(seen.frame.index)
        assert let_go.wait(20.0)
        return paint(seen, state)

    def stop_then_let_go() -> None:
        wait_until(lambda: len(begun) == 2 and run.capture.frames_in == 3)
        run.stop.set()
        let_go.set()

    run.painter.paint_alone = hold  # type: ignore[method-assign]
    stopping = threading.Thread(target=stop_then_let_go)
    stopping.start()
    run.pipeline.run()
    stopping.join()
    assert sorted(begun) == levels(sink) == [0, 1]
    assert (run.stats()["frames_in"], run.stats()["frames_styled"]) == (2, 2)
    assert not run.pipeline.is_complete
    assert sink.closed == [False]


def test_report_adds_up_where_the_output_fails_while_lanes_are_busy() -> None:
    def fail(count: int) -> None:
        if count == 2:
            raise OutputError("disk full")

    run = Run(file_of(30), ListSink(before_write=fail), options=RunOptions(lanes=4))
    with pytest.raises(OutputError, match="disk full"):
        run.pipeline.run()
    stats = run.stats()
    assert run.capture.frames_in > stats["frames_in"] + 2  # what the lanes were painting
    assert 0 <= stats["frames_in"] - stats["frames_styled"] - stats["frames_dropped"] <= 2


def paint_film(clip: Path, made: Path, is_stopped: bool) -> tuple[int, Pipeline]:
    """Copies a clip in three lanes, going on with what is there; stopped by the first frame that is written, or not at all.

    Returns:
        Frames that were there already, and the pipeline after its run.
    """
    source, times, state, stop = VideoFileSource(clip), RunTimes(), ControlState(strength=0.0), threading.Event()
    job = VideoJob(made, source, VideoOptions(resume=True), {}, no_note)
    studio = Studio([plain_style("night_sky")], ModelChoice(), FakeStylizer)
    painter, capture = Painter(studio, 0, None, times, warms_neighbours=False), Capture(source, Policy.EVERY)
    painter.paint_alone = SlowAtTimes(painter.paint_alone)  # type: ignore[method-assign]
    capture.start()
    sink = job.open_sink()
    write = sink.write

    def write_and_stop(image_bgr: Image, presented_at_s: float | None) -> int:
        if is_stopped:
            stop.set()
        return write(image_bgr, presented_at_s)

    sink.write = write_and_stop  # type: ignore[method-assign]
    options = RunOptions(frames_done=job.frames_done, lanes=3)
    pipeline = Pipeline(capture, painter, sink, None, state, times, options, stop)
    pipeline.run()
    return job.frames_done, pipeline


def test_a_film_stopped_in_lanes_is_gone_on_with_where_it_ends(tmp_path: Path, clip: Path) -> None:
    made = tmp_path / "made.mp4"
    _, stopped = paint_film(clip, made, is_stopped=True)
    assert 1 <= stopped.frames_styled <= 4
    assert not stopped.is_complete
    done, finished = paint_film(clip, made, is_stopped=False)
    assert (done, done + finished.frames_styled) == (stopped.frames_styled, CLIP_FRAMES)
    assert [clip_index(picture) for picture in read_clip(made)] == list(range(CLIP_FRAMES))


@pytest.mark.parametrize("adapts", [True, False])
def test_processing_size_follows_a_machine_that_is_too_slow(adapts: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Painting takes a tenth of a second on a clock of its own; 30 frames a second are wanted."""
    clock = FakeClock()
    state = ControlState(adapts=adapts)
    run = Run(file_of(80, (64, 64)), ListSink(), state=state, clock=clock, size_control=SizeControl(30.0, clock))
    paint = run.painter.paint

    def paint_slowly(frame: Frame, state: ControlState) -> PaintedFrame:
        clock.advance(0.1)
        return paint(frame, state)

    monkeypatch.setattr(run.painter, "paint", paint_slowly)
    run.pipeline.run()
    assert (run.pipeline.state.processing_share < 0.8) is adapts
    assert (run.stats()["processed_wh"] < (64, 64)) is adapts
    assert run.pipeline.frames_styled == 80


def test_frames_that_are_not_painted_prove_nothing_about_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """As key O shows them: painting would take a tenth of a second, as the frames before have shown."""
    clock = FakeClock()
    run = Run(
        file_of(250, (64, 64)), ListSink(), state=ControlState(adapts=True), clock=clock, size_control=SizeControl(30.0, clock)
    )
    paint, shares = run.painter.paint, []

    def paint_slowly(frame: Frame, state: ControlState) -> PaintedFrame:
        shares.append(state.processing_share)
        clock.advance(0.1 if state.effective_strength > 0 else 0.02)
        if frame.index == 60:
            run.pipeline.state = replace(run.pipeline.state, shows_original=True)
        return paint(frame, state)

    monkeypatch.setattr(run.painter, "paint", paint_slowly)
    run.pipeline.run()
    assert shares[60] < 0.8
    assert set(shares[61:]) == {shares[60]}


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize(("limit", "written"), [(None, 26), (19, 9), (10, 0)])
def test_frames_painted_again_are_neither_written_nor_counted(lanes: int, limit: int | None, written: int) -> None:
    """Of a source that gives the last four of ten frames that are done again."""
    sink = ListSink()
    run = Run(file_of(30), sink, options=RunOptions(max_frames=limit, frames_done=10, frames_repeated=4, lanes=lanes))
    run.pipeline.run()
    assert levels(sink) == list(range(4, 4 + written))
    stats = run.stats()
    assert (stats["frames_in"], stats["frames_styled"]) == (written, written)


def test_limit_ends_the_run_after_so_many_styled_frames() -> None:
    sink = ListSink()
    run = Run(file_of(30), sink, options=RunOptions(max_frames=7))
    run.pipeline.run()
    assert levels(sink) == list(range(7))
    assert sink.closed == [True]
    assert run.capture.frames_in == 7


def test_damaged_end_is_told_after_the_frames_before_it_are_written() -> None:
    sink = ListSink()
    run = Run(file_that_fails(5, SourceError("ends damaged")), sink)
    with pytest.raises(SourceError, match="ends damaged"):
        run.pipeline.run()
    assert levels(sink) == list(range(5))
    assert sink.closed == [False]
    assert run.source.closed >= 1


def test_interruption_finishes_the_file() -> None:
    sink = ListSink(before_write=lambda count: run.stop.set() if count == 3 else None)
    run = Run(file_of(30), sink)
    run.pipeline.run()
    assert levels(sink) == list(range(4))
    assert sink.closed == [False]
    assert not run.pipeline.is_complete
    assert run.source.closed >= 1


def test_interruption_after_the_last_frame_finds_the_file_complete() -> None:
    sink = ListSink(before_write=lambda count: run.stop.set() if count == 6 else None)
    run = Run(file_of(30), sink, options=RunOptions(max_frames=7))
    run.pipeline.run()
    assert levels(sink) == list(range(7))
    assert sink.closed == [True]
    assert run.pipeline.is_complete


def test_interruption_ends_the_waiting_for_a_frame() -> None:
    source = camera_that_hangs(1)
    sink = ListSink(before_write=lambda _: threading.Timer(0.05, run.stop.set).start())
    run = Run(source, sink, policy=Policy.NEWEST)
    threading.Timer(0.2, source.release).start()
    run.pipeline.run()
    assert len(sink.pictures) == 1
    assert sink.closed == [False]


def test_output_that_fails_ends_everything() -> None:
    def fail(count: int) -> None:
        if count == 2:
            raise OutputError("disk full")

    sink = ListSink(before_write=fail)
    run = Run(file_of(30), sink)
    with pytest.raises(OutputError, match="disk full"):
        run.pipeline.run()
    assert sink.closed == [False]
    assert run.source.closed >= 1


def test_network_that_fails_ends_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = ListSink()
    run = Run(file_of(30), sink)

    def fail(_: Image) -> Image:
        raise ModelError("the network failed")

    monkeypatch.setattr(run.painter.stylizer, "style", fail)
    with pytest.raises(ModelError, match="the network failed"):
        run.pipeline.run()
    assert sink.closed == [False]
    assert run.source.closed >= 1


def test_sizes_may_change_on_the_way() -> None:
    sizes_wh = [(64, 48), (40, 40), (65, 33)]
    sink = ListSink()
    Run(camera_that_changes_size(sizes_wh), sink).pipeline.run()
    assert [picture.shape[1::-1] for picture in sink.pictures] == sizes_wh


def test_split_view_is_saved_but_a_mirror_is_not() -> None:
    photo = np.repeat(np.arange(64, dtype=np.uint8)[None, :, None], 48, axis=0).repeat(3, axis=2)
    sink = ListSink()
    Run(ScriptedSource([[photo]]), sink, state=ControlState(split=True, mirror=True)).pipeline.run()
    np.testing.assert_array_equal(sink.pictures[0][:, :30], photo[:, :30])
    np.testing.assert_array_equal(sink.pictures[0][:, 34:], 255 - photo[:, 34:])


def test_live_source_without_end_is_lost_for_good() -> None:
    source = ScriptedSource([[flat_picture(1)], SourceError("away")], can_return=True, is_live=True)
    sink = ListSink()
    run = Run(source, sink, policy=Policy.NEWEST, retry_s=0.01)
    with pytest.raises(SourceError, match="not back within"):
        run.pipeline.run()
    assert len(sink.pictures) == 1


def test_loss_without_a_window_is_told_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.pipeline._POLL_S", 0.002)
    monkeypatch.setattr("realtime.pipeline._LOSS_TOLD_S", 0.01)
    monkeypatch.setattr("realtime.capture._FIRST_BACK_OFF_S", 0.2)
    source = ScriptedSource([[flat_picture(1)], [flat_picture(2)], [flat_picture(3), Block()]], can_return=True, is_live=True)
    notes: list[str] = []
    run = Run(source, ListSink(), policy=Policy.EVERY, options=RunOptions(max_frames=3), note=notes.append)
    threading.Timer(1.0, source.release).start()
    run.pipeline.run()
    assert notes == ["scripted source: lost, waiting for it", "scripted source: is back"] * 2


# ------------------------------------------------------------------------------------------------ a window


def test_key_in_the_window_ends_the_run() -> None:
    window = FakeWindow(keys=[-1, -1, QUIT])
    run = Run(file_of(30), window, window=window)
    run.pipeline.run()
    assert len(window.shown) == 3
    assert window.finished == 1


def test_close_button_of_the_window_ends_the_run() -> None:
    window = FakeWindow(close_after=4)
    Run(file_of(30), window, window=window).pipeline.run()
    assert len(window.shown) == 4


def test_loss_is_shown_and_the_picture_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    messages: list[str] = []

    def note(shown: Image, hud: Hud, state: ControlState) -> Image:
        messages.append(hud.message)
        return shown

    monkeypatch.setattr("realtime.live.view.draw_overlay", note)
    monkeypatch.setattr("realtime.pipeline._POLL_S", 0.002)
    monkeypatch.setattr("realtime.capture._LONGEST_BACK_OFF_S", 0.002)

    class AwayUntilTold(ScriptedSource):
        def open(self) -> None:
            if self.opened == 1 and not any(messages):
                raise SourceError("away")
            super().open()

    source = AwayUntilTold([[flat_picture(1)], [flat_picture(2), Block()]], can_return=True, is_live=True)
    threading.Timer(0.2, source.release).start()
    window = FakeWindow()
    run = Run(source, window, policy=Policy.EVERY, window=window, options=RunOptions(max_frames=2))
    run.pipeline.run()
    assert [255 - int(window.shown[number][0, 0, 0]) for number in (0, -1)] == [1, 2]
    assert messages[0] == messages[-1] == ""
    assert any("scripted source lost, waiting for it" in message for message in messages)


def test_keys_are_answered_while_no_frame_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.pipeline._POLL_S", 0.002)
    source = camera_that_hangs(1)
    window = FakeWindow(keys=[-1, -1, -1, QUIT])
    run = Run(source, window, policy=Policy.NEWEST, window=window)
    threading.Timer(0.1, source.release).start()
    run.pipeline.run()
    assert len(window.shown) == 1
    assert window.polled == 4


# -------------------------------------------------------------------------------------------------- pacing


@pytest.fixture
def waited_s(monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> list[float]:
    """Lets the stop event of a run wait by the fake clock."""
    waited: list[float] = []

    def wait(self: threading.Event, timeout: float | None = None) -> bool:
        waited.append(timeout or 0.0)
        clock.advance(timeout or 0.0)
        return self.is_set()

    monkeypatch.setattr(PacedStop, "wait", wait)
    return waited


class PacedStop(threading.Event):
    """A stop event whose waiting can be exchanged without touching other events."""


def paced_run(source: ScriptedSource, sink: Sink, clock: FakeClock) -> Run:
    """A run that shows a file at its own times."""
    run = Run(source, sink, options=RunOptions(paced=True), clock=clock)
    run.stop = PacedStop()
    run.pipeline._stop = run.stop
    return run


@pytest.mark.usefixtures("waited_s")
def test_file_in_a_window_keeps_its_own_times(clock: FakeClock) -> None:
    shown_at_s: list[float] = []
    sink = ListSink(before_write=lambda _: shown_at_s.append(clock()))
    paced_run(file_of(5), sink, clock).pipeline.run()
    assert shown_at_s == pytest.approx([100.0, 100.1, 100.2, 100.3, 100.4])
    assert len(sink.pictures) == 5


@pytest.mark.usefixtures("waited_s")
def test_latency_of_a_files_frame_counts_from_when_it_is_due(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was decoded long before; nobody waits for a frame that is not due."""
    run = paced_run(file_of(5), ListSink(before_write=lambda _: clock.advance(0.03)), clock)
    get = run.capture.get
    monkeypatch.setattr(run.capture, "get", lambda timeout_s: (frame := get(timeout_s)) and replace(frame, captured_at_s=50.0))
    run.pipeline.run()
    assert run.times.latencies_ms()["p99"] == pytest.approx(30.0)


@pytest.mark.usefixtures("waited_s")
def test_slow_machine_shows_every_frame_and_does_not_race_afterwards(clock: FakeClock) -> None:
    shown_at_s: list[float] = []

    def show(count: int) -> None:
        shown_at_s.append(clock())
        if count == 1:
            clock.advance(10.0)  # once, something takes long

    sink = ListSink(before_write=show)
    paced_run(file_of(5), sink, clock).pipeline.run()
    assert shown_at_s == pytest.approx([100.0, 100.1, 110.1, 110.2, 110.3])


@pytest.mark.usefixtures("waited_s")
def test_waiting_for_a_files_frame_leaves_the_cores_idle(clock: FakeClock) -> None:
    """Keys are looked for every few hundredths of a second, not in a loop that does nothing else."""
    window = FakeWindow()
    run = Run(file_of(5), ListSink(), options=RunOptions(paced=True), clock=clock, window=window)
    run.stop = PacedStop()
    run.pipeline._stop = run.stop
    run.pipeline.run()
    assert len(window.shown) == 5
    assert 4 <= window.polled <= 40


# -------------------------------------------------------------------------------------------------- report

FIELDS = {
    "frames_in",
    "frames_styled",
    "frames_dropped",
    "start_s",
    "seconds",
    "fps",
    "latency_ms",
    "stage_ms",
    "provider",
    "precision",
    "tier",
    "style",
    "source_wh",
    "processed_wh",
    "output_wh",
}


def test_report_of_a_file_has_all_fields_and_they_add_up() -> None:
    run = Run(file_of(12), ListSink())
    run.pipeline.run()
    stats = run.stats()
    assert set(stats) >= FIELDS
    assert (stats["frames_in"], stats["frames_styled"], stats["frames_dropped"]) == (12, 12, 0)
    assert stats["fps"] == pytest.approx(11 / run.times.seconds, rel=0.01)
    assert set(stats["latency_ms"]) == {"p50", "p95", "p99"}
    assert set(stats["stage_ms"]) == {"capture", "style", "composite", "present"}
    assert stats["source_wh"] == stats["processed_wh"] == stats["output_wh"] == SMALL_WH
    assert stats["start_s"] > 0
    assert (stats["provider"], stats["tier"], stats["precision"], stats["style"]) == ("fake", "fast", "fp32", "night_sky")


def test_report_names_sizes_before_scaling_and_after_padding() -> None:
    source, sink = file_of(3, (32, 24)), ListSink()
    source.source_wh = (64, 48)
    sink.output_wh = (34, 26)
    run = Run(source, sink)
    run.pipeline.run()
    stats = run.stats()
    assert (stats["source_wh"], stats["processed_wh"], stats["output_wh"]) == ((64, 48), (32, 24), (34, 26))


def test_report_of_a_camera_adds_up() -> None:
    source = ScriptedSource([[flat_picture(level) for level in range(100)]], is_live=True)
    run = Run(source, ListSink(), policy=Policy.NEWEST)
    run.pipeline.run()
    stats = run.stats()
    assert stats["frames_in"] == 100
    assert 0 <= stats["frames_in"] - stats["frames_styled"] - stats["frames_dropped"] <= 2


def test_waiting_for_a_frame_is_one_stage_in_however_many_pieces(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(file_of(3), ListSink(), clock=clock, options=RunOptions(max_frames=2))
    pictures = iter([None, None, None, flat_picture(1), None, flat_picture(2)])

    def get(_timeout_s: float) -> Frame | None:
        clock.advance(0.05)
        picture = next(pictures)
        return None if picture is None else frame_of(picture)

    monkeypatch.setattr(run.capture, "get", get)
    run.pipeline.run()
    assert run.stats()["stage_ms"]["capture"] == pytest.approx(150.0)  # the median of 200 and 100


def test_report_of_nothing_can_be_written(tmp_path: Path) -> None:
    run = Run(file_of(0), ListSink())
    run.pipeline.run()
    write_stats(tmp_path / "stats.json", run.stats())
    stats = json.loads((tmp_path / "stats.json").read_text(encoding="utf-8"))
    assert (stats["frames_in"], stats["start_s"], stats["fps"], stats["source_wh"]) == (0, None, 0.0, None)
    assert [path.name for path in tmp_path.iterdir()] == ["stats.json"]


def test_report_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="--stats"):
        write_stats(tmp_path / "missing" / "stats.json", {})


# ------------------------------------------------------------------------------------------------- the end


def test_everything_is_closed_even_where_one_fails(capsys: pytest.CaptureFixture[str]) -> None:
    closed: list[str] = []

    def fail(name: str) -> Callable[[], None]:
        def close() -> None:
            closed.append(name)
            raise OutputError(name)

        return close

    with pytest.raises(OutputError, match="first"):
        join_all(lambda: closed.append("before"), fail("first"), fail("second"), lambda: closed.append("after"))
    assert closed == ["before", "first", "second", "after"]
    assert capsys.readouterr().err == "error: second\n"
