"""A loss network with made-up weights, small enough for the optimisation of a still to take seconds."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from models.vgg import VGGFeatures
from tests.fakes_torch import made_up_vgg

STYLE_LAYERS = {"relu1_1": 1.0, "relu2_1": 1.0}
CONTENT_LAYERS = {"relu2_1": 1.0}


def network(
    layers: tuple[str, ...] = ("relu1_1", "relu2_1"), deepest: str = "conv2_1", pooling: str = "average"
) -> VGGFeatures:
    """VGG-19's first layers with made-up weights."""
    return VGGFeatures(layers, made_up_vgg(deepest), pooling)


def photo(height: int = 40, width: int = 48, seed: int = 1) -> Tensor:
    """(3, H, W) float 0..1: soft blobs with some grain."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 5, 6, generator=random)
    soft = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")[0]
    return (0.9 * soft + 0.1 * torch.rand(3, height, width, generator=random)).clamp(0, 1)


def painting(height: int = 48, width: int = 44) -> Tensor:
    """(3, H, W) float 0..1: stripes, as unlike the photo as can be."""
    rows = torch.arange(height).reshape(1, -1, 1)
    columns = torch.arange(width).reshape(1, 1, -1)
    stripes = ((rows + 2 * columns) // 5 % 2).float().expand(3, -1, -1)
    return stripes * torch.tensor([0.9, 0.3, 0.6]).reshape(3, 1, 1) + 0.05


def picture_file(path: Path, picture: Tensor) -> Path:
    """A picture as an 8-bit file."""
    levels = (picture * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    assert cv2.imwrite(str(path), np.ascontiguousarray(levels[:, :, ::-1]))
    return path


def weights_file(folder: Path) -> Path:
    """The made-up weights as a file for --vgg."""
    path = folder / "vgg.pth"
    torch.save(made_up_vgg("conv2_1"), path)
    return path
