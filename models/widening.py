"""A wider and deeper generator out of a trained one that paints the very same (Chen et al. 2016, Net2Net).

The tier `fine` has twice the channels of `fast` and a block more: it starts where `fast` has arrived, at once, and
trains from there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.generator import EvenConvolution, Generator, GeneratorSettings, ResidualBlock, build_generator

_UNLIKENESS = 0.5  # of the two halves of a weight, in standard deviations of its layer


def can_widen(narrow: GeneratorSettings, wide: GeneratorSettings) -> bool:
    """Whether a generator of one shape holds one of the other: whole multiples of its channels, no fewer blocks."""
    multiples = wide.stem_width % narrow.stem_width == 0 and wide.trunk_width % narrow.trunk_width == 0
    return multiples and wide.blocks >= narrow.blocks and wide.cell == narrow.cell


def widen(generator: Generator, settings: GeneratorSettings, random: torch.Generator) -> Generator:
    """A generator of a larger shape that paints what this one paints, up to rounding.

    Each channel comes several times. What reads copies divides its weight among them, unlike for each, so that they can
    learn different things; the parts' sum is the weight:

        w x = sum_k (w / n + e_k) x_k,    x_k = x,  sum_k e_k = 0

    Blocks that are added give zero.

    Args:
        generator: left as it is.
        settings: of the new one; see can_widen.
        random: for the unlike parts; what is new is drawn as build_generator draws it.
    Raises:
        ValueError: the shape does not hold that of the generator.
    """
    if not can_widen(generator.settings, settings):
        raise ValueError(f"{settings} does not hold {generator.settings}")
    wide = build_generator(settings)
    with torch.no_grad():
        wide.keep.load_state_dict(generator.keep.state_dict())
        for narrow_layer, wide_layer in zip(_layers(generator), _layers(wide), strict=False):
            _copy(narrow_layer, wide_layer, random)
        for block in list(wide.trunk)[generator.settings.blocks :]:
            assert isinstance(block, ResidualBlock)
            block.second.weight.zero_()
    return wide


def _layers(generator: Generator) -> list[nn.Module]:
    """All that has channels of its own, the blocks last: a larger generator has more of those."""
    layers: list[nn.Module] = [generator.stem, generator.down, generator.up, generator.paint]
    for block in generator.trunk:
        assert isinstance(block, ResidualBlock)
        layers += [block.first, block.second]
    return layers


def _copy(narrow: nn.Module, wide: nn.Module, random: torch.Generator) -> None:
    """Weights and bias into a wider layer, whose outputs are repeated, within each place of a block if it has places."""
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
