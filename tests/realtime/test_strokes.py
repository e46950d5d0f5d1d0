"""Large pictures keep coarse strokes, small ones are painted as they are, and nothing is lost on the way."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from realtime import strokes
from realtime.frame import Image
from realtime.strokes import coarser_sizes, paint_at_scales
from tests.fakes import coloured_picture, flat_picture, noisy_picture

SMALL_WH, LARGE_WH = (64, 48), (256, 192)


class Brush:
    """Paints stripes of four pixels' width on the picture, and notes what it was given."""

    def __init__(self) -> None:
        self.painted_wh: list[tuple[int, int]] = []

    def __call__(self, image_bgr: Image) -> Image:
        """The picture with stripes."""
        height, width = image_bgr.shape[:2]
        self.painted_wh.append((width, height))
        stripes = np.where(np.arange(width) // 4 % 2, 20, -20)[None, :, None]
        return np.clip(image_bgr + stripes, 0, 255).astype(np.uint8)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strokes, "_COARSE_SIDE", SMALL_WH[1])
    monkeypatch.setattr(strokes, "_BAND", 50)  # the last one is smaller


def strength_at(picture: Image, pixels: int) -> float:
    """How strong stripes are of which two take so many pixels."""
    row = picture.mean(axis=(0, 2)) - picture.mean()
    return float(2 * abs(np.fft.rfft(row)[len(row) // pixels]) / len(row))


@pytest.mark.parametrize(
    ("size_wh", "sizes_wh"),
    [
        ((64, 48), []),
        ((1000, 95), []),
        ((200, 96), [(100, 48)]),
        ((96, 200), [(48, 100)]),
        ((192, 144), [(64, 48)]),
        ((256, 192), [(64, 48), (128, 96)]),
        ((4800, 480), [(480, 48), (1034, 103), (2228, 223)]),
    ],
)
def test_sizes_begin_with_that_of_a_live_picture(size_wh: tuple[int, int], sizes_wh: list[tuple[int, int]]) -> None:
    assert coarser_sizes(size_wh) == sizes_wh


def test_a_small_picture_is_painted_as_it_is() -> None:
    brush, photo = Brush(), noisy_picture((90, 90))
    np.testing.assert_array_equal(paint_at_scales(brush, photo), Brush()(photo))
    assert brush.painted_wh == [(90, 90)]


def test_a_large_picture_has_strokes_of_each_size() -> None:
    brush, grey = Brush(), flat_picture(128, LARGE_WH)
    painted = paint_at_scales(brush, grey)
    assert brush.painted_wh == [SMALL_WH, (128, 96), LARGE_WH]
    assert min(strength_at(painted, pixels) for pixels in (8, 16, 32)) > 12
    alone = Brush()(grey)
    assert [round(strength_at(alone, pixels)) for pixels in (8, 16, 32)] == pytest.approx([26, 0, 0], abs=1)
    assert (grey == 128).all()


def test_the_fine_strokes_are_as_strong_as_alone() -> None:
    assert strength_at(paint_at_scales(Brush(), flat_picture(128, LARGE_WH)), 8) > 0.9 * strength_at(
        Brush()(flat_picture(128, LARGE_WH)), 8
    )


def test_broad_areas_have_the_colour_of_the_smallest_painting() -> None:
    """It is the small one that looks like the painting as a whole."""
    painted = paint_at_scales(lambda picture: np.full_like(picture, picture.shape[0] // 2), flat_picture(0, LARGE_WH))
    assert np.abs(painted.astype(int) - SMALL_WH[1] // 2).max() <= 1


def test_what_is_painted_as_it_is_comes_out_as_it_is() -> None:
    """To a grey level or two of rounding: no edge is blurred, nothing rings."""
    photo = np.asarray(cv2.resize(coloured_picture((32, 24)), LARGE_WH, interpolation=cv2.INTER_NEAREST), np.uint8)
    for paint in (lambda picture: picture, lambda picture: np.asarray(255 - picture, np.uint8)):
        assert np.abs(paint_at_scales(paint, photo).astype(int) - paint(photo)).max() <= 2


@pytest.mark.parametrize("size_wh", [(97, 211), (211, 97), (331, 113)])
def test_a_picture_of_any_size_keeps_it(size_wh: tuple[int, int]) -> None:
    photo = noisy_picture(size_wh)
    assert paint_at_scales(Brush(), photo).shape == photo.shape
