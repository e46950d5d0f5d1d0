"""Dark and pale pictures get full levels, well-lit ones pass, and nothing jumps from frame to frame."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from realtime.auto_levels import WINDOW, AutoLevels, Curve, set_levels
from realtime.frame import Image
from tests.fakes import flat_picture, noisy_picture

BLACK, WHITE, MEAN = 40, 195, 0.32 * 255


def scene(black: float, white: float, seed: int = 0, size_wh: tuple[int, int] = (320, 240)) -> Image:
    """Evenly many pixels of each grey level from black to white, each in a place of its own."""
    random = np.random.default_rng(seed)
    greys = np.linspace(black, white, size_wh[0] * size_wh[1])
    return np.repeat(random.permutation(greys).round().astype(np.uint8).reshape(size_wh[1], size_wh[0], 1), 3, axis=2)


def curve_for(picture: Image) -> Curve | None:
    return AutoLevels().curve_for(picture)


def levels_of(picture: Image) -> tuple[float, float, float]:
    """Black, white and mean of a picture."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    black, white = np.percentile(grey, (2, 98))
    return float(black), float(white), float(grey.mean())


def steps(curves: Sequence[Curve | None]) -> list[int]:
    """By how much any level changes from one curve to the next."""
    own = np.arange(256)
    known = [own if curve is None else curve.astype(int) for curve in curves]
    return [int(np.abs(after - before).max()) for before, after in itertools.pairwise(known)]


@pytest.mark.parametrize(("black", "white"), [(0, 255), (35, 220), (10, 200)])
def test_a_well_lit_picture_passes_to_the_bit(black: int, white: int) -> None:
    picture = scene(black, white)
    curve = curve_for(picture)
    assert curve is None
    assert set_levels(picture, curve) is picture


def test_a_dark_picture_is_spread_to_white() -> None:
    picture = scene(0, 60)
    black, white, mean = levels_of(set_levels(picture, curve_for(picture)))
    assert black < 8
    assert white == pytest.approx(WHITE, abs=6)
    assert mean > MEAN - 2


def test_a_pale_picture_gets_black_and_white() -> None:
    picture = scene(90, 160)
    black, white, _ = levels_of(set_levels(picture, curve_for(picture)))
    assert black == pytest.approx(BLACK, abs=6)
    assert white == pytest.approx(WHITE, abs=6)


def test_of_a_picture_that_is_mostly_dark_the_darks_are_lifted() -> None:
    """A lamp in a dark room: there is white already."""
    picture = scene(0, 70)
    picture[:, :20] = 250
    curve = curve_for(picture)
    assert curve is not None
    assert levels_of(set_levels(picture, curve))[2] == pytest.approx(MEAN, abs=2)
    assert (curve[0], curve[255]) == (0, 255)


@pytest.mark.parametrize("ends", [(0, 60), (90, 160), (0, 12), (110, 118), (20, 20), (2, 255)])
def test_a_curve_keeps_the_order_of_levels_and_noise_within_bounds(ends: tuple[int, int]) -> None:
    curve = curve_for(scene(*ends))
    rises = np.diff((np.arange(256) if curve is None else curve).astype(int))
    assert rises.min() >= 0
    assert rises.max() <= 7  # six, and a rounding


@pytest.mark.parametrize("picture", [flat_picture(0), flat_picture(20), flat_picture(128), scene(0, 4), scene(126, 130)])
def test_a_covered_lens_and_a_wall_are_left_as_they_are(picture: Image) -> None:
    assert curve_for(picture) is None


def test_pictures_of_one_grey_that_grow_brighter_are_left_as_they_are() -> None:
    levels = AutoLevels()
    assert [levels.curve_for(flat_picture(level)) for level in range(0, 256, 10)] == [None] * 26


def test_a_little_more_light_changes_the_levels_that_there_are_by_little() -> None:
    scenes = [scene(0.2 * white, white) for white in np.arange(2, 250, 0.5)]
    seen = [np.sort(set_levels(picture, curve_for(picture)), axis=None).astype(int) for picture in scenes]
    assert max(np.abs(after - before).max() for before, after in itertools.pairwise(seen)) <= 9


