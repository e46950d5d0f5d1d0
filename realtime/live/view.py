"""The window's side of the pipeline: keys in, the shown picture with its overlay out."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from realtime.compositor import split_view
from realtime.controls import ControlState, apply_command, interpret_key
from realtime.frame import Image
from realtime.live.errands import Errands
from realtime.live.messages import Messages
from realtime.overlay import Hud, draw_overlay
from realtime.painter import PaintedFrame, Painter
from realtime.sinks import WindowSink
from realtime.studio import Studio
from realtime.timing import RunTimes


class LiveView:
    """Shows painted frames and turns keys into the next state.

    Args:
        window: where pictures are shown.
        state: the first one.
        errands: what keys set going beside the picture.
        messages: what is to be said on the picture.
        source: description of the source, for the diagnostics.
    """

    def __init__(
        self,
        window: WindowSink,
        state: ControlState,
        studio: Studio,
        painter: Painter,
        errands: Errands,
        messages: Messages,
        times: RunTimes,
        source: str,
    ) -> None:
        self.state = state
        self._window, self._studio, self._painter = window, studio, painter
        self._errands, self._messages = errands, messages
        self._times, self._source = times, source
        self._last: PaintedFrame | None = None  # the frame on show
        self._warned_of: tuple[int, str] | None = None  # style and what is wrong with it, said while it is wanted
        self.frames_dropped = 0

    def show(self, painted: PaintedFrame) -> None:
        """Shows a frame and takes the keys pressed meanwhile."""
        self._last = painted
        picture = self._as_seen(painted)
        self.state = self._errands.follow(self.state)
        self._warn_of_style()
        self._present(picture, self._messages.current(), painted.processed_wh)
        self._times.frame_shown(painted.frame.captured_at_s)

    def wait(self, message: str) -> None:
        """Shows the last picture with a message while no frame comes, and takes keys."""
        picture = self._as_seen(self._last) if self._last is not None else np.zeros((480, 640, 3), np.uint8)
        self.state = self._errands.follow(self.state)
        self._present(picture, "\n".join(filter(None, (message, self._messages.current()))), None)

    def idle(self) -> None:
        """Takes keys between two frames without showing anything new."""
        self._take_key(self._window.poll())
        self.state = self._errands.follow(self.state)

    def _present(self, picture: Image, message: str, processed_wh: tuple[int, int] | None) -> None:
        style = self._studio.styles[self._painter.style]
        stylizer = self._painter.stylizer
        repaint = self._errands.repaint_status()
        hud = Hud(
            style_label=style.label,
            style_number=self._painter.style,
            rate_fps=self._times.recent_fps,
            latency_ms=self._times.recent_latency_ms,
            device=f"{stylizer.provider} {stylizer.precision}",
            message=message,
            recording=self._errands.recording_status(),
            job=repaint.line,
            job_picture=self._mirrored(repaint.picture) if repaint.picture is not None else None,
            details=self._details(picture, processed_wh) if self.state.diagnostics else (),
        )
        self._window.write(draw_overlay(picture, hud, self.state))
        self._take_key(self._window.poll())

    def _take_key(self, code: int) -> None:
        """Turns a key into the next state; a snapshot that it asks for is of what is on show now."""
        if self._window.is_closed:
            self.state = replace(self.state, quit=True)
            return
        press = interpret_key(code)
        if press is not None:
            before, self.state = self.state, apply_command(self.state, press)
            if self.state.fullscreen != before.fullscreen:
                self._window.set_fullscreen(self.state.fullscreen)
        if self._last is not None:
            self._errands.take(self._last, self.state)

    def _as_seen(self, painted: PaintedFrame) -> Image:
        """A painted frame mirrored and split as the controls are now."""
        photo, picture = painted.frame.image_bgr, self._mirrored(painted.picture_bgr)
        return split_view(self._mirrored(photo), picture) if self.state.split else picture

    def _mirrored(self, picture: Image) -> Image:
        """A picture as in a mirror, where that is wanted."""
        return np.asarray(cv2.flip(picture, 1), np.uint8) if self.state.mirror else picture

    def _warn_of_style(self) -> None:
        wanted = self.state.style
        problem = self._studio.failure(wanted)
        found = None if problem is None else (wanted, problem)
        if found is not None and found != self._warned_of:
            self._messages.say(found[1])
        self._warned_of = found

    def _details(self, picture: Image, processed_wh: tuple[int, int] | None) -> tuple[str, ...]:
        stages, latency, stylizer = self._times.stage_medians_ms(), self._times.latencies_ms(), self._painter.stylizer
        size = f"{picture.shape[1]}x{picture.shape[0]}"
        processed = f"{processed_wh[0]}x{processed_wh[1]}" if processed_wh else "-"
        how = stylizer.describe_run(processed_wh) if processed_wh else ""
        last = self._last
        is_levelled = last is not None and last.seen.levels is not None and last.state.effective_strength > 0
        return (
            f"{self._source}   {size}   processed {processed}   {'auto levels' if is_levelled else ''}".rstrip(),
            f"{stylizer.tier} {stylizer.precision} on {stylizer.provider}   {how}".rstrip(),
            "   ".join(f"{name} {value:.1f} ms" for name, value in stages.items()),
            f"latency p50 {latency['p50']:.0f}   p95 {latency['p95']:.0f}   p99 {latency['p99']:.0f} ms",
            f"shown {self._times.shown}   dropped {self.frames_dropped}   snapshots {self._errands.snapshots_written}",
        )
