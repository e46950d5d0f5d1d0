"""Values on a command line: checked while they are read, with what was expected and found."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from typing import NoReturn, TypeVar

from realtime.errors import EXIT_ARGUMENTS

LARGEST_SEED = 2**31 - 1
_Value = TypeVar("_Value", int, float)


class Parser(argparse.ArgumentParser):
    """A parser that complains in one line, as the programs do about everything else."""

    def error(self, message: str) -> NoReturn:
        """Ends the program."""
        self.exit(EXIT_ARGUMENTS, f"error: {message} (see {self.prog} --help)\n")


def size(text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT in pixels, each from 16 to 99999."""
    match = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", text)
    if match is None or min(int(match[1]), int(match[2])) < 16:
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT of at least 16x16, found {text!r}")
    return int(match[1]), int(match[2])


def time_of_video(text: str) -> float:
    """Seconds, MM:SS or HH:MM:SS, as seconds."""
    parts = text.split(":")
    if len(parts) > 3 or not all(re.fullmatch(r"\d+", part) for part in parts[:-1]):
        raise argparse.ArgumentTypeError(f"expected seconds, MM:SS or HH:MM:SS, found {text!r}")
    numbers = [_number(part) for part in parts]
    seconds = sum(number * 60**place for place, number in enumerate(reversed(numbers)))
    if any(number >= 60 for number in numbers[1:]):
        raise argparse.ArgumentTypeError(f"expected minutes and seconds below 60 after a colon, found {text!r}")
    if seconds < 0:
        raise argparse.ArgumentTypeError(f"expected a time of at least 0, found {text!r}")
    return seconds


def scale(text: str) -> float | tuple[int, int]:
    """A factor from 0.01 to 16, or a box WIDTHxHEIGHT."""
    return size(text) if "x" in text.lower() else _factor(text)


def value_range(text: str) -> tuple[float, float]:
    """ "0..1" as two numbers."""
    low, _, high = text.partition("..")
    try:
        values = (float(low), float(high))
    except ValueError:
        values = (math.nan, math.nan)
    if not -math.inf < values[0] < values[1] < math.inf:
        raise argparse.ArgumentTypeError(f"expected LOW..HIGH, as in 0..255, 0..1 or -1..1, found {text!r}")
    return values


def within(read: Callable[[str], _Value], low: float, high: float, expected: str) -> Callable[[str], _Value]:
    """A type of value that reads a text and takes what lies from low to high.

    Args:
        read: another such type.
        expected: what the user is told that was expected.
    """

    def read_within(text: str) -> _Value:
        value = read(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"expected {expected}, found {text!r}")
        return value

    return read_within


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a number, found {text!r}")
    return value


def _natural(text: str) -> int:
    """A whole number of at least 0; -1 for what is none, which the types made of this refuse in their own words."""
    try:
        return int(text) if text.isdecimal() else -1
    except ValueError:  # thousands of digits
        return -1


positive = within(_number, math.ulp(0.0), math.inf, "a number above 0")
share = within(_number, 0, 1, "a number from 0 to 1")
percentile = within(_number, 99, 100, "a number from 99 to 100")
learning_rate = within(positive, 0, 1, "a number above 0 and at most 1")  # none that is of use is larger
# What neither clocks nor encoders can count lies far beyond both ends: a picture in three hours, more than can be seen.
frame_rate = within(positive, 0.0001, 10_000, "0.0001 to 10000 frames a second")
_factor = within(positive, 0.01, 16, "a factor from 0.01 to 16 or WIDTHxHEIGHT")
whole = within(_natural, 0, math.inf, "a whole number of at least 0")
count = within(_natural, 1, math.inf, "a whole number of at least 1")
seed = within(_natural, 0, LARGEST_SEED, f"a whole number from 0 to {LARGEST_SEED}")
height = within(_natural, 1, 4320, "a height from 1 to 4320 pixels")  # of 8K
port = within(_natural, 0, 65535, "a port from 1 to 65535, or 0 for a free one")
