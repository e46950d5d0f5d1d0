"""The texture network: any size, no seam, noise in, picture out."""

from __future__ import annotations

import math

import pytest
import torch

from models.texture_net import TextureNet, TextureSettings, draw_noise, turned_noise
from realtime.errors import UserError

SMALL = TextureSettings(scales=3, width=4)


def network(settings: TextureSettings = SMALL) -> TextureNet:
    torch.manual_seed(3)
    return TextureNet(settings).eval()


def noise(size_wh: tuple[int, int], seed: int = 0, settings: TextureSettings = SMALL) -> list[torch.Tensor]:
    return draw_noise(settings, size_wh, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size_wh", [(64, 64), (96, 64), (101, 67)])
def test_a_picture_has_the_size_of_its_noise_and_shows_on_a_screen(size_wh: tuple[int, int]) -> None:
    with torch.inference_mode():
        made = network()(noise(size_wh))
    assert made.shape == (1, 3, size_wh[1], size_wh[0])
    assert 0 <= float(made.min()) < float(made.max()) <= 1


def test_each_scale_of_the_noise_is_half_the_size_of_the_next_rounded() -> None:
    levels = noise((101, 67))
    assert [tuple(level.shape) for level in levels] == [(1, 3, 17, 25), (1, 3, 34, 51), (1, 3, 67, 101)]
    assert abs(float(levels[-1].mean())) < 0.05
    assert float(levels[-1].std()) == pytest.approx(1, abs=0.05)


def test_what_wraps_around_has_no_seam() -> None:
    """Noise turned around the edges paints the same picture, turned: no place of it is an edge."""
    levels = noise((64, 64))
    rolled = [torch.roll(level, (16 >> k, 32 >> k), (2, 3)) for k, level in zip((2, 1, 0), levels, strict=True)]
    painter = network()
    with torch.inference_mode():
        torch.testing.assert_close(painter(rolled), torch.roll(painter(levels), (16, 32), (2, 3)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("size_wh", [(97, 65), (101, 67), (127, 95)])
def test_no_cell_of_the_coarsest_scale_makes_do_with_less_than_half_its_width(size_wh: tuple[int, int]) -> None:
    """Where the noise wraps around, the last cell must not be a sliver: it would show as a seam."""
    settings = TextureSettings()
    height, width = noise(size_wh, settings=settings)[0].shape[2:]
    for side, cells in ((size_wh[0], width), (size_wh[1], height)):
        assert abs(side / 2 ** (settings.scales - 1) - cells) <= 0.5


def test_the_noise_of_each_scale_shows_in_the_picture() -> None:
    painter, levels = network(), noise((64, 64))
    with torch.inference_mode():
        made = painter(levels)
        for number in range(SMALL.scales):
            others = [-level if k == number else level for k, level in enumerate(levels)]
            assert float((painter(others) - made).abs().mean()) > 0.002, number


def test_other_noise_is_another_picture_and_the_same_is_the_same() -> None:
    painter = network()
    with torch.inference_mode():
        first, again, other = painter(noise((64, 64))), painter(noise((64, 64))), painter(noise((64, 64), seed=1))
    assert torch.equal(first, again)
    assert float((first - other).abs().mean()) > 0.01


def test_noise_turned_once_around_comes_back_and_stays_as_likely() -> None:
    start, end = noise((128, 128)), noise((128, 128), seed=1)
    torch.testing.assert_close(turned_noise(start, end, 2 * math.pi)[-1], start[-1], atol=1e-5, rtol=0)
    torch.testing.assert_close(turned_noise(start, end, math.pi / 2)[-1], end[-1], atol=1e-5, rtol=0)
    assert float(turned_noise(start, end, 0.8)[-1].std()) == pytest.approx(1, abs=0.05)


def test_the_usual_shape_is_small() -> None:
    assert sum(value.numel() for value in TextureNet(TextureSettings()).parameters()) == 116_291


def test_noise_of_another_number_of_scales_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 3 scales, found 2"):
        network()(noise((64, 64))[1:])


def test_pictures_too_small_for_the_coarsest_noise_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 64x64"):
        noise((63, 64))


@pytest.mark.parametrize("shape", [{"scales": 0}, {"width": 65}, {"scales": 2.0}, {"width": True}])
def test_shapes_nothing_can_be_painted_with_are_refused(shape: dict[str, int]) -> None:
    with pytest.raises(UserError, match="expected a whole number from 1 to"):
        TextureSettings(**shape)
