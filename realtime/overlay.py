"""What is written on the shown picture, and never on what is saved: style, rate, device, messages, help."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import cv2
import numpy as np

from realtime.controls import KEY_TABLE, ControlState
from realtime.frame import Image

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_WHITE = (255, 255, 255)
_PANEL_SHADE = 0.45  # how much of the picture shines through behind text


@dataclass(frozen=True)
class Hud:
    """The figures and texts of one frame.

    rate_fps, latency_ms: measured over the last second.
    details: lines for the diagnostics key.
    """

    style_label: str
    style_number: int
    rate_fps: float
    latency_ms: float
    device: str
    message: str = ""
    details: tuple[str, ...] = ()


def draw_overlay(shown: Image, hud: Hud, state: ControlState) -> Image:
    """A copy of the shown picture with the overlay on it.

    Args:
        shown: (H, W, 3) uint8, already mirrored; its lettering is not.
    """
    picture = np.ascontiguousarray(shown).copy()
    scale = max(0.4, min(1.6, picture.shape[1] / 1280 + 0.1))
    _draw_panel(picture, [_status_line(hud, state)], (0, picture.shape[0]), scale, from_bottom=True)
    top = 0
    if hud.message:
        top = _draw_panel(picture, [hud.message], (0, 0), scale)
    if state.diagnostics:
        top = _draw_panel(picture, list(hud.details), (0, top), scale)
    if state.help:
        _draw_panel(picture, help_lines(), (0, top), scale)
    return picture


def help_lines() -> list[str]:
    """A line for each entry of the key table, which also handles the keys."""
    width = max(len(binding.label) for binding in KEY_TABLE)
    return [f"{binding.label.ljust(width)}   {binding.command.value}" for binding in KEY_TABLE]


def _status_line(hud: Hud, state: ControlState) -> str:
    parts = [f"{hud.style_number + 1} {hud.style_label}" if not state.shows_original else "original"]
    if state.effective_strength not in (0.0, 1.0):
        parts.append(f"{state.strength:.0%}")
    if state.colours_of_photo:
        parts.append("photo's colours")
    parts += [f"{hud.rate_fps:.0f} fps", f"{hud.latency_ms:.0f} ms", hud.device, "H help"]
    return "   ".join(parts)


def _draw_panel(picture: Image, lines: list[str], corner: tuple[int, int], scale: float, from_bottom: bool = False) -> int:
    """Text lines on a darkened panel; returns the row below it."""
    texts = [_plain(line) for line in lines]
    thickness = max(1, round(scale * 1.3))
    while scale > 0.25 and max(cv2.getTextSize(text, _FONT, scale, thickness)[0][0] for text in texts) > picture.shape[1] - 12:
        scale *= 0.92
    line_height = round(36 * scale) + 4
    height = line_height * len(texts) + 6
    top = corner[1] - height if from_bottom else corner[1]
    width = max(cv2.getTextSize(text, _FONT, scale, thickness)[0][0] for text in texts) + 16
    panel = picture[max(0, top) : top + height, corner[0] : corner[0] + width]
    panel[:] = (panel * np.float32(_PANEL_SHADE)).astype(np.uint8)
    for number, text in enumerate(texts):
        origin = (corner[0] + 8, top + line_height * (number + 1) - round(10 * scale))
        cv2.putText(picture, text, origin, _FONT, scale, _WHITE, thickness, cv2.LINE_AA)
    return top + height


def _plain(text: str) -> str:
    """OpenCV's fonts hold ASCII alone: accents are taken off, the rest becomes '?'."""
    decomposed = unicodedata.normalize("NFKD", text)
    kept = "".join(char for char in decomposed if not unicodedata.combining(char))
    return kept.encode("ascii", "replace").decode("ascii")
