"""Writes H.264 in MP4 with PyAV, on a thread of its own: encoding runs beside decoding and styling."""

from __future__ import annotations

import os
import queue
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np

from realtime.errors import OutputError
from realtime.frame import Image
from realtime.sinks import check_output

_SUFFIXES = frozenset({".mp4", ".mov", ".m4v", ".mkv"})
_CONSTANT_QUALITY = "18"
_QUEUE_FRAMES = 4


class VideoFileSink:
    """A video file of constant rate; it appears under its name when it is complete and playable.

    Args:
        path: must end in .mp4, .mov, .m4v or .mkv.
        rate: frames a second.
        overwrite: whether an existing file may be replaced.
    Raises:
        OutputError: the file cannot be written.
    """

    def __init__(self, path: Path, rate: Fraction, overwrite: bool) -> None:
        if path.suffix.lower() not in _SUFFIXES:
            raise OutputError(f"--output {path}: expected a name ending in {', '.join(sorted(_SUFFIXES))} for a video")
        check_output(path, overwrite)
        self.frames_written = 0
        self._path, self._rate = path, rate.limit_denominator(1001000)
        self._partial = path.with_name(path.name + ".partial")
        self._frames: queue.Queue[Image | None] = queue.Queue(_QUEUE_FRAMES)
        self._error: Exception | None = None
        self._thread: threading.Thread | None = None
        self._size_wh: tuple[int, int] | None = None

    def write(self, image_bgr: Image, presented_at_s: float | None) -> int:
        """Queues a picture; a size that changes in mid-file is refused."""
        size_wh = (image_bgr.shape[1], image_bgr.shape[0])
        if self._thread is None:
            self._size_wh = size_wh
            self._thread = threading.Thread(target=self._encode, args=(size_wh,), name="encoder", daemon=True)
            self._thread.start()
        if size_wh != self._size_wh:
            raise OutputError(
                f"--output {self._path}: the picture changed from {self._size_wh} to {size_wh}, which a file cannot hold"
            )
        while True:
            if self._error is not None:
                raise self._error
            try:
                self._frames.put(image_bgr, timeout=0.5)
                return -1
            except queue.Full:
                continue

    def close(self, complete: bool) -> None:
        """Writes what is queued, finishes the file and gives it its name.

        Raises:
            OutputError: the disk refused; what could be kept lies beside it as .partial.
        """
        if self._thread is None:
            return
        while self._thread.is_alive():
            try:
                self._frames.put(None, timeout=0.5)
                break
            except queue.Full:
                continue
        self._thread.join()
        if self._error is not None:
            raise self._error
        try:
            os.replace(self._partial, self._path)
        except OSError as error:
            raise OutputError(
                f"--output {self._path}: cannot be put in place ({error.strerror}); kept as {self._partial}"
            ) from None

    def _encode(self, size_wh: tuple[int, int]) -> None:
        try:
            container: Any = av.open(
                str(self._partial), "w", format="matroska" if self._path.suffix.lower() == ".mkv" else "mp4"
            )
            with container:
                stream = container.add_stream("libx264", rate=self._rate)
                # H.264 with 4:2:0 colour holds even sizes only: an odd one gains a row or column, shown by no player.
                stream.width, stream.height = size_wh[0] + size_wh[0] % 2, size_wh[1] + size_wh[1] % 2
                stream.pix_fmt = "yuv420p"
                stream.options = {"crf": _CONSTANT_QUALITY, "preset": "veryfast"}
                while (image_bgr := self._frames.get()) is not None:
                    frame = av.VideoFrame.from_ndarray(_even(image_bgr), format="bgr24")
                    frame.pts, frame.time_base = self.frames_written, 1 / self._rate
                    container.mux(stream.encode(frame))
                    self.frames_written += 1
                container.mux(stream.encode(None))
        except (av.error.FFmpegError, OSError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self._error = OutputError(
                f"--output {self._path}: cannot be written after {self.frames_written} frames ({reason}); "
                f"kept as {self._partial}"
            )
        except Exception as error:
            self._error = error


def _even(image_bgr: Image) -> Image:
    height, width = image_bgr.shape[:2]
    if height % 2 or width % 2:
        return np.pad(image_bgr, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(image_bgr)
