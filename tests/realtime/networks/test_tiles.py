"""Tiles: each pixel kept once, and a picture in tiles is the picture painted whole."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.demo import DemoScene
from realtime.frame import Image
from realtime.gallery import SHIPPED, read_style
from realtime.networks.tiles import ALIGNMENT, measure_reach, paint_in_tiles, paint_smaller, split_axis, tile_side
from realtime.stylizer import ModelChoice, Stylizer
from tests.fakes import coloured_picture, noisy_picture, style_of

CELLS = st.integers(0, 5).map(lambda count: count * ALIGNMENT)


class Blur:
    """Paints every pixel from its neighbours up to a distance, and remembers how large its pictures were."""

    def __init__(self, distance: int) -> None:
        self._side = 2 * distance + 1
        self.sizes_wh: list[tuple[int, int]] = []

    def __call__(self, image_bgr: Image) -> Image:
        self.sizes_wh.append((image_bgr.shape[1], image_bgr.shape[0]))
        return np.asarray(cv2.blur(image_bgr, (self._side, self._side)), np.uint8)


def noisy_scene(size_wh: tuple[int, int]) -> Image:
    """The demo's picture as a sensor would see it."""
    scene = DemoScene(size_wh).draw(3.0)
    return np.asarray(cv2.addWeighted(scene, 0.85, noisy_picture(size_wh), 0.15, 0), np.uint8)


# ------------------------------------------------------------------------------------------------- an axis


@settings(deadline=None)
@given(length=st.integers(1, 5000), margin=CELLS, extra=st.integers(1, 20))
def test_tiles_of_an_axis_keep_each_pixel_once_and_see_far_enough(length: int, margin: int, extra: int) -> None:
    tile = 2 * margin + extra * ALIGNMENT
    spans = split_axis(length, tile, margin)
    assert [pixel for span in spans for pixel in range(span.kept_from, span.kept_to)] == list(range(length))
    for span in spans:
        assert span.seen_to - span.seen_from <= tile
        assert span.seen_from % ALIGNMENT == 0
        assert span.seen_from == 0 or span.kept_from - span.seen_from >= margin
        assert span.seen_to == length or span.seen_to - span.kept_to >= margin


def test_short_axis_is_not_cut() -> None:
    assert len(split_axis(640, 640, 96)) == 1


def test_tiles_are_as_few_as_possible_and_alike() -> None:
    spans = split_axis(1000, 640, 96)
    assert len(spans) == 2
    assert abs((spans[0].seen_to - spans[0].seen_from) - (spans[1].seen_to - spans[1].seen_from)) <= ALIGNMENT


def test_tile_is_never_all_margin() -> None:
    assert tile_side(1000, 128) > 2 * 128
    assert tile_side(1_000_000, 128) == 992


# ------------------------------------------------------------------------------------------------- pictures


@pytest.mark.parametrize("size_wh", [(300, 200), (257, 333), (1000, 64), (64, 64)])
def test_tiled_picture_is_the_whole_picture(size_wh: tuple[int, int]) -> None:
    photo, blur = noisy_picture(size_wh), Blur(20)
    np.testing.assert_array_equal(paint_in_tiles(blur, photo, 128 * 128, reach=20), cv2.blur(photo, (41, 41)))
    assert max(width * height for width, height in blur.sizes_wh) <= 128 * 128


def test_too_small_a_margin_would_be_seen() -> None:
    photo = noisy_picture((300, 200))
    wrong = paint_in_tiles(Blur(40), photo, 128 * 128, reach=20)
    assert np.any(wrong != cv2.blur(photo, (81, 81)))


@pytest.mark.parametrize("distance", [0, 1, 20, 100])
def test_reach_of_a_blur_is_found(distance: int) -> None:
    assert measure_reach(Blur(distance)) == pytest.approx(distance, abs=2)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("pixels", [-40, 40])
def test_reach_to_one_side_alone_is_found(axis: int, pixels: int) -> None:
    assert measure_reach(lambda image_bgr: np.roll(image_bgr, pixels, axis)) == 40


def test_network_that_paints_everything_black_reaches_nowhere() -> None:
    assert measure_reach(np.zeros_like) == 0


def test_network_that_sees_the_whole_picture_has_no_reach() -> None:
    def paint(image_bgr: Image) -> Image:
        return np.asarray(image_bgr // 2 + np.uint8(image_bgr.mean() * 100 % 128), np.uint8)

    assert measure_reach(paint) is None


def test_picture_painted_smaller_keeps_its_size() -> None:
    blur = Blur(0)
    painted = paint_smaller(blur, coloured_picture((200, 100)), 5000)
    assert painted.shape == (100, 200, 3)
    assert blur.sizes_wh == [(100, 50)]
    assert np.abs(painted.astype(int) - coloured_picture((200, 100))).mean() < 2


# ------------------------------------------------------------------------------------------------- networks


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("name", sorted(path.parent.name for path in SHIPPED.glob("*/style.json"))[:3])
def test_shipped_networks_paint_in_tiles_what_they_paint_whole(name: str, precision: str) -> None:
    style = read_style(SHIPPED / name / "style.json")
    if precision not in style.models.get("fast", {}):
        pytest.skip(f"{name} has no fast {precision}")
    stylizer = Stylizer(style, ModelChoice("fast", precision, "cpu", threads=1))
    photo = noisy_scene((701, 523))
    whole = stylizer.style(photo)
    stylizer.whole_pixels = 384 * 384
    tiled = stylizer.style(photo)
    assert np.abs(whole.astype(int) - tiled).max() <= 1


def test_stylizer_paints_large_pictures_in_tiles(inversion_onnx: Path) -> None:
    stylizer = Stylizer(style_of(inversion_onnx), ModelChoice(provider="cpu", threads=1))
    assert stylizer.whole_pixels >= 3840 * 2160  # live frames are painted whole
    stylizer.whole_pixels = 64 * 64
    np.testing.assert_array_equal(stylizer.style(noisy_picture((333, 111))), 255 - noisy_picture((333, 111)))
    assert stylizer.reach == 0
