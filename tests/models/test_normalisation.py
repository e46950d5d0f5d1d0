"""Every picture's features come to one mean and one spread."""

from __future__ import annotations

import torch
from torch import nn

from models.generator import GeneratorSettings, build_generator
from models.normalisation import InstanceNormalisation, fold_spread, normalisation, take_over_statistics

SETTINGS = GeneratorSettings("fine", stem_width=4, trunk_width=6, blocks=2, cell=2, normalised=True)


def features(scale: float = 1.0, shift: float = 0.0) -> torch.Tensor:
    return scale * torch.randn(2, 3, 32, 40, generator=torch.Generator().manual_seed(1)) + shift


def test_each_channel_of_each_picture_gets_the_scale_and_shift() -> None:
    layer = InstanceNormalisation(3)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.0, 2.0, 3.0]))
        layer.bias.copy_(torch.tensor([0.0, -1.0, 5.0]))
        found = layer(features(70.0, 30.0))
    torch.testing.assert_close(found.mean((2, 3)), torch.tensor([[0.0, -1.0, 5.0]] * 2), atol=1e-4, rtol=0)
    torch.testing.assert_close(found.std((2, 3)), torch.tensor([[1.0, 2.0, 3.0]] * 2), atol=1e-2, rtol=0)


def test_brightness_makes_no_difference_and_contrast_little() -> None:
    layer = InstanceNormalisation(3)
    usual = layer(features()).detach()
    torch.testing.assert_close(layer(features(1.0, 40.0)), usual, atol=1e-3, rtol=0)
    strong = layer(features(5.0)).detach()
    assert 1.0 < float(strong.std() / usual.std()) < 1.15


def test_the_noise_of_a_flat_picture_is_not_raised_to_the_contrast_of_others() -> None:
    layer = InstanceNormalisation(3)
    assert float(layer(features(0.05)).detach().std()) < 0.1


def test_features_that_are_taken_over_stay_what_they_are() -> None:
    one = features(0.02, 7.0)[:1]
    layer = InstanceNormalisation(3)
    layer.take_over(one)
    torch.testing.assert_close(layer(one), one, atol=1e-3, rtol=0)


def test_folded_into_the_convolution_before_it_it_is_the_same() -> None:
    torch.manual_seed(0)
    convolution, layer = nn.Conv2d(3, 12, 3), InstanceNormalisation(3)
    layer.take_over(features(0.2, 1.0))
    raw = convolution(features()).detach()
    before = torch.stack([layer(part) for part in raw.split(3, dim=1)])
    assert layer.spread is not None
    spread = layer.spread.repeat(4).reshape(-1, 1, 1)
    fold_spread(convolution, layer)
    assert layer.spread is None
    torch.testing.assert_close(convolution(features()), raw / spread)
    torch.testing.assert_close(torch.stack([layer(part) for part in convolution(features()).split(3, dim=1)]), before)


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
