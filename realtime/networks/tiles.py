"""Pictures too large for the memory a network may take: painted in tiles that overlap as far as the network sees."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from realtime.frame import Image

ALIGNMENT = 32  # every network's stride divides it, so that a tile's cells lie where the whole picture's do
_FARTHEST = 384  # pixels up to which a network's reach is looked for
_PATCH = 256  # side of the square whose change is watched

Paint = Callable[[Image], Image]


@dataclass(frozen=True)
class Span:
    """One tile along one axis, in pixels.

    seen_from, seen_to: what the network gets.
    kept_from, kept_to: what is kept of it; the kept spans of an axis cover it once.
    """

    seen_from: int
    seen_to: int
    kept_from: int
    kept_to: int


def split_axis(length: int, tile: int, margin: int) -> list[Span]:
    """Cuts an axis into tiles of one size, as few as possible.

    Args:
        length: of the axis in pixels.
        tile: most pixels that a tile may see, a multiple of 32 and larger than two margins.
        margin: pixels that each side of a tile only looks at, a multiple of 32.
    """
    if length <= tile:
        return [Span(0, length, 0, length)]
    count = math.ceil((length - 2 * margin) / (tile - 2 * margin))
    step = _round_up(math.ceil((length - 2 * margin) / count))
    spans = []
    for number in range(count):
        begin = number * step
        end = min(begin + step + 2 * margin, length)
        spans.append(Span(begin, end, begin + margin if number else 0, length if end == length else end - margin))
    return spans


def tile_side(pixels: int, margin: int) -> int:
    """Side of the square tile that a number of pixels allows, at least three margins and one cell."""
    return max(math.isqrt(pixels) // ALIGNMENT * ALIGNMENT, 3 * margin + ALIGNMENT)


def paint_in_tiles(paint: Paint, image_bgr: Image, pixels: int, reach: int) -> Image:
    """Paints a picture tile by tile; the result is that of painting it whole.

    Args:
        paint: paints one picture, keeping its size.
        image_bgr: (H, W, 3) uint8.
        pixels: that a tile should have at most.
        reach: how far a change spreads in the painting, in pixels.
    """
    margin = _round_up(reach)
    side = tile_side(pixels, margin)
    height, width = image_bgr.shape[:2]
    painted = np.empty_like(image_bgr)
    for row in split_axis(height, side, margin):
        for column in split_axis(width, side, margin):
            seen = np.ascontiguousarray(image_bgr[row.seen_from : row.seen_to, column.seen_from : column.seen_to])
            part = paint(seen)
            top, left = row.kept_from - row.seen_from, column.kept_from - column.seen_from
            bottom, right = row.kept_to - row.seen_from, column.kept_to - column.seen_from
            painted[row.kept_from : row.kept_to, column.kept_from : column.kept_to] = part[top:bottom, left:right]
    return painted


def paint_smaller(paint: Paint, image_bgr: Image, pixels: int) -> Image:
    """Paints a picture at a size of at most so many pixels and enlarges the painting: for networks that cannot be tiled."""
    height, width = image_bgr.shape[:2]
    scale = math.sqrt(pixels / (height * width))
    size_wh = (max(1, int(width * scale)), max(1, int(height * scale)))
    small = np.asarray(cv2.resize(image_bgr, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(paint(small), (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def measure_reach(paint: Paint) -> int | None:
    """How far a network sees: the distance in pixels up to which a change of the photo changes the painting.

    Pictures that differ in a square alone are painted, and the farthest pixel that differs by a grey level is looked
    for. A graph's nominal receptive field would be an upper bound, but foreign files do not tell theirs.

    Returns:
        Pixels; None where the change reaches farther than 384 pixels, as where a network normalises over the picture:
        such a network cannot be tiled without seams.
    """
    side = _PATCH + 2 * _FARTHEST
    inner = slice(_FARTHEST, _FARTHEST + _PATCH)
    reach = 0
    for cell in (1, 8, 64):  # fine and coarse noise excite different parts of a network
        before, after = _noise(side, cell, seed=cell), _noise(side, cell, seed=cell + 1)
        changed = before.copy()
        changed[inner, inner] = after[inner, inner]
        differs = (paint(before) != paint(changed)).any(axis=2)
        for along in (differs.any(axis=0), differs.any(axis=1)):
            places = np.flatnonzero(along)
            if len(places):
                reach = max(reach, inner.start - int(places[0]), int(places[-1]) + 1 - inner.stop)
    return reach if reach < _FARTHEST - ALIGNMENT else None


def _noise(side: int, cell: int, seed: int) -> Image:
    """Squares of random full-contrast colours."""
    count = math.ceil(side / cell)
    small = np.random.default_rng(seed).integers(0, 2, (count, count, 3), dtype=np.uint8) * np.uint8(255)
    return np.ascontiguousarray(small.repeat(cell, axis=0).repeat(cell, axis=1)[:side, :side])


def _round_up(pixels: int) -> int:
    return -(-pixels // ALIGNMENT) * ALIGNMENT
