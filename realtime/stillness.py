"""What of a row of photographs moves, and what is only a camera's noise.

Told from the last few photographs alone, never from what was made of them: whatever came before is forgotten.
"""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np
import numpy.typing as npt

from realtime.frame import Image

_CELL = 8  # pixels on a side of the areas that are compared: their means hold an eighth of white noise
_AROUND = np.ones((3, 3), np.uint8)  # what lies next to something that moves is taken as moving
_BEFORE = 4  # frames whose mean an area is compared with
_STILL = 5.0  # grey levels by which an area may differ from that and still counts as standing still
_STILL_AT_MOST = 14.0  # in the strongest noise; with more, things that move slowly would drag behind
_NOISES = 6.0  # by so many times their noise areas may differ
_BLOCK, _BLOCK_SHARE = (3, 3), 0.5  # of areas: noise is not alike in all of them, so that together half of that is enough
_CALMEST = 0.25  # the share of the areas by which noise is told: most of a picture may move
_BESIDE = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32) / 4
_SPREAD_BY = 1.25**0.5  # white noise grows by this when the mean of four neighbours is taken away
_DETAIL, _DETAIL_NOISES = 5.0, 2.0  # by which the pixels of an area may change: grey levels, and times their noise
_DETAIL_AT_MOST = 24.0  # no camera's noise is stronger

MEMORY = _BEFORE  # frames after which nothing is left of one

_Levels = npt.NDArray[np.float32]  # (h, w, 3): grey levels, or by how many they changed


class Stillness:
    """Remembers the last photos' areas."""

    def __init__(self) -> None:
        self._half: Image | None = None
        self._areas: deque[_Levels] = deque(maxlen=_BEFORE)

    def find_moving(self, photo: Image) -> Image | None:
        """What moves in the next photo of a row.

        An area of 8x8 pixels moves where its mean is further than 5 grey levels from that of the last four frames; in noise
        further than six times that noise, or 14. Areas move together where the mean of three by three of them does, by half
        of that. And one moves where its pixels change, on average by 5 grey levels more than twice what they do in the calmest
        areas, or 24. A picture that moves as a whole, as when the camera turns, looks like noise where it is flat: it is held
        to 5.

        Args:
            photo: (H, W, 3) uint8.
        Returns:
            (H, W) uint8, 255 where it moves and 0 where it stands still; None where all of it moves, or nothing was before it.
        """
        half = _fitted(photo)
        areas = _means(half)
        if self._half is None or self._half.shape != half.shape:
            self._areas.clear()
            moving = None
        else:
            changes = areas - np.mean(self._areas, axis=0)
            moving = _moving_areas(changes) | _moving_within(self._half, half)
        self._half = half
        self._areas.append(areas)
        mask = None if moving is None else np.asarray(cv2.dilate(np.where(moving, 255, 0).astype(np.uint8), _AROUND), np.uint8)
        if mask is None or mask.all():
            return None
        return np.asarray(cv2.resize(mask, photo.shape[1::-1], interpolation=cv2.INTER_NEAREST), np.uint8)


def _fitted(photo: Image) -> Image:
    """Half the size, four by four pixels for each area."""
    height, width = (-(-side // _CELL) * 4 for side in photo.shape[:2])
    return np.asarray(cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _means(half: Image) -> _Levels:
    """Of each area. In two steps: OpenCV is fast at halves."""
    for _ in range(2):
        smaller_wh = (half.shape[1] // 2, half.shape[0] // 2)
        half = np.asarray(cv2.resize(half, smaller_wh, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(half, np.float32)


def _moving_areas(changes: _Levels) -> npt.NDArray[np.bool_]:
    """Areas whose mean changes by more than noise does."""
    single, together = _largest(changes), _largest(np.asarray(cv2.blur(changes, _BLOCK)))
    still = min(_STILL_AT_MOST, max(_STILL, _NOISES * _noise(changes)))
    moving = (single > still) | (together > max(_STILL, _BLOCK_SHARE * still))
    return single > _STILL if moving.mean() > 0.5 else moving


def _moving_within(last: Image, half: Image) -> npt.NDArray[np.bool_]:
    """Areas whose pixels change though their mean may not: cloth, leaves."""
    largest = _largest(_means(np.asarray(cv2.absdiff(last, half), np.uint8)))
    return np.asarray(largest > min(_DETAIL_AT_MOST, _DETAIL + _DETAIL_NOISES * float(np.quantile(largest, _CALMEST))))


def _noise(changes: _Levels) -> float:
    """How much the calmest areas change on their own: what their neighbours do too is movement, or the light."""
    alone = cv2.subtract(changes, cv2.filter2D(changes, -1, _BESIDE, borderType=cv2.BORDER_REPLICATE))
    return float(np.quantile(_largest(np.asarray(alone)), _CALMEST)) / _SPREAD_BY


def _largest(changes: _Levels) -> _Levels:
    """(h, w): of the three colours, without the sign."""
    blue, green, red = cv2.split(np.abs(changes))
    return np.asarray(cv2.max(cv2.max(blue, green), red), np.float32)
