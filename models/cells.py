"""Cells of pixels: moved into channels and back, and the two layers that print no pattern of them into a picture."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def space_to_depth(picture: Tensor, block: int) -> Tensor:
    """Moves each block of pixels into channels, in the order row, column, colour.

    Args:
        picture: (B, C, H, W), H and W multiples of block.
    Returns:
        (B, block * block * C, H / block, W / block).
    """
    batch, channels, height, width = picture.shape
    cells = picture.reshape(batch, channels, height // block, block, width // block, block)
    return cells.permute(0, 3, 5, 1, 2, 4).reshape(batch, block * block * channels, height // block, width // block)


def reversed_colours(depth: int) -> Tensor:
    """Where each of a cell's channels (row, column, colour) lies when RGB becomes BGR, and back: (depth,) int64."""
    return torch.arange(depth).reshape(-1, 3).flip(1).reshape(-1)


def depth_to_space(cells: Tensor, block: int, colours: int | None = None) -> Tensor:
    """The inverse of space_to_depth.

    Args:
        cells: (B, block * block * C, H, W); channels after those are left out.
        colours: C; None where there are no others.
    Returns:
        (B, C, H * block, W * block).
    """
    batch, depth, height, width = cells.shape
    colours = colours or depth // (block * block)
    length = block * colours
    unread = depth - block * length
    # Channels last, whole rows are moved: in onnxruntime six times faster than one six-dimensional transpose.
    rows = cells.permute(0, 2, 3, 1).split([length] * block + [unread] * (unread > 0), dim=3)[:block]
    lines = [row.reshape(batch, height, 1, width * length) for row in rows]
    picture = torch.cat(lines, dim=2).reshape(batch, height * block, width * block, colours)
    return picture.permute(0, 3, 1, 2)


def _places(block: int) -> Tensor:
    """Where the pixels of a block lie, in blocks from its middle: (block,)."""
    return (torch.arange(block) - (block - 1) / 2) / block


class EvenConvolution(nn.Module):
    """3x3 convolution to the pixels of a block that draws no pattern of the blocks by itself.

    A convolution followed by depth to space has weights of its own for each place in the block, and soon learns to
    print the same dots into every block: cheap texture, a visible grid. Here the kernels' sums S are the same at each
    place, so that whatever is flat stays flat, and their first moments M grow with the place as those of linear
    interpolation do, so that an even slope stays an even slope:

        S_p = S,    M_p = M + S d_p        with d_p the place's distance from the block's middle, in blocks

    What the kernels are beyond that is free. Export computes them once; nothing of it runs live.

    Args:
        inputs: channels in.
        outputs: channels of each pixel of a block.
        block: side of the block in pixels.
    """

    offsets: Tensor

    def __init__(self, inputs: int, outputs: int, block: int) -> None:
        super().__init__()
        self.block, self.outputs = block, outputs
        drawn = nn.Conv2d(inputs, outputs * block * block, 3)
        self.weight = nn.Parameter(drawn.weight.detach().clone())
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("offsets", torch.tensor([-1.0, 0.0, 1.0]), persistent=False)

    def even_weight(self) -> Tensor:
        """Weights of equal sums and matching moments: (block * block * outputs, inputs, 3, 3)."""
        block = self.block
        kernels = self.weight.reshape(block, block, self.outputs, -1, 3, 3)
        sums = kernels.sum((4, 5), keepdim=True)
        mean_sum = sums.mean((0, 1), keepdim=True)
        kernels = kernels - (sums - mean_sum) / 9
        places = _places(block).to(kernels)
        for dimension, kernel_dimension in ((0, 4), (1, 5)):
            ramp = self._along(self.offsets, kernel_dimension)
            moments = (kernels * ramp).sum((4, 5), keepdim=True)
            wanted = moments.mean((0, 1), keepdim=True) + mean_sum * self._along(places, dimension)
            kernels = kernels + (wanted - moments) * ramp / 6
        return kernels.reshape(self.weight.shape)

    @staticmethod
    def _along(values: Tensor, dimension: int) -> Tensor:
        """A vector laid along one of six dimensions."""
        shape = [1] * 6
        shape[dimension] = -1
        return values.reshape(shape)

    def even_bias(self) -> Tensor:
        """One bias for all places of a block: (block * block * outputs,)."""
        return self.bias.repeat(self.block * self.block)

    def forward(self, features: Tensor) -> Tensor:
        return F.conv2d(features, self.even_weight(), self.even_bias(), padding=1)


class CellMap(nn.Module):
    """A linear map of the pixels of each cell, the identity at first, that keeps flat cells flat and slopes even.

    Args:
        cell: side of a cell in pixels.
    """

    def __init__(self, cell: int) -> None:
        super().__init__()
        self.cell = cell
        self.weight = nn.Parameter(torch.eye(3 * cell * cell))

    def even_weight(self) -> Tensor:
        """(3 cell^2, 3 cell^2, 1, 1), as a convolution's."""
        cell = self.cell
        count = cell * cell
        maps = self.weight.reshape(cell, cell, 3, cell, cell, 3)
        sums = maps.sum((3, 4), keepdim=True)
        mean_sum = sums.mean((0, 1), keepdim=True)
        maps = maps - (sums - mean_sum) / count
        places = _places(cell).to(maps)
        squares = cell * float(places.square().sum())
        for dimension in (0, 1):
            ramp = EvenConvolution._along(places, dimension + 3)
            moments = (maps * ramp).sum((3, 4), keepdim=True)
            wanted = moments.mean((0, 1), keepdim=True) + mean_sum * EvenConvolution._along(places, dimension)
            maps = maps + (wanted - moments) * ramp / squares
        return maps.reshape(3 * count, 3 * count, 1, 1)

    def forward(self, cells: Tensor) -> Tensor:
        return F.conv2d(cells, self.even_weight())
