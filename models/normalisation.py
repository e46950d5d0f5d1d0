"""Instance normalisation (Ulyanov et al. 2016): every picture's features brought to one mean and one spread.

A network without it paints a dark or a flat photograph with fewer strokes than the painting has, because their contrast
is lower; with it every photograph comes out about equally near the painting. It takes two passes over the features that
an 8-bit graph has to leave its bytes for, and what a pixel becomes depends on the whole picture.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

_EPSILON = 1e-3


class InstanceNormalisation(nn.InstanceNorm2d):
    """A scale and a shift for each channel after

        (x - mean(x)) / sqrt(var(x) + 1e-3)      over the places of one picture (Ulyanov et al. 2016, Eq. 3)

    computed in float32 whatever the features' type is.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=_EPSILON, affine=True)

    def forward(self, features: Tensor) -> Tensor:
        return super().forward(features.float()).to(features.dtype)


def normalisation(channels: int, is_wanted: bool) -> nn.Module:
    """The layer, or none."""
    return InstanceNormalisation(channels) if is_wanted else nn.Identity()


def take_over_statistics(generator: nn.Module, batch_rgb: Tensor) -> None:
    """Gives each normalisation the mean and the spread that its features have on some photographs.

    A generator that was trained without normalisation and gets it now paints about as before from its first step on.
    Where features are zero everywhere, as in a block that was added, the scale is zero: the block gives nothing until it
    has learnt.

    Args:
        generator: called with batch_rgb once.
        batch_rgb: (B, 3, H, W) float, 0..1.
    """

    def take_over(layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        assert isinstance(layer, InstanceNormalisation)
        features = inputs[0].float()
        layer.weight.copy_(features.std((2, 3)).mean(0))
        layer.bias.copy_(features.mean((0, 2, 3)))

    layers = [layer for layer in generator.modules() if isinstance(layer, InstanceNormalisation)]
    hooks = [layer.register_forward_pre_hook(take_over) for layer in layers]
    try:
        with torch.no_grad():
            generator(batch_rgb)
    finally:
        for hook in hooks:
            hook.remove()
