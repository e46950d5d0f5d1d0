"""Photo and painting stand still where the camera sees nothing move, and nothing that moves drags behind."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from benchmarks.camera_noise import with_noise
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


def steady(steadier: Steadier, photo: Image, painted: Image, circumstances: str = "style") -> Image:
    return steadier.steady(painted, steadier.look_at(photo).moving, circumstances)


def error(pictures: list[Image], level: int) -> float:
    return float(np.mean([np.abs(picture.astype(int) - level).mean() for picture in pictures]))


def test_the_first_photo_and_painting_are_as_they_are() -> None:
    steadier, photo, painted = Steadier(), grey(100), noisy(90, 20, 1)
    seen = steadier.look_at(photo)
    assert seen.picture_bgr is photo
    assert steadier.steady(painted, seen.moving, "style") is painted


def test_where_the_photo_stands_still_the_painting_hardly_flickers() -> None:
    """A camera's noise is no movement."""
    steadier = Steadier()
    paintings = [noisy(90, 20, seed) for seed in range(30)]
    shown = [steady(steadier, noisy(100, 8, 100 + k), painting) for k, painting in enumerate(paintings)]
    assert mean_change(shown[10:]) < 0.3 * mean_change(paintings)
    assert abs(float(shown[-1].mean()) - 90) < 1.5


@pytest.mark.parametrize("spread", [2, 4, 6])
def test_the_network_sees_less_than_half_of_the_noise(spread: int) -> None:
    """However strong it is, and though it comes in grains."""
    steadier = Steadier()
    photos = [with_noise(grey(100), spread, seed) for seed in range(40)]
    seen = [steadier.look_at(photo).picture_bgr for photo in photos]
    assert error(seen[15:], 100) < 0.45 * error(photos, 100)
    assert mean_change(seen[15:]) < 0.2 * mean_change(photos)


@pytest.mark.parametrize("step", [0.5, 1.0, 1.5, 3.0, 10.0])
def test_light_that_changes_slowly_is_never_far_ahead(step: float) -> None:
    """Each change is small, but they do not add up."""
    steadier, far = Steadier(), 0
    for k in range(40):
        photo = grey(int(40 + step * k) % 256)
        far = max(far, int(cv2.absdiff(photo, steadier.look_at(photo).picture_bgr).max()))
    assert far <= 6


def test_a_painting_that_changes_by_itself_is_followed_in_eight_frames() -> None:
    steadier = Steadier()
    steady(steadier, grey(100), grey(50))
    followed = [int(steady(steadier, grey(100), grey(150))[0, 0, 0]) for _ in range(8)]
    assert followed[0] == 75
    assert followed == sorted(followed)
    assert followed[-1] >= 140


def test_what_moves_is_taken_as_it_is_and_the_rest_is_averaged() -> None:
    steadier = Steadier()
    photo = grey(100)
    steady(steadier, photo, grey(50))
    moved = photo.copy()
    moved[40:56, 48:80] = 120
    shown = steady(steadier, moved, grey(150))
    assert (shown[32:64, 40:88] == 150).all()  # and what lies next to it, on every side
    for still in (shown[:24], shown[72:], shown[:, :32], shown[:, 96:]):
        assert (still == 75).all()


def test_a_cut_is_followed_at_once() -> None:
    steadier = Steadier()
    steady(steadier, flat_picture(10), flat_picture(50))
    photo, painted = flat_picture(200), flat_picture(150)
    seen = steadier.look_at(photo)
    assert seen.picture_bgr is photo
    assert steadier.steady(painted, seen.moving, "style") is painted


@pytest.mark.parametrize("channel", range(3))
def test_a_change_of_one_colour_is_movement(channel: int) -> None:
    steadier = Steadier()
    steady(steadier, grey(100), grey(50))
    photo = grey(100)
    photo[..., channel] = 110
    assert (steady(steadier, photo, grey(150)) == 150).all()


def test_where_anything_else_changes_the_painting_begins_anew() -> None:
    steadier = Steadier()
    steady(steadier, grey(100), grey(50), "wave at 1.0")
    painted = grey(150)
    assert steady(steadier, grey(100), painted, "wave at 0.9") is painted
    assert steady(steadier, grey(100), grey(50), "wave at 0.9")[0, 0, 0] == 125  # and remembers from there on


def test_pictures_of_another_size_begin_anew() -> None:
    steadier = Steadier()
    steady(steadier, grey(100), grey(50))
    other = np.full((50, 70, 3), 150, np.uint8)
    assert steady(steadier, other, other) is other
    as_many_areas = np.full((56, 72, 3), 120, np.uint8)
    assert steady(steadier, as_many_areas, as_many_areas) is as_many_areas


