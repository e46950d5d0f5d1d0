"""Values on a command line: checked while they are read, with what was expected and found."""

from __future__ import annotations

import argparse
import math
import re
from typing import NoReturn

from realtime.errors import EXIT_ARGUMENTS

LARGEST_SEED = 2**31 - 1
_LARGEST_HEIGHT = 4320  # of 8K
_LEAST_FPS, _MOST_FPS = 0.0001, 10_000  # what neither clocks nor encoders can count lies far beyond both


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


def positive(text: str) -> float:
    """A number above 0."""
    value = _number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, found {text!r}")
    return value


def frame_rate(text: str) -> float:
    """Frames a second, from a picture in three hours to far more than can be seen."""
    value = positive(text)
    if not _LEAST_FPS <= value <= _MOST_FPS:
        raise argparse.ArgumentTypeError(f"expected {_LEAST_FPS:g} to {_MOST_FPS:g} frames a second, found {text!r}")
    return value


def share(text: str) -> float:
    """A number from 0 to 1."""
    value = _number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, found {text!r}")
    return value


def learning_rate(text: str) -> float:
    """A number above 0 and at most 1: none that is of use is larger."""
    value = positive(text)
    if value > 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0 and at most 1, found {text}")
    return value


def percentile(text: str) -> float:
    """A number from 99 to 100."""
    value = _number(text)
    if not 99 <= value <= 100:
        raise argparse.ArgumentTypeError(f"expected a number from 99 to 100, found {text!r}")
    return value


def count(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, found {text!r}")
    return int(text)


def height(text: str) -> int:
    """A picture's height in pixels, from 1 to that of 8K."""
    value = int(text) if text.isdecimal() and len(text) <= len(str(_LARGEST_HEIGHT)) else 0
    if not 1 <= value <= _LARGEST_HEIGHT:
        raise argparse.ArgumentTypeError(f"expected a height from 1 to {_LARGEST_HEIGHT} pixels, found {text!r}")
    return value


def whole(text: str) -> int:
    """A whole number of at least 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 0, found {text!r}")
    return int(text)


def seed(text: str) -> int:
    """A whole number from 0 to LARGEST_SEED."""
    value = int(text) if text.isdecimal() and len(text) <= len(str(LARGEST_SEED)) else -1
    if not 0 <= value <= LARGEST_SEED:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 to {LARGEST_SEED}, found {text!r}")
    return value


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
    if "x" in text.lower():
        return size(text)
    value = positive(text)
    if not 0.01 <= value <= 16:
        raise argparse.ArgumentTypeError(f"expected a factor from 0.01 to 16 or WIDTHxHEIGHT, found {text!r}")
    return value


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a number, found {text!r}")
    return value
