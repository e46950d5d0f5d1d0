"""Every picture's features come to one mean and one spread."""

from __future__ import annotations

import torch
from torch import nn

from models.generator import GeneratorSettings, build_generator
from models.normalisation import InstanceNormalisation, normalisation, take_over_statistics

SETTINGS = GeneratorSettings("fine", stem_width=4, trunk_width=6, blocks=2, cell=2, normalised=True)


def features(scale: float = 1.0, shift: float = 0.0) -> torch.Tensor:
    return scale * torch.randn(2, 3, 32, 40, generator=torch.Generator().manual_seed(1)) + shift


def test_each_channel_of_each_picture_gets_the_scale_and_shift() -> None:
    layer = InstanceNormalisation(3)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.0, 2.0, 3.0]))
        layer.bias.copy_(torch.tensor([0.0, -1.0, 5.0]))
        found = layer(features(7.0, 30.0))
    torch.testing.assert_close(found.mean((2, 3)), torch.tensor([[0.0, -1.0, 5.0]] * 2), atol=1e-4, rtol=0)
    torch.testing.assert_close(found.std((2, 3)), torch.tensor([[1.0, 2.0, 3.0]] * 2), atol=1e-2, rtol=0)


def test_contrast_and_brightness_of_what_comes_in_make_no_difference() -> None:
    layer = InstanceNormalisation(3)
    torch.testing.assert_close(layer(features(9.0, -4.0)), layer(features(2.0, 10.0)), atol=1e-3, rtol=0)


def test_half_precision_features_are_normalised_in_float32() -> None:
    """A mean of thousands of places in bfloat16 would be off by its third digit."""
    layer = InstanceNormalisation(3)
    found = layer(features(1.0, 100.0).bfloat16())
    assert found.dtype == torch.bfloat16
    assert float(found.detach().float().mean().abs()) < 0.01


def test_none_where_none_is_wanted() -> None:
    assert isinstance(normalisation(3, False), nn.Identity)
    assert isinstance(normalisation(3, True), InstanceNormalisation)


def test_statistics_are_taken_over_by_every_layer() -> None:
    torch.manual_seed(0)
    generator = build_generator(SETTINGS)
    take_over_statistics(generator, torch.rand(3, 3, 48, 64))
    layers = [layer for layer in generator.modules() if isinstance(layer, InstanceNormalisation)]
    assert len(layers) == 3 + 2 * SETTINGS.blocks
    assert all(
        float(layer.weight.detach().min()) > 0 and float((layer.weight - 1).detach().abs().min()) > 0 for layer in layers
    )
    assert all(not layer._forward_pre_hooks for layer in layers)
