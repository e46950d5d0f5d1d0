"""The only loop: capture -> paint -> compose -> sink, and what a run reports about itself."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from realtime.capture import Capture, CaptureState
from realtime.controls import ControlState
from realtime.errors import OutputError
from realtime.frame import Frame
from realtime.live_view import LiveView
from realtime.outlets import Outlet, collect_figures, picture_for_others
from realtime.painter import Painter
from realtime.sinks import Sink
from realtime.size_control import SizeControl
from realtime.timing import RunTimes

_POLL_S = 0.05
_KEYS_S = 0.02  # between two looks for a key while a file's frame is not due


@dataclass(frozen=True)
class RunOptions:
    """What ends a run and how it is paced.

    max_frames: styled frames after which to stop; None for no limit.
    paced: show a file's frames at the times the file says, every one of them.
    progress: draw a progress bar on stderr where that is a terminal.
    frames_done: frames of a video that an earlier run made; they count for max_frames and for the bar.
    """

    max_frames: int | None = None
    paced: bool = False
    progress: bool = False
    frames_done: int = 0


class Pipeline:
    """Moves frames from a capture to a sink until one of them, the user or a signal ends it.

    Args:
        capture: started.
        painter: with the first style made.
        sink: file, picture or nothing; the window's own is inside view.
        view: of the live window; None without one.
        state: of the controls where there is no window.
        stop: set from outside to end the run.
        size_control: holds the rate of a live run by the processing size, as long as the state adapts.
        outlets: take the picture beside the sink.
    """

    def __init__(
        self,
        capture: Capture,
        painter: Painter,
        sink: Sink,
        view: LiveView | None,
        state: ControlState,
        times: RunTimes,
        options: RunOptions,
        stop: threading.Event,
        size_control: SizeControl | None = None,
        outlets: Sequence[Outlet] = (),
    ) -> None:
        self.outlets = outlets
        self.frames_styled = 0
        self.is_complete = False  # everything there was to paint has been painted
        self.frame_wh: tuple[int, int] | None = None  # of the last frame, as it was painted and shown
        self._capture, self._painter, self._sink, self._view = capture, painter, sink, view
        self.state, self._times, self._options, self._stop = state, times, options, stop
        self._size_control = size_control
        self._file_started_s: float | None = None
        self._lost_at_s: float | None = None
        self._first_captured_s: float | None = None

    def run(self) -> None:
        """Runs to the end; files are finished and threads joined whatever happens.

        Raises:
            UserError: the source ended damaged or was lost for good, the network failed, the output cannot be written.
        """
        bar = tqdm(
            total=self._options.max_frames or self._capture.source.frame_count,
            initial=self._options.frames_done,
            unit=" frames",
            disable=None if self._options.progress else True,
        )
        try:
            while not self._is_over():
                frame = self._next_frame()
                if frame is None:
                    continue
                self._handle(frame)
                bar.update()
            self.is_complete = self._has_all or not self._stop.is_set()
        finally:
            bar.close()
            self._capture.stop()
            self._sink.close(self.is_complete)

    def _is_over(self) -> bool:
        return self._stop.is_set() or (self._view is not None and self._view.state.quit) or self._has_all

    @property
    def source_wh(self) -> tuple[int, int] | None:
        """Size of the source's own pictures, before --scale where there is one."""
        before_scaling: tuple[int, int] | None = getattr(self._capture.source, "source_wh", None)
        return before_scaling if before_scaling is not None and self.frame_wh is not None else self.frame_wh

    @property
    def output_wh(self) -> tuple[int, int] | None:
        """Size of what was written or shown; a file's codec may need one pixel more."""
        written: tuple[int, int] | None = getattr(self._sink, "output_wh", None)
        return written or self.frame_wh

    @property
    def _has_all(self) -> bool:
        limit = self._options.max_frames
        at_limit = limit is not None and self._options.frames_done + self.frames_styled >= limit
        return at_limit or self._capture.is_exhausted

    def _next_frame(self) -> Frame | None:
        with self._times.stage("capture"):
            frame = self._capture.get(_POLL_S)
        if frame is None:
            if self._view is not None:
                self._wait_for_source(self._view)
            return None
        self._lost_at_s = None
        return self._at_its_time(frame) if self._options.paced else frame

    def _handle(self, frame: Frame) -> None:
        began_s = self._times.clock()
        state = self._view.state if self._view is not None else self.state
        painted = self._painter.paint(frame, state)
        painted_s = self._times.clock()
        self.frames_styled += 1
        self.frame_wh = frame.size_wh
        for outlet in self.outlets:
            outlet.offer(picture_for_others(painted, state.split), frame.captured_at_s)
        with self._times.stage("present"):
            if self._view is not None:
                self._view.frames_dropped = self._capture.frames_dropped
                self._view.show(painted)
            else:
                self._sink.write(picture_for_others(painted, state.split), self._time_in_output(frame))
                self._times.frame_shown(frame.captured_at_s)
        self._adapt(self._times.clock() - began_s, painted_s - began_s)

    def _adapt(self, work_s: float, painting_s: float) -> None:
        """Lets the processing size follow the time that the frame took."""
        holder: Pipeline | LiveView = self._view if self._view is not None else self
        if self._size_control is not None and holder.state.adapts:
            share = self._size_control.frame_done(work_s, painting_s)
            if share != holder.state.processing_share:
                holder.state = replace(holder.state, processing_share=share)

    def _time_in_output(self, frame: Frame) -> float:
        """A file's frame keeps its time; a camera's has the time at which it was seen."""
        if self._first_captured_s is None:
            self._first_captured_s = frame.captured_at_s
        return frame.presented_at_s if frame.presented_at_s is not None else frame.captured_at_s - self._first_captured_s

    def _wait_for_source(self, view: LiveView) -> None:
        """Keeps the window alive while no frame comes, and says so when the source is lost."""
        if self._capture.state is not CaptureState.LOST:
            view.idle()
            return
        now = self._times.clock()
        if self._lost_at_s is None:
            self._lost_at_s = now
        view.wait(f"{self._capture.source.description} lost, waiting for it ({now - self._lost_at_s:.0f} s)")

    def _at_its_time(self, frame: Frame) -> Frame | None:
        """Waits until a file's frame is due; keys are answered meanwhile."""
        at_s = frame.presented_at_s or 0.0
        now = self._times.clock()
        if self._file_started_s is None or now > self._file_started_s + at_s + 1.0:  # far behind: do not race after it
            self._file_started_s = now - at_s
        due_s = self._file_started_s + at_s
        while (left_s := due_s - self._times.clock()) > 0 and not self._stop.is_set():
            if self._view is not None and left_s > 0.004:
                self._view.idle()
                if self._view.state.quit:
                    return None
                left_s = min(left_s - 0.002, _KEYS_S)  # not a loop that asks for keys and nothing else
            self._stop.wait(left_s)
        return Frame(frame.image_bgr, frame.index, max(frame.captured_at_s, due_s), frame.presented_at_s)


