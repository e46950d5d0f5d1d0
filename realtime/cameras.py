"""Cameras of this machine and network streams, through OpenCV: sources that may be lost and come back."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from realtime.errors import SourceError
from realtime.frame import Image
from realtime.source import Source

STREAM_TIMEOUT_MS = 2000
_ENDLESS = 2**31  # frames; what OpenCV makes of a length that is not stated lies below 0 or above
# Read by OpenCV whenever it opens something, and only streams are in a hurry. Where it stands, OpenCV does not ask for TCP
# by itself; RTSP over UDP smears pictures as soon as a packet is lost. Without fflags nobuffer, which throws away what the
# stream was recognised by: its keyframe, and the next may come after ten seconds.
_STREAM_OPTIONS = (
    "OPENCV_FFMPEG_CAPTURE_OPTIONS",
    "rtsp_flags;prefer_tcp|analyzeduration;500000|probesize;500000",
)
# As in rtsp://camera/user=admin&password=secret and http://camera/video?token=secret.
_SECRET = re.compile(r"((?:pass(?:word|wd)?|pwd|token|key)=)[^&]*", re.IGNORECASE)


class _Live(Source):
    """What camera and stream share."""

    is_live = True
    can_return = True

    def __init__(self) -> None:
        self._capture: cv2.VideoCapture | None = None

    def read(self) -> tuple[Image, float | None] | None:
        if self._capture is None:
            return None
        done, picture = self._capture.read()
        return (np.asarray(picture, np.uint8), None) if done and picture is not None and picture.size else None

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None


class CameraSource(_Live):
    """A camera of this machine, by number.

    Args:
        number: as OpenCV counts them.
        size_wh, fps: asked of the camera; it may give something else.
    """

    is_mirrored = True
    is_hardware = True

    def __init__(self, number: int, size_wh: tuple[int, int] | None = None, fps: float | None = None) -> None:
        super().__init__()
        self.description = f"camera {number}"
        self._number, self._size_wh, self._fps = number, size_wh, fps
        self._was_open = False

    def open(self) -> None:
        # MJPG first, then size, then rate: uncompressed 1080p comes at five frames a second from most cameras.
        asked = [cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")]
        if self._size_wh is not None:
            asked += [cv2.CAP_PROP_FRAME_WIDTH, self._size_wh[0], cv2.CAP_PROP_FRAME_HEIGHT, self._size_wh[1]]
        if self._fps is not None:
            asked += [cv2.CAP_PROP_FPS, round(self._fps)]
        capture = _open_camera(self._number, asked)
        if capture is None:
            raise SourceError(f"camera {self._number}: cannot be opened{'' if self._was_open else self._hint()}")
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self._capture, self._was_open = capture, True

    def _hint(self) -> str:
        """What to try; not for a lost camera, which is tried again and again: all others would be opened each time."""
        allow = "allow the terminal to use it (System Settings, Privacy & Security) and start again, " * (
            sys.platform == "darwin"
        )
        return f"; found {describe_cameras()}. Plug one in, {allow}close other programs that use it, or try --source demo"


class StreamSource(_Live):
    """A network stream (rtsp://, http://, ...), opened and read with time-outs of two seconds."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.description = f"stream {without_password(address)}"
        self._address = address

    def open(self) -> None:
        os.environ.setdefault(*_STREAM_OPTIONS)
        options = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, STREAM_TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, STREAM_TIMEOUT_MS]
        try:
            capture = cv2.VideoCapture(self._address, cv2.CAP_FFMPEG, options)
        except cv2.error:
            capture = None
        if capture is None or not capture.isOpened():
            raise SourceError(
                f"{self.description}: no answer with a video in it within {STREAM_TIMEOUT_MS // 1000} seconds; "
                "check the address and that the sender runs"
            )
        if self._address.lower().startswith("http") and 0 < capture.get(cv2.CAP_PROP_FRAME_COUNT) < _ENDLESS:
            capture.release()  # it would be played as fast as it comes, and from its beginning again
            raise SourceError(f"{self.description}: a clip that ends, no live stream; download it and give the file")
        self._capture = capture


def list_cameras(limit: int = 10) -> Iterator[tuple[int, tuple[int, int], float]]:
    """Number, size and rate, as the driver states it, of each camera that opens."""
    for number in _camera_numbers(limit):
        capture = _open_camera(number, [])
        if capture is None:
            continue
        size_wh = (int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
        fps = float(capture.get(cv2.CAP_PROP_FPS))
        capture.release()
        yield number, size_wh, fps


def measure_camera(
    number: int, seconds: float = 1.5, clock: Callable[[], float] = time.perf_counter
) -> tuple[tuple[int, int], float] | None:
    """Size and frames a second that a camera really gives; None where none came. What a driver states is often wrong.

    Args:
        seconds: how long to look, after the first frame, which waits for exposure.
    """
    capture = _open_camera(number, [])
    if capture is None:
        return None
    try:
        done, picture = capture.read()
        if not done:
            return None
        began, frames = clock(), 0
        while clock() - began < seconds and capture.read()[0]:
            frames += 1
        passed = clock() - began
        return ((picture.shape[1], picture.shape[0]), frames / passed) if frames and passed > 0 else None
    finally:
        capture.release()


def describe_cameras() -> str:
    """The cameras that open, in a few words."""
    numbers = [str(number) for number, _, _ in list_cameras(4)]
    return "cameras " + ", ".join(numbers) if numbers else "no camera"


def _camera_numbers(limit: int) -> list[int]:
    devices = Path("/dev")
    if devices.is_dir() and Path("/sys/class").is_dir():  # Linux: only numbers that exist
        return sorted(int(p.name[5:]) for p in devices.glob("video*") if p.name[5:].isdigit())[:limit]
    return list(range(limit))


def _open_camera(number: int, options: list[int]) -> cv2.VideoCapture | None:
    try:
        capture = cv2.VideoCapture(number, cv2.CAP_ANY, options)
        if not capture.isOpened() and options:  # some drivers refuse options at construction
            capture = cv2.VideoCapture(number)
            for name, value in zip(options[::2], options[1::2], strict=True):
                capture.set(name, value)
    except cv2.error:
        return None
    return capture if capture.isOpened() else None


def without_password(address: str) -> str:
    """An address as it may be shown: no user and password before the host, no secret among its options."""
    shown = re.sub(r"//.*@", "//", address)  # up to the last @: passwords may hold @ and / as they are
    return _SECRET.sub(r"\1***", shown)
