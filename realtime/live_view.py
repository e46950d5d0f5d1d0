"""The window's side of the pipeline: keys in, the shown picture with its overlay out, snapshots on request."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from realtime.compositor import compose, split_view
from realtime.controls import ControlState, apply_command, interpret_key
from realtime.frame import Image
from realtime.overlay import Hud, draw_overlay
from realtime.painter import PaintedFrame, Painter
from realtime.sinks import WindowSink
from realtime.snapshots import SnapshotFolder
from realtime.studio import Studio
from realtime.timing import RunTimes

_MESSAGE_S = 3.0


class LiveView:
    """Shows painted frames and turns keys into the next state.

    Args:
        window: where pictures are shown.
        state: the first one.
        source: description of the source, for the diagnostics.
    """

    def __init__(
        self,
        window: WindowSink,
        state: ControlState,
        studio: Studio,
        painter: Painter,
        snapshots: SnapshotFolder,
        times: RunTimes,
        source: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state = state
        self._window, self._studio, self._painter = window, studio, painter
        self._snapshots, self._times, self._source, self._clock = snapshots, times, source, clock
        self._message, self._message_until_s = "", 0.0
        self._snapshots_written = 0
        self._snapshots_started = state.snapshots_asked
        self._last_shown: Image | None = None
        self._warned: set[int] = set()
        self.frames_dropped = 0

    def show(self, painted: PaintedFrame) -> None:
        """Shows a frame and takes the keys pressed meanwhile."""
        photo, picture = painted.frame.image_bgr, painted.picture_bgr
        if self.state.mirror:
            picture = np.asarray(cv2.flip(picture, 1), np.uint8)
        if self.state.split:
            picture = split_view(np.asarray(cv2.flip(photo, 1), np.uint8) if self.state.mirror else photo, picture)
        self._last_shown = picture
        self._collect_messages()
        self._present(picture, self._current_message(), painted.processed_wh)
        self._times.frame_shown(painted.frame.captured_at_s)
        self._save_snapshots(painted)

    def wait(self, message: str) -> None:
        """Shows the last picture with a message while no frame comes, and takes keys."""
        picture = self._last_shown if self._last_shown is not None else np.zeros((480, 640, 3), np.uint8)
        self._present(picture, message, None)

    def idle(self) -> None:
        """Takes keys between two frames without showing anything new."""
        self._take_key(self._window.poll())

    def say(self, message: str) -> None:
        """A message on the picture for a few seconds."""
        self._message, self._message_until_s = message, self._clock() + _MESSAGE_S

    def _present(self, picture: Image, message: str, processed_wh: tuple[int, int] | None) -> None:
        style = self._studio.styles[self._painter.style]
        stylizer = self._painter.stylizer
        hud = Hud(
            style_label=style.label,
            style_number=self._painter.style,
            rate_fps=self._times.recent_fps,
            latency_ms=self._times.recent_latency_ms,
            device=f"{stylizer.provider} {stylizer.precision}",
            message=message,
            details=self._details(picture, processed_wh) if self.state.diagnostics else (),
        )
        self._take_key(self._window.write(draw_overlay(picture, hud, self.state)))
        if self._window.is_closed:
            self.state = replace(self.state, quit=True)

    def _take_key(self, code: int) -> None:
        press = interpret_key(code)
        if press is None:
            return
        before, self.state = self.state, apply_command(self.state, press)
        if self.state.fullscreen != before.fullscreen:
            self._window.set_fullscreen(self.state.fullscreen)

    def _collect_messages(self) -> None:
        try:
            while True:
                snapshot = self._snapshots.done.get_nowait()
                if snapshot.path is None:
                    self.say(f"no snapshot: {snapshot.problem}")
                else:
                    self._snapshots_written += 1
                    self.say(f"snapshot {self._snapshots_written}: {snapshot.path.name}")
        except queue.Empty:
            pass
        wanted = self.state.style
        problem = self._studio.failure(wanted)
        if problem is not None and wanted not in self._warned:
            self._warned.add(wanted)
            self.say(problem)

    def _current_message(self) -> str:
        return self._message if self._clock() < self._message_until_s else ""

    def _save_snapshots(self, painted: PaintedFrame) -> None:
        while self._snapshots_started < self.state.snapshots_asked:
            self._snapshots_started += 1
            self._snapshots.save(self._full_size(painted), painted.frame.image_bgr, self._studio.styles[painted.style].name)

    def _full_size(self, painted: PaintedFrame) -> Callable[[], Image]:
        """The picture as shown, or a way to paint it again at full size on the snapshot thread."""
        if painted.is_full:
            return lambda: painted.picture_bgr
        stylizer, state, photo = self._painter.stylizer, self.state, painted.frame.image_bgr
        return lambda: compose(
            photo,
            stylizer.style(photo),
            strength=state.effective_strength,
            colours_of_photo=state.colours_of_photo,
            split=False,
        )

    def _details(self, picture: Image, processed_wh: tuple[int, int] | None) -> tuple[str, ...]:
        stages, latency, stylizer = self._times.stage_medians_ms(), self._times.latencies_ms(), self._painter.stylizer
        size = f"{picture.shape[1]}x{picture.shape[0]}"
        processed = f"{processed_wh[0]}x{processed_wh[1]}" if processed_wh else "-"
        return (
            f"{self._source}   {size}   processed {processed}",
            f"{stylizer.tier} {stylizer.precision} on {stylizer.provider}",
            "   ".join(f"{name} {value:.1f} ms" for name, value in stages.items()),
            f"latency p50 {latency['p50']:.0f}   p95 {latency['p95']:.0f}   p99 {latency['p99']:.0f} ms",
            f"shown {self._times.shown}   dropped {self.frames_dropped}   snapshots {self._snapshots_written}",
        )