def collect_stats(
    pipeline: Pipeline, capture: Capture, painter: Painter, times: RunTimes, style: str, started_s: float
) -> dict[str, Any]:
    """What --stats writes.

    Args:
        started_s: monotonic seconds at which the process started.
    """
    first = times.first_shown_s
    return {
        "frames_in": capture.frames_in,
        "frames_styled": pipeline.frames_styled,
        "frames_dropped": capture.frames_dropped,
        "damaged_packets": getattr(capture.source, "damaged_packets", 0),
        "start_s": round(first - started_s, 3) if first is not None else None,
        "seconds": round(times.seconds, 3),
        "fps": round(times.fps, 3),
        "latency_ms": times.latencies_ms(),
        "stage_ms": times.stage_medians_ms(),
        "provider": painter.stylizer.provider,
        "precision": painter.stylizer.precision,
        "tier": painter.stylizer.tier,
        "style": style,
        "source_wh": pipeline.source_wh,
        "processed_wh": painter.smallest_processed_wh,
        "output_wh": pipeline.output_wh,
        **collect_figures(pipeline.outlets),
    }


def write_stats(path: Path, stats: dict[str, Any]) -> None:
    """Writes the figures as JSON, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(json.dumps(stats, indent=2) + "\n", encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise OutputError(f"--stats {path}: cannot be written ({error.strerror})") from None


def join_all(*ends: Callable[[], None]) -> None:
    """Calls each, in order, even where one raises; the first error is raised at the end."""
    first_error: Exception | None = None
    for end in ends:
        try:
            end()
        except Exception as error:
            first_error = first_error or error
    if first_error is not None:
        raise first_error
