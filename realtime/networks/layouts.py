"""The ONNX contracts that are known: StyleCam's own and other people's, told apart by their input."""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np

from realtime.errors import ModelError, UserError

CONTRACT_VERSION = "1"  # of our own files, in their metadata
KNOWN = (
    "uint8 [batch, height, width, 3] (StyleCam), float32 [batch, 3, height, width] (fast-neural-style) "
    "or float32 [batch, height, width, 3] (AnimeGAN)"
)
_LARGEST_FIXED_SIDE = 4096  # pixels


class Layout(Enum):
    """How a network wants its picture."""

    FRAME = "uint8 NHWC BGR"
    PLANES = "float NCHW RGB"
    PIXELS = "float NHWC RGB"


def recognise(found: Any, name: str) -> Layout:
    """The contract of a network by its input.

    Raises:
        ModelError: of none that is known.
    """
    shape = found.shape
    if len(shape) == 4 and (shape[0] == 1 or not isinstance(shape[0], int)):
        if found.type == "tensor(uint8)" and shape[3] == 3:
            return Layout.FRAME
        if found.type == "tensor(float)" and shape[1] == 3:
            return Layout.PLANES
        if found.type == "tensor(float)" and shape[3] == 3:
            return Layout.PIXELS
    raise ModelError(f"model {name}: takes {found.type} {shape}; known are {KNOWN}")


def fixed_size(shape: list[Any], layout: Layout) -> tuple[int, int] | None:
    """Height and width that a network insists on; None where they are free.

    Raises:
        ModelError: one of them is fixed and the other is free, or they are of no picture that could be painted here.
    """
    height, width = (shape[2], shape[3]) if layout is Layout.PLANES else (shape[1], shape[2])
    if isinstance(height, int) != isinstance(width, int):
        raise ModelError(
            f"model: takes pictures of {width} x {height} pixels; known are fixed sizes and free ones, not one of each"
        )
    if not isinstance(height, int) or not isinstance(width, int):
        return None
    if not 0 < min(height, width) <= max(height, width) <= _LARGEST_FIXED_SIDE:
        raise ModelError(f"model: takes pictures of {width} x {height} pixels; known are 1 to {_LARGEST_FIXED_SIDE}")
    return height, width


def parse_range(text: str) -> tuple[float, float]:
    """ "0..1" as two numbers.

    Raises:
        UserError: not of that form, or empty.
    """
    low, separator, high = text.partition("..")
    try:
        values = (float(low), float(high))
    except ValueError:
        separator, values = "", (0.0, 0.0)
    if not separator or not values[0] < values[1] or not np.isfinite(values).all():
        raise UserError(f"expected LOW..HIGH, as in 0..255, 0..1 or -1..1, found {text!r}")
    return values
