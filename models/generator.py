"""The feed-forward generators that paint a photograph in one pass (Johnson et al. 2016).

Both ends of a generator move cells of pixels into channels (space to depth) and back, because work at full
resolution is what costs time: everything in between runs at 1/2 and 1/4 of the size. The tier `fine` has twice the
channels of the tier `fast`, for four times the work, and normalises its features. Cells of 4x4 pixels (1/4 and 1/8)
cost as little as `fast` with the channels of `fine`, and draw rows of dots 8 pixels apart.
"""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.normalisation import InstanceNormalisation, fold_spread, normalisation

CELLS = (2, 4)  # pixels on a side of one cell of the stem
TIER_NAMES = ("fast", "fine")
_LARGEST_SETTING = 256  # a checkpoint is foreign input: what it asks for is allocated before its tensors are compared
_FIRST_SHARE = 0.3  # of a block at first: little, so that five in a row neither grow nor vanish
BORDER = 16  # pixels by which a frame's edge is repeated before the network, and cut off after it


@dataclass(frozen=True)
class GeneratorSettings:
    """Shape of a generator: widths in channels, one number per resolution, and the side of a cell in pixels.

    The defaults are those of checkpoints that do not tell.

    normalised: with instance normalisation after each convolution but the last.
    """

    tier: str = "fast"
    stem_width: int = 32
    trunk_width: int = 64
    blocks: int = 5
    cell: int = 4
    normalised: bool = False

    def __post_init__(self) -> None:
        if self.tier not in TIER_NAMES:  # it becomes part of a file's name
            raise ValueError(f"tier: expected one of {', '.join(TIER_NAMES)}, found {self.tier!r}")
        for name in ("stem_width", "trunk_width", "blocks"):
            value = getattr(self, name)
            if not isinstance(value, int) or not 1 <= value <= _LARGEST_SETTING:
                raise ValueError(f"{name}: expected a whole number from 1 to {_LARGEST_SETTING}, found {value!r}")
        if not isinstance(self.normalised, bool):
            raise ValueError(f"normalised: expected true or false, found {self.normalised!r}")
        if self.cell not in CELLS:
            raise ValueError(f"cell: expected one of {', '.join(map(str, CELLS))}, found {self.cell!r}")


TIERS: dict[str, GeneratorSettings] = {
    "fast": GeneratorSettings("fast", stem_width=16, trunk_width=32, blocks=4, cell=2),
    "fine": GeneratorSettings("fine", stem_width=32, trunk_width=64, blocks=5, cell=2, normalised=True),
}


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


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """3x3 convolution with a bias; no normalisation: what is trained is what ships, and nothing depends on the batch."""
    layer = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
    nn.init.kaiming_normal_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


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


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(x))), without a last ReLU, as in Johnson et al.'s supplement."""

    def __init__(self, width: int, normalised: bool = False) -> None:
        super().__init__()
        self.first = convolution(width, width)
        self.second = convolution(width, width)
        self.first_norm = normalisation(width, normalised)
        self.second_norm = normalisation(width, normalised)
        with torch.no_grad():
            self.second.weight.mul_(_FIRST_SHARE)
            if isinstance(self.second_norm, InstanceNormalisation):
                self.second_norm.weight.fill_(_FIRST_SHARE)

    def forward(self, features: Tensor) -> Tensor:
        return features + self.second_norm(self.second(F.relu(self.first_norm(self.first(features)))))


