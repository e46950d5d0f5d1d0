"""The part of a video that is wanted, and its size: --start, --end, --scale."""

from __future__ import annotations

from dataclasses import dataclass

Scale = float | tuple[int, int] | None
_SMALLEST_SIDE = 16


@dataclass(frozen=True)
class Excerpt:
    """The part of a video that is wanted.

    start_s, end_s: seconds from the beginning, as players show them.
    scale: factor, or box (width, height) that the picture is fitted into; None leaves the size.
    """

    start_s: float = 0.0
    end_s: float | None = None
    scale: Scale = None

    @property
    def is_whole(self) -> bool:
        """Whether every frame is wanted, at whatever size."""
        return self.start_s == 0 and self.end_s is None


def scaled_size(size_wh: tuple[int, int], scale: Scale) -> tuple[int, int]:
    """Size of a picture after --scale: even where it changes, so that every codec holds it."""
    if scale is None:
        return size_wh
    factor = min(scale[0] / size_wh[0], scale[1] / size_wh[1]) if isinstance(scale, tuple) else scale
    if factor == 1:
        return size_wh
    width, height = (max(_SMALLEST_SIDE, 2 * round(side * factor / 2)) for side in size_wh)
    return width, height
