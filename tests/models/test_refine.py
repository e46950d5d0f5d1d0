"""A fast generator turned into a fine one paints the same, half as large."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from models.generator import Generator, GeneratorSettings, build_generator
from models.refine import refine

NARROW = GeneratorSettings("fast", stem_width=6, trunk_width=10, blocks=2)


def as_if_trained(settings: GeneratorSettings = NARROW) -> Generator:
    torch.manual_seed(0)
    generator = build_generator(settings)
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            if name != "keep.weight":
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return generator.eval().double()


def test_it_paints_as_the_coarse_one_does_the_photo_twice_enlarged() -> None:
    coarse = as_if_trained()
    photo = torch.rand(2, 3, 24, 40, generator=torch.Generator().manual_seed(1)).double()
    with torch.no_grad():
        expected = F.avg_pool2d(coarse(photo.repeat_interleave(2, 2).repeat_interleave(2, 3), repeat_border=False), 2)
        painted = refine(coarse).double()(photo, repeat_border=False)
    torch.testing.assert_close(painted, expected, rtol=1e-4, atol=1e-5)  # weights are float32 on the way
    assert float((painted - photo).abs().max()) > 0.1


def test_flat_colours_stay_as_the_coarse_one_maps_them() -> None:
    coarse = as_if_trained()
    with torch.no_grad():
        coarse.keep.weight.add_(torch.randn_like(coarse.keep.weight) * 0.1)
        flat = torch.rand(1, 3, 1, 1).double().expand(1, 3, 160, 160)
        painted, expected = refine(coarse).double()(flat), coarse(flat)
    torch.testing.assert_close(painted[..., 80, 80], expected[..., 80, 80], rtol=1e-4, atol=1e-5)


def test_it_is_of_the_fine_tier_and_leaves_the_coarse_one_alone() -> None:
    coarse = as_if_trained()
    before = {name: weight.clone() for name, weight in coarse.state_dict().items()}
    fine = refine(coarse)
    assert fine.settings == GeneratorSettings("fine", stem_width=6, trunk_width=10, blocks=2, cell=2)
    with torch.no_grad():
        for parameter in fine.parameters():
            parameter.zero_()
    assert all(torch.equal(weight, before[name]) for name, weight in coarse.state_dict().items())


def test_a_fine_one_is_not_refined_again() -> None:
    with pytest.raises(ValueError, match="cells of 2 pixels: expected 4"):
        refine(build_generator(GeneratorSettings("fine", cell=2)))