class Generator(nn.Module):
    """Paints a batch of photographs.

    Stem on cells, residual trunk at half their resolution, back to cells with the stem's features added (which keeps
    the edges of a face where they are), and one convolution to the pixels of each cell. What it paints is added
    to a linear map of the photograph's own cells, the identity at first: training starts from the photograph
    instead of from noise, which was worth a factor of ten in steps.

    The picture's edge is repeated outwards once, and cut off again: the convolutions' zero padding would
    otherwise draw a frame around every painting.
    """

    def __init__(self, settings: GeneratorSettings) -> None:
        super().__init__()
        self.settings = settings
        stem, trunk, cell = settings.stem_width, settings.trunk_width, settings.cell
        self.stem = convolution(3 * cell * cell, stem)
        self.down = convolution(stem, trunk, stride=2)
        self.trunk = nn.Sequential(*(ResidualBlock(trunk, settings.normalised) for _ in range(settings.blocks)))
        self.up: nn.Module = EvenConvolution(trunk, stem, block=2)
        self.keep: nn.Module = CellMap(cell)
        self.paint: nn.Module = EvenConvolution(stem, 3, block=cell)
        self.stem_norm = normalisation(stem, settings.normalised)
        self.down_norm = normalisation(trunk, settings.normalised)
        self.up_norm = normalisation(stem, settings.normalised)
        nn.init.kaiming_normal_(self.up.weight)
        nn.init.normal_(self.paint.weight, std=0.005 if settings.normalised else 0.01)  # the photograph itself to begin with

    def forward(self, batch_rgb: Tensor, repeat_border: bool = True) -> Tensor:
        """Stylised batch.

        Args:
            batch_rgb: (B, 3, H, W) float, 0..1, H and W multiples of the stride.
            repeat_border: as live; False where training brings more of the photo along than it looks at.
        Returns:
            The same shape; about 0..1, not clamped, so that training sees what falls outside.
        """
        cell = self.settings.cell
        if not repeat_border:
            return depth_to_space(self.forward_cells(space_to_depth(batch_rgb, cell)), cell)
        wide = F.pad(batch_rgb, (BORDER,) * 4, mode="replicate")
        painted = depth_to_space(self.forward_cells(space_to_depth(wide, cell)), cell)
        return painted[..., BORDER:-BORDER, BORDER:-BORDER]

    def forward_cells(self, cells: Tensor) -> Tensor:
        """The same, between pictures already cut into cells: (B, 3 cell^2, H/cell, W/cell) both ways."""
        edges = F.relu(self.stem_norm(self.stem(cells)))
        features = self.trunk(F.relu(self.down_norm(self.down(edges))))
        features = self.up_norm(depth_to_space(self.up(F.relu(features)), 2))
        return self.keep(cells) + self.paint(F.relu(features + edges))

    @property
    def stride(self) -> int:
        """Height and width must be multiples of this many pixels."""
        return self.settings.cell * 2


def build_generator(settings: GeneratorSettings) -> Generator:
    """A generator with fresh random weights."""
    return Generator(settings)


def settings_from_dict(found: dict[str, Any]) -> GeneratorSettings:
    """Settings out of a checkpoint, which is foreign input: unknown names and sizes are refused."""
    known = asdict(GeneratorSettings())
    unknown = sorted(set(found) - set(known))
    if unknown:
        raise ValueError(f"unknown generator settings {', '.join(unknown)}")
    return GeneratorSettings(**found)


def fold(generator: Generator) -> Generator:
    """A copy that is a plain chain of convolutions: what depends on weights alone computed once and for all."""
    folded = copy.deepcopy(generator).eval()
    up, keep, paint = folded.up, folded.keep, folded.paint
    assert isinstance(up, EvenConvolution) and isinstance(keep, CellMap) and isinstance(paint, EvenConvolution)
    folded.up = plain_convolution(up.even_weight(), up.even_bias())
    folded.keep = plain_convolution(keep.even_weight(), None)
    folded.paint = plain_convolution(paint.even_weight(), paint.even_bias())
    pairs = [(folded.stem, folded.stem_norm), (folded.down, folded.down_norm), (folded.up, folded.up_norm)]
    for block in folded.trunk:
        assert isinstance(block, ResidualBlock)
        pairs += [(block.first, block.first_norm), (block.second, block.second_norm)]
    for layer, norm in pairs:
        fold_spread(layer, norm)
    return folded


def plain_convolution(weight: Tensor, bias: Tensor | None) -> nn.Conv2d:
    """A convolution of given weights (outputs, inputs, K, K) and bias (outputs,), padded to keep the size."""
    outputs, inputs, size, _ = weight.shape
    layer = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=bias is not None)
    with torch.no_grad():
        layer.weight.copy_(weight)
        if bias is not None and layer.bias is not None:
            layer.bias.copy_(bias)
    return layer


def count_parameters(generator: nn.Module) -> int:
    """Number of trained values."""
    return sum(parameter.numel() for parameter in generator.parameters())


def kilo_macs_per_pixel(generator: Generator, size: int = 256) -> float:
    """Multiply-adds of all convolutions for one pixel, in thousands."""
    folded = fold(generator).cpu()
    total = 0

    def count(module: nn.Module, _inputs: Any, output: Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.Conv2d)
        total += output.shape[2] * output.shape[3] * module.weight.numel()

    for module in folded.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    with torch.no_grad():
        folded(torch.zeros(1, 3, size, size))
    return total / (size * size) / 1000
