"""Curves of loss over time as a picture: both axes logarithmic, drawn with OpenCV."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Curve = Sequence[tuple[float, float]]  # seconds, loss

SIZE_WH = (1000, 640)
_MARGINS = (90, 30, 30, 70)  # left, top, right, bottom
COLOURS_BGR = ((40, 90, 200), (170, 110, 20), (60, 150, 60), (150, 60, 150))
_GREY, BLACK = (215, 215, 215), (40, 40, 40)
_STEPS = (1, 2, 5)
FONT, FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.5


def draw_losses(curves: Mapping[str, Curve], marks_s: Sequence[float] = ()) -> NDArray[np.uint8]:
    """The curves with axes, a legend, and vertical lines at some times, which stand above them.

    Args:
        curves: name -> points with seconds and loss above 0; at least one point in all.
        marks_s: times to mark.
    Returns:
        (H, W, 3) uint8, BGR.
    """
    points = [point for curve in curves.values() for point in curve]
    seconds = _range([time for time, _ in points] + list(marks_s))
    losses = _range([loss for _, loss in points])
    picture = np.full((SIZE_WH[1], SIZE_WH[0], 3), 255, np.uint8)
    for value in _ticks(*seconds):
        x, _ = _place(value, losses[0], seconds, losses)
        cv2.line(picture, (x, _MARGINS[1]), (x, SIZE_WH[1] - _MARGINS[3]), _GREY, 1)
        write_text(picture, f"{value:g}", (x - text_width(f"{value:g}") // 2, SIZE_WH[1] - _MARGINS[3] + 24))
    for value in _ticks(*losses):
        _, y = _place(seconds[0], value, seconds, losses)
        cv2.line(picture, (_MARGINS[0], y), (SIZE_WH[0] - _MARGINS[2], y), _GREY, 1)
        write_text(picture, f"{value:g}", (_MARGINS[0] - 8 - text_width(f"{value:g}"), y + 5))
    for mark in marks_s:
        x, _ = _place(mark, losses[0], seconds, losses)
        cv2.line(picture, (x, _MARGINS[1]), (x, SIZE_WH[1] - _MARGINS[3]), BLACK, 1)
        write_text(picture, f"{mark:g} s", (x - text_width(f"{mark:g} s") // 2, 20))
    for number, (name, curve) in enumerate(curves.items()):
        colour = COLOURS_BGR[number % len(COLOURS_BGR)]
        places = np.array([_place(*point, seconds, losses) for point in curve], np.int32).reshape(-1, 1, 2)
        cv2.polylines(picture, [places], False, colour, 2, cv2.LINE_AA)
        write_text(picture, name, (SIZE_WH[0] - 330, _MARGINS[1] + 28 * (number + 1)), colour)
    write_text(picture, "seconds", (SIZE_WH[0] // 2 - 30, SIZE_WH[1] - 14))
    write_text(picture, "total loss, float32", (_MARGINS[0], 20))
    return picture


def encode_plot(picture: NDArray[np.uint8]) -> bytes:
    """A plot as a PNG file's bytes."""
    done, data = cv2.imencode(".png", picture)
    assert done
    return data.tobytes()


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = max(1e-9, min(values)), max(1e-9, *values)
    return low / 1.1, high * 1.1


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten between two values."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [step * 10.0**decade for decade in decades for step in _STEPS if low <= step * 10.0**decade <= high]


def _place(time: float, loss: float, seconds: tuple[float, float], losses: tuple[float, float]) -> tuple[int, int]:
    across = math.log(max(time, seconds[0]) / seconds[0]) / math.log(seconds[1] / seconds[0])
    up = math.log(max(loss, losses[0]) / losses[0]) / math.log(losses[1] / losses[0])
    width, height = SIZE_WH[0] - _MARGINS[0] - _MARGINS[2], SIZE_WH[1] - _MARGINS[1] - _MARGINS[3]
    return round(_MARGINS[0] + across * width), round(SIZE_WH[1] - _MARGINS[3] - up * height)


def write_text(picture: NDArray[np.uint8], text: str, place: tuple[int, int], colour: tuple[int, int, int] = BLACK) -> None:
    """Writes on a plot; `place` is the text's lower left corner."""
    cv2.putText(picture, text, place, FONT, FONT_SCALE, colour, 1, cv2.LINE_AA)


def text_width(text: str) -> int:
    """Pixels of a text that is written."""
    return cv2.getTextSize(text, FONT, FONT_SCALE, 1)[0][0]
