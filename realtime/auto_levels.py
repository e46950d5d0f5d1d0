"""Dark and pale photographs brought to the levels of well-lit ones before they are painted, as one sets them by hand.

The networks learned on photographs with daylight in them: of a dim room they make a dull painting with few strokes. So the
network gets the picture through a curve that spreads its grey levels, and lifts its darks where most of it is dark. A
picture that is well lit passes to the bit.

Of a row of pictures the curve is the mean of the last second's, and no picture before counts: it moves slowly, but for light
that grows, begins anew at a cut, and a film that is gone on with gets the same one as if it had been made in one go.
"""

from __future__ import annotations

import math
from collections import deque

import cv2
import numpy as np
import numpy.typing as npt

from realtime.frame import Image

WINDOW = 32  # frames that a curve is made for, the newest included
Curve = npt.NDArray[np.uint8]  # (256,): what becomes of each grey level
Histogram = npt.NDArray[np.float64]  # (256,): the share of the pixels at each grey level
_ExactCurve = npt.NDArray[np.float64]  # (256,): what becomes of each grey level, 0 to 1

_ENDS = (0.02, 0.98)  # shares of the pixels below which a picture counts as black, and above which as white
_BLACK, _WHITE = 40.0, 195.0  # grey levels: well-lit pictures have their ends beyond these
_MEAN = 0.32  # of white: a picture that is darker on the whole has its darks lifted
_STEEPEST = 4.0  # noise grows with it
_EMPTY, _NARROW = 6.0, 32.0  # grey levels from black to white: with as few as these, nothing or not all of it is done
_LARGEST_LIFT = 3.0
_STEEPEST_IN_ALL = 6.0  # in the blacks, by both together
_SOON = 6  # frames in which a curve that darkens is followed: a film that fades in would be too bright until it has
_CUT = 12.0  # grey levels by which light changes where one scene ends and another begins
_CELLS_WH = (16, 12)  # areas of which more than half change there: a bright thing that comes in is no cut
_BAR = 12  # grey levels: rows and columns at the edges that are no brighter are bars beside the picture
_SAMPLES = 20_000  # pixels that are looked at
_HALVINGS = 12  # of the lift's range: finer than a grey level

_LEVELS = np.arange(256, dtype=np.float64)


class AutoLevels:
    """Remembers the light of the last pictures."""

    def __init__(self) -> None:
        self._before: tuple[Image, Histogram] | None = None
        self._curves: deque[_ExactCurve] = deque(maxlen=WINDOW)

    def curve_for(self, image_bgr: Image) -> Curve | None:
        """The curve for the next picture of a row; None where it leaves every level as it is.

        Args:
            image_bgr: (H, W, 3) uint8.
        """
        grey = _without_bars(_luminance(image_bgr))
        histogram = np.bincount(grey.ravel(), minlength=256) / grey.size
        if self._before is not None and _has_other_light(self._before[1], histogram) and _differ(self._before[0], grey):
            self._curves.clear()  # a cut
        self._before = grey, histogram
        self._curves.append(curve_of(histogram))
        curves = np.asarray(self._curves)
        smoothed = np.minimum(curves.mean(axis=0), curves[-_SOON:].mean(axis=0))
        curve = np.round(255 * smoothed).astype(np.uint8)
        return None if np.array_equal(curve, _LEVELS) else curve


def set_levels(image_bgr: Image, curve: Curve | None) -> Image:
    """A picture through a curve, the same one for each channel; the picture itself where there is none."""
    return image_bgr if curve is None else np.asarray(cv2.LUT(image_bgr, curve), np.uint8)


def curve_of(histogram: Histogram) -> _ExactCurve:
    """The curve that gives a picture of this histogram the levels of a well-lit one.

    First the levels are spread, straight and at most fourfold:

        x' = m' + s (x - m),    s = (max(white, 195) - min(black, 40)) / (white - black)

    where m, m' are the middles between black and white before and after. Then, where the mean is still below 0.32 of
    white, the darks are lifted by

        y = x' (1 + k) / (1 + k x')

    which leaves black and white where they are; k is the smallest that brings the mean there, and at most 3. Both bounds
    fall to nothing where black and white are close to each other: of a wall or a covered lens there is only noise to see.
    """
    black, white = (float(end) for end in np.interp(_ENDS, np.cumsum(histogram), _LEVELS))
    share = min(1.0, max(0.0, (white - black - _EMPTY) / (_NARROW - _EMPTY)))
    slope = min(1 + (_STEEPEST - 1) * share, (max(white, _WHITE) - min(black, _BLACK)) / max(white - black, 1.0))
    spread = _spread(black, white, slope)
    return _lifted(spread, _lift(histogram, spread, min(_LARGEST_LIFT * share, _STEEPEST_IN_ALL / slope - 1)))


def _luminance(image_bgr: Image) -> Image:
    """(h, w) uint8, of pixels on a grid: means over areas would hide small lights."""
    step = max(1, math.isqrt(image_bgr.shape[0] * image_bgr.shape[1] // _SAMPLES))
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image_bgr[::step, ::step]), cv2.COLOR_BGR2GRAY), np.uint8)


def _without_bars(grey: Image) -> Image:
    """A picture without the black beside or above it; the picture itself where all of it is black."""
    rows, columns = (np.flatnonzero(grey.max(axis=axis) > _BAR) for axis in (1, 0))
    return grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if rows.size else grey


def _has_other_light(before: Histogram, after: Histogram) -> bool:
    """Whether the mean pixel has changed by more than light does within a scene (the distance of two distributions)."""
    return float(np.abs(np.cumsum(before - after)).sum()) > _CUT


def _differ(before: Image, after: Image) -> bool:
    """Whether most of a picture is another one."""
    cells = (cv2.resize(grey, _CELLS_WH, interpolation=cv2.INTER_AREA) for grey in (before, after))
    return float(np.mean(cv2.absdiff(*cells) > _CUT)) > 0.5


def _spread(black: float, white: float, slope: float) -> _ExactCurve:
    """Each level after spreading around the middle, which moves no further than it must."""
    low, high = min(black, _BLACK), max(white, _WHITE)
    before, half = (black + white) / 2, slope * (white - black) / 2
    after = min(max(before, low + half), high - half)
    return np.asarray(np.clip((after + slope * (_LEVELS - before)) / 255, 0.0, 1.0))


def _lift(histogram: Histogram, spread: _ExactCurve, largest: float) -> float:
    """The smallest lift that brings the mean up to what it should be; the largest one where none does."""
    smallest = 0.0
    if histogram @ spread >= _MEAN:
        return smallest
    if histogram @ _lifted(spread, largest) <= _MEAN:
        return largest
    for _ in range(_HALVINGS):
        middle = (smallest + largest) / 2
        if histogram @ _lifted(spread, middle) < _MEAN:
            smallest = middle
        else:
            largest = middle
    return largest


def _lifted(levels: _ExactCurve, lift: float) -> _ExactCurve:
    return np.asarray(levels * (1 + lift) / (1 + lift * levels))
