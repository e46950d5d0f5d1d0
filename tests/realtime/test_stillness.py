"""What moves is told from noise, and noise from what moves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks.camera_noise import with_noise
from realtime.frame import Image
from realtime.stillness import MEMORY, Stillness
from tests.fakes import noisy_picture

HEIGHT, WIDTH = 96, 128
THING = (slice(40, 56), slice(48, 80))  # where something moves
AROUND = (slice(32, 64), slice(40, 88))


def grey(level: int) -> Image:
    return np.full((HEIGHT, WIDTH, 3), level, np.uint8)


def drawn(seed: int, size_wh: tuple[int, int] = (WIDTH, HEIGHT), grain: float = 1.0) -> Image:
    """Blurred noise between 78 and 178."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=(size_wh[1], size_wh[0], 3)), (0, 0), grain)
    return np.clip(128 + noise / noise.std() * 25, 78, 178).astype(np.uint8)


def moving_share(moving: Image | None) -> float:
    return 1.0 if moving is None else float((moving > 0).mean())


def with_thing(photo: Image, change: int) -> Image:
    photo = photo.astype(np.int16)
    photo[THING] += change
    return np.clip(photo, 0, 255).astype(np.uint8)


def after(photos: list[Image]) -> Stillness:
    stillness = Stillness()
    for photo in photos:
        stillness.find_moving(photo)
    return stillness


def test_at_first_everything_is_new() -> None:
    assert Stillness().find_moving(grey(100)) is None


@pytest.mark.parametrize("spread", [0, 1, 3, 6, 9])
def test_noise_is_no_movement(spread: float) -> None:
    """However strong it is, and though it comes in grains."""
    stillness, scene = Stillness(), drawn(0, grain=8)
    shares = [moving_share(stillness.find_moving(with_noise(scene, spread, seed))) for seed in range(60)]
    assert float(np.mean(shares[20:])) < 0.02


@pytest.mark.parametrize(("spread", "change"), [(0, 6), (1, 7), (3, 12), (6, 20), (8, 30)])
def test_what_moves_is_found_in_noise(spread: float, change: int) -> None:
    photos = [with_noise(grey(100), spread, seed) for seed in range(21)]
    moving = after(photos[:20]).find_moving(with_thing(photos[20], change))
    assert moving is not None
    assert (moving[AROUND] == 255).all()
    assert moving_share(moving[:, 96:]) < 0.1


def test_areas_move_together_by_less_than_one_alone() -> None:
    """In noise of 6 levels a single area may change by over 10."""
    found = []
    for seed in range(20):
        photos = [with_noise(grey(100), 6, 100 * seed + k) for k in range(21)]
        alone, together = photos[20].copy(), photos[20].copy()
        alone[48:56, 56:64] += np.uint8(7)
        together[32:72, 40:80] += np.uint8(7)
        masks = [after(photos[:20]).find_moving(photo) for photo in (alone, together)]
        found.append([moving_share(None if mask is None else mask[48:56, 56:64]) for mask in masks])
    of_one, of_many = np.mean(found, axis=0)
    assert of_one < 0.3
    assert of_many > 0.9


def test_what_is_too_strong_for_noise_moves() -> None:
    """Other dots at each frame, as of a receiver without a station: the means of areas hardly change."""
    stillness = after([noisy_picture((WIDTH, HEIGHT), seed) for seed in range(20)])
    assert stillness.find_moving(noisy_picture((WIDTH, HEIGHT), 99)) is None


def test_texture_that_moves_is_found_though_its_brightness_stays() -> None:
    stripes = np.where(np.arange(WIDTH)[None, :, None] % 4 < 2, 120, 136).astype(np.uint8).repeat(HEIGHT, 0).repeat(3, 2)
    photos = [drawn(1, grain=8) for _ in range(20)]
    for k, photo in enumerate(photos):
        photo[THING] = np.roll(stripes, k, axis=1)[THING]
    moving = after(photos[:-1]).find_moving(photos[-1])
    assert moving is not None
    assert (moving[AROUND] == 255).all()
    assert not moving[:, 96:].any()


def test_a_camera_that_turns_sees_no_noise() -> None:
    """All of the picture changes, some of it by no more than noise does."""
    wide = (64 + drawn(3, (WIDTH + 300, HEIGHT), grain=3) // 2).astype(np.uint8)
    stillness = after([np.ascontiguousarray(wide[:, 12 * k : 12 * k + WIDTH]) for k in range(6)])
    for k in range(6, 25):
        assert stillness.find_moving(np.ascontiguousarray(wide[:, 12 * k : 12 * k + WIDTH])) is None


def test_noise_is_told_by_what_is_calm() -> None:
    """Seven tenths of the picture move wildly."""
    photos = [with_noise(drawn(0, grain=6), 1, k) for k in range(20)]
    for k, photo in enumerate(photos):
        photo[:, : 7 * WIDTH // 10] = drawn(k, grain=4)[:, : 7 * WIDTH // 10]
    photos[-1][40:56, 104:120] += np.uint8(7)
    moving = after(photos[:-1]).find_moving(photos[-1])
    assert moving is not None
    assert (moving[40:56, 104:120] == 255).all()
    assert not moving[:16, 104:].any()


def test_light_that_changes_everywhere_is_no_noise() -> None:
    """A fade, too slow to be seen in two frames."""
    photos = [with_noise(grey(60 + 12 * k // 5), 0.5, k) for k in range(20)]
    assert after(photos[:-1]).find_moving(photos[-1]) is None


@pytest.mark.parametrize("spread", [0.0, 2.0])
def test_what_came_before_is_forgotten(spread: float) -> None:
    photos = [with_noise(drawn(k // 30, grain=6), spread, k) for k in range(MEMORY + 40)]
    early, late = Stillness(), Stillness()
    for photo in photos[:20]:
        early.find_moving(photo)
    for k, photo in enumerate(photos[20:]):
        ours, theirs = early.find_moving(photo), late.find_moving(photo)
        if k >= MEMORY:
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("size_hw", [(1, 1), (3, 200), (200, 3), (9, 17), (65, 33)])
def test_any_size_is_taken(size_hw: tuple[int, int]) -> None:
    stillness = after([np.zeros((*size_hw, 3), np.uint8)])
    same = stillness.find_moving(np.zeros((*size_hw, 3), np.uint8))
    assert same is not None
    assert same.shape == size_hw
    assert not same.any()
    assert stillness.find_moving(np.full((*size_hw, 3), 90, np.uint8)) is None
    assert stillness.find_moving(np.full((size_hw[0] + 8, size_hw[1], 3), 90, np.uint8)) is None
