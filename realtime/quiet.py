"""Keeps OpenCV, FFmpeg, Qt and onnxruntime from printing: the program gives the reasons in its own words.

Imported before cv2, because OpenCV and Qt read these variables while they load.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_VIDEOIO_DEBUG", "0")
os.environ.setdefault("QT_LOGGING_RULES", "*=false")


@contextmanager
def silent_libraries() -> Iterator[None]:
    """Sends the process's stderr to nowhere for a moment: libpng and libjpeg know no other switch."""
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # no stderr at all
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
