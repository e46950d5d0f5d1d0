"""Strength, kept colours, split view and cross-fade."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.compositor import blend, compose, cross_fade, keep_colours, split_view
from realtime.controls import ControlState
from tests.fakes import coloured_picture, flat_picture, noisy_picture

PHOTO = coloured_picture()
PAINTED = noisy_picture()


def test_ends_of_strength_are_exact() -> None:
    np.testing.assert_array_equal(blend(PHOTO, PAINTED, 0.0), PHOTO)
    np.testing.assert_array_equal(blend(PHOTO, PAINTED, 1.0), PAINTED)


@given(st.integers(0, 255), st.integers(0, 255), st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_blend_is_the_weighted_mean(photo: int, painted: int, strength: float) -> None:
    mixed = blend(flat_picture(photo, (4, 4)), flat_picture(painted, (4, 4)), strength)
    assert mixed.dtype == np.uint8
    assert np.abs(mixed.astype(float) - (photo + (painted - photo) * strength)).max() <= 1.0


def test_kept_colours_have_the_brightness_of_the_painting() -> None:
    painted = np.ascontiguousarray(PAINTED // 4 + 96)
    photo = np.ascontiguousarray(PHOTO // 4 + 96)
    kept = cv2.cvtColor(keep_colours(photo, painted), cv2.COLOR_BGR2YCrCb).astype(int)
    luminance = cv2.cvtColor(painted, cv2.COLOR_BGR2YCrCb).astype(int)[:, :, 0]
    colours = cv2.cvtColor(photo, cv2.COLOR_BGR2YCrCb).astype(int)[:, :, 1:]
    assert np.abs(kept[:, :, 0] - luminance).max() <= 2
    assert np.abs(kept[:, :, 1:] - colours).max() <= 2


def test_grey_photo_stays_grey_with_kept_colours() -> None:
    kept = keep_colours(flat_picture(100), PAINTED)
    assert np.ptp(kept.astype(int), axis=2).max() <= 1


@pytest.mark.parametrize("size_wh", [(64, 48), (65, 47), (2, 2), (1, 1)])
def test_split_view_has_photo_line_and_painting(size_wh: tuple[int, int]) -> None:
    photo, painted = flat_picture(10, size_wh), flat_picture(200, size_wh)
    joined = split_view(photo, painted)
    middle = size_wh[0] // 2
    assert joined.shape == photo.shape
    assert np.all(joined[:, : max(0, middle - 1)] == 10)
    assert np.all(joined[:, middle] == 255)
    assert np.all(joined[:, middle + 1 :] == 200)


def test_cross_fade_goes_from_one_to_the_other() -> None:
    before, after = flat_picture(0), flat_picture(200)
    levels = [int(cross_fade(before, after, share)[0, 0, 0]) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert levels == [0, 50, 100, 150, 200]


def test_cross_fade_between_sizes_takes_the_later_one() -> None:
    mixed = cross_fade(flat_picture(0, (32, 20)), flat_picture(200), 0.5)
    np.testing.assert_array_equal(mixed, flat_picture(100))


def test_kept_colours_come_before_the_strength() -> None:
    mixed = compose(PHOTO, PAINTED, ControlState(strength=0.5, colours_of_photo=True))
    np.testing.assert_array_equal(mixed, blend(PHOTO, keep_colours(PHOTO, PAINTED), 0.5))


def test_without_strength_the_photo_itself_is_shown() -> None:
    for colours_of_photo in (False, True):
        shown = compose(PHOTO, PAINTED, ControlState(strength=0.0, colours_of_photo=colours_of_photo))
        np.testing.assert_array_equal(shown, PHOTO)


def test_pictures_given_are_never_written_to() -> None:
    photo, painted = PHOTO.copy(), PAINTED.copy()
    photo.setflags(write=False)
    painted.setflags(write=False)
    for strength in (0.0, 0.5, 1.0):
        compose(photo, painted, ControlState(strength=strength, colours_of_photo=True))
    split_view(photo, painted)
    cross_fade(photo, painted, 0.5)
    np.testing.assert_array_equal(photo, PHOTO)
    np.testing.assert_array_equal(painted, PAINTED)
