"""A wider generator that paints what the narrow one paints, and can learn more."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from models.generator import TIERS, GeneratorSettings, ResidualBlock, build_generator
from models.normalisation import InstanceNormalisation
from models.widening import can_widen, widen
from tests.fakes_torch import as_if_trained

NARROW = GeneratorSettings("fast", stem_width=4, trunk_width=6, blocks=2, cell=2)


def picture() -> Tensor:
    return torch.rand(2, 3, 48, 64, generator=torch.Generator().manual_seed(2))


def random() -> torch.Generator:
    return torch.Generator().manual_seed(3)


@pytest.mark.parametrize(
    "larger",
    [
        {"tier": "fine", "stem_width": 8, "trunk_width": 12, "blocks": 3},
        {"stem_width": 12, "trunk_width": 18},
        {"stem_width": 8},
        {"trunk_width": 12},
        {"blocks": 4},
        {},
    ],
    ids=str,
)
@pytest.mark.parametrize("cell", [2, 4])
def test_it_paints_the_same(larger: dict[str, int], cell: int) -> None:
    narrow = as_if_trained(replace(NARROW, cell=cell)).double()
    wide = widen(narrow.float(), replace(NARROW, cell=cell, **larger), random()).double()
    narrow = narrow.double()
    photo = picture().double()
    with torch.no_grad():
        painted = narrow(photo)
        assert float((painted - photo).abs().mean()) > 0.01
        torch.testing.assert_close(wide(photo), painted, rtol=1e-5, atol=1e-5)
    assert wide.settings == replace(NARROW, cell=cell, **larger)


@pytest.mark.parametrize("blocks", [2, 4])
def test_normalised_it_paints_the_same(blocks: int) -> None:
    narrow = as_if_trained(replace(NARROW, normalised=True))
    wide = widen(narrow, GeneratorSettings("fine", 8, 12, blocks, 2, normalised=True), random())
    photo = picture()
    with torch.no_grad():
        painted = narrow(photo)
        assert float((painted - photo).abs().mean()) > 0.01
        torch.testing.assert_close(wide(photo), painted, rtol=1e-4, atol=1e-4)


def test_normalisation_that_is_added_changes_a_photograph_of_the_mean_little() -> None:
    """Of one photograph, which is its own mean, nothing at all; the added block gives nothing at first, and learns."""
    narrow, photo = as_if_trained(NARROW), picture()[:1]
    wide = widen(narrow, GeneratorSettings("fine", 8, 12, 3, 2, normalised=True), random(), photo)
    with torch.no_grad():
        painted = narrow(photo)
        assert float((painted - photo).abs().mean()) > 0.01
        assert float((wide(photo) - painted).abs().mean()) < 0.1 * float((painted - photo).abs().mean())
    F.mse_loss(wide(photo), photo).backward()
    added = wide.trunk[2]
    assert isinstance(added, ResidualBlock)
    assert isinstance(added.second_norm, InstanceNormalisation)
    assert float(added.second_norm.weight.detach().abs().max()) == 0.0
    gradient = added.second_norm.weight.grad
    assert gradient is not None
    assert float(gradient.abs().max()) > 0.0


def test_normalisation_is_not_added_without_photographs() -> None:
    with pytest.raises(ValueError, match="no photographs"):
        widen(build_generator(NARROW), replace(NARROW, normalised=True), random())


def test_the_tier_fine_holds_fast() -> None:
    assert can_widen(TIERS["fast"], TIERS["fine"])
    assert not can_widen(TIERS["fine"], TIERS["fast"])


@pytest.mark.parametrize(
    "other", [{"stem_width": 6}, {"trunk_width": 9}, {"blocks": 1}, {"cell": 4}, {"stem_width": 2}], ids=str
)
def test_shapes_that_do_not_hold_it_are_refused(other: dict[str, int]) -> None:
    wanted = replace(NARROW, **other)
    assert not can_widen(NARROW, wanted)
    with pytest.raises(ValueError, match="does not hold"):
        widen(build_generator(NARROW), wanted, random())


def test_normalisation_is_not_taken_away() -> None:
    assert can_widen(NARROW, replace(NARROW, normalised=True))
    assert not can_widen(replace(NARROW, normalised=True), NARROW)


def test_copies_learn_different_things() -> None:
    """Two copies of a channel that stayed alike would be one channel at twice the price."""
    wide = widen(as_if_trained(NARROW), replace(NARROW, stem_width=8, trunk_width=12, blocks=3), random())
    photo = picture()
    wanted = torch.rand(photo.shape, generator=random())
    optimizer = torch.optim.SGD(wide.parameters(), lr=0.05)
    for _ in range(3):
        optimizer.zero_grad()
        F.mse_loss(wide(photo), wanted).backward()
        optimizer.step()
    for weight, copies_at in ((wide.stem.weight, 4), (wide.down.weight, 6), (wide.trunk[0].first.weight, 6)):
        assert float((weight[:copies_at].detach().sum(1) - weight[copies_at:].detach().sum(1)).abs().max()) > 1e-6
    assert float(wide.trunk[2].second.weight.detach().abs().max()) > 0  # the new block takes part


def test_the_same_seed_gives_the_same_and_the_narrow_one_stays() -> None:
    narrow = as_if_trained(NARROW)
    before = {name: value.clone() for name, value in narrow.state_dict().items()}
    settings = replace(NARROW, stem_width=8)
    first, second = (widen(narrow, settings, random()).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(torch.equal(before[name], value) for name, value in narrow.state_dict().items())
