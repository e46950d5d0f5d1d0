"""Keeps OpenCV, FFmpeg, Qt and onnxruntime from printing: the program gives the reasons in its own words.

Imported before cv2, because OpenCV and Qt read these variables while they load.
"""

import os

os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_VIDEOIO_DEBUG", "0")
os.environ.setdefault("QT_LOGGING_RULES", "*=false")
os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "fflags;nobuffer|analyzeduration;500000|probesize;500000")
