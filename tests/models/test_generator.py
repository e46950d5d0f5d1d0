"""The generator's shapes, its start, what export folds, and that it draws no grid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from models.cells import CellMap, EvenConvolution, depth_to_space, space_to_depth
from models.folding import count_parameters, fold, kilo_macs_per_pixel
from models.generator import BORDER, CELLS, TIERS, Generator, GeneratorSettings, build_generator, settings_from_dict
from tests.fakes_torch import as_if_trained

NARROW = GeneratorSettings("fast", stem_width=8, trunk_width=12, blocks=1, cell=4)


def narrow_generator(seed: int = 0) -> Generator:
    torch.manual_seed(seed)
    return build_generator(NARROW)


def picture(batch: int, height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size_hw", [(8, 8), (32, 48), (40, 24), (64, 56)])
def test_a_painting_has_the_shape_of_its_photo(size_hw: tuple[int, int]) -> None:
    batch_rgb = picture(2, *size_hw)
    with torch.no_grad():
        painted = narrow_generator().eval()(batch_rgb)
    assert painted.shape == batch_rgb.shape
    assert painted.dtype == torch.float32


@pytest.mark.parametrize("settings", TIERS.values(), ids=TIERS)
def test_the_stride_of_every_tier_divides_32_and_fits_the_border(settings: GeneratorSettings) -> None:
    stride = build_generator(settings).stride
    assert 32 % stride == 0
    assert BORDER % stride == 0


def test_a_size_that_is_not_a_multiple_of_the_stride_does_not_pass() -> None:
    generator = narrow_generator().eval()
    with pytest.raises(RuntimeError), torch.no_grad():
        generator(picture(1, 32, 32 + generator.stride // 2))


@pytest.mark.parametrize("settings", [*TIERS.values(), NARROW], ids=[*TIERS, "narrow"])
def test_training_starts_near_the_photo(settings: GeneratorSettings) -> None:
    torch.manual_seed(0)
    photo = picture(1, 64, 64)
    with torch.no_grad():
        painted = build_generator(settings).eval()(photo)
    assert float((painted - photo).abs().mean()) < 0.1


def test_a_generator_that_paints_nothing_returns_the_photo() -> None:
    generator = narrow_generator().eval()
    nn.init.zeros_(generator.paint.weight)
    photo = picture(2, 32, 40)
    with torch.no_grad():
        torch.testing.assert_close(generator(photo), photo, rtol=0, atol=1e-6)


def test_two_generators_of_one_seed_are_equal() -> None:
    first, second = narrow_generator(3).state_dict(), narrow_generator(3).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["stem.weight"], narrow_generator(4).state_dict()["stem.weight"])


def test_folding_changes_nothing_that_is_painted() -> None:
    generator = as_if_trained(NARROW)
    photo = picture(2, 48, 40)
    with torch.no_grad():
        painted = generator(photo)
        torch.testing.assert_close(fold(generator)(photo), painted, rtol=1e-4, atol=1e-4)
    assert float((painted - photo).abs().mean()) > 0.1


def test_a_folded_generator_is_made_of_plain_convolutions() -> None:
    folded = fold(as_if_trained(NARROW))
    left = [m for m in folded.modules() if isinstance(m, EvenConvolution | CellMap)]
    assert left == []


def test_folding_leaves_the_generator_itself_alone() -> None:
    generator = as_if_trained(NARROW).train()
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    fold(generator)
    after = generator.state_dict()
    assert generator.training
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("folds", [False, True], ids=["as trained", "as exported"])
@pytest.mark.parametrize("colour", [(0.0, 0.0, 0.0), (0.2, 0.5, 0.9), (1.0, 1.0, 1.0)])
def test_what_is_flat_stays_flat(colour: tuple[float, float, float], folds: bool) -> None:
    """No grid of 4x4 or 8x8 pixels: within one colour every pixel of a block is painted alike."""
    generator = as_if_trained(NARROW)
    if folds:
        generator = fold(generator)
    flat = torch.tensor(colour).reshape(1, 3, 1, 1).expand(1, 3, 128, 128)
    with torch.no_grad():
        painted = generator(flat)[0, :, 48:80, 48:80]  # far from the edge, where the padding with zeros is not seen
    spread = painted.amax((1, 2)) - painted.amin((1, 2))
    assert float(spread.max()) < 1e-5


def test_flat_colours_are_still_painted() -> None:
    generator = as_if_trained(NARROW)
    flat = torch.full((1, 3, 64, 64), 0.5)
    with torch.no_grad():
        assert float((generator(flat) - flat).abs().mean()) > 1e-3


@pytest.mark.parametrize("block", [2, 4])
def test_an_even_convolution_paints_every_pixel_of_a_flat_area_alike(block: int) -> None:
    torch.manual_seed(0)
    layer = EvenConvolution(5, 3, block).double()
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    flat = torch.randn(1, 5, 1, 1, dtype=torch.float64).expand(1, 5, 6, 6)
    with torch.no_grad():
        painted = depth_to_space(layer(flat), block)[0, :, block:-block, block:-block]
    torch.testing.assert_close(painted, painted[:, :1, :1].expand_as(painted))
    assert painted.std(dim=0).max() > 0  # the colours do differ


def test_an_even_convolution_can_still_paint_detail() -> None:
    torch.manual_seed(0)
    layer = EvenConvolution(5, 3, 4)
    with torch.no_grad():
        painted = depth_to_space(layer(torch.randn(1, 5, 4, 4)), 4)
        block = painted[0, 0, 4:8, 4:8]
    assert float(block.max() - block.min()) > 1e-3


@pytest.mark.parametrize("cell", CELLS)
def test_the_cell_map_starts_as_the_identity_and_keeps_flat_cells_flat(cell: int) -> None:
    cells = torch.rand(1, 3 * cell**2, 3, 3, generator=torch.Generator().manual_seed(0)).double()
    keep = CellMap(cell).double()
    with torch.no_grad():
        torch.testing.assert_close(keep(cells), cells)
        nn.init.normal_(keep.weight)
        flat = cells[:, :3].repeat(1, cell**2, 1, 1)
        painted = keep(flat).reshape(1, cell**2, 3, 3, 3)
    torch.testing.assert_close(painted, painted[:, :1].expand_as(painted))


@settings(deadline=None)
@given(st.integers(1, 2), st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))
def test_depth_to_space_undoes_space_to_depth(batch: int, colours: int, rows: int, columns: int, block: int) -> None:
    shape = (batch, colours, rows * block, columns * block)
    pixels = torch.arange(batch * colours * rows * columns * block * block).reshape(shape)
    cells = space_to_depth(pixels, block)
    assert cells.shape == (batch, block * block * colours, rows, columns)
    assert torch.equal(depth_to_space(cells, block), pixels)
    assert torch.equal(space_to_depth(depth_to_space(cells, block), block), cells)


def test_depth_to_space_leaves_channels_out_that_are_no_colours() -> None:
    pixels = torch.rand(2, 3, 4, 6)
    cells = torch.cat([space_to_depth(pixels, 2), torch.rand(2, 4, 2, 3)], dim=1)
    assert torch.equal(depth_to_space(cells, 2, colours=3), pixels)


def test_cells_are_ordered_by_row_then_column_then_colour() -> None:
    block, pixels = 4, torch.arange(3 * 8 * 12).reshape(1, 3, 8, 12)
    cells = space_to_depth(pixels, block)
    for row in range(block):
        for column in range(block):
            for colour in range(3):
                channel = (row * block + column) * 3 + colour
                assert torch.equal(cells[0, channel], pixels[0, colour, row::block, column::block])


def test_a_picture_is_painted_alone_as_in_a_batch() -> None:
    """Nothing depends on the other pictures of a batch, in training as in export."""
    generator = as_if_trained(NARROW).train()
    batch_rgb = picture(3, 32, 40)
    with torch.no_grad():
        torch.testing.assert_close(generator(batch_rgb)[:1], generator(batch_rgb[:1]))


def test_a_scene_that_moves_by_the_stride_is_painted_alike() -> None:
    generator = as_if_trained(NARROW)
    stride, scene = generator.stride, picture(1, 136, 136)
    with torch.no_grad():
        first = generator(scene[..., :128, :128])[..., 48 + stride : 80 + stride, 48 + stride : 80 + stride]
        second = generator(scene[..., stride:, stride:])[..., 48:80, 48:80]
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-4)


def test_settings_survive_a_checkpoint() -> None:
    found = {"tier": "fine", "stem_width": 8, "trunk_width": 12, "blocks": 2, "cell": 2}
    assert settings_from_dict(found) == GeneratorSettings("fine", 8, 12, 2, 2)


def test_settings_of_checkpoints_from_before_there_were_two_sizes_of_cells_mean_the_larger() -> None:
    assert settings_from_dict({"tier": "fast", "blocks": 5}).cell == 4


def test_settings_that_are_not_known_are_named() -> None:
    with pytest.raises(ValueError, match="unknown generator settings depth, wings"):
        settings_from_dict({"blocks": 1, "wings": 2, "depth": 3})


@pytest.mark.parametrize("name", ["stem_width", "trunk_width", "blocks"])
@pytest.mark.parametrize("value", [0, -1, 257, 2.5, "8", None])
def test_settings_of_impossible_size_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name}: expected a whole number from 1 to 256, found"):
        settings_from_dict({name: value})


@pytest.mark.parametrize("cell", [0, 1, 3, 8, "4", None])
def test_cells_of_other_sizes_are_refused(cell: Any) -> None:
    with pytest.raises(ValueError, match="cell: expected one of 2, 4, found"):
        settings_from_dict({"cell": cell})


@pytest.mark.parametrize("normalised", [1, "no", None])
def test_normalisation_is_wanted_or_not(normalised: Any) -> None:
    with pytest.raises(ValueError, match="normalised: expected true or false, found"):
        settings_from_dict({"normalised": normalised})


@pytest.mark.parametrize("tier", ["../../etc/cron.d/evil", "", "FAST", 7])
def test_a_tier_that_is_not_known_is_refused(tier: Any) -> None:
    with pytest.raises(ValueError, match="tier: expected one of fast, fine, found"):
        settings_from_dict({"tier": tier})


def test_every_tier_is_named_after_itself() -> None:
    assert all(settings.tier == name for name, settings in TIERS.items())


def test_parameters_are_counted() -> None:
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    assert count_parameters(layers) == 3 * 4 * 9 + 4 + 4 + 4


@pytest.mark.parametrize("cell", CELLS)
def test_multiply_adds_are_what_the_layers_cost(cell: int) -> None:
    stem, trunk, blocks, size, colours = NARROW.stem_width, NARROW.trunk_width, NARROW.blocks, 64, 3 * cell**2
    on_cells = colours * stem * 9 + stem * colours * 9 + colours**2
    in_the_trunk = stem * trunk * 9 + blocks * 2 * trunk**2 * 9 + trunk * 4 * stem * 9
    wide = ((size + 2 * BORDER) / size) ** 2
    expected = (on_cells / cell**2 + in_the_trunk / (2 * cell) ** 2) * wide / 1000
    assert kilo_macs_per_pixel(build_generator(replace(NARROW, cell=cell)), size) == pytest.approx(expected)


def test_the_fast_tier_costs_a_quarter_of_the_fine_one() -> None:
    fast, fine = (kilo_macs_per_pixel(build_generator(TIERS[tier]), 1024) for tier in ("fast", "fine"))
    assert fast <= 10
    assert fast < fine / 3.5


def test_the_fine_tier_keeps_its_bounds() -> None:
    fine = build_generator(TIERS["fine"])
    assert count_parameters(fine) <= 500_000
    assert 25 < kilo_macs_per_pixel(fine, 1024) <= 45


def test_the_surroundings_of_a_photo_paint_its_middle_as_its_own_border_nearly_does() -> None:
    torch.manual_seed(0)
    generator = build_generator(GeneratorSettings("fast", stem_width=8, trunk_width=8, blocks=1, cell=4))
    wide = torch.rand(1, 3, 96, 96)
    with torch.no_grad():
        nn.init.normal_(generator.paint.weight, std=0.05)
        raw = generator(wide, repeat_border=False)
        bordered = generator(wide)
    assert raw.shape == bordered.shape == wide.shape
    torch.testing.assert_close(raw[..., 40:56, 40:56], bordered[..., 40:56, 40:56])
    assert (raw - bordered).abs().max() > 1e-4  # at the border the two do differ


@pytest.mark.parametrize("block", [2, 4])
def test_an_even_slope_stays_an_even_slope_whatever_the_weights(block: int) -> None:
    torch.manual_seed(1)
    layer = EvenConvolution(3, 2, block).double()
    nn.init.normal_(layer.weight)
    steps = torch.arange(9, dtype=torch.float64)
    slope = (0.7 * steps[:, None] + 0.3 * steps[None, :]).expand(1, 3, 9, 9)
    with torch.no_grad():
        painted = depth_to_space(layer(slope), block)[..., block:-block, block:-block]
    across, down = painted.diff(dim=3), painted.diff(dim=2)
    assert float(across.amax((2, 3)).sub(across.amin((2, 3))).max()) < 1e-9
    assert float(down.amax((2, 3)).sub(down.amin((2, 3))).max()) < 1e-9
    assert float(across.abs().max()) > 1e-3


@pytest.mark.parametrize("cell", CELLS)
def test_the_cell_map_keeps_an_even_slope_and_starts_as_the_identity(cell: int) -> None:
    torch.manual_seed(2)
    layer = CellMap(cell).double()
    assert torch.equal(layer.even_weight()[..., 0, 0], torch.eye(3 * cell**2).double())
    nn.init.normal_(layer.weight)
    steps = torch.arange(24, dtype=torch.float64)
    slope = (0.7 * steps[:, None] - 0.2 * steps[None, :]).expand(1, 3, 24, 24)
    with torch.no_grad():
        painted = depth_to_space(layer(space_to_depth(slope, cell)), cell)
    for change in (painted.diff(dim=3), painted.diff(dim=2)):
        assert float(change.amax((2, 3)).sub(change.amin((2, 3))).max()) < 1e-9
