"""Where the photographed picture stands still, the painting does too: a recursive mean over time, outside the network.

A network answers a camera's noise with strokes that come and go. Where nothing moves, each painting is averaged with those
before it; where something moves, it is taken as it is, so that nothing drags behind.

What came long ago is forgotten to the bit, so that a film which is gone on with can come out as if it had been made in one
go: see frames_to_repeat.
"""

from __future__ import annotations

from collections.abc import Hashable

import cv2
import numpy as np

from realtime.frame import Image

_NEW_SHARE = 0.25  # of a painting, where the photo stands still: a step is followed to nine tenths in eight frames
_CELL = 8  # pixels on a side of the areas that are compared: their means hold an eighth of the noise of a pixel
_STILL = 4  # grey levels by which an area's mean may change from frame to frame and still counts as standing still
_AROUND = np.ones((3, 3), np.uint8)  # what lies next to something that moves is taken as moving
# Rounding leans up or down by so many grey levels now and then: without, two averages stay 1 or 2 levels apart for ever.
_LEAN = 0.375
_LEANS_EVERY = 8  # frames, by turns up and down
_MEMORY = 96  # frames after which nothing is left of an average: two that differ meet with 1 in 4 at every frame


def frames_to_repeat(frames_done: int) -> int:
    """How many of the frames that are done a new Steadier has to see again before it goes on as one that saw them all."""
    period = 2 * _LEANS_EVERY  # it counts from 0, so it begins where the other counted a whole number of turns
    return frames_done - max(0, frames_done - _MEMORY) // period * period


class Steadier:
    """Remembers the last photo and the last steadied painting."""

    def __init__(self) -> None:
        self._areas: Image | None = None
        self._steady: Image | None = None
        self._circumstances: Hashable = None
        self._number = 0

    def steady(self, photo: Image, painted: Image, circumstances: Hashable) -> Image:
        """The painting, averaged over time wherever the photo stands still:

            s_t = s_(t-1) + 1/4 (y_t - s_(t-1)) where still, else y_t

        rounded to the nearest grey level, every eighth frame rather up or rather down.

        Args:
            photo: (H, W, 3) uint8.
            painted: of the same shape.
            circumstances: what else the painting depends on (style, strength ...); where it changes, all begins anew.
        Returns:
            A picture of its own; `painted` itself where there is nothing to average it with.
        """
        height, width = photo.shape[:2]
        areas = np.asarray(cv2.resize(photo, (-(-width // _CELL), -(-height // _CELL)), interpolation=cv2.INTER_AREA), np.uint8)
        before, last = self._areas, self._steady
        if before is None or last is None or last.shape != painted.shape or circumstances != self._circumstances:
            steady = painted
        else:
            steady = _average(last, painted, _moving(before, areas), _lean(self._number))
        self._number += 1
        self._areas, self._steady, self._circumstances = areas, steady, circumstances
        return steady


def _moving(before: Image, areas: Image) -> Image:
    """255 where the photo moves, 0 where it stands still: one byte for each area."""
    blue, green, red = cv2.split(cv2.absdiff(before, areas))
    largest = cv2.max(cv2.max(blue, green), red)
    return np.asarray(cv2.dilate(cv2.threshold(largest, _STILL, 255, cv2.THRESH_BINARY)[1], _AROUND), np.uint8)


def _lean(number: int) -> float:
    """Grey levels added before rounding at a frame."""
    turn, rest = divmod(number, _LEANS_EVERY)
    return 0.0 if rest else _LEAN if turn % 2 else -_LEAN


def _average(last: Image, painted: Image, moving: Image, lean: float) -> Image:
    if moving.all():
        return painted
    averaged = np.asarray(cv2.addWeighted(painted, _NEW_SHARE, last, 1 - _NEW_SHARE, lean), np.uint8)
    if moving.any():
        mask = cv2.resize(moving, painted.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        cv2.copyTo(painted, mask, averaged)
    return averaged
