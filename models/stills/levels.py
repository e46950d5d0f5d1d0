"""The pyramid of a still: the sizes of its levels, and photograph, styles and masks brought to them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from models.stills.objective import Objective, StylePicture
from models.stills.settings import GatysSettings
from models.vgg import VGGFeatures

SMALLEST_SIDE = 32  # VGG-19's fifth block sees two positions of it
_SMALLEST_LEVEL = 96  # a level's longer side: smaller ones are cheap, but show nothing of a painting
_LEVEL_RATIO = 2**0.5


def objective_at(
    shape_hw: tuple[int, int],
    content: Tensor,
    styles: Sequence[StylePicture],
    settings: GatysSettings,
    features: VGGFeatures,
) -> Objective:
    """The objective of one level of the pyramid; with the last of `level_sizes`, that of the result.

    Args:
        shape_hw: the level's height and width.
        content: (1, 3, H, W) float 0..1, of any size.
        styles, settings, features: as for `paint`; the features' precision is the one that is computed in.
    """
    scale = max(shape_hw) / settings.size * settings.style_scale
    resized = [
        StylePicture(
            _resize_style(style.picture, settings.size, scale),
            None if style.mask is None else resize(style.mask[None, None].float(), shape_hw)[0, 0],
        )
        for style in styles
    ]
    return Objective(features, settings, resize(content, shape_hw).to(features.mean.device), resized)


def level_sizes(shape_hw: tuple[int, int], settings: GatysSettings) -> list[tuple[int, int]]:
    """Heights and widths of the pyramid's levels, smallest first; the last one has settings.size as its longer side."""
    sizes = []
    for level in reversed(range(settings.levels)):
        longer = settings.size / _LEVEL_RATIO**level
        scale = longer / max(shape_hw)
        height, width = (max(1, round(side * scale)) for side in shape_hw)
        if level == 0 or (longer >= _SMALLEST_LEVEL and min(height, width) >= SMALLEST_SIDE):
            sizes.append((height, width))
    return sizes


def resize(batch: Tensor, shape_hw: tuple[int, int]) -> Tensor:
    """(B, C, h, w) float -> (B, C, H, W), areas averaged when shrinking, values kept within 0..1."""
    if tuple(batch.shape[2:]) == tuple(shape_hw):
        return batch
    return F.interpolate(batch, size=shape_hw, mode="bicubic", align_corners=False, antialias=True).clamp(0, 1)


def _resize_style(picture: Tensor, size: int, scale: float) -> Tensor:
    """A style picture for a level: no larger than the painted picture, never enlarged unless style_scale asks for it."""
    longer = max(picture.shape[1:])
    factor = min(longer, size) / longer * scale
    height, width = (max(SMALLEST_SIDE, round(side * factor)) for side in picture.shape[1:])
    return resize(picture[None].float(), (height, width))[0]
