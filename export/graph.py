"""The exported graph: uint8 frames as OpenCV gives them, in and out."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.cells import depth_to_space, reversed_colours
from models.folding import fold, plain_convolution
from models.generator import BORDER, Generator

_VECTOR = 16  # channels


class FrameContract(nn.Module):
    """A generator between uint8 frames: one byte for each channel crosses the border, nothing else.

    Everything a caller would otherwise compute for each frame is inside: BGR to RGB and the scale 0..255 are
    folded into the first and the last convolution; cutting into cells of pixels is done on bytes, rows first,
    so that only whole cell rows are copied.
    """

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.cell = generator.settings.cell
        self.generator = fold(generator)
        _take_bgr_bytes(self.generator)
        _fill_vectors(self.generator)

    def forward(self, frame: Tensor) -> Tensor:
        """Stylised frames.

        Args:
            frame: (B, H, W, 3) uint8, BGR, H and W multiples of the generator's stride.
        Returns:
            The same shape and type.
        """
        wide = _repeat_border(frame)
        batch, height, width, _ = wide.shape
        cell = self.cell
        rows, columns = height // cell, width // cell
        lines = wide.reshape(batch, rows, cell, columns * cell * 3).split(1, dim=2)
        cells = torch.cat([line.reshape(batch, rows, columns, cell * 3) for line in lines], dim=3)
        painted = self.generator.forward_cells(_from_bytes(cells.permute(0, 3, 1, 2)))
        border = BORDER // cell
        inner = _to_bytes(painted)[:, :, border:-border, border:-border]
        return depth_to_space(inner, cell, colours=3).permute(0, 2, 3, 1)


def _repeat_border(frame: Tensor) -> Tensor:
    """The frame with its edge repeated outwards: one Pad on bytes."""
    if not torch.onnx.is_in_onnx_export():
        planes = frame.permute(0, 3, 1, 2).float()
        return F.pad(planes, (BORDER,) * 4, mode="replicate").to(torch.uint8).permute(0, 2, 3, 1)
    amounts = torch.tensor([0, BORDER, BORDER, 0, 0, BORDER, BORDER, 0])
    batch, height, width, channels = frame.shape
    shape = (batch, height + 2 * BORDER, width + 2 * BORDER, channels)
    return torch.onnx.ops.symbolic("Pad", (frame, amounts), {"mode": "edge"}, dtype=torch.uint8, shape=shape)


def _from_bytes(grey_levels: Tensor) -> Tensor:
    """uint8 to float32, unchanged: one DequantizeLinear of scale 1, so that an int8 graph starts with bytes."""
    if not torch.onnx.is_in_onnx_export():
        return grey_levels.float()
    scale, zero = torch.ones(()), torch.zeros((), dtype=torch.uint8)
    return torch.onnx.ops.symbolic("DequantizeLinear", (grey_levels, scale, zero), dtype=torch.float32, shape=grey_levels.shape)


def _to_bytes(painted: Tensor) -> Tensor:
    """float32 to uint8, rounded to even and clamped: one QuantizeLinear of scale 1 instead of three passes."""
    if not torch.onnx.is_in_onnx_export():
        return torch.round(torch.clamp(painted, 0.0, 255.0)).to(torch.uint8)
    scale, zero = torch.ones(()), torch.zeros((), dtype=torch.uint8)
    return torch.onnx.ops.symbolic("QuantizeLinear", (painted, scale, zero), dtype=torch.uint8, shape=painted.shape)


def _take_bgr_bytes(generator: Generator) -> None:
    """Rearranges the weights so that the cells may hold BGR in 0..255 on both ends."""
    first, last, keep = generator.stem, generator.paint, generator.keep
    assert isinstance(first, nn.Conv2d) and isinstance(last, nn.Conv2d) and isinstance(keep, nn.Conv2d)
    assert last.bias is not None
    order = reversed_colours(first.in_channels)
    with torch.no_grad():
        first.weight.copy_(first.weight[:, order] / 255)
        last.weight.copy_(last.weight[order] * 255)
        last.bias.copy_(last.bias[order] * 255)
        keep.weight.copy_(keep.weight[order][:, order])


def _fill_vectors(generator: Generator) -> None:
    """Appends channels that nothing reads to what the last two layers paint, so that they fill whole vectors.

    onnxruntime's fast 8-bit convolution wants 16 channels or more; with the 12 of a cell of 2x2 pixels it falls back
    on one that takes three times as long.
    """
    last, keep = generator.paint, generator.keep
    assert isinstance(last, nn.Conv2d) and isinstance(keep, nn.Conv2d)
    generator.paint, generator.keep = _widen(last), _widen(keep)


def _widen(layer: nn.Conv2d) -> nn.Conv2d:
    unread = -layer.out_channels % _VECTOR
    weight = F.pad(layer.weight, (0, 0, 0, 0, 0, 0, 0, unread))
    return plain_convolution(weight, None if layer.bias is None else F.pad(layer.bias, (0, unread)))
