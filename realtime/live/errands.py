"""What keys set going beside the live picture, and what it has to report: snapshots, recordings,
re-paintings, new styles."""

from __future__ import annotations

import queue
from dataclasses import replace
from functools import partial
from pathlib import Path

from realtime.controls import ControlState
from realtime.errors import UserError
from realtime.live.gallery_watch import GalleryWatch
from realtime.live.messages import Messages
from realtime.live.repaint import Repainter, RepaintStatus
from realtime.live.snapshots import OnSaved, Snapshot, SnapshotFolder
from realtime.outlets.recorder import Recorder
from realtime.painter import PaintedFrame, Painter
from realtime.studio import Studio


class Errands:
    """Carries out what the controls ask for, on threads of others; the picture never waits for it.

    Args:
        state: the first one; what it counts already is not asked for again.
        messages: takes what became of it.
        watch: tells of styles that appear; None where nobody looks for them.
    """

    def __init__(
        self,
        state: ControlState,
        studio: Studio,
        painter: Painter,
        snapshots: SnapshotFolder,
        recorder: Recorder,
        repainter: Repainter,
        messages: Messages,
        watch: GalleryWatch | None = None,
    ) -> None:
        self.snapshots_written = 0
        self._watch = watch
        self._studio, self._painter = studio, painter
        self._snapshots, self._recorder, self._repainter, self._messages = snapshots, recorder, repainter, messages
        self._snapshots_started = state.snapshots_asked
        self._repaints_started, self._repaints_cancelled = state.repaints_asked, state.repaints_cancelled
        self._cancelled_in_vain = 0  # when nothing was being re-painted yet
        self._is_recording = state.recording  # from the start: begun already

    def follow(self, state: ControlState) -> ControlState:
        """Begins and ends what needs no frame of its own.

        Returns:
            The state as it is now: a recording that failed is no longer wanted, styles that appeared are counted.
        """
        self._report_snapshots()
        state = self._take_up_styles(state)
        while self._repaints_cancelled < state.repaints_cancelled:
            self._repaints_cancelled += 1
            if not self._repainter.cancel():
                self._cancelled_in_vain += 1
        return self._follow_recording(state)

    def _follow_recording(self, state: ControlState) -> ControlState:
        if state.recording == self._is_recording:
            if not state.recording or self._recorder.is_on:
                return state
            state = replace(state, recording=False)
        if state.recording:
            self._recorder.begin(self._style_name(self._painter.style))
        else:
            self._recorder.end()
        self._is_recording = state.recording
        return state

    def take(self, painted: PaintedFrame, state: ControlState) -> None:
        """Takes the snapshots that were asked for of this frame, and hands on those that are to be re-painted.

        Args:
            painted: what is on show; a snapshot has the look with which it was painted.
            state: the controls as they are now, which may ask for another look already.
        """
        while self._snapshots_started < state.snapshots_asked:
            self._snapshots_started += 1
            self._save_snapshot(painted, None)
        while self._repaints_started < state.repaints_asked:
            self._repaints_started += 1
            try:
                style_picture = self._repainter.style_picture(self._studio.styles[painted.style])
            except UserError as error:
                self._messages.say(str(error))
                continue
            self._save_snapshot(painted, partial(self._hand_on, style_picture, self._cancelled_in_vain))

    def recording_status(self) -> str:
        """Time and size of the recording that runs, or nothing."""
        return self._recorder.status()

    def repaint_status(self) -> RepaintStatus:
        """How far the re-painting is, and what it looks like."""
        return self._repainter.status

    def _save_snapshot(self, painted: PaintedFrame, then: OnSaved | None) -> None:
        photo = painted.frame.image_bgr
        self._snapshots.save(self._painter.at_full_size(painted), photo, self._style_name(painted.style), then)

    def _hand_on(self, style_picture: Path, in_vain_before: int, snapshot: Snapshot) -> None:
        """Has a snapshot re-painted, unless that was cancelled while it was being written."""
        if self._cancelled_in_vain > in_vain_before:
            self._messages.say("re-painting cancelled")
            return
        assert snapshot.path is not None and snapshot.original is not None
        self._repainter.request(snapshot.original, snapshot.path, style_picture)

    def _style_name(self, style: int) -> str:
        return self._studio.styles[style].name

    def _take_up_styles(self, state: ControlState) -> ControlState:
        while self._watch is not None and not self._watch.arrived.empty():
            arrival = self._watch.arrived.get()
            if arrival.style is None:
                self._messages.say(f"left out: {arrival.problem}")
                continue
            number, is_new = self._studio.take_up(arrival.style)
            key = f"key {number + 1}" if number < 9 else "keys N and P"
            self._messages.say(f"new style: {arrival.style.label} ({key})" if is_new else f"changed: {arrival.style.label}")
        count = len(self._studio.styles)
        return state if state.style_count == count else replace(state, style_count=count)

    def _report_snapshots(self) -> None:
        try:
            while True:
                snapshot = self._snapshots.done.get_nowait()
                if snapshot.path is not None:
                    self.snapshots_written += 1
                    self._messages.say(snapshot.failure or f"snapshot {self.snapshots_written}: {snapshot.path.name}")
                else:
                    self._messages.say(snapshot.failure)
        except queue.Empty:
            pass
