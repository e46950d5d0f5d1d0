"""A wider and deeper generator out of a trained one that paints the very same (Chen et al. 2016, Net2Net).

The tier `fine` has twice the channels of `fast`, a block more, and normalisation: it starts where `fast` has arrived, at
once (normalisation added: nearly there), and trains on.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.cells import EvenConvolution
from models.generator import Generator, GeneratorSettings, ResidualBlock, build_generator
from models.normalisation import InstanceNormalisation, take_over_statistics

_UNLIKENESS = 0.5  # of the two halves of a weight, in standard deviations of its layer


def can_widen(narrow: GeneratorSettings, wide: GeneratorSettings) -> bool:
    """Whether a generator of one shape holds one of the other: whole multiples of its channels, no fewer blocks."""
    multiples = wide.stem_width % narrow.stem_width == 0 and wide.trunk_width % narrow.trunk_width == 0
    keeps = wide.cell == narrow.cell and wide.normalised >= narrow.normalised
    return multiples and keeps and wide.blocks >= narrow.blocks


def widen(
    generator: Generator, settings: GeneratorSettings, random: torch.Generator, batch_rgb: Tensor | None = None
) -> Generator:
    """A generator of a larger shape that paints what this one paints, up to rounding.

    Each channel comes several times. What reads copies divides its weight among them, unlike for each, so that they can
    learn different things; the parts' sum is the weight:

        w x = sum_k (w / n + e_k) x_k,    x_k = x,  sum_k e_k = 0

    Blocks that are added give zero. Normalisation that is added takes the mean and the spread of its features on some
    photographs, so that in the mean of those nothing changes.

    Args:
        generator: left as it is.
        settings: of the new one; see can_widen.
        random: for the unlike parts, and for blocks that are added with normalisation; what else is new is drawn as
            build_generator draws it.
        batch_rgb: (B, 3, H, W) float, 0..1: photographs, for normalisation that is added.
    Raises:
        ValueError: the shape does not hold that of the generator.
    """
    if not can_widen(generator.settings, settings):
        raise ValueError(f"{settings} does not hold {generator.settings}")
    adds_normalisation = settings.normalised and not generator.settings.normalised
    if adds_normalisation and batch_rgb is None:
        raise ValueError(f"{settings}: normalisation is added, and no photographs are given for its statistics")
    wide = build_generator(settings)
    with torch.no_grad():
        wide.keep.load_state_dict(generator.keep.state_dict())
        for narrow_layer, wide_layer in zip(_layers(generator), _layers(wide), strict=False):
            _copy(narrow_layer, wide_layer, random)
        added = [block for block in list(wide.trunk)[generator.settings.blocks :] if isinstance(block, ResidualBlock)]
        for block in added:
            block.second.weight.zero_()
        if batch_rgb is not None and adds_normalisation:
            take_over_statistics(wide, batch_rgb)
        for block in added:
            _let_learn(block, random)
    return wide


def _let_learn(block: ResidualBlock, random: torch.Generator) -> None:
    """Nothing comes through a block that is added, yet something has to come back: where it is normalised, by its scale."""
    if isinstance(block.second_norm, InstanceNormalisation):
        nn.init.kaiming_normal_(block.second.weight, generator=random)
        block.second_norm.weight.zero_()
        block.second_norm.bias.zero_()


def _layers(generator: Generator) -> list[nn.Module]:
    """All that has channels of its own, the blocks last: a larger generator has more of those."""
    layers: list[nn.Module] = [generator.stem, generator.down, generator.up, generator.paint]
    layers += [generator.stem_norm, generator.down_norm, generator.up_norm]
    for block in generator.trunk:
        assert isinstance(block, ResidualBlock)
        layers += [block.first, block.second, block.first_norm, block.second_norm]
    return layers


def _copy(narrow: nn.Module, wide: nn.Module, random: torch.Generator) -> None:
    """Weights and bias into a wider layer, whose outputs are repeated, within each place of a block if it has places.

    Normalisation has a scale and a shift for each channel; where the narrow network has none there is nothing to copy.
    """
    if isinstance(narrow, nn.Identity):
        return
    if isinstance(narrow, InstanceNormalisation) and isinstance(wide, InstanceNormalisation):
        times = len(wide.bias) // len(narrow.bias)
        wide.load_state_dict({name: value.repeat(times) for name, value in narrow.state_dict().items()})
        return
    weight, bias, wide_weight, wide_bias = narrow.weight, narrow.bias, wide.weight, wide.bias
    assert isinstance(weight, Tensor) and isinstance(bias, Tensor)
    assert isinstance(wide_weight, Tensor) and isinstance(wide_bias, Tensor)
    places = narrow.block**2 if isinstance(narrow, EvenConvolution) else 1
    times = len(wide_bias) // len(bias)
    repeated = weight.reshape(places, -1, *weight.shape[1:]).repeat(1, times, 1, 1, 1).flatten(0, 1)
    wide_weight.copy_(_divide(repeated, wide_weight.shape[1] // weight.shape[1], random))
    wide_bias.copy_(bias.repeat(times))


def _divide(weight: Tensor, parts: int, random: torch.Generator) -> Tensor:
    """Weights (O, I, K, K) divided among the copies of their inputs: (O, parts * I, K, K)."""
    unlike = torch.randn((weight.shape[0], parts, *weight.shape[1:]), generator=random) * weight.std() * _UNLIKENESS
    unlike = unlike - unlike.mean(1, keepdim=True)
    return (weight[:, None] / parts + unlike).flatten(1, 2)
