"""Instance normalisation (Ulyanov et al. 2016): every picture's features brought to about one mean and one spread.

A network without it paints a dark or a flat photograph with fewer strokes than the painting has, because their contrast
is lower; with it every photograph comes out about equally near the painting. It takes two passes over the features that
an 8-bit graph has to leave its bytes for, and what a pixel becomes depends on the whole picture.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_EPSILON = 0.3


class InstanceNormalisation(nn.Module):
    """A scale and a shift for each channel after

        (x - mean(x)) / (s sqrt(var(x) / s^2 + 0.3))      over the places of one picture

    (Ulyanov et al. 2016, Eq. 3; departs: s is the channel's spread on usual photographs, and 0.3 instead of nearly
    nothing. A single thing on a plain ground has features many times the picture's spread; raised to the same spread
    as any other picture's it would be painted in colours from far beyond the network's range.)

    Computed in float32 whatever the features' type is.
    """

    spread: Tensor | None

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("spread", torch.ones(channels))

    def forward(self, features: Tensor) -> Tensor:
        wide = features.float() if self.spread is None else features.float() / self.spread.reshape(-1, 1, 1)
        return F.instance_norm(wide, weight=self.weight, bias=self.bias, eps=_EPSILON).to(features.dtype)

    def take_over(self, features: Tensor) -> None:
        """Takes scale, shift and spread from features (B, C, H, W), so that in their mean nothing changes."""
        spread = features.float().std((2, 3)).mean(0)
        assert self.spread is not None
        with torch.no_grad():
            self.spread.copy_(torch.where(spread > 0, spread, 1.0))
            self.weight.copy_(spread * math.sqrt(1 + _EPSILON))
            self.bias.copy_(features.float().mean((0, 2, 3)))


def normalisation(channels: int, is_wanted: bool) -> nn.Module:
    """The layer, or none."""
    return InstanceNormalisation(channels) if is_wanted else nn.Identity()


def fold_spread(layer: nn.Module, norm: nn.Module) -> None:
    """Divides a plain convolution's outputs by the spreads of the normalisation that follows, which then need not."""
    if not isinstance(norm, InstanceNormalisation) or norm.spread is None:
        return
    assert isinstance(layer, nn.Conv2d) and layer.bias is not None
    spread = norm.spread.repeat(layer.out_channels // len(norm.spread))  # once for each place of a block
    with torch.no_grad():
        layer.weight.div_(spread.reshape(-1, 1, 1, 1))
        layer.bias.div_(spread)
    norm.spread = None


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
        layer.take_over(inputs[0])

    layers = [layer for layer in generator.modules() if isinstance(layer, InstanceNormalisation)]
    hooks = [layer.register_forward_pre_hook(take_over) for layer in layers]
    try:
        with torch.no_grad():
            generator(batch_rgb)
    finally:
        for hook in hooks:
            hook.remove()