def test_the_channels_go_through_one_curve_so_that_grey_stays_grey() -> None:
    picture = scene(0, 60)
    seen = set_levels(picture, curve_for(picture))
    assert (seen[:, :, 0] == seen[:, :, 2]).all()


def test_a_large_picture_is_measured_as_a_small_one() -> None:
    small, large = scene(0, 60), scene(0, 60, size_wh=(1280, 960))
    assert max(steps([curve_for(small), curve_for(large)])) <= 4


def test_a_cameras_noise_hardly_moves_the_curve() -> None:
    random, levels = np.random.default_rng(0), AutoLevels()
    picture = scene(0, 60).astype(float)
    frames = [np.clip(picture + random.normal(0, 3, picture.shape), 0, 255).astype(np.uint8) for _ in range(40)]
    assert max(steps([levels.curve_for(frame) for frame in frames][WINDOW:])) <= 1


def test_the_curve_follows_the_light_within_a_window() -> None:
    levels = AutoLevels()
    curves = [levels.curve_for(scene(0, 120 - n, seed=n)) for n in range(60)]
    assert max(steps(curves)) <= 6
    for n in range(WINDOW):
        last = levels.curve_for(scene(0, 60, seed=100 + n))
    assert max(steps([last, curve_for(scene(0, 60))])) <= 3


def test_after_a_cut_nothing_of_the_scene_before_is_left() -> None:
    levels = AutoLevels()
    for n in range(20):
        levels.curve_for(scene(0, 60, seed=n))
    assert levels.curve_for(scene(0, 255)) is None
    after = levels.curve_for(scene(0, 60))
    np.testing.assert_array_equal(after, curve_for(scene(0, 60)))


def test_what_came_before_a_window_is_forgotten_to_the_bit() -> None:
    """A film that is gone on with paints the frames of a window again first."""
    scenes = [scene(0, 50 + 0.4 * n, seed=n) for n in range(3 * WINDOW)] + [noisy_picture((320, 240))] + [scene(80, 140)] * 4
    first = WINDOW + 5
    whole, later = AutoLevels(), AutoLevels()
    of_whole = [whole.curve_for(picture) for picture in scenes]
    of_later = [None] * first + [later.curve_for(picture) for picture in scenes[first:]]
    for ours, theirs in zip(of_whole[first + WINDOW - 1 :], of_later[first + WINDOW - 1 :], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert max(steps([of_whole[first], of_later[first]])) > 0  # or there were nothing to forget


@pytest.mark.parametrize("border", [(0, 0, 120, 120), (60, 60, 0, 0), (0, 90, 0, 0)])
@pytest.mark.parametrize("ends", [(20, 220), (0, 60)])
def test_black_bars_are_no_darkness(border: tuple[int, int, int, int], ends: tuple[int, int]) -> None:
    picture = scene(*ends)
    barred = np.asarray(cv2.copyMakeBorder(picture, *border, cv2.BORDER_CONSTANT, value=(2, 2, 2)), np.uint8)
    assert max(steps([curve_for(picture), curve_for(barred)])) <= 4


def test_a_film_that_fades_in_is_hardly_ever_brighter_than_it_becomes() -> None:
    levels, lit = AutoLevels(), scene(20, 220).astype(float)
    fading = [(lit * min(1.0, number / 30)).astype(np.uint8) for number in range(70)]
    means = [float(set_levels(picture, levels.curve_for(picture)).mean()) for picture in fading]
    assert means[-1] == pytest.approx(lit.mean(), abs=1)
    assert max(means) < 1.15 * means[-1]


def test_a_bright_thing_that_comes_in_does_not_darken_the_rest_at_once() -> None:
    levels, room = AutoLevels(), scene(0, 60)
    for _ in range(WINDOW):
        before = levels.curve_for(room)
    room = room.copy()
    room[40:200, 100:200] = 230
    seen = [int(curve[40]) for curve in [before, *(levels.curve_for(room) for _ in range(8))] if curve is not None]
    assert len(seen) == 9
    assert np.abs(np.diff(seen)).max() < 16, seen


def test_a_lamp_that_is_switched_on_is_followed_at_once() -> None:
    levels = AutoLevels()
    for _ in range(WINDOW):
        levels.curve_for(scene(0, 60))
    np.testing.assert_array_equal(levels.curve_for(scene(0, 150)), curve_for(scene(0, 150)))
