"""Large pictures painted with strokes that are seen: coarse strokes first, finer ones on top.

A network's strokes have a size in pixels. On a photograph of twelve megapixels they are so small that the whole looks like a
tinted photograph. So the picture is also painted smaller, at sizes down to that of a live picture, and each painting takes
from the smaller one before it what is broader than a stroke of its own (as in blending by a Laplacian pyramid: Burt and
Adelson 1983).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np

from realtime.frame import Image

_COARSE_SIDE = 540  # pixels on the short side, where strokes are as large as in a live picture
_LARGEST_STEP = 3.0  # from one size to the next; with larger ones there are strokes of two sizes and none in between
_STROKE = 6  # pixels; with more the fine strokes hide the coarse ones, with fewer they are blurred
_BAND = 256  # rows that are put together at a time: what has a sign takes twice the memory


def paint_at_scales(paint: Callable[[Image], Image], image_bgr: Image) -> Image:
    """Paints a picture, from its small versions to itself:

        z_0 = paint(x_0),    z_k = paint(x_k) + up(down(z_(k-1)) - down(paint(x_k)))

    where the x_k are the picture from small to its own size, and down leaves a pixel of each six by six of x_k.

    Args:
        paint: gives a picture of the same size and type.
        image_bgr: (H, W, 3) uint8; with less than 1080 pixels on its short side it is painted as it is.
    Returns:
        The same shape and type.
    """
    painted: Image | None = None
    for size_wh in coarser_sizes((image_bgr.shape[1], image_bgr.shape[0])):
        small = np.asarray(cv2.resize(image_bgr, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
        painted = _on_top_of(painted, paint(small))
    return _on_top_of(painted, paint(image_bgr))


def coarser_sizes(size_wh: tuple[int, int]) -> list[tuple[int, int]]:
    """Sizes at which a picture of this size is painted before it is itself, smallest first; none for one that is small."""
    ratio = min(size_wh) / _COARSE_SIDE
    if ratio < 2:
        return []
    steps = math.ceil(math.log(ratio) / math.log(_LARGEST_STEP))
    scales = [ratio ** (step / steps - 1) for step in range(steps)]
    return [(round(size_wh[0] * scale), round(size_wh[1] * scale)) for scale in scales]


def _on_top_of(coarse: Image | None, painted: Image) -> Image:
    """A painting with its own strokes, and between them the colours of a smaller one."""
    if coarse is None:
        return painted
    height, width = painted.shape[:2]
    small_wh = (max(1, width // _STROKE), max(1, height // _STROKE))
    theirs, ours = (cv2.resize(picture, small_wh, interpolation=cv2.INTER_AREA) for picture in (coarse, painted))
    change = cv2.resize(cv2.subtract(theirs, ours, dtype=cv2.CV_16S), (small_wh[0], height), interpolation=cv2.INTER_CUBIC)
    joined = np.empty_like(painted)
    for top in range(0, height, _BAND):
        rows = slice(top, top + _BAND)
        wide = cv2.resize(change[rows], (width, change[rows].shape[0]), interpolation=cv2.INTER_CUBIC)
        joined[rows] = cv2.add(painted[rows], wide, dtype=cv2.CV_8U)
    return joined
