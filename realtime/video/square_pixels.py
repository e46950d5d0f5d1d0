"""Films whose pixels are not square, brought to square ones for whatever cannot be told their shape."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np

from realtime.frame import Image
from realtime.video.excerpt import scaled_size
from realtime.video.reader import VideoFileSource

_ROUNDING = 0.01  # encoders that scale a film give such pixels a shape that is square all but for rounding
_LONGEST = 4  # a pixel's sides against each other; headers that state more are mistaken


class SquareVideoSource(VideoFileSource):
    """A video file as players show it: its pictures are stretched where its pixels are not square, and lose no pixel.

    source_wh: size of its pictures as they are stored.
    """

    def read(self) -> tuple[Image, float | None] | None:
        """The next picture and its time in seconds after the first; None at the end."""
        found = super().read()
        if found is None or self.source_wh is None:
            return found
        picture, at_s = found
        shown_wh = scaled_size(square_size(self.source_wh, self.pixel_aspect), self.excerpt.scale)
        if shown_wh == picture.shape[1::-1]:
            return found
        return np.asarray(cv2.resize(picture, shown_wh, interpolation=cv2.INTER_CUBIC), np.uint8), at_s


def square_size(size_wh: tuple[int, int], pixel_aspect: Fraction | None) -> tuple[int, int]:
    """Size in square pixels of a picture: never fewer of them in any direction.

    Args:
        pixel_aspect: width of a pixel over its height; None for square ones.
    """
    if not pixel_aspect or abs(pixel_aspect - 1) < _ROUNDING or not 1 / _LONGEST <= pixel_aspect <= _LONGEST:
        return size_wh
    width, height = size_wh
    return (round(width * pixel_aspect), height) if pixel_aspect > 1 else (width, round(height / pixel_aspect))
