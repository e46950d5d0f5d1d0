"""The noise of a camera in poor light."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

_GRAIN = 1.5  # pixels: the spread of the blur that makes grains of white noise


def camera_noise(shape: tuple[int, ...], seed: int) -> npt.NDArray[Any]:
    """Noise with a standard deviation of 1: half of it white, half in grains, which means over areas do not take away.

    Args:
        shape: (H, W, 3).
    """
    random = np.random.default_rng(seed)
    white, grains = random.normal(size=shape), cv2.GaussianBlur(random.normal(size=shape), (0, 0), _GRAIN)
    return np.asarray((white + grains / max(float(grains.std()), 1e-9)) / 2**0.5)


def with_noise(picture: npt.NDArray[Any], spread: float, seed: int) -> npt.NDArray[np.uint8]:
    """A picture with that noise, in whole grey levels.

    Args:
        picture: (H, W, 3), 0 to 255.
        spread: standard deviation of the noise, in grey levels.
    """
    return np.clip(np.round(picture + spread * camera_noise(picture.shape, seed)), 0, 255).astype(np.uint8)
