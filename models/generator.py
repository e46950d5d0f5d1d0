"""The feed-forward generators that paint a photograph in one pass (Johnson et al. 2016).

Both ends of a generator move cells of pixels into channels (space to depth) and back, because work at full
resolution is what costs time: everything in between runs at 1/2 and 1/4 of the size. The tier `fine` has twice the
channels of the tier `fast`, for four times the work, and normalises its features. Cells of 4x4 pixels (1/4 and 1/8)
cost as little as `fast` with the channels of `fine`, and draw rows of dots 8 pixels apart.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.cells import CellMap, EvenConvolution, depth_to_space, space_to_depth
from models.normalisation import InstanceNormalisation, normalisation

CELLS = (2, 4)  # pixels on a side of one cell of the stem
TIER_NAMES = ("fast", "fine")
_LARGEST_SETTING = 256  # a checkpoint is foreign input: what it asks for is allocated before its tensors are compared
_FIRST_SHARE = 0.3  # of a block at first: little, so that five in a row neither grow nor vanish
BORDER = 16  # pixels by which a frame's edge is repeated before the network, and cut off after it


@dataclass(frozen=True)
class GeneratorSettings:
    """Shape of a generator: widths in channels, one number per resolution, and the side of a cell in pixels.

    normalised: with instance normalisation after each convolution but the last.
    """

    tier: str
    stem_width: int
    trunk_width: int
    blocks: int
    cell: int
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

# What checkpoints mean that do not tell: the first shape.
_UNTOLD: dict[str, Any] = asdict(GeneratorSettings("fast", stem_width=32, trunk_width=64, blocks=5, cell=4))


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """3x3 convolution with a bias; no normalisation: what is trained is what ships, and nothing depends on the batch."""
    layer = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
    nn.init.kaiming_normal_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


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
    unknown = sorted(set(found) - set(_UNTOLD))
    if unknown:
        raise ValueError(f"unknown generator settings {', '.join(unknown)}")
    return GeneratorSettings(**(_UNTOLD | found))
