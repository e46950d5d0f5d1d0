"""Values on a command line, at the ends of what is taken."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import pytest

from realtime.program.argument_types import (
    LARGEST_SEED,
    count,
    height,
    learning_rate,
    percentile,
    positive,
    scale,
    seed,
    share,
    size,
    time_of_video,
    whole,
)


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (size, "16x99999", (16, 99999)),
        (size, "640X480", (640, 480)),
        (positive, "1e-9", 1e-9),
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
        (time_of_video, "90.5", 90.5),
        (time_of_video, "99:59.5", 5999.5),
        (time_of_video, "1:02:03", 3723.0),
        (scale, "0.01", 0.01),
        (scale, "16", 16.0),
        (scale, "16x16", (16, 16)),
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
        (share, "-0.01"),
        (share, "1.01"),
        (share, "nan"),
        (learning_rate, "0"),
        (learning_rate, "1.01"),
        (percentile, "98.9"),
        (percentile, "100.1"),
        (count, "0"),
        (count, "1.5"),
        (height, "0"),
        (height, "4321"),
        (height, "9" * 5000),
        (whole, "-1"),
        (seed, "-1"),
        (seed, str(LARGEST_SEED + 1)),
        (seed, "9" * 5000),
        (time_of_video, "-1"),
        (time_of_video, "1:60"),
        (time_of_video, "1.5:30"),
        (time_of_video, "1:2:3:4"),
        (scale, "0.009"),
        (scale, "16.1"),
        (scale, "15x16"),
    ],
)
def test_values_that_are_refused(read: Callable[[str], Any], text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"expected .* found '?{text}"):
        read(text)
