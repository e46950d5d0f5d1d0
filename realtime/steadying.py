"""Where the photographed picture stands still, so does the painting: recursive means over time, outside the network.

A network answers a camera's noise with strokes that come and go. Where nothing moves (stillness.py), the photo that it gets
is averaged with those before it, and so is what it paints of it; where something moves, both are taken as they are, so that
nothing drags behind.

What came long ago is forgotten to the bit, so that a film which is gone on with comes out as if it had been made in one
go: see frames_to_repeat.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import cv2
import numpy as np

from realtime.frame import Image
from realtime.stillness import MEMORY as MEMORY_OF_STILLNESS
from realtime.stillness import Stillness

_NEW_SHARE = 0.25  # of a picture, where the photo stands still: a step is followed to nine tenths in eight frames
_MEMORY = 128  # frames after which nothing is left of a mean: two that are a level apart meet with 1 in 4 at each
_TILE = 128  # pixels on a side of the grain that rounding is dithered with
_TURNS = 64  # frames after which the dither begins again
_RANDOM = np.random.default_rng(0)
_GRAIN, _MEAN_GRAIN = _RANDOM.integers(0, 4, (_TILE, _TILE, 3), np.uint8), 1.5  # for each channel of each pixel
_PLACES = _RANDOM.integers(0, _TILE, (_TURNS, 2))  # where the grain begins at each frame of a turn
_IS_ADDED = _RANDOM.permutation(_TURNS) < _TURNS // 2  # else it is taken away


def frames_to_repeat(frames_done: int, between: int = 0) -> int:
    """How many of the frames that are done a new Steadier has to see again before it goes on as one that saw them all.

    First it forgets what moved, then the mean of its photos where it began, then that of what was painted of them.

    Args:
        between: frames after which whatever lies between those two forgets.
    """
    remembered = MEMORY_OF_STILLNESS + _MEMORY + between + _MEMORY
    # Both count from 0, so the later one has to begin where the first counted a whole number of turns.
    return frames_done - max(0, frames_done - remembered) // _TURNS * _TURNS


@dataclass(frozen=True)
class SteadyPhoto:
    """A photo as the network is to see it.

    picture_bgr: (H, W, 3) uint8, averaged over time where it stands still.
    moving: (H, W) uint8, 255 where it moves and 0 where it does not; None where all of it does.
    """

    picture_bgr: Image
    moving: Image | None


class Steadier:
    """Remembers the mean of the photos, and that of the paintings."""

    def __init__(self) -> None:
        self._stillness, grain = Stillness(), _Grain()
        self._photos, self._paintings = _RecursiveMean(grain), _RecursiveMean(grain)
        self._circumstances: Hashable = None

    def look_at(self, photo: Image) -> SteadyPhoto:
        """The next photo of a row, averaged over time wherever it stands still:

            s_t = s_(t-1) + 1/4 (x_t - s_(t-1)) where still, else x_t

        Args:
            photo: (H, W, 3) uint8.
        Returns:
            A picture of its own; the photo itself where there is nothing to average it with.
        """
        moving = self._stillness.find_moving(photo)
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

    def forget(self) -> None:
        """Begins anew with the next photo."""
        self._stillness, self._photos.mean, self._circumstances = Stillness(), None, None


class _RecursiveMean:
    """Of pictures over time.

    Rounded with a dither, up as often as down: else a mean could stay beside what it should be, and two stay apart for
    ever. The picture as a whole gets neither brighter nor darker by it, and what is at rest stays at rest.
    """

    def __init__(self, grain: _Grain) -> None:
        self.mean: Image | None = None
        self._number, self._grain = 0, grain

    def go_on(self, picture: Image, moving: Image | None) -> Image:
        """The mean with the next picture; the picture itself where all of it moves."""
        last = self.mean
        if last is None or moving is None or last.shape != picture.shape:
            mean = picture
        else:
            grained, too_much = self._grain.put_on(picture, self._number % _TURNS)
            mean = np.asarray(cv2.addWeighted(grained, _NEW_SHARE, last, 1 - _NEW_SHARE, -_NEW_SHARE * too_much), np.uint8)
            cv2.copyTo(picture, moving, mean)
        self._number += 1
        self.mean = mean
        return mean


class _Grain:
    """What roundings are dithered with: 0 to 3 grey levels in each channel, other ones at each frame of a turn."""

    def __init__(self) -> None:
        self._wide = np.empty((0, 0, 3), np.uint8)

    def put_on(self, picture: Image, turn: int) -> tuple[Image, float]:
        """A picture with the grain, and by how many levels it is brighter for it.

        The grain is added or taken away, as chance has it: white pixels would have none if it were always added.
        """
        height, width = picture.shape[:2]
        if self._wide.shape != (height + _TILE, width + _TILE, 3):
            tiles = (-(-height // _TILE) + 1, -(-width // _TILE) + 1, 1)
            self._wide = np.tile(_GRAIN, tiles)[: height + _TILE, : width + _TILE]
        top, left = _PLACES[turn]
        grain = self._wide[top : top + height, left : left + width]
        if _IS_ADDED[turn]:
            return np.asarray(cv2.add(picture, grain), np.uint8), _MEAN_GRAIN
        return np.asarray(cv2.subtract(picture, grain), np.uint8), -_MEAN_GRAIN
