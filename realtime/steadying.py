"""Where the photographed picture stands still, so does the painting: recursive means over time, outside the network.

A network answers a camera's noise with strokes that come and go. Where nothing moves, the photo that it gets is averaged
with those before it, and so is what it paints of it; where something moves, both are taken as they are, so that nothing
drags behind. What counts as movement is more than the picture's own noise, which is measured as it goes.

What came long ago is forgotten to the bit, so that a film which is gone on with can come out as if it had been made in one
go: see frames_to_repeat.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from realtime.frame import Image

_NEW_SHARE = 0.25  # of a picture, where the photo stands still: a step is followed to nine tenths in eight frames
_CELL = 8  # pixels on a side of the areas that are compared: their means hold an eighth of white noise
_PARTS = 256  # of a grey level, in which these means are kept: finer than a picture, and still forgotten to the bit
_AROUND = np.ones((3, 3), np.uint8)  # what lies next to something that moves is taken as moving
_STILL = 4.0  # grey levels by which an area may differ from its mean over time and still counts as standing still
_STILL_AT_MOST = 12.0  # in the strongest noise; with more, things that move slowly would drag behind
_NOISES = 5.0  # by so many times their noise areas may differ
_CALMEST = 0.25  # the share of the areas by which noise is told: most of a picture may move
_NOISE_WINDOW = 16  # frames whose median noise counts: a cut is not noise
_BESIDE = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32) / 4
_SPREAD_BY = 1.25**0.5  # white noise grows by this when the mean of four neighbours is taken away
# Rounding leans up or down by so much now and then: without, two averages stay 1 or 2 steps apart for ever.
_LEAN = 0.375
_LEANS_EVERY = 5  # frames, by turns up and down; films often repeat something every eight
_MEMORY = 160  # frames after which nothing is left of a mean: on twelve clips two that began apart met after 145 at most

_Areas = npt.NDArray[np.uint16]  # (h, w, 3): each area's mean in 256ths of a grey level
_Changes = npt.NDArray[np.float32]  # (h, w, 3): by how many grey levels each area's mean has changed


def frames_to_repeat(frames_done: int, between: int = 0) -> int:
    """How many of the frames that are done a new Steadier has to see again before it goes on as one that saw them all.

    First the mean of its photos forgets where it began, then that of what was painted of them.

    Args:
        between: frames after which whatever lies between the two forgets.
    """
    period = 2 * _LEANS_EVERY  # it counts from 0, so it begins where the other counted a whole number of turns
    return frames_done - max(0, frames_done - between - 2 * _MEMORY) // period * period


@dataclass(frozen=True)
class SteadyPhoto:
    """A photo as the network is to see it.

    picture_bgr: (H, W, 3) uint8, averaged over time where it stands still.
    moving: (H, W) uint8, 255 where it moves and 0 where it does not; None where all of it does.
    """

    picture_bgr: Image
    moving: Image | None


class Steadier:
    """Remembers the mean of the photos, that of the paintings, and how noisy the photos were."""

    def __init__(self) -> None:
        self._areas, self._photos, self._paintings = _RecursiveMean(), _RecursiveMean(), _RecursiveMean()
        self._noise: deque[float] = deque(maxlen=_NOISE_WINDOW)
        self._circumstances: Hashable = None

    def look_at(self, photo: Image) -> SteadyPhoto:
        """The next photo of a row, averaged over time wherever it stands still:

            s_t = s_(t-1) + 1/4 (x_t - s_(t-1)) where still, else x_t

        An area stands still where its mean is within 4 grey levels of what it was in s_(t-1); where that is within its
        noise, up to 12. A picture that moves as a whole, as when the camera turns, looks like noise where it is flat: there
        it is 4 always.

        Args:
            photo: (H, W, 3) uint8.
        Returns:
            A picture of its own; the photo itself where there is nothing to average it with.
        """
        areas = _areas(photo)
        before = self._areas.mean
        moving = None if before is None or before.shape != areas.shape else self._moving(before, areas)
        self._areas.go_on(areas, moving)
        if moving is not None:
            moving = np.asarray(cv2.resize(moving, photo.shape[1::-1], interpolation=cv2.INTER_NEAREST), np.uint8)
        return SteadyPhoto(self._photos.go_on(photo, moving), moving)

    def steady(self, painted: Image, moving: Image | None, circumstances: Hashable) -> Image:
        """The painting of the next photo, averaged in the same way wherever the photo stands still.

        Args:
            painted: (H, W, 3) uint8.
            moving: of `look_at`.
            circumstances: what else the painting depends on (style, strength ...); where it changes, its mean begins anew.
        Returns:
            A picture of its own; `painted` itself where there is nothing to average it with.
        """
        if circumstances != self._circumstances:
            moving, self._circumstances = None, circumstances
        return self._paintings.go_on(painted, moving)

    def _moving(self, before: _Areas, areas: _Areas) -> Image | None:
        changes = np.asarray(cv2.subtract(areas, before, dtype=cv2.CV_32F), np.float32) / np.float32(_PARTS)
        self._noise.append(_noise(changes))
        largest = _largest(changes)
        still = min(_STILL_AT_MOST, max(_STILL, _NOISES * float(np.median(self._noise))))
        moving = largest > still
        if moving.mean() > 0.5:
            moving = largest > _STILL
        around = np.asarray(cv2.dilate(np.where(moving, 255, 0).astype(np.uint8), _AROUND), np.uint8)
        return None if around.all() else around


class _RecursiveMean:
    """Of pictures over time, rounded to whole numbers, every fifth frame rather up or rather down."""

    def __init__(self) -> None:
        self.mean: npt.NDArray[Any] | None = None
        self._number = 0

    def go_on(self, picture: npt.NDArray[Any], moving: Image | None) -> npt.NDArray[Any]:
        """The mean with the next picture; the picture itself where all of it moves."""
        last = self.mean
        if last is None or moving is None or last.shape != picture.shape:
            mean = picture
        else:
            mean = cv2.addWeighted(picture, _NEW_SHARE, last, 1 - _NEW_SHARE, self._lean())
            cv2.copyTo(picture, moving, mean)
        self._number += 1
        self.mean = mean
        return mean

    def _lean(self) -> float:
        """What is added before rounding at a frame."""
        turn, rest = divmod(self._number, _LEANS_EVERY)
        return 0.0 if rest else _LEAN if turn % 2 else -_LEAN


def _areas(picture: Image) -> _Areas:
    """The mean of each eight by eight pixels. In two steps: OpenCV is fast at halves."""
    height, width = (-(-side // _CELL) for side in picture.shape[:2])
    half = cv2.resize(picture, (width * _CELL // 2, height * _CELL // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(half, (width, height), interpolation=cv2.INTER_AREA), np.uint16) * np.uint16(_PARTS)


def _noise(changes: _Changes) -> float:
    """How much the calmest areas change on their own: what their neighbours do too is movement, or the light."""
    alone = cv2.subtract(changes, cv2.filter2D(changes, -1, _BESIDE, borderType=cv2.BORDER_REPLICATE))
    return float(np.quantile(_largest(np.asarray(alone)), _CALMEST)) / _SPREAD_BY


def _largest(changes: _Changes) -> npt.NDArray[np.float32]:
    """Of the three colours, without the sign."""
    blue, green, red = cv2.split(np.abs(changes))
    return np.asarray(cv2.max(cv2.max(blue, green), red), np.float32)
