"""The painting that a network learns, at the size it is learnt at."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from models.devices import enough_memory
from models.images import load_image, resize_short_side
from realtime.errors import SourceError

SMALLEST_PAINTING = 64  # pixels of its short side


def load_painting(path: Path, short_side: int) -> Tensor:
    """The painting, its shorter side made short_side pixels (never enlarged more than twice).

    Returns:
        (3, H, W) uint8, RGB.
    Raises:
        SourceError: not a picture, or too small to train on.
    """
    painting = load_image(path)
    smallest = min(painting.shape[1:])
    if smallest < max(SMALLEST_PAINTING, short_side // 2):
        raise SourceError(
            f"painting {path}: its short side has {smallest} pixels, expected at least "
            f"{max(SMALLEST_PAINTING, short_side // 2)}; give a larger picture or a smaller --style-size"
        )
    with enough_memory(f"for --style-size {short_side}; try a smaller one"):
        return resize_short_side(painting, short_side)
