"""Values on a command line, at the ends of what is taken."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import pytest

from realtime.program.argument_types import (
    LARGEST_SEED,
    count,
    frame_rate,
    height,
    learning_rate,
    percentile,
    port,
    positive,
    scale,
    seed,
    share,
    size,
    time_of_video,
    value_range,
    whole,
)


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (size, "16x99999", (16, 99999)),
        (size, "640X480", (640, 480)),
        (positive, "1e-9", 1e-9),
        (positive, "5e-324", 5e-324),
        (frame_rate, "0.0001", 0.0001),
        (frame_rate, "10000", 10_000.0),
        (share, "0", 0.0),
        (share, "1", 1.0),
        (learning_rate, "1", 1.0),
        (percentile, "99", 99.0),
        (percentile, "100", 100.0),
        (count, "1", 1),
        (height, "1", 1),
        (height, "4320", 4320),
        (whole, "0", 0),
        (seed, "0", 0),
        (seed, str(LARGEST_SEED), LARGEST_SEED),
        (port, "0", 0),
        (port, "65535", 65535),
        (time_of_video, "90.5", 90.5),
        (time_of_video, "99:59.5", 5999.5),
        (time_of_video, "1:02:03", 3723.0),
        (scale, "0.01", 0.01),
        (scale, "16", 16.0),
        (scale, "16x16", (16, 16)),
        (value_range, "0..255", (0.0, 255.0)),
        (value_range, "-0.5..0.5", (-0.5, 0.5)),
    ],
)
def test_values_that_are_taken(read: Callable[[str], Any], text: str, value: Any) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (size, "15x16"),
        (size, "16x15"),
        (size, "100000x16"),
        (size, "640"),
        (positive, "0"),
        (positive, "inf"),
        (positive, ""),
        (positive, "-1"),
        (frame_rate, "0.00009"),
        (frame_rate, "10000.1"),
        (share, "-0.01"),
        (share, "1.01"),
        (share, "nan"),
        (learning_rate, "0"),
        (learning_rate, "1.01"),
        (percentile, "98.9"),
        (percentile, "100.1"),
        (count, "0"),
        (count, "1.5"),
        (count, "9" * 5000),
        (height, "0"),
        (height, "4321"),
        (height, "9" * 5000),
        (whole, "-1"),
        (seed, "-1"),
        (seed, str(LARGEST_SEED + 1)),
        (seed, "9" * 5000),
        (port, "-1"),
        (port, "65536"),
        (time_of_video, "-1"),
        (time_of_video, "1:60"),
        (time_of_video, "1.5:30"),
        (time_of_video, "1:2:3:4"),
        (scale, "0.009"),
        (scale, "16.1"),
        (scale, "15x16"),
        (value_range, ""),
        (value_range, "1"),
        (value_range, "0-255"),
        (value_range, "0.."),
        (value_range, "..1"),
        (value_range, "1..0"),
        (value_range, "1..1"),
        (value_range, "a..b"),
        (value_range, "nan..1"),
        (value_range, "-inf..1"),
        (value_range, "0..inf"),
        (value_range, "0...1..2"),
    ],
)
def test_values_that_are_refused(read: Callable[[str], Any], text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"expected .* found '?{text}"):
        read(text)
