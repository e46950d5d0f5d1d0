"""A frame on its way from a source to the sinks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Frame:
    """One picture of a source.

    image_bgr: (H, W, 3) uint8, as OpenCV gives it; never written to after this.
    index: number of the frame in its source, from 0.
    captured_at_s: monotonic seconds at which the source handed it over.
    presented_at_s: seconds from the start of a file at which it is to be seen; None for a live source.
    """

    image_bgr: Image
    index: int
    captured_at_s: float
    presented_at_s: float | None = None

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.image_bgr.shape[:2]
        return width, height
