"""The only loop: capture -> paint -> compose -> sink."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from tqdm import tqdm

from realtime.capture import Capture, CaptureState
from realtime.controls import ControlState
from realtime.errors import UserError, tell_mistake
from realtime.frame import Frame
from realtime.live.size_control import SizeControl
from realtime.live.view import LiveView
from realtime.outlets.outlet import Outlet, picture_for_others
from realtime.paint_ahead import PaintAhead
from realtime.painter import PaintedFrame, Painter
from realtime.program.notes import Note, no_note
from realtime.sinks import Sink
from realtime.timing import RunTimes

_POLL_S = 0.05
_LOSS_TOLD_S = 2.0  # a stream that is back sooner was hardly lost
_KEYS_S = 0.02  # between two looks for a key while a file's frame is not due


@dataclass(frozen=True)
class RunOptions:
    """What ends a run and how it is paced.

    max_frames: styled frames after which to stop; None for no limit.
    paced: show a file's frames at the times the file says, every one of them.
    progress: draw a progress bar on stderr where that is a terminal.
    frames_done: frames of a video that an earlier run made; they count for max_frames and for the bar.
    frames_repeated: the last of those, which the source gives again: painted for the average over time and left at that.
    lanes: frames painted at a time; more than one only where there is no window and nothing is live.
    """

    max_frames: int | None = None
    paced: bool = False
    progress: bool = False
    frames_done: int = 0
    frames_repeated: int = 0
    lanes: int = 1


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
        note: told, where there is no window to say so, that a source is lost or back.
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
        note: Note = no_note,
    ) -> None:
        self.outlets = outlets
        self.frames_styled = 0
        self.frames_put_back = 0  # fetched, and not painted because the run was stopped or failed
        self._repeats = 0  # frames painted again
        self.is_complete = False  # everything there was to paint has been painted
        self.frame_wh: tuple[int, int] | None = None  # of the last frame, as it was painted and shown
        self._capture, self._painter, self._sink, self._view = capture, painter, sink, view
        self.state, self._times, self._options, self._stop = state, times, options, stop
        self._size_control, self._note = size_control, note
        self._file_started_s: float | None = None
        self._waited_s = 0.0  # for the next frame so far
        self._lost_at_s: float | None = None
        self._loss_told = False
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
            if self._options.lanes > 1:
                self._run_in_lanes(bar)
            else:
                self._run_one_by_one(bar)
            self.is_complete = self._has_all(self.frames_styled) or not self._stop.is_set()
        finally:
            bar.close()
            self._capture.stop()
            self._sink.close(self.is_complete)

    def _run_one_by_one(self, bar: tqdm[Any]) -> None:
        while not self._is_over(self.frames_styled):
            frame = self._next_frame()
            if frame is not None:
                self._handle(frame)
                self._move_on(bar)

    def _run_in_lanes(self, bar: tqdm[Any]) -> None:
        """While a frame is handed on, the next ones are painted.

        After a stop, what is being painted is finished and handed on, and what only waits for a lane is put back: it
        counts as never fetched.
        """
        ahead = PaintAhead(self._options.lanes, self._stop)
        fetched, source_error = 0, None
        try:
            while source_error is None and not self._is_over(fetched - self._options.frames_repeated):
                try:
                    frame = self._next_frame()
                except Exception as error:  # raised again once the frames before it have been handed on
                    frame, source_error = None, error
                if frame is not None:
                    ahead.put(partial(self._painter.paint_alone, self._painter.look_at(frame, self.state), self.state))
                    fetched += 1
                if ahead.is_full:
                    self._hand_on_oldest(ahead, bar)
            while ahead and self._hand_on_oldest(ahead, bar):
                pass
        finally:
            self.frames_put_back = ahead.close()
        if source_error is not None and not self.frames_put_back:  # else the run was stopped before it came so far
            raise source_error

    def _hand_on_oldest(self, ahead: PaintAhead, bar: tqdm[Any]) -> bool:
        """Waits for the oldest frame in the lanes; False where the run was stopped before its painting began."""
        painted = ahead.take()
        if painted is None:
            return False
        self._hand_on(self._painter.put_in_line(painted, self.state), self.state)
        self._move_on(bar)
        return True

    def _is_over(self, fetched: int) -> bool:
        return self._stop.is_set() or (self._view is not None and self._view.state.quit) or self._has_all(fetched)

    @property
    def frames_in(self) -> int:
        """Frames that the source handed over and that were neither put back nor painted before."""
        return self._capture.frames_in - self.frames_put_back - self._repeats

    @property
    def source_wh(self) -> tuple[int, int] | None:
        """Size of the source's own pictures, before --scale where there is one."""
        before_scaling = self._capture.source.source_wh
        return before_scaling if before_scaling is not None and self.frame_wh is not None else self.frame_wh

    @property
    def output_wh(self) -> tuple[int, int] | None:
        """Size of what was written or shown; a file's codec may need one pixel more."""
        return self._sink.output_wh or self.frame_wh

    def _has_all(self, fetched: int) -> bool:
        """Whether there is no frame after so many of this run."""
        limit = self._options.max_frames
        at_limit = limit is not None and self._options.frames_done + fetched >= limit
        return at_limit or (self._capture.is_exhausted and not self.frames_put_back)

    def _next_frame(self) -> Frame | None:
        began_s = self._times.clock()
        frame = self._capture.get(_POLL_S)
        self._waited_s += self._times.clock() - began_s
        if frame is None:
            self._wait_for_source()
            return None
        self._times.stage_took("capture", self._waited_s)
        self._waited_s = 0.0
        if self._loss_told:
            self._note(f"{self._capture.source.description}: is back")
        self._lost_at_s, self._loss_told = None, False
        return self._at_its_time(frame) if self._options.paced else frame

    def _handle(self, frame: Frame) -> None:
        began_s = self._times.clock()
        state = self._view.state if self._view is not None else self.state
        painted = self._painter.paint(frame, state)
        painted_s = self._times.clock()
        self._hand_on(painted, state)
        if state.effective_strength > 0:  # what was not painted says nothing of what the machine can paint
            self._adapt(self._times.clock() - began_s, painted_s - began_s)

    def _hand_on(self, painted: PaintedFrame, state: ControlState) -> None:
        """Shows or writes a painted frame and gives it to whoever else takes it."""
        if self._repeats < self._options.frames_repeated:
            self._repeats += 1
            return
        frame = painted.frame
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

    def _move_on(self, bar: tqdm[Any]) -> None:
        """Lets the bar stand at the frames that there are."""
        bar.update(self._options.frames_done + self.frames_styled - bar.n)

    def _adapt(self, work_s: float, painting_s: float) -> None:
        """Lets the processing size follow the time that the frame took."""
        holder: Pipeline | LiveView = self._view if self._view is not None else self
        if self._size_control is not None and holder.state.adapts:
            share = self._size_control.frame_done(work_s, painting_s, self._capture.interval_s)
            if share != holder.state.processing_share:
                holder.state = replace(holder.state, processing_share=share)

    def _time_in_output(self, frame: Frame) -> float:
        """A file's frame keeps its time; a camera's has the time at which it was seen."""
        if self._first_captured_s is None:
            self._first_captured_s = frame.captured_at_s
        return frame.presented_at_s if frame.presented_at_s is not None else frame.captured_at_s - self._first_captured_s

    def _wait_for_source(self) -> None:
        """Keeps the window alive while no frame comes, and says so when the source is lost."""
        is_lost, view, name = self._capture.state is CaptureState.LOST, self._view, self._capture.source.description
        now = self._times.clock()
        if is_lost and self._lost_at_s is None:
            self._lost_at_s = now
        lost_s = now - self._lost_at_s if is_lost and self._lost_at_s is not None else 0.0
        if view is None and lost_s > _LOSS_TOLD_S and not self._loss_told:
            self._loss_told = True
            self._note(f"{name}: lost, waiting for it")
        elif view is not None and is_lost:
            view.wait(f"{name} lost, waiting for it ({lost_s:.0f} s)")
        elif view is not None:
            view.idle()

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


def join_all(*ends: Callable[[], None]) -> None:
    """Calls each, in order, even where one raises; the first error is raised at the end, users' mistakes after it are told."""
    first_error: Exception | None = None
    for end in ends:
        try:
            end()
        except Exception as error:
            if first_error is not None and isinstance(error, UserError):
                tell_mistake(error)
            first_error = first_error or error
    if first_error is not None:
        raise first_error
