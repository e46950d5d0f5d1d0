"""Reads video files with PyAV: every frame once, damage in the middle skipped and counted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np

from realtime.errors import SourceError
from realtime.frame import Image

av.logging.set_level(None)

_LENGTH_TOLERANCE_S = 0.6  # headers round and streams end unevenly; a larger gap means a file cut short


class VideoFileSource:
    """A video file, frame by frame in the order of presentation.

    damaged_packets: packets that could not be decoded so far.
    average_rate: frames a second as a fraction, for writing with the same rate; known once open.
    """

    is_live = False
    is_mirrored = False
    is_hardware = False
    can_return = False

    def __init__(self, path: Path) -> None:
        self.description = f"video {path}"
        self.fps: float | None = None
        self.frame_count: int | None = None
        self.average_rate = Fraction(30)
        self.damaged_packets = 0
        self._path = path
        self._container: Any = None
        self._frames: Iterator[Any] = iter(())
        self._first_s: float | None = None
        self._last_s = 0.0
        self._count = 0

    def open(self) -> None:
        if not os.access(self._path, os.R_OK):
            raise SourceError(f"{self.description}: cannot be read (permission denied)")
        if self._path.stat().st_size == 0:
            raise SourceError(f"{self.description}: the file is empty")
        try:
            container: Any = av.open(str(self._path))
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise SourceError(f"{self.description}: not a video that can be read ({_reason(error)})") from None
        if not container.streams.video:
            container.close()
            raise SourceError(f"{self.description}: holds no video stream")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        self._container = container
        self.average_rate = stream.average_rate or stream.guessed_rate or Fraction(30)
        self.fps = float(self.average_rate)
        self.frame_count = stream.frames or None
        self._frames = self._decode(container, stream)

    def read(self) -> tuple[Image, float | None] | None:
        frame = next(self._frames, None)
        if frame is None:
            self._check_end()
            return None
        at_s = frame.time if frame.time is not None else self._count / float(self.average_rate)
        if self._first_s is None:
            self._first_s = at_s
        self._last_s = at_s - self._first_s
        self._count += 1
        return np.asarray(frame.to_ndarray(format="bgr24"), np.uint8), self._last_s

    def close(self) -> None:
        self._frames = iter(())
        if self._container is not None:
            self._container.close()
            self._container = None

    def _decode(self, container: Any, stream: Any) -> Iterator[Any]:
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError:  # the container itself ends in the middle of something
                self.damaged_packets += 1
                yield from self._flush(stream)
                return
            try:
                yield from packet.decode()
            except av.error.FFmpegError:
                self.damaged_packets += 1

    def _flush(self, stream: Any) -> Iterator[Any]:
        try:
            yield from stream.codec_context.decode(None)
        except av.error.FFmpegError:
            self.damaged_packets += 1

    def _check_end(self) -> None:
        """Tells a file that was cut short from one that is complete.

        Raises:
            SourceError: nothing could be decoded, or the end of the announced length is missing.
        """
        if self._count == 0:
            raise SourceError(f"{self.description}: no frame in it can be decoded")
        announced_s = self._announced_seconds()
        reached_s = self._last_s + 1 / float(self.average_rate)
        if announced_s is not None and reached_s < announced_s - _LENGTH_TOLERANCE_S:
            raise SourceError(
                f"{self.description}: ends damaged after {self._count} frames, "
                f"{reached_s:.1f} of {announced_s:.1f} seconds; the frames before were kept"
            )

    def _announced_seconds(self) -> float | None:
        """Length of the video stream as the file states it; None where nothing is stated."""
        if self._container is None:
            return None
        stream = self._container.streams.video[0]
        if stream.duration is not None and stream.time_base is not None:
            return float(stream.duration * stream.time_base)
        alone = len(self._container.streams) == 1
        if not alone or not self._container.duration:
            return None
        # Matroska counts its length from zero, however late the first frame comes.
        return float(self._container.duration / 1_000_000 - (self._first_s or 0.0))


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return text.splitlines()[0] if text else type(error).__name__
