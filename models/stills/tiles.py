"""Tiles of a picture for VGG-19: inner parts that make up the picture, with a halo as wide as a feature sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from models.vgg import CONVOLUTIONS

_GRID = 16  # the largest stride: tiles begin and end on its lines, so that no pooling cell is cut


@dataclass(frozen=True)
class Tile:
    """One tile: its inner part, and its outer part that the network sees; slices of the picture's rows and columns."""

    rows: slice
    columns: slice
    rows_outer: slice
    columns_outer: slice

    def inner(self, whole: Tensor, layer: str) -> Tensor:
        """The inner part of a feature map (..., H', W') of the whole picture."""
        return whole[..., _places(self.rows, 0, layer), _places(self.columns, 0, layer)]

    def inner_of_outer(self, features: Tensor, layer: str) -> Tensor:
        """The inner part of a feature map (..., h, w) of the outer part."""
        rows = _places(self.rows, self.rows_outer.start, layer)
        return features[..., rows, _places(self.columns, self.columns_outer.start, layer)]


def layer_stride(layer: str) -> int:
    """Pixels from one position of a layer to the next: 1 for conv1_* and relu1_*, 16 for conv5_* and relu5_*."""
    return 1 << (int(layer[4]) - 1)


def halo_of(layers: Sequence[str]) -> int:
    """Pixels around a tile that its deepest features see, up to a line of the grid."""
    deepest = max(CONVOLUTIONS.index(layer.replace("relu", "conv")) for layer in layers)
    seen, stride = 0, 1
    for name in CONVOLUTIONS[: deepest + 1]:
        if layer_stride(name) != stride:  # a pooling: half seen is seen
            stride, seen = layer_stride(name), -(-seen // 2)
        seen += 1
    return -(-seen * stride // _GRID) * _GRID


def tiles_of(shape_hw: tuple[int, int], side: int, halo: int) -> list[Tile]:
    """The fewest tiles of at most side x side pixels; one where the picture's area is no larger than that."""
    height, width = shape_hw
    if height * width <= side * side:
        return [Tile(slice(0, height), slice(0, width), slice(0, height), slice(0, width))]
    return [
        Tile(rows, columns, _widened(rows, halo, height), _widened(columns, halo, width))
        for rows in _parts(height, side)
        for columns in _parts(width, side)
    ]


def _parts(length: int, side: int) -> list[slice]:
    """Equal parts that begin on lines of the grid; a rest that is too small for a feature joins the part before it."""
    count = -(-length // side)
    step = -(-length // count // _GRID) * _GRID
    starts = [start for start in range(0, length, step) if start == 0 or length - start >= _GRID]
    return [slice(start, stop) for start, stop in zip(starts, [*starts[1:], length], strict=True)]


def _widened(part: slice, halo: int, length: int) -> slice:
    return slice(max(0, part.start - halo), min(length, part.stop + halo))


def _places(part: slice, origin: int, layer: str) -> slice:
    """A part's rows or columns in a layer's features, which begin at the pixel `origin`."""
    stride = layer_stride(layer)
    return slice((part.start - origin) // stride, (part.stop - origin) // stride)
