"""The painting stands still where the photo does, and nothing that moves drags behind."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from realtime.frame import Image
from realtime.steadying import Steadier, frames_to_repeat
from tests.fakes import coloured_picture, flat_picture

HEIGHT, WIDTH = 96, 128


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def grey(level: int) -> Image:
    return np.full((HEIGHT, WIDTH, 3), level, np.uint8)


def noisy(level: int, spread: float, seed: int) -> Image:
    return np.clip(random(seed).normal(level, spread, (HEIGHT, WIDTH, 3)), 0, 255).astype(np.uint8)


def mean_change(pictures: list[Image]) -> float:
    return float(np.mean([np.abs(a.astype(int) - b.astype(int)).mean() for a, b in itertools.pairwise(pictures)]))


def test_the_first_painting_is_as_it_is() -> None:
    painted = noisy(90, 20, 1)
    assert Steadier().steady(grey(100), painted, "style") is painted


def test_where_the_photo_stands_still_the_painting_hardly_flickers() -> None:
    """A camera's noise is no movement."""
    steadier = Steadier()
    paintings = [noisy(90, 20, seed) for seed in range(30)]
    steady = [steadier.steady(noisy(100, 8, 100 + k), painting, "style") for k, painting in enumerate(paintings)]
    assert mean_change(steady[10:]) < 0.3 * mean_change(paintings)
    assert abs(float(steady[-1].mean()) - 90) < 1.5


def test_a_painting_that_changes_by_itself_is_followed_in_eight_frames() -> None:
    steadier = Steadier()
    steadier.steady(grey(100), grey(50), "style")
    followed = [int(steadier.steady(grey(100), grey(150), "style")[0, 0, 0]) for _ in range(8)]
    assert followed[0] == 75
    assert followed == sorted(followed)
    assert followed[-1] >= 140


def test_what_moves_is_taken_as_it_is_and_the_rest_is_averaged() -> None:
    steadier = Steadier()
    photo = grey(100)
    steadier.steady(photo, grey(50), "style")
    moved = photo.copy()
    moved[40:56, 48:80] = 120
    steady = steadier.steady(moved, grey(150), "style")
    assert (steady[32:64, 40:88] == 150).all()  # and what lies next to it, on every side
    for still in (steady[:24], steady[72:], steady[:, :32], steady[:, 96:]):
        assert (still == 75).all()


def test_a_cut_is_followed_at_once() -> None:
    steadier = Steadier()
    steadier.steady(flat_picture(10), flat_picture(50), "style")
    painted = flat_picture(150)
    assert steadier.steady(flat_picture(200), painted, "style") is painted


@pytest.mark.parametrize("channel", range(3))
def test_a_change_of_one_colour_is_movement(channel: int) -> None:
    steadier = Steadier()
    steadier.steady(grey(100), grey(50), "style")
    photo = grey(100)
    photo[..., channel] = 110
    assert (steadier.steady(photo, grey(150), "style") == 150).all()


def test_where_anything_else_changes_it_begins_anew() -> None:
    steadier = Steadier()
    steadier.steady(grey(100), grey(50), ("wave", 1.0))
    painted = grey(150)
    assert steadier.steady(grey(100), painted, ("wave", 0.9)) is painted
    assert steadier.steady(grey(100), grey(50), ("wave", 0.9))[0, 0, 0] == 125  # and remembers from there on


def test_pictures_of_another_size_begin_anew() -> None:
    steadier = Steadier()
    steadier.steady(grey(100), grey(50), "style")
    other = np.full((50, 70, 3), 150, np.uint8)
    assert steadier.steady(other, other, "style") is other


@pytest.mark.parametrize("size_hw", [(1, 1), (7, 9), (65, 33)])
def test_any_size_is_taken(size_hw: tuple[int, int]) -> None:
    steadier = Steadier()
    photo, painted = np.zeros((*size_hw, 3), np.uint8), np.full((*size_hw, 3), 100, np.uint8)
    steadier.steady(photo, photo, "style")
    assert (steadier.steady(photo, painted, "style") == 25).all()


def test_pictures_that_were_given_or_returned_are_never_changed() -> None:
    steadier = Steadier()
    seen: list[tuple[Any, Image]] = []
    for level in (50, 150, 80):
        photo, painted = coloured_picture(), grey(level)
        steady = steadier.steady(np.resize(photo, painted.shape), painted, "style")
        seen += [(steady, steady.copy()), (painted, grey(level))]
    assert all(np.array_equal(picture, copy) for picture, copy in seen)


@pytest.mark.parametrize("done", [0, 1, 95, 96, 111, 112, 150, 203])
@pytest.mark.parametrize("spread", [0.0, 6.0])
def test_one_that_repeats_some_frames_goes_on_as_one_that_saw_them_all(done: int, spread: float) -> None:
    """To the bit: where the painting flickers, and where it comes to rest after a change."""
    repeated = frames_to_repeat(done)
    assert repeated <= min(done, 111)
    paintings = [noisy(90 if k % 100 < 50 else 140, spread, k) for k in range(done + 20)]
    whole, later = Steadier(), Steadier()
    photo = grey(100)
    whole_pictures = [whole.steady(photo, painting, "style") for painting in paintings]
    later_pictures = [later.steady(photo, painting, "style") for painting in paintings[done - repeated :]]
    for expected, found in zip(whole_pictures[done:], later_pictures[repeated:], strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("start", [40, 160])
def test_a_painting_at_rest_is_shown_as_it_is(start: int) -> None:
    steadier = Steadier()
    steadier.steady(grey(100), grey(start), "style")
    for _ in range(50):
        steady = steadier.steady(grey(100), grey(100), "style")
    assert (steady == 100).all()
