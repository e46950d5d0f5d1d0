"""Points of several groups as a picture, each with its label: drawn with OpenCV."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.loss_plot import COLOURS_BGR, FONT, FONT_SCALE, SIZE_WH, text_width, write_text

_MARGINS = (80, 50, 30, 60)  # left, top, right, bottom
MOST_GROUPS = len(COLOURS_BGR)
_GREY = (225, 225, 225)
_RADIUS = 6
_ROOM = 0.08  # of an axis' span left beyond its outermost points

Box = tuple[int, int, int, int]  # left, top, right, bottom


@dataclass(frozen=True)
class Point:
    """One measurement.

    group: names its colour.
    """

    x: float
    y: float
    label: str
    group: str


def draw_points(points: Sequence[Point], x_title: str, y_title: str) -> NDArray[np.uint8]:
    """The points with axes, a legend of the groups, and labels that lie on no other point or label.

    Args:
        points: at least one, of at most MOST_GROUPS groups.
        x_title, y_title: what the axes measure, with units.
    Returns:
        (H, W, 3) uint8, BGR.
    """
    spans = (_span([point.x for point in points], from_zero=True), _span([point.y for point in points]))
    picture = np.full((SIZE_WH[1], SIZE_WH[0], 3), 255, np.uint8)
    _draw_axes(picture, spans, x_title, y_title)
    groups = list(dict.fromkeys(point.group for point in points))
    places = [_place(point, spans) for point in points]
    taken = [(x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS) for x, y in places]
    for point, place in zip(points, places, strict=True):
        cv2.circle(picture, place, _RADIUS, COLOURS_BGR[groups.index(point.group)], -1, cv2.LINE_AA)
    for point, place in zip(points, places, strict=True):
        box = _free_box(point.label, place, taken)
        taken.append(box)
        write_text(picture, point.label, (box[0], box[3]))
    _draw_legend(picture, groups, _MARGINS[0] + text_width(y_title) + 60)
    return picture


def _draw_axes(picture: NDArray[np.uint8], spans: tuple[tuple[float, float], ...], x_title: str, y_title: str) -> None:
    left, top, right, bottom = _MARGINS[0], _MARGINS[1], SIZE_WH[0] - _MARGINS[2], SIZE_WH[1] - _MARGINS[3]
    for value in _ticks(*spans[0]):
        x = _along(value, spans[0], left, right)
        cv2.line(picture, (x, top), (x, bottom), _GREY, 1)
        write_text(picture, f"{value:g}", (x - text_width(f"{value:g}") // 2, bottom + 20))
    for value in _ticks(*spans[1]):
        y = _along(value, spans[1], bottom, top)
        cv2.line(picture, (left, y), (right, y), _GREY, 1)
        write_text(picture, f"{value:g}", (left - 8 - text_width(f"{value:g}"), y + 5))
    write_text(picture, x_title, ((left + right - text_width(x_title)) // 2, SIZE_WH[1] - 14))
    write_text(picture, y_title, (left, 24))


def _draw_legend(picture: NDArray[np.uint8], groups: Sequence[str], left: int) -> None:
    for number, group in enumerate(groups):
        cv2.circle(picture, (left, 19), _RADIUS, COLOURS_BGR[number], -1, cv2.LINE_AA)
        write_text(picture, group, (left + 14, 24))
        left += 14 + text_width(group) + 30


def _span(values: Sequence[float], from_zero: bool = False) -> tuple[float, float]:
    low, high = min(0.0, *values) if from_zero else min(values), max(values)
    room = (high - low or 1.0) * _ROOM
    return low if from_zero else low - room, high + room


def _ticks(low: float, high: float) -> list[float]:
    """Some five to ten round values between two others."""
    step = 10.0 ** math.floor(math.log10((high - low) / 4))
    step *= max(factor for factor in (1, 2, 5) if factor * step * 4 <= high - low)
    return [round(number * step, 10) for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _along(value: float, span: tuple[float, float], begin: int, end: int) -> int:
    return round(begin + (value - span[0]) / (span[1] - span[0]) * (end - begin))


def _place(point: Point, spans: tuple[tuple[float, float], ...]) -> tuple[int, int]:
    across = _along(point.x, spans[0], _MARGINS[0], SIZE_WH[0] - _MARGINS[2])
    return across, _along(point.y, spans[1], SIZE_WH[1] - _MARGINS[3], _MARGINS[1])


def _free_box(text: str, place: tuple[int, int], taken: Sequence[Box]) -> Box:
    """Where a label may lie beside its point: to the right or left of it, as near to its height as there is room."""
    (width, height), _ = cv2.getTextSize(text, FONT, FONT_SCALE, 1)
    boxes = []
    for shift in sorted(range(-120, 121, 4), key=abs):
        for left in (place[0] + _RADIUS + 6, place[0] - _RADIUS - 6 - width):
            top = place[1] - height // 2 + shift
            boxes.append((left, top, left + width, top + height))
    inside = [box for box in boxes if box[0] >= _MARGINS[0] and box[2] <= SIZE_WH[0]]
    return next((box for box in inside if not any(_overlap(box, other) for other in taken)), boxes[0])


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] + 3 and other[1] < one[3] + 3
