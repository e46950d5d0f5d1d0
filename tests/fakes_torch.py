"""Stand-ins that need PyTorch: VGG-19 with made-up weights, a training's loss without it, generators, and a trap.

Apart from tests/fakes.py, so that the tests of the live filter do without PyTorch.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models import train, training, vgg
from models.checkpoint import save_checkpoint
from models.content import Views
from models.generator import TIERS, Generator, GeneratorSettings, build_generator
from models.vgg import LossNetwork, convolution_shapes

# Where torchvision's vgg19().features has its convolutions.
POSITIONS = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)
NARROW = GeneratorSettings("fast", stem_width=8, trunk_width=8, blocks=1, cell=4)
NARROWEST = GeneratorSettings("fast", stem_width=4, trunk_width=4, blocks=1, cell=4)
TERMS = ("style", "content", "tv", "stability", "repetition")


# -------------------------------------------------------------------------------------------------- VGG-19


def made_up_vgg(deepest: str = "conv5_4") -> dict[str, Tensor]:
    """Random weights as torchvision lays them out, down to a layer."""
    random = torch.Generator().manual_seed(0)
    state = {}
    for position, (name, (inputs, outputs)) in zip(POSITIONS, convolution_shapes().items(), strict=True):
        state[f"{position}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=random) * (2 / (9 * inputs)) ** 0.5
        state[f"{position}.bias"] = torch.randn(outputs, generator=random) * 0.1
        if name == deepest:
            break
    return state


def make_vgg_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """VGG-19 has all its layers but an eighth of its channels: sixty times faster."""
    narrow = tuple((block, count, channels // 8) for block, count, channels in vgg._BLOCKS)
    monkeypatch.setattr(vgg, "_BLOCKS", narrow)


class BrightnessLoss:
    """In the place of PerceptualLoss: how bright the painting is."""

    precision = "float32"

    def __init__(self, *_: Any) -> None:
        pass

    def __call__(self, generator: nn.Module, views: Views, _share: float, _turn: int) -> tuple[Tensor, dict[str, float]]:
        total = getattr(generator, "generator", generator)(views.second).square().mean()  # without what may be around it
        return total, dict.fromkeys(TERMS, float(total.detach()))


def train_without_vgg(monkeypatch: pytest.MonkeyPatch, loss: type[BrightnessLoss]) -> type[BrightnessLoss]:
    """Trainings take a narrow generator and, in the place of VGG-19 and its losses, a class of the loss made for this test."""
    fresh = type(f"Fresh{loss.__name__}", (loss,), {})
    monkeypatch.setattr(training, "PerceptualLoss", fresh)
    monkeypatch.setattr(train, "load_loss_network", lambda *_: LossNetwork(nn.Identity(), "0" * 64, "none"))
    monkeypatch.setitem(TIERS, "fast", NARROWEST)
    return fresh


# ---------------------------------------------------------------------------------------------- generators


def as_if_trained(settings: GeneratorSettings = NARROW, seed: int = 0) -> Generator:
    """Random weights everywhere: nothing is at a value that would hide a mistake."""
    torch.manual_seed(seed)
    generator = build_generator(settings)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return generator.eval()


def write_run(folder: Path, generator: Generator, **more: Any) -> Path:
    """A training's folder with its checkpoint.

    Args:
        more: what the checkpoint holds beside the generator.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_checkpoint(folder, {"settings": asdict(generator.settings), "generator": generator.state_dict(), **more})
    return folder


# ----------------------------------------------------------------------------------------- hostile files


class Trap:
    """Unpickling it would create a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.marker,)
