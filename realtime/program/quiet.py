"""Keeps OpenCV, FFmpeg, Qt and onnxruntime from printing: the program gives the reasons in its own words.

Imported before cv2, because OpenCV and Qt read these variables while they load.
"""

import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from realtime.program.standard_streams import losing_unread

os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_VIDEOIO_DEBUG", "0")
os.environ.setdefault("QT_LOGGING_RULES", "*=false")
# X11 is all that the Qt in OpenCV's packages speaks. Asked for another, as some Wayland desktops do of all programs, it would
# abort the process, saying so in its own words.
os.environ["QT_QPA_PLATFORM"] = "xcb"
# Not for silence: with these, Media Foundation takes up to a minute to open some cameras.
os.environ.setdefault("OPENCV_VIDEOIO_MSMF_ENABLE_HW_TRANSFORMS", "0")
os.environ.setdefault("SVT_LOG", "1")  # the AV1 encoder's: errors alone

_STDERR = 2


@contextmanager
def silent_libraries() -> Iterator[None]:
    """Sends what libraries write to stderr to nowhere for a moment: libpng and libjpeg know no other switch.

    Threads may do so at the same time: the first begins the silence and the last one ends it. What Python prints, such as
    another thread's warning, comes through.
    """
    _silence.enter()
    try:
        yield
    finally:
        _silence.leave()


class _Silence:
    """The process's stderr, which all threads share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._kept: int | None = None
        self._usual: TextIO | None = None
        self._beside: TextIO | None = None  # never closed: whoever is printing may hold it longer than the silence lasts

    def enter(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._begin()

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._end()

    def _begin(self) -> None:
        try:
            self._kept = os.dup(_STDERR)
        except OSError:  # no stderr at all
            return
        if _is_stderr(sys.stderr):
            sys.stderr.flush()
            if self._beside is None:
                self._beside = losing_unread(os.fdopen(os.dup(_STDERR), "w", 1, sys.stderr.encoding, "backslashreplace"))
            self._usual, sys.stderr = sys.stderr, self._beside
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, _STDERR)
        os.close(nowhere)

    def _end(self) -> None:
        if self._kept is None:
            return
        os.dup2(self._kept, _STDERR)
        os.close(self._kept)
        self._kept = None
        if self._usual is not None:
            if sys.stderr is self._beside:
                sys.stderr = self._usual
            self._usual = None


def _is_stderr(file: TextIO | None) -> bool:
    """Whether what is printed there ends in the process's stderr itself, not in a window or a test's ear."""
    try:
        return file is not None and file.fileno() == _STDERR
    except (OSError, ValueError, io.UnsupportedOperation):
        return False


_silence = _Silence()
