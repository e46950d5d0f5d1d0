"""Ulyanov's multi-scale generator: from noise alone a texture of any size, in one pass (Ulyanov et al. 2016, "Texture
Networks", section 3.2).

A pyramid of noise is painted and joined from coarse to fine. All convolutions wrap around, so what comes out can be laid
side by side without a seam.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from realtime.errors import UserError

_NOISE_CHANNELS = 3
_SLOPE = 0.2  # of the leaky rectifier
SMALLEST_SIDE = 64
_MOST_SCALES, _MOST_WIDTH = 6, 64  # a seventh would see one place of the smallest picture, which cannot be normalised


@dataclass(frozen=True)
class TextureSettings:
    """The shape of a texture network.

    scales: of the noise, each twice the size of the one before; the coarsest, which comes first, places what is large.
    width: channels by which each scale adds to the picture.
    """

    scales: int = 6
    width: int = 8

    def __post_init__(self) -> None:
        """Refuses a shape that nothing could be painted with, as a foreign file may ask for.

        Raises:
            UserError: with what is possible.
        """
        for name, value, most in (("scales", self.scales, _MOST_SCALES), ("width", self.width, _MOST_WIDTH)):
            if type(value) is not int or not 1 <= value <= most:
                raise UserError(f"texture network: {name} {value}: expected a whole number from 1 to {most}")


class TextureNet(nn.Module):
    """Noise -> texture.

    Each scale has a block for its own noise and one for that joined with what the coarser scales painted, of three
    convolutions each. Departs from the paper in normalising by instance instead of by batch (as Ulyanov et al. 2017 do for
    stylisation; their term for more diverse textures is not taken over), in noise from a normal instead of a uniform
    distribution (see `turned_noise`), and in a sigmoid at the end, which keeps colours within what a screen shows.
    """

    def __init__(self, settings: TextureSettings) -> None:
        super().__init__()
        self.settings = settings
        width, scales = settings.width, range(settings.scales)
        self.noise_blocks = nn.ModuleList(_block(_NOISE_CHANNELS, width) for _ in scales)
        self.noise_norms = nn.ModuleList(nn.InstanceNorm2d(width, affine=True) for _ in scales[1:])
        self.coarse_norms = nn.ModuleList(nn.InstanceNorm2d(width * k, affine=True) for k in scales[1:])
        self.joint_blocks = nn.ModuleList(_block(width * (k + 1), width * (k + 1)) for k in scales[1:])
        self.to_rgb = nn.Conv2d(width * settings.scales, 3, 1)

    def forward(self, noise: Sequence[Tensor]) -> Tensor:
        """Paints a batch.

        Args:
            noise: one (B, 3, h_k, w_k) float for each scale, the coarsest first (see `draw_noise`).
        Returns:
            (B, 3, H, W) float, 0..1, RGB, of the last one's size.
        Raises:
            ValueError: not as many as there are scales.
        """
        if len(noise) != self.settings.scales:
            raise ValueError(f"noise: expected {self.settings.scales} scales, found {len(noise)}")
        painted = self.noise_blocks[0](noise[0])
        steps = zip(self.noise_blocks[1:], self.noise_norms, self.coarse_norms, self.joint_blocks, noise[1:], strict=True)
        for noise_block, noise_norm, coarse_norm, joint_block, finer in steps:
            coarse = F.interpolate(painted, size=finer.shape[-2:], mode="nearest")
            painted = joint_block(torch.cat([coarse_norm(coarse), noise_norm(noise_block(finer))], dim=1))
        return torch.sigmoid(self.to_rgb(painted))


def draw_noise(settings: TextureSettings, size_wh: tuple[int, int], random: torch.Generator) -> list[Tensor]:
    """The noise of one picture.

    Args:
        size_wh: of the picture, at least SMALLEST_SIDE each; each coarser scale has half of it, rounded to the nearest: a
            cell of the coarsest one that had to make do with a few pixels would show as a seam.
    Returns:
        (1, 3, h_k, w_k) float32 for each scale, the coarsest first; of mean 0 and deviation 1.
    Raises:
        ValueError: a smaller picture.
    """
    if min(size_wh) < SMALLEST_SIDE:
        raise ValueError(f"texture of {size_wh[0]}x{size_wh[1]}: expected at least {SMALLEST_SIDE}x{SMALLEST_SIDE}")
    width, height = size_wh
    return [
        torch.randn(1, _NOISE_CHANNELS, int(height / 2**k + 0.5), int(width / 2**k + 0.5), generator=random)
        for k in reversed(range(settings.scales))
    ]


def turned_noise(start: Sequence[Tensor], end: Sequence[Tensor], angle: float) -> list[Tensor]:
    """Noise on the circle through two others: all along it as likely as they are, so that each paints as good a texture.

        z(a) = cos(a) z_0 + sin(a) z_1

    Args:
        start, end: of `draw_noise`.
        angle: radians; after a whole turn the first comes again.
    """
    turn = torch.tensor(angle)
    return [torch.cos(turn) * first + torch.sin(turn) * second for first, second in zip(start, end, strict=True)]


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(_layer(inputs, outputs, 3), _layer(outputs, outputs, 3), _layer(outputs, outputs, 1))


def _layer(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """A convolution that wraps around the picture's edges, normalised and rectified; the norm's shift serves as its bias."""
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, padding_mode="circular", bias=False)
    return nn.Sequential(convolution, nn.InstanceNorm2d(outputs, affine=True), nn.LeakyReLU(_SLOPE, inplace=True))
