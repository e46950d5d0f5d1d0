"""What is written on the shown picture, and never on what is saved: style, rate, device, messages, help."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
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
_SMALLEST_SCALE = 0.35  # below that words run together
_SMALLEST_WH, _LARGEST_SIDE = (640, 360), 1920  # a smaller picture is enlarged for its lettering, up to this
_LESS_BEFORE_WRAPPING = 0.9  # lettering may be so much smaller where a text then needs fewer lines
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
    """A picture of its own with what is shown and the overlay on it; help takes the place of what can wait.

    Args:
        shown: (H, W, 3) uint8, already mirrored; its lettering is not.
    Returns:
        (H, W, 3) uint8, larger than what is shown where that is too small for lettering.
    """
    picture = _large_enough(shown)
    height, width = picture.shape[:2]
    scale = max(0.4, min(1.6, width / 1280 + 0.1, height / 450))
    status = Panel.fit(in_lines(_status_parts(hud, state), scale, width), scale, (width, height))
    status.draw(picture, height - status.height)
    free = picture[: max(0, height - status.height)]  # whatever is too large for it ends at the status
    top = 0
    if hud.recording:
        top = Panel.fit([(hud.recording,)], scale, (width, len(free))).draw(free, top, colour=_RED)
    if hud.message:
        top = _paragraphs(hud.message.splitlines(), scale, (width, len(free) - top)).draw(free, top)
    if state.help:
        _largest_help(scale, (width, len(free) - top)).draw(free, top)
        return picture
    if state.diagnostics:
        _paragraphs(hud.details, scale, (width, len(free) - top)).draw(free, top)
    _draw_job(free, hud, scale)
    return picture


def _large_enough(shown: Image) -> Image:
    """A copy of a picture, enlarged where lettering on it could not be read; the window would enlarge it anyway."""
    height, width = shown.shape[:2]
    factor = min(max(_SMALLEST_WH[0] / width, _SMALLEST_WH[1] / height), _LARGEST_SIDE / width, _LARGEST_SIDE / height)
    if factor <= 1:
        return np.ascontiguousarray(shown).copy()
    size_wh = (round(width * factor), round(height * factor))
    return np.asarray(cv2.resize(shown, size_wh, interpolation=cv2.INTER_LINEAR), np.uint8)


def in_lines(parts: Sequence[str], scale: float, width: int) -> list[tuple[str]]:
    """Texts one after the other in as many lines as they need at a lettering that can be read.

    Args:
        scale: of the lettering; it may have to become a little smaller.
        width: of a line, in pixels.
    Returns:
        Rows of one column.
    """
    lines: list[tuple[str]] = []
    for part in parts:
        for piece in _pieces(_plain(part), scale * _LESS_BEFORE_WRAPPING, width):
            longer = f"{lines[-1][0]}   {piece}" if lines else piece
            if lines and _line_width(longer, scale * _LESS_BEFORE_WRAPPING) <= width:
                lines[-1] = (longer,)
            else:
                lines.append((piece,))
    return lines


def _pieces(text: str, scale: float, width: int) -> Iterator[str]:
    """A text cut into what fits in a line: between two words, and inside a word that is too long, as paths are."""
    while len(text) > 1 and _line_width(text, scale) > width:
        fitting = max(1, bisect_right(range(1, len(text)), width, key=lambda letters: _line_width(text[:letters], scale)))
        end = text.rfind(" ", 1, fitting + 1)
        end = end if end > 0 else fitting
        yield text[:end]
        text = text[end:].lstrip()
    yield text


def _line_width(text: str, scale: float) -> int:
    return Panel(((text,),), scale).width


def _paragraphs(texts: Sequence[str], scale: float, room_wh: tuple[int, int]) -> Panel:
    """Each text begins a line of its own."""
    return Panel.fit([row for text in texts for row in in_lines([text], scale, room_wh[0])], scale, room_wh)


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
        """A panel whose lettering is as large as the room allows: from scale down to what can still be read."""
        panel = cls(tuple(tuple(_plain(text) for text in row) for row in rows), scale)
        while panel.rows and panel.scale > _SMALLEST_SCALE:
            share = min(room_wh[0] / panel.width, room_wh[1] / panel.height)
            if share >= 1:
                break
            panel = replace(panel, scale=max(_SMALLEST_SCALE, panel.scale * min(share, 0.99)))  # sizes are rounded
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
        return [
            max(cv2.getTextSize(text, _FONT, self.scale, self._thickness)[0][0] for text in column) + gap
            for column in zip(*self.rows, strict=True)
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
        widths = self._column_widths
        for number, row in enumerate(self.rows):
            left = first_column + round(12 * self.scale)
            base = top + self._line_height * (number + 1) - round(10 * self.scale)
            for text, width in zip(row, widths, strict=True):
                cv2.putText(picture, text, (left, base), _FONT, self.scale, colour, self._thickness, cv2.LINE_AA)
                left += width
        return top + self.height


def _draw_job(picture: Image, hud: Hud, scale: float) -> None:
    """The re-painting in the lower right corner, where nothing else is: how far it is, and the small picture above."""
    if not hud.job:
        return
    height, width = picture.shape[:2]
    panel = Panel.fit([(hud.job,)], scale * 0.75, (width // 2, height))
    bottom = height - panel.height
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
    if not state.shows_original and state.strength < 1:
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
