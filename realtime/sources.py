"""Where frames come from: the picture, the demo, a film played as a camera, and the choice by name."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

from realtime.cameras import CameraSource, StreamSource
from realtime.demo import DEMO_FPS, DEMO_SIZE_WH, DemoScene
from realtime.errors import SourceError, UserError
from realtime.frame import Image
from realtime.pace import Pace
from realtime.pictures.animation import AnimatedPicture, is_animated
from realtime.pictures.files import PICTURE_SUFFIXES, read_picture, scale_picture
from realtime.program.notes import Note, no_note
from realtime.source import Source
from realtime.video.excerpt import Excerpt, Scale

_SMALLEST_DEMO, _LARGEST_DEMO = 64, 7680
_LARGEST_SHOWN_WH = (3840, 2160)  # no screen shows more of a still, and each of its frames is painted again
PICTURE_FPS = 10.0  # a still is shown again so often, so that keys and fades answer
_STREAM = re.compile(r"^[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_VIDEO_DEVICE = re.compile(r"/dev/video(\d{1,3})")  # of Linux; OpenCV counts cameras by these numbers


class PictureSource(Source):
    """A still picture: once for a file, again and again, at most 4K large, for a window.

    alpha: its transparency (H, W) uint8 once it is open, None where it has none.
    source_wh: its size before scaling; None before it is open.
    """

    def __init__(self, path: Path, repeated: bool, note: Note = no_note, scale: Scale = None) -> None:
        self.description = f"picture {path}"
        self._note, self._scale = note, scale
        self.is_live = repeated
        self.fps = PICTURE_FPS if repeated else None
        self.frame_count = None if repeated else 1
        self._path = path
        self.alpha: Image | None = None
        self._picture: Image | None = None
        self._read = 0
        self._pace = Pace(PICTURE_FPS)

    def open(self) -> None:
        """Reads the picture. Raises SourceError with the reason."""
        original = read_picture(self._path, self._note)
        self.source_wh = (original.image_bgr.shape[1], original.image_bgr.shape[0])
        picture = scale_picture(original, self._scale, self._path)
        height, width = picture.image_bgr.shape[:2]
        if self.is_live and (width > _LARGEST_SHOWN_WH[0] or height > _LARGEST_SHOWN_WH[1]):
            picture = scale_picture(picture, _LARGEST_SHOWN_WH, self._path)
            self._note(f"{self.description}: {width}x{height} is shown smaller; --output paints it at its full size")
        self._picture, self.alpha = picture.image_bgr, picture.alpha

    def read(self) -> tuple[Image, float | None] | None:
        """The picture, once, or ten times a second; it has no time."""
        if self._picture is None or (self._read and not self.is_live):
            return None
        if self.is_live:
            self._pace.wait()
        self._read += 1
        return self._picture, None

    def close(self) -> None:
        """Forgets the picture."""
        self._picture = None


class DemoSource(Source):
    """A moving picture made by the program, at 30 frames a second."""

    description = "demo"
    can_be_cancelled = True

    def __init__(self, size_wh: tuple[int, int] | None = None, fps: float | None = None, paced: bool = True) -> None:
        self.is_live = paced
        self.fps = self._rate = fps or DEMO_FPS
        self._size_wh = size_wh or DEMO_SIZE_WH
        self._scene: DemoScene | None = None
        self._cancelled = threading.Event()
        self._pace = Pace(self._rate, wait=self._cancelled.wait)
        self._index = 0

    def open(self) -> None:
        """Lays out the scene.

        Raises:
            UserError: a size in which it cannot be drawn.
        """
        if min(self._size_wh) < _SMALLEST_DEMO or max(self._size_wh) > _LARGEST_DEMO:
            raise UserError(
                f"--size: the demo is drawn from {_SMALLEST_DEMO} to {_LARGEST_DEMO} pixels on a side, "
                f"found {self._size_wh[0]}x{self._size_wh[1]}"
            )
        self._scene = DemoScene(self._size_wh)

    def read(self) -> tuple[Image, float | None] | None:
        """The next picture, when it is due where the demo is paced, else with its time in seconds."""
        if self._scene is None:
            return None
        if self.is_live:
            self._pace.wait()
        if self._cancelled.is_set():
            return None
        time_s = self._index / self._rate
        self._index += 1
        return self._scene.draw(time_s), None if self.is_live else time_s

    def cancel(self) -> None:
        """Lets a read that waits for its time return at once, from another thread; nothing is read after it."""
        self._cancelled.set()

    def close(self) -> None:
        """Forgets the scene."""
        self._scene = None


class PacedFile(Source):
    """A video file played as a camera: at its own pace, the newest frame wins.

    Args:
        clock: monotonic seconds.
        cancelled: set by `cancel`, and waited for between two frames.
    """

    is_live = True
    can_be_cancelled = True

    def __init__(
        self, file: Source, clock: Callable[[], float] = time.perf_counter, cancelled: threading.Event | None = None
    ) -> None:
        self.file, self._clock = file, clock
        self._cancelled = cancelled or threading.Event()
        self.description = file.description
        self.fps = file.fps
        self.frame_count = file.frame_count
        self._started_s: float | None = None

    def open(self) -> None:
        """Opens the file. Raises SourceError with the reason."""
        self.file.open()
        self.fps, self.frame_count = self.file.fps, self.file.frame_count

    def read(self) -> tuple[Image, float | None] | None:
        """The next picture once it is due, without a time, as a camera gives it; None at the end.

        Raises:
            SourceError: the file ended damaged.
        """
        try:
            found = self.file.read()
        finally:  # a damaged end raises, and is counted
            self.source_wh, self.damaged_packets = self.file.source_wh, self.file.damaged_packets
        if found is None:
            return None
        now = self._clock()
        at_s = found[1] or 0.0
        if self._started_s is None:
            self._started_s = now - at_s
        is_cancelled = self._cancelled.wait(max(0.0, self._started_s + at_s - now))
        return None if is_cancelled else (found[0], None)

    def cancel(self) -> None:
        """Lets a read return at once, from another thread, however late the next frame is; nothing is read after it."""
        self._cancelled.set()
        self.file.cancel()

    def close(self) -> None:
        """Closes the file."""
        self.file.close()


def choose_source(
    text: str,
    *,
    size_wh: tuple[int, int] | None = None,
    fps: float | None = None,
    has_window: bool = True,
    as_camera: bool = False,
    as_still: bool = False,
    square_pixels: bool = False,
    excerpt: Excerpt | None = None,
    note: Note = no_note,
) -> Source:
    """The source that a --source text names.

    Args:
        text: a camera's number or device file, an address, a path, or "demo".
        size_wh, fps: asked of a camera (and of the demo).
        has_window: a still is repeated, and the demo paced, only for a window.
        as_camera: play a file at its own pace, the newest frame wins.
        as_still: of an animated picture only the first is wanted.
        square_pixels: bring a video file's pixels to square ones, where nothing that is written can state their shape.
        excerpt: the part of a video file that is wanted, and the size of a file's pictures.
        note: told what of a picture or a video's frames was changed, and what is asked in vain.
    Raises:
        SourceError: no such file.
        UserError: an excerpt of something else than a video file.
    """
    excerpt = excerpt or Excerpt()
    if not excerpt.is_whole and not _may_be_video(text):
        raise UserError("--start, --end: only for a video file as --source")
    if excerpt.scale is not None and not _names_file(text):
        raise UserError("--scale: only for a file as --source; a camera is asked by --size")
    if text == "demo":
        return DemoSource(size_wh, fps, paced=has_window or as_camera)
    if re.fullmatch(r"\d{1,3}", text):
        return CameraSource(int(text), size_wh, fps)
    device = _VIDEO_DEVICE.fullmatch(os.path.realpath(text))  # /dev/v4l/by-id/... are links, whose names stay
    if device is not None:
        return CameraSource(int(device[1]), size_wh, fps)
    if size_wh is not None:
        note("--size: ignored for a file, only cameras and the demo take it; use --scale to resize a file's pictures")
    if _STREAM.match(text):
        return StreamSource(text)
    if fps is not None:
        note("--fps: ignored, a file keeps its own rate; only cameras, the demo and numbered pictures take it")
    path = Path(text)
    if not os.path.exists(path):  # Path.exists raises where a name is too long or a folder is closed
        raise SourceError(
            f"source {text}: no such file; expected a camera's number, an address (rtsp://, http://), a file, or demo"
        )
    if path.is_dir():
        raise SourceError(f"source {text}: a folder; expected a video file or a picture")
    if not path.is_file():  # to open a pipe would wait for whoever writes it
        raise SourceError(f"source {text}: a device or a pipe, which cannot be read twice; save it to a file first")
    if not as_still and is_animated(path):
        animation = AnimatedPicture(path, excerpt.scale)
        return PacedFile(animation) if as_camera else animation
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return PictureSource(path, has_window, note, excerpt.scale)
    from realtime.video.reader import VideoFileSource  # PyAV takes a fifth of a second to load: only for files
    from realtime.video.square_pixels import SquareVideoSource

    file = (SquareVideoSource if square_pixels else VideoFileSource)(path, excerpt, note)
    return PacedFile(file) if as_camera else file


def takes_size(source: Source) -> bool:
    """Whether a source can be asked for a size; the others have their own."""
    return isinstance(source, CameraSource | DemoSource)


def _names_file(text: str) -> bool:
    if _VIDEO_DEVICE.fullmatch(os.path.realpath(text)):
        return False
    return text != "demo" and not re.fullmatch(r"\d{1,3}", text) and not _STREAM.match(text)


def _may_be_video(text: str) -> bool:
    path = Path(text)
    return _names_file(text) and path.suffix.lower() not in PICTURE_SUFFIXES