@pytest.mark.parametrize("size_hw", [(1, 1), (7, 9), (65, 33)])
def test_any_size_is_taken(size_hw: tuple[int, int]) -> None:
    steadier = Steadier()
    photo, painted = np.zeros((*size_hw, 3), np.uint8), np.full((*size_hw, 3), 100, np.uint8)
    steady(steadier, photo, photo)
    assert (steady(steadier, photo, painted) == 25).all()


def test_pictures_that_were_given_or_returned_are_never_changed() -> None:
    steadier = Steadier()
    given: list[tuple[Image, Image]] = []
    for level in (50, 150, 80):
        photo, painted = np.resize(coloured_picture(), grey(0).shape), grey(level)
        photo[:32, :32] = level
        before = [(photo, photo.copy()), (painted, painted.copy())]
        seen = steadier.look_at(photo)
        shown = steadier.steady(painted, seen.moving, "style")
        given += [*before, (seen.picture_bgr, seen.picture_bgr.copy()), (shown, shown.copy())]
    assert all(np.array_equal(picture, copy) for picture, copy in given)


SCENE = cv2.resize(random(7).integers(30, 220, (6, 8, 3)).astype(np.float32), (64, 48), interpolation=cv2.INTER_CUBIC)


def as_film(kind: str, k: int) -> Image:
    """A frame of something that is hard to forget."""
    if kind == "noise":
        picture = SCENE * (1.0 if k % 100 < 50 else 0.7) + random(k).normal(0, 6, SCENE.shape)
    elif kind == "line boil":  # after a black beginning, two drawings by turns
        picture = SCENE + random(k % 2).normal(0, 2, SCENE.shape) if k >= 45 else 0 * SCENE
    elif kind == "light":  # up and down, too slowly to be seen
        picture = SCENE * 0.5 + 0.9 * abs(k % 160 - 80)
    elif kind == "white":  # clipped, and flickering by a level
        picture = np.maximum(SCENE + 200, 254 + k // 3 % 2 * (SCENE > 100))
    else:
        picture = SCENE + 0.0
    film = np.clip(np.round(picture), 0, 255).astype(np.uint8)
    film[8:24, k % 48 : k % 48 + 16] = 200  # something that moves
    return film


@pytest.mark.parametrize("done", [0, 1, 323, 324, 350, 450])
@pytest.mark.parametrize("kind", ["noise", "line boil", "light", "white", "nothing"])
def test_one_that_repeats_some_frames_goes_on_as_one_that_saw_them_all(done: int, kind: str) -> None:
    """To the bit: the means of the photos, and of what is painted of them."""
    repeated = frames_to_repeat(done)
    assert repeated <= min(done, 323)
    photos = [as_film(kind, k) for k in range(done + 20)]

    def shown(of: list[Image]) -> list[Image]:
        steadier = Steadier()
        seen = [steadier.look_at(photo) for photo in of]
        return [steadier.steady(np.asarray(255 - one.picture_bgr), one.moving, "style") for one in seen]

    whole, later = shown(photos), shown(photos[done - repeated :])
    for expected, found in zip(whole[done:], later[repeated:], strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.999])
def test_rounding_makes_a_picture_neither_brighter_nor_darker(share: float) -> None:
    """Levels that lie between two: of a camera's noise the mean is kept, at every frame."""
    steadier, means = Steadier(), []
    for k in range(60):
        photo = grey(99) + (random(k).random((HEIGHT, WIDTH, 3)) < share).astype(np.uint8)
        means.append(float(steadier.look_at(photo).picture_bgr.mean()))
    assert means[15:] == pytest.approx([99 + share] * 45, abs=0.02)


def test_what_was_before_a_pause_is_forgotten() -> None:
    steadier = Steadier()
    steady(steadier, grey(100), grey(50))
    steadier.forget()
    photo, painted = grey(102), grey(150)
    seen = steadier.look_at(photo)
    assert seen.picture_bgr is photo
    assert steadier.steady(painted, seen.moving, "style") is painted


@pytest.mark.parametrize("start", [40, 160])
def test_a_painting_at_rest_is_shown_as_it_is(start: int) -> None:
    steadier = Steadier()
    steady(steadier, grey(100), grey(start))
    for _ in range(50):
        shown = steady(steadier, grey(100), grey(100))
    assert (shown == 100).all()
