"""What is written on the shown picture, and never on what is saved: style, rate, device, messages, help."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import cv2
import numpy as np

from realtime.controls import KEY_TABLE, ControlState
from realtime.frame import Image

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_WHITE = (255, 255, 255)
_RED = (90, 90, 255)
_JOB_SHARE = 0.3  # of the picture's width and height, for the small picture of a re-painting
_SMALLEST_SCALE = 0.25
_PANEL_SHADE = 0.45  # how much of the picture shines through behind text


@dataclass(frozen=True)
class Hud:
    """The figures and texts of one frame.

    rate_fps, latency_ms: measured over the last second.
    recording: time and size of the recording that runs.
    job: how far the re-painting is.
    job_picture: what it looks like so far, a small picture.
    details: lines for the diagnostics key.
    """

    style_label: str
    style_number: int
    rate_fps: float
    latency_ms: float
    device: str
    message: str = ""
    recording: str = ""
    job: str = ""
    job_picture: Image | None = None
    details: tuple[str, ...] = ()


def draw_overlay(shown: Image, hud: Hud, state: ControlState) -> Image:
    """A copy of the shown picture with the overlay on it.

    Args:
        shown: (H, W, 3) uint8, already mirrored; its lettering is not.
    """
    picture = np.ascontiguousarray(shown).copy()
    height, width = picture.shape[:2]
    scale = max(0.4, min(1.6, width / 1280 + 0.1))
    status = Panel.fit(in_lines(_status_parts(hud, state), scale, width), scale, (width, height))
    status.draw(picture, height - status.height)
    _draw_job(picture, hud, scale, height - status.height)
    top = 0
    if hud.recording:
        top = Panel.fit([(hud.recording,)], scale, (width, height)).draw(picture, top, colour=_RED)
    if hud.message:
        rows = [row for line in hud.message.splitlines() for row in in_lines(line.split(), scale, width, " ")]
        top = Panel.fit(rows, scale, (width, height)).draw(picture, top)
    if state.diagnostics:
        rows = [(line,) for line in hud.details]
        top = Panel.fit(rows, scale, (width, height - top - status.height)).draw(picture, top)
    if state.help:
        _largest_help(scale, (width, height - top - status.height)).draw(picture, top)
    return picture


def in_lines(parts: Sequence[str], scale: float, width: int, between: str = "   ") -> list[tuple[str]]:
    """Texts one after the other in as many lines as they need at a lettering that can be read.

    Args:
        scale: of the lettering.
        width: of a line, in pixels.
    Returns:
        Rows of one column; a part that is wider than a line has one of its own.
    """
    lines: list[tuple[str]] = []
    for part in parts:
        longer = f"{lines[-1][0]}{between}{part}" if lines else part
        if lines and Panel(((_plain(longer),),), scale).width <= width:
            lines[-1] = (longer,)
        else:
            lines.append((part,))
    return lines


def _largest_help(scale: float, room_wh: tuple[int, int]) -> Panel:
    """The table of keys as one list, or as two side by side where the picture is too low for one."""
    rows = help_rows()
    half = -(-len(rows) // 2)
    beside = [first + second for first, second in zip_longest(rows[:half], rows[half:], fillvalue=("", ""))]
    return max((Panel.fit(rows, scale, room_wh), Panel.fit(beside, scale, room_wh)), key=lambda panel: panel.scale)


def load_font() -> None:
    """What the first letter that OpenCV draws costs (its font: half a frame's time), paid before a camera is opened."""
    cv2.putText(np.zeros((32, 32, 3), np.uint8), "0", (4, 28), _FONT, 1.0, _WHITE)


def help_rows() -> list[tuple[str, str]]:
    """A row for each entry of the key table, which also handles the keys."""
    return [(binding.label, binding.command.value) for binding in KEY_TABLE]


@dataclass(frozen=True)
class Panel:
    """Rows of text in columns on a darkened part of the picture."""

    rows: tuple[tuple[str, ...], ...]
    scale: float

    @classmethod
    def fit(cls, rows: Sequence[tuple[str, ...]], scale: float, room_wh: tuple[int, int]) -> Panel:
        """A panel whose lettering is as large as the room allows, up to scale."""
        panel = cls(tuple(tuple(_plain(text) for text in row) for row in rows), scale)
        while panel.scale > _SMALLEST_SCALE and (panel.width > room_wh[0] or panel.height > room_wh[1]):
            panel = replace(panel, scale=panel.scale * 0.93)
        return panel

    @property
    def _thickness(self) -> int:
        return max(1, round(self.scale * 1.3))

    @property
    def _line_height(self) -> int:
        return round(40 * self.scale)

    @property
    def _column_widths(self) -> list[int]:
        gap = round(24 * self.scale)
        columns = max((len(row) for row in self.rows), default=0)
        return [
            max(cv2.getTextSize(row[k], _FONT, self.scale, self._thickness)[0][0] for row in self.rows if len(row) > k) + gap
            for k in range(columns)
        ]

    @property
    def width(self) -> int:
        """In pixels."""
        return sum(self._column_widths)

    @property
    def height(self) -> int:
        """In pixels."""
        return self._line_height * len(self.rows) + round(8 * self.scale)

    def draw(self, picture: Image, top: int, first_column: int = 0, colour: tuple[int, int, int] = _WHITE) -> int:
        """Draws from a row downwards and a column to the right; returns the row below."""
        if not self.rows:
            return top
        shaded = picture[max(0, top) : top + self.height, first_column : first_column + self.width]
        shaded[:] = (shaded * np.float32(_PANEL_SHADE)).astype(np.uint8)
        for number, row in enumerate(self.rows):
            left = first_column + round(12 * self.scale)
            base = top + self._line_height * (number + 1) - round(10 * self.scale)
            for text, width in zip(row, self._column_widths, strict=False):
                cv2.putText(picture, text, (left, base), _FONT, self.scale, colour, self._thickness, cv2.LINE_AA)
                left += width
        return top + self.height


def _draw_job(picture: Image, hud: Hud, scale: float, bottom: int) -> None:
    """The re-painting in the lower right corner, where nothing else is: how far it is, and the small picture above."""
    if not hud.job:
        return
    height, width = picture.shape[:2]
    panel = Panel.fit([(hud.job,)], scale * 0.75, (width // 2, height))
    bottom -= panel.height
    panel.draw(picture, bottom, first_column=max(0, width - panel.width))
    if hud.job_picture is not None:
        small_height, small_width = hud.job_picture.shape[:2]
        share = min(width * _JOB_SHARE / small_width, height * _JOB_SHARE / small_height)
        size_wh = (max(1, round(small_width * share)), max(1, round(small_height * share)))
        small = cv2.resize(hud.job_picture, size_wh, interpolation=cv2.INTER_AREA)
        place = picture[max(0, bottom - size_wh[1]) : max(0, bottom), width - size_wh[0] :]
        place[:] = small[size_wh[1] - place.shape[0] :]


def _status_parts(hud: Hud, state: ControlState) -> list[str]:
    parts = [f"{hud.style_number + 1} {hud.style_label}" if not state.shows_original else "original"]
    if state.effective_strength not in (0.0, 1.0):
        parts.append(f"{state.strength:.0%}")
    if state.colours_of_photo:
        parts.append("photo's colours")
    if state.processing_share < 1:
        parts.append(f"{state.processing_share:.0%} size")
    return [*parts, f"{hud.rate_fps:.0f} fps", f"{hud.latency_ms:.0f} ms", hud.device, "H help"]


def _plain(text: str) -> str:
    """OpenCV's fonts hold ASCII alone: accents are taken off, the rest becomes '?'."""
    decomposed = unicodedata.normalize("NFKD", text)
    kept = "".join(char for char in decomposed if not unicodedata.combining(char))
    return kept.encode("ascii", "replace").decode("ascii")
