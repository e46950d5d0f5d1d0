"""Which frames of a camera or clip are worth keeping as photographs: sharp, well spread, each unlike the others."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from realtime.frame import Image

_JUDGED_SIDE = 288  # sharpness is judged at one size, so that a large camera is not judged by its noise
_THUMBNAIL_WH = (32, 24)
_BLANK_CONTRAST = 4.0  # grey levels of standard deviation below which there is nothing to see
_BLURRED_SHARE = 0.4  # of the usual sharpness
_ALIKE_LEVELS = 6.0  # mean difference of two thumbnails, in grey levels
_REMEMBERED = 500


@dataclass(frozen=True)
class Candidate:
    """A frame that may be kept.

    at_s: seconds from the start.
    sharpness: variance of the Laplacian over the variance of the picture, at one size.
    """

    image_bgr: Image
    at_s: float
    sharpness: float
    contrast: float


class PhotoChooser:
    """Keeps the sharpest frame of each interval, unless it is blank, blurred or like one that was kept before.

    seen, blank, blurred, repeated: how many frames came, and why intervals stayed empty.

    Args:
        interval_s: of time, from which at most one frame is kept.
    """

    def __init__(self, interval_s: float) -> None:
        self.seen = self.blank = self.blurred = self.repeated = 0
        self._interval_s = interval_s
        self._slot = 0
        self._best: Candidate | None = None
        self._usual: deque[float] = deque(maxlen=_REMEMBERED)
        self._kept: list[npt.NDArray[np.float32]] = []

    def offer(self, image_bgr: Image, at_s: float) -> Candidate | None:
        """Takes the next frame.

        Returns:
            The frame to keep of the interval that has just ended, if it has one.
        """
        self.seen += 1
        slot = int(at_s / self._interval_s)
        ended = self._end_interval() if slot != self._slot else None
        self._slot = slot
        candidate = judge(image_bgr, at_s)
        self._usual.append(candidate.sharpness)
        if self._best is None or _rank(candidate) > _rank(self._best):
            self._best = candidate
        return ended

    def finish(self) -> Candidate | None:
        """The frame to keep of the last interval, if it has one."""
        return self._end_interval()

    def _end_interval(self) -> Candidate | None:
        best, self._best = self._best, None
        if best is None:
            return None
        if best.contrast < _BLANK_CONTRAST:
            self.blank += 1
            return None
        if best.sharpness < _BLURRED_SHARE * float(np.median(self._usual)):
            self.blurred += 1
            return None
        thumbnail = _thumbnail(best.image_bgr)
        if any(float(np.abs(thumbnail - other).mean()) < _ALIKE_LEVELS for other in self._kept):
            self.repeated += 1
            return None
        self._kept.append(thumbnail)
        return best


def judge(image_bgr: Image, at_s: float) -> Candidate:
    """Sharpness and contrast of a frame."""
    grey = cv2.cvtColor(_shrink(image_bgr, _JUDGED_SIDE), cv2.COLOR_BGR2GRAY)
    contrast = float(grey.std())
    edges = float(cv2.Laplacian(grey, cv2.CV_32F).var())
    return Candidate(image_bgr, at_s, edges / (contrast * contrast + 1.0), contrast)


def _rank(candidate: Candidate) -> tuple[bool, float]:
    """Anything to see comes before sharpness: noise alone is as sharp as can be."""
    return candidate.contrast >= _BLANK_CONTRAST, candidate.sharpness


def _thumbnail(image_bgr: Image) -> npt.NDArray[np.float32]:
    return np.asarray(cv2.resize(image_bgr, _THUMBNAIL_WH, interpolation=cv2.INTER_AREA), np.float32)


def _shrink(image_bgr: Image, short_side: int) -> Image:
    """A picture with its short side at most so long."""
    height, width = image_bgr.shape[:2]
    scale = short_side / min(height, width)
    if scale >= 1:
        return image_bgr
    size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image_bgr, size_wh, interpolation=cv2.INTER_AREA), np.uint8)


def fit_for_training(image_bgr: Image) -> Image:
    """The frame as it is stored: shrunk to twice the short side that training needs, never enlarged."""
    return _shrink(image_bgr, 2 * _JUDGED_SIDE)
