"""Frames chosen as photographs: sharp, spread, unlike each other."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from realtime.frame import Image
from realtime.pictures.photo_choice import PhotoChooser, fit_for_training, judge
from tests.fakes import flat_picture

SIZE_WH = (160, 120)


def scene(seed: int) -> Image:
    """A picture of coarse coloured patches with sharp edges."""
    patches = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(patches, SIZE_WH, interpolation=cv2.INTER_NEAREST), np.uint8)


def blurred(image_bgr: Image) -> Image:
    """As a camera that moved."""
    return np.asarray(cv2.GaussianBlur(image_bgr, (0, 0), 6), np.uint8)


def chosen_times(chooser: PhotoChooser, frames: list[tuple[Image, float]]) -> list[float]:
    """Times of the frames that are kept."""
    kept = [chooser.offer(image_bgr, at_s) for image_bgr, at_s in frames]
    return [photo.at_s for photo in [*kept, chooser.finish()] if photo is not None]


def test_each_interval_gives_its_sharpest_frame() -> None:
    frames = [
        (scene(number) if tenth == number % 10 else blurred(scene(number)), number + tenth / 10)
        for number in range(5)
        for tenth in range(10)
    ]
    chooser = PhotoChooser(1.0)
    assert chosen_times(chooser, frames) == pytest.approx([0.0, 1.1, 2.2, 3.3, 4.4])
    assert (chooser.seen, chooser.blank, chooser.blurred, chooser.repeated) == (50, 0, 0, 0)


def test_blurred_frames_are_left_out() -> None:
    frames = [(blurred(scene(number)) if number in (3, 6) else scene(number), float(number)) for number in range(8)]
    chooser = PhotoChooser(1.0)
    assert chosen_times(chooser, frames) == [0.0, 1.0, 2.0, 4.0, 5.0, 7.0]
    assert chooser.blurred == 2


def test_still_camera_gives_one_photograph() -> None:
    random = np.random.default_rng(0)
    noisy = [np.asarray(np.clip(scene(1) + random.normal(0, 4, scene(1).shape), 0, 255), np.uint8) for _ in range(6)]
    chooser = PhotoChooser(1.0)
    assert len(chosen_times(chooser, [(image, float(number)) for number, image in enumerate(noisy)])) == 1
    assert chooser.repeated == 5


def test_scene_that_comes_back_is_not_kept_again() -> None:
    frames = [(scene(number % 3), float(number)) for number in range(9)]
    assert chosen_times(PhotoChooser(1.0), frames) == [0.0, 1.0, 2.0]


def test_covered_lens_gives_nothing() -> None:
    random = np.random.default_rng(0)
    dark = [np.asarray(random.integers(0, 4, (120, 160, 3)), np.uint8) for _ in range(4)]
    chooser = PhotoChooser(1.0)
    assert chosen_times(chooser, [(image, float(number)) for number, image in enumerate(dark)]) == []
    assert chooser.blank == 4


def test_no_frames_give_no_photograph() -> None:
    assert PhotoChooser(1.0).finish() is None


def test_sharpness_does_not_depend_on_contrast() -> None:
    pale = np.asarray(scene(1) // 2 + 60, np.uint8)
    assert judge(pale, 0.0).sharpness == pytest.approx(judge(scene(1), 0.0).sharpness, rel=0.1)
    assert judge(blurred(scene(1)), 0.0).sharpness < 0.2 * judge(scene(1), 0.0).sharpness


STORED_WH = {(1920, 1080): (1024, 576), (1080, 1920): (576, 1024), (640, 480): (640, 480), (64, 48): (64, 48)}


@pytest.mark.parametrize("size_wh", STORED_WH)
def test_large_frames_are_stored_smaller(size_wh: tuple[int, int]) -> None:
    width, height = STORED_WH[size_wh]
    assert fit_for_training(flat_picture(1, size_wh)).shape == (height, width, 3)
