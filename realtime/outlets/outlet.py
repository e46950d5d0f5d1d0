"""Takers of the live picture beside the window: recording, viewers on the network, a virtual camera.

They get what the window shows, without its mirror and its lettering, and none of them may slow it down.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from realtime.compositor import split_view
from realtime.frame import Image
from realtime.painter import PaintedFrame

Figures = dict[str, Any]


class Outlet(Protocol):
    """Takes pictures as they come and does the slow part on a thread of its own.

    name: under which its figures stand in --stats.
    """

    name: str

    @property
    def has_failed(self) -> bool:
        """Whether it takes pictures no more, because of something that was told."""

    def offer(self, picture_bgr: Image, captured_at_s: float) -> None:
        """Takes a picture (H, W, 3) uint8, or leaves it; never waits. The picture is not written to afterwards.

        Raises:
            OutputError: it cannot begin at all; not for what goes wrong later.
        """

    def figures(self) -> Figures:
        """What it did so far, for --stats."""

    def close(self) -> None:
        """Finishes what was begun; may be called twice."""


def picture_for_others(painted: PaintedFrame, split: bool) -> Image:
    """The picture that is written, recorded or sent on: split where asked for, never mirrored, nothing written on it."""
    return split_view(painted.frame.image_bgr, painted.picture_bgr) if split else painted.picture_bgr


def collect_figures(outlets: Sequence[Outlet]) -> Figures:
    """The figures of all outlets by their names."""
    return {outlet.name: outlet.figures() for outlet in outlets}
