"""HDR made ordinary: known light gives known greys."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.video.tone_mapping import (
    DEFAULT_PEAK_NITS,
    HLG,
    PQ,
    WHITE_NITS,
    ToneMapper,
    compress_highlights,
    hlg_to_scene,
    nits_to_pq,
    pq_to_nits,
)


def grey(nits: float, peak_nits: float = DEFAULT_PEAK_NITS) -> int:
    """Level that a PQ grey of so much light becomes."""
    signal = np.full((1, 1, 3), round(float(nits_to_pq(nits)) * 65535), np.uint16)
    picture = ToneMapper(PQ, peak_nits).to_bgr(signal)
    assert picture.shape == (1, 1, 3) and picture.dtype == np.uint8
    assert int(picture.max()) - int(picture.min()) <= 1
    return int(picture[0, 0, 1])


def test_known_points_of_pq() -> None:
    # BT.2408: 100 nits are at 50.8 %, 203 nits at 58.1 %, 1000 nits at 75.2 % of the signal.
    assert nits_to_pq(np.array([0.0, 100.0, 203.0, 1000.0, 10000.0])) == pytest.approx([0, 0.508, 0.581, 0.752, 1], abs=0.001)


@given(st.floats(0, 1))
def test_pq_and_back(signal: float) -> None:
    assert float(nits_to_pq(pq_to_nits(np.array(signal)))) == pytest.approx(signal, abs=1e-6)


def test_known_points_of_hlg() -> None:
    # BT.2100: half the signal is a twelfth of the light, reference white at 75 % is 0.265.
    assert hlg_to_scene(np.array([0.0, 0.5, 0.75, 1.0])) == pytest.approx([0, 1 / 12, 0.265, 1], abs=0.001)


def test_dark_light_stays_and_the_peak_becomes_white() -> None:
    assert compress_highlights(np.array([0.1, 1.0, 50.0]), 1000.0) == pytest.approx([0.1, 1.0, 50.0])
    assert float(compress_highlights(np.array(1000.0), 1000.0)) == pytest.approx(WHITE_NITS, rel=1e-3)
    assert float(compress_highlights(np.array(4000.0), 1000.0)) == pytest.approx(WHITE_NITS, rel=1e-3)


@pytest.mark.parametrize("peak_nits", [250.0, 1000.0, 4000.0])
def test_brighter_light_is_never_darker(peak_nits: float) -> None:
    light = np.linspace(0, peak_nits, 500)
    assert (np.diff(compress_highlights(light, peak_nits)) >= -1e-9).all()


def test_film_that_is_no_brighter_than_white_is_left_alone() -> None:
    assert compress_highlights(np.array([10.0, 100.0]), 100.0) == pytest.approx([10.0, 100.0])


def test_greys_stay_grey_and_follow_the_display() -> None:
    assert grey(0) == 0
    assert grey(1000) == 255
    assert grey(10000) == 255
    assert grey(20) == pytest.approx(255 * (20 / WHITE_NITS) ** (1 / 2.4), abs=1)


def test_hlg_white_is_white_and_black_is_black() -> None:
    mapper = ToneMapper(HLG)
    ends = np.array([[[0, 0, 0], [65535, 65535, 65535]]], np.uint16)
    assert mapper.to_bgr(ends)[0].tolist() == [[0, 0, 0], [255, 255, 255]]


def test_colours_come_in_the_right_order() -> None:
    signal = np.zeros((1, 1, 3), np.uint16)
    signal[..., 0] = round(float(nits_to_pq(100.0)) * 65535)  # red, in RGB
    blue, green, red = ToneMapper(PQ).to_bgr(signal)[0, 0].tolist()
    assert red > 150 and max(blue, green) < 40
