"""A trained generator as the plain chain of convolutions that ships, and what that costs."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from models.cells import CellMap, EvenConvolution
from models.generator import Generator, ResidualBlock
from models.normalisation import fold_spread


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
