"""Which part of a video is wanted, and at what size."""

from __future__ import annotations

import pytest

from realtime.video.excerpt import Excerpt, Scale, scaled_size


@pytest.mark.parametrize(
    ("size_wh", "scale", "expected_wh"),
    [
        ((65, 47), None, (65, 47)),
        ((65, 47), 1.0, (65, 47)),  # odd as it is: nothing changes
        ((640, 480), 0.5, (320, 240)),
        ((641, 479), 0.5, (320, 240)),  # else even
        ((640, 480), (320, 320), (320, 240)),  # fitted into a box
        ((480, 640), (320, 320), (240, 320)),
        ((640, 480), (1280, 2000), (1280, 960)),
        ((640, 480), (2000, 240), (320, 240)),
        ((640, 480), (640, 2000), (640, 480)),
        ((6400, 480), 0.01, (64, 16)),  # not lower than encoders take
    ],
)
def test_size_after_scaling(size_wh: tuple[int, int], scale: Scale, expected_wh: tuple[int, int]) -> None:
    assert scaled_size(size_wh, scale) == expected_wh


@pytest.mark.parametrize(
    ("excerpt", "is_whole"),
    [(Excerpt(), True), (Excerpt(scale=0.5), True), (Excerpt(start_s=1.0), False), (Excerpt(end_s=2.0), False)],
)
def test_excerpt_that_leaves_nothing_out(excerpt: Excerpt, is_whole: bool) -> None:
    assert excerpt.is_whole == is_whole
