"""The painting that a network learns: which picture it is, and at which size it is learnt."""

from __future__ import annotations

import os
from pathlib import Path

from torch import Tensor

from models.devices import enough_memory
from models.images import load_image, resize_short_side
from realtime.errors import ModelError, SourceError
from realtime.gallery import EXEMPLAR, load_gallery, suggestion
from realtime.program import argument_types

_SMALLEST, _LARGEST = 64, 4096  # pixels of its short side

style_size = argument_types.within(argument_types.count, _SMALLEST, _LARGEST, f"{_SMALLEST} to {_LARGEST}")


def style_picture(wanted: str, extra: Path | None = None) -> Path:
    """The picture of a style: a file, or the exemplar of a style of the gallery.

    Args:
        wanted: a path or a style's name.
        extra: one more folder of styles.
    Raises:
        ModelError: a style without exemplar, or no such style.
    """
    path = Path(wanted)
    if os.path.isfile(path) or path.suffix or len(path.parts) > 1:
        return path  # reading it says what is wrong with it
    styles = {style.name: style for style in load_gallery(extra)}
    if wanted not in styles:
        raise ModelError(f"style {wanted}: no such file and no such style; {suggestion(wanted, list(styles))}")
    style = styles[wanted]
    if style.exemplar is None:
        raise ModelError(
            f"style {wanted}: has no {EXEMPLAR}; make one from its painting with python -m models.exemplar PAINTING -o "
            f"{style.folder / EXEMPLAR}, or give the painting's picture"
        )
    return style.exemplar


def load_painting(path: Path, short_side: int) -> Tensor:
    """The painting, its shorter side made short_side pixels (never enlarged more than twice).

    Returns:
        (3, H, W) uint8, RGB.
    Raises:
        SourceError: not a picture, or too small to train on.
    """
    painting = load_image(path)
    smallest = min(painting.shape[1:])
    if smallest < max(_SMALLEST, short_side // 2):
        raise SourceError(
            f"painting {path}: its short side has {smallest} pixels, expected at least "
            f"{max(_SMALLEST, short_side // 2)}; give a larger picture or a smaller --style-size"
        )
    with enough_memory(f"for --style-size {short_side}; try a smaller one"):
        return resize_short_side(painting, short_side)
