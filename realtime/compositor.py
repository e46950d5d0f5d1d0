"""What becomes of a painted frame before it is seen: pure functions on pictures, (H, W, 3) uint8 BGR."""

from __future__ import annotations

import cv2
import numpy as np

from realtime.auto_levels import Curve, set_levels
from realtime.controls import ControlState
from realtime.frame import Image


def blend(photo: Image, painted: Image, strength: float) -> Image:
    """A mix of photo and painting.

    Args:
        strength: 0 gives the photo unchanged, 1 the painting.
    """
    if strength <= 0:
        return photo
    if strength >= 1:
        return painted
    return np.asarray(cv2.addWeighted(painted, strength, photo, 1 - strength, 0), np.uint8)


def keep_colours(photo: Image, painted: Image) -> Image:
    """The painting's brightness with the photo's colours (luminance-only transfer, Gatys et al. 2016b)."""
    luminance = cv2.cvtColor(painted, cv2.COLOR_BGR2YCrCb)[:, :, 0]
    mixed = cv2.cvtColor(photo, cv2.COLOR_BGR2YCrCb)
    mixed[:, :, 0] = luminance
    return np.asarray(cv2.cvtColor(mixed, cv2.COLOR_YCrCb2BGR), np.uint8)


def split_view(photo: Image, painted: Image) -> Image:
    """The photo on the left, the painting on the right, a thin white line between them."""
    middle = photo.shape[1] // 2
    joined = painted.copy()
    joined[:, :middle] = photo[:, :middle]
    joined[:, max(0, middle - 1) : middle + 1] = 255
    return joined


def cross_fade(before: Image, after: Image, share: float) -> Image:
    """From one picture to the next.

    Args:
        before: of any size; it is brought to the size of after.
        share: 0 gives before, 1 gives after.
    """
    if before.shape != after.shape:
        before = np.asarray(cv2.resize(before, after.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.uint8)
    return blend(before, after, share)


def compose(photo: Image, painted: Image, state: ControlState, levels: Curve | None = None) -> Image:
    """Colours and strength as the controls ask for them, in this order.

    Args:
        photo: the frame.
        painted: the same frame painted, of the same size.
        levels: at which it was painted, and at which its colours are kept: those of a dark photo are faint.
    """
    if state.colours_of_photo and state.effective_strength > 0:
        painted = keep_colours(set_levels(photo, levels), painted)
    return blend(photo, painted, state.effective_strength)
