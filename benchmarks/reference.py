"""The classic network of Johnson et al. 2016, against which speeds are given as ratios."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_WIDTHS = (32, 64, 128)
_BLOCKS = 5


class ReferenceNetwork(nn.Module):
    """32-64-128 channels, five residual blocks, 9x9 ends, instance normalisation, zero padding, random weights."""

    def __init__(self) -> None:
        super().__init__()
        first, second, third = _WIDTHS
        self.down = nn.ModuleList([nn.Conv2d(3, first, 9, padding=4), _half(first, second), _half(second, third)])
        self.blocks = nn.ModuleList([nn.Conv2d(third, third, 3, padding=1) for _ in range(2 * _BLOCKS)])
        self.up = nn.ModuleList([_double(third, second), _double(second, first)])
        self.last = nn.Conv2d(first, 3, 9, padding=4)
        widths = [*_WIDTHS, *([third] * 2 * _BLOCKS), second, first]
        self.norms = nn.ModuleList([nn.InstanceNorm2d(width, affine=True) for width in widths])

    def forward(self, batch_rgb: Tensor) -> Tensor:
        """(B, 3, H, W) float to the same, H and W multiples of 4."""
        norms = iter(self.norms)
        features = batch_rgb
        for layer in self.down:
            features = F.relu(next(norms)(layer(features)))
        for k in range(0, 2 * _BLOCKS, 2):
            inner = F.relu(next(norms)(self.blocks[k](features)))
            features = features + next(norms)(self.blocks[k + 1](inner))
        for layer in self.up:
            features = F.relu(next(norms)(layer(features)))
        return torch.tanh(self.last(features)) * 150 + 127.5


def export_reference(path: Path, size_wh: tuple[int, int]) -> None:
    """Writes the network with random weights and a fixed size, as float NCHW."""
    torch.manual_seed(0)
    example = torch.zeros(1, 3, size_wh[1], size_wh[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            ReferenceNetwork().eval(),
            (example,),
            str(path),
            dynamo=True,
            opset_version=18,
            external_data=False,
            input_names=["image"],
            output_names=["styled"],
            verbose=False,
        )


def _half(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)


def _double(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)
