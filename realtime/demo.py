"""The demo source's picture: a lake at dusk with a sailing boat, drawn by the program. No camera, no file."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from realtime.frame import Image

DEMO_SIZE_WH = (640, 480)
DEMO_FPS = 30.0
_LOOP_S = 20.0


class DemoScene:
    """Draws the scene at any time; the parts that never move are drawn once.

    Args:
        size_wh: width and height in pixels, at least 64 each.
    """

    def __init__(self, size_wh: tuple[int, int] = DEMO_SIZE_WH) -> None:
        self._width, self._height = size_wh
        self._horizon = round(self._height * 0.58)
        self._still = self._draw_still()
        self._clouds = self._draw_clouds()

    def draw(self, time_s: float) -> Image:
        """The scene (H, W, 3) uint8 BGR, at a time in seconds; it repeats after twenty."""
        turn = 2 * math.pi * (time_s % _LOOP_S) / _LOOP_S
        picture = self._still.copy()
        self._draw_sun(picture, turn)
        self._add_clouds(picture, time_s)
        self._draw_hills(picture)
        self._draw_waves(picture, turn)
        self._draw_boat(picture, turn)
        return picture

    def _draw_still(self) -> Image:
        rows = np.linspace(0, 1, self._height, dtype=np.float32)[:, None, None]
        top, low = np.array([150, 90, 45], np.float32), np.array([130, 190, 250], np.float32)
        water_far, water_near = np.array([150, 150, 140], np.float32), np.array([90, 55, 25], np.float32)
        level = self._horizon / self._height
        sky = top + (low - top) * np.clip(rows / level, 0, 1) ** 1.5
        water = water_far + (water_near - water_far) * np.clip((rows - level) / (1 - level), 0, 1)
        picture = np.where(rows < level, sky, water)
        return np.ascontiguousarray(np.broadcast_to(picture, (self._height, self._width, 3)).astype(np.uint8))

    def _draw_clouds(self) -> Image:
        """Clouds on a strip twice as wide as the picture, so that they can drift and repeat, and its beginning again."""
        strip = np.zeros((self._horizon, self._width * 2), np.uint8)
        random = np.random.default_rng(3)
        for _ in range(26):
            centre = (int(random.integers(0, self._width * 2)), int(random.integers(0, max(1, self._horizon // 2))))
            axes = (int(random.integers(20, 90)), int(random.integers(6, 22)))
            for shift in (-self._width * 2, 0, self._width * 2):
                cv2.ellipse(strip, (centre[0] + shift, centre[1]), axes, 0, 0, 360, int(random.integers(60, 150)), -1)
        light = np.rint(cv2.GaussianBlur(strip, (0, 0), 5) * 0.45).astype(np.uint8)
        return np.repeat(np.hstack([light, light[:, : self._width]])[:, :, None], 3, axis=2)

    def _draw_sun(self, picture: Image, turn: float) -> None:
        centre = (round(self._width * (0.68 + 0.04 * math.sin(turn))), round(self._horizon * (0.62 + 0.1 * math.cos(turn))))
        for radius, colour in ((0.12, (120, 200, 252)), (0.085, (150, 225, 255)), (0.06, (205, 245, 255))):
            cv2.circle(picture, centre, round(self._height * radius), colour, -1, cv2.LINE_AA)

    def _add_clouds(self, picture: Image, time_s: float) -> None:
        start = round((time_s % _LOOP_S) / _LOOP_S * self._width * 2)
        sky = picture[: self._horizon]
        cv2.add(sky, self._clouds[:, start : start + self._width], dst=sky)

    def _draw_hills(self, picture: Image) -> None:
        columns = np.arange(self._width)
        for scale, depth, colour in ((0.011, 0.16, (120, 105, 95)), (0.019, 0.09, (85, 95, 60))):
            heights = self._horizon - self._height * depth * (0.6 + 0.4 * np.sin(columns * scale + depth * 40))
            outline = np.stack([columns, heights], axis=1)
            corners = np.array([[self._width, self._horizon], [0, self._horizon]])
            cv2.fillPoly(picture, [np.concatenate([outline, corners]).astype(np.int32)], colour, cv2.LINE_AA)

    def _draw_waves(self, picture: Image, turn: float) -> None:
        columns = np.arange(0, self._width + 16, 16)
        count = 11
        for k in range(count):
            depth = (k + 1) / count
            level = self._horizon + (self._height - self._horizon) * depth**1.5
            phase = 3 * turn * (1 if k % 2 else -1) + k
            heights = level + 9 * depth * np.sin(columns / (26 + 60 * depth) + phase)
            line = np.stack([columns, heights], axis=1).astype(np.int32)
            colour = (200, 190, 150) if k % 3 == 0 else (165, 120, 70)
            cv2.polylines(picture, [line], False, colour, 1 + round(4 * depth), cv2.LINE_AA)

    def _draw_boat(self, picture: Image, turn: float) -> None:
        unit = self._height / 480
        centre = np.array([self._width * (0.4 - 0.22 * math.cos(turn)), self._height * 0.72 + 6 * unit * math.sin(4 * turn)])
        lean = 0.06 * math.sin(3 * turn)
        rotate = np.array([[math.cos(lean), -math.sin(lean)], [math.sin(lean), math.cos(lean)]])

        def place(points: list[tuple[int, int]]) -> npt.NDArray[np.int32]:
            return (np.array(points) * unit @ rotate.T + centre).astype(np.int32)

        cv2.fillPoly(picture, [place([(-72, 0), (78, -6), (52, 30), (-50, 30)])], (30, 40, 90), cv2.LINE_AA)
        cv2.fillPoly(picture, [place([(4, -160), (4, -12), (70, -16)])], (225, 235, 240), cv2.LINE_AA)
        cv2.fillPoly(picture, [place([(-6, -140), (-6, -10), (-52, -8)])], (60, 80, 200), cv2.LINE_AA)
        foot, top = (tuple(map(int, point)) for point in place([(0, 0), (0, -168)]))
        cv2.line(picture, foot, top, (40, 50, 60), 3, cv2.LINE_AA)
        cv2.circle(picture, tuple(map(int, place([(-30, -14)])[0])), round(9 * unit), (120, 160, 215), -1, cv2.LINE_AA)
