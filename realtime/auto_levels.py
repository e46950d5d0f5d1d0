"""Dark and pale photographs brought to the levels of well-lit ones before they are painted, as one sets them by hand.

The networks learned on photographs with daylight in them: of a dim room they make a dull painting with few strokes. So the
network gets the picture through a curve that spreads its grey levels, and lifts its darks where most of it is dark. A
picture that is well lit passes to the bit.

The curve belongs to the pictures of the last second, and to none before: it moves slowly, begins anew at a cut, and a film
that is gone on with gets the same one as if it had been made in one go.
"""

from __future__ import annotations

import math
from collections import deque

import cv2
import numpy as np
import numpy.typing as npt

from realtime.frame import Image

WINDOW = 32  # frames that a curve is made for, the newest included; a multiple of the turns that an average over time takes
Curve = npt.NDArray[np.uint8]  # (256,): what becomes of each grey level
Histogram = npt.NDArray[np.float64]  # (256,): the share of the pixels at each grey level

_ENDS = (0.02, 0.98)  # shares of the pixels below which a picture counts as black, and above which as white
_BLACK, _WHITE = 40.0, 195.0  # grey levels: well-lit pictures have their ends beyond these
_MEAN = 0.32  # of white: a picture that is darker on the whole has its darks lifted
_STEEPEST = 4.0  # noise grows with it
_NARROW = 24.0  # grey levels from black to white: a picture with fewer shows a wall or a covered lens, and is spread less
_LARGEST_LIFT = 3.0
_STEEPEST_IN_ALL = 6.0  # in the blacks, by both together
_CUT = 12.0  # grey levels by which the mean pixel changes where one scene ends and another begins
_SAMPLES = 20_000  # pixels that are looked at
_HALVINGS = 12  # of the lift's range: finer than a grey level

_LEVELS = np.arange(256, dtype=np.float64)


class AutoLevels:
    """Remembers the light of the last pictures."""

    def __init__(self) -> None:
        self._histograms: deque[Histogram] = deque(maxlen=WINDOW)

    def curve_for(self, image_bgr: Image) -> Curve | None:
        """The curve for the next picture of a row; None where the pictures are well lit.

        Args:
            image_bgr: (H, W, 3) uint8.
        """
        histogram = _luminance_histogram(image_bgr)
        if self._histograms and _change(self._histograms[-1], histogram) > _CUT:
            self._histograms.clear()
        self._histograms.append(histogram)
        return curve_of(np.mean(self._histograms, axis=0))


def set_levels(image_bgr: Image, curve: Curve | None) -> Image:
    """A picture through a curve, the same one for each channel; the picture itself where there is none."""
    return image_bgr if curve is None else np.asarray(cv2.LUT(image_bgr, curve), np.uint8)


def curve_of(histogram: Histogram) -> Curve | None:
    """The curve that gives pictures of this histogram the levels of well-lit ones; None where they have them.

    First the levels are spread, straight and at most fourfold (less where they are few: noise would be all there is):

        x' = m' + s (x - m),    s = (max(white, 195) - min(black, 40)) / (white - black)

    where m, m' are the middles between black and white before and after. Then, where the mean is still below 0.32 of
    white, the darks are lifted by

        y = x' (1 + k) / (1 + k x')

    which leaves black and white where they are; k is the smallest that brings the mean there, and at most 3.
    """
    spread = _spread(histogram)
    lift = _lift(histogram, spread)
    curve = np.round(255 * _lifted(spread, lift)).astype(np.uint8)
    return None if np.array_equal(curve, _LEVELS) else curve


def _luminance_histogram(image_bgr: Image) -> Histogram:
    """Of pixels on a grid: a mean over areas would hide small lights."""
    step = max(1, math.isqrt(image_bgr.shape[0] * image_bgr.shape[1] // _SAMPLES))
    grey = cv2.cvtColor(np.ascontiguousarray(image_bgr[::step, ::step]), cv2.COLOR_BGR2GRAY)
    return np.bincount(grey.ravel(), minlength=256) / grey.size


def _change(before: Histogram, after: Histogram) -> float:
    """By how many grey levels the mean pixel has changed at least (the distance of two distributions)."""
    return float(np.abs(np.cumsum(before - after)).sum())


def _spread(histogram: Histogram) -> Histogram:
    """Each level after spreading, 0 to 1."""
    black, white = np.interp(_ENDS, np.cumsum(histogram), _LEVELS)
    low, high = min(black, _BLACK), max(white, _WHITE)
    steepest = 1 + (_STEEPEST - 1) * min(1.0, (white - black) / _NARROW)
    slope = min(steepest, (high - low) / max(white - black, 1.0))
    half = slope * (white - black) / 2
    before = (black + white) / 2
    after = min(max(before, low + half), high - half)  # where it need not move to have room, it stays
    return np.asarray(np.clip((after + slope * (_LEVELS - before)) / 255, 0.0, 1.0))


def _lift(histogram: Histogram, spread: Histogram) -> float:
    slope = float(np.diff(spread).max()) * 255
    smallest, largest = 0.0, min(_LARGEST_LIFT, _STEEPEST_IN_ALL / slope - 1)
    if histogram @ spread >= _MEAN:
        return 0.0
    if histogram @ _lifted(spread, largest) <= _MEAN:
        return largest
    for _ in range(_HALVINGS):
        middle = (smallest + largest) / 2
        if histogram @ _lifted(spread, middle) < _MEAN:
            smallest = middle
        else:
            largest = middle
    return largest


def _lifted(levels: Histogram, lift: float) -> Histogram:
    return np.asarray(levels * (1 + lift) / (1 + lift * levels))
