"""The ONNX contracts that are known, StyleCam's own and other people's: told apart, and pictures brought in and out."""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np

from realtime.errors import ModelError
from realtime.frame import Image

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


def to_batch(image_bgr: Image, layout: Layout, value_range: tuple[float, float]) -> Any:
    """A picture as a network takes it.

    Args:
        image_bgr: (H, W, 3) uint8.
        value_range: of black and white, for networks that compute in floats.
    Returns:
        (1, H, W, 3) uint8 BGR, (1, 3, H, W) or (1, H, W, 3) float32 RGB.
    """
    if layout is Layout.FRAME:
        return image_bgr[np.newaxis]
    low, high = value_range
    pixels = image_bgr[:, :, ::-1].astype(np.float32) * np.float32((high - low) / 255) + np.float32(low)
    if layout is Layout.PIXELS:
        return pixels[np.newaxis]
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))[np.newaxis]


def to_picture(batch: Any, layout: Layout, value_range: tuple[float, float]) -> Image:
    """What a network returned as a picture; values that are no numbers become black.

    Returns:
        (H, W, 3) uint8, BGR.
    Raises:
        ModelError: it is no picture.
    """
    if not isinstance(batch, np.ndarray) or batch.dtype.kind not in "fiu":
        raise ModelError("model: returned something else than numbers, expected one picture of three channels")
    channels_at = 1 if layout is Layout.PLANES else 3
    if batch.ndim != 4 or len(batch) != 1 or batch.shape[channels_at] != 3 or not batch.size:
        raise ModelError(f"model: returned the shape {batch.shape}, expected one picture of three channels")
    if layout is Layout.FRAME:
        if batch.dtype != np.uint8:
            raise ModelError(f"model: returned {batch.dtype} for uint8, expected the same type")
        return np.asarray(batch[0])
    picture = batch[0].transpose(1, 2, 0) if layout is Layout.PLANES else batch[0]
    low, high = value_range
    levels = np.clip(np.rint((picture - low) * (255 / (high - low))), 0, 255)
    return np.ascontiguousarray(np.nan_to_num(levels, copy=False).astype(np.uint8)[:, :, ::-1])
