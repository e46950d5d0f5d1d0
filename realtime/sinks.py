"""Where painted frames go: window, picture, nowhere; the video file has a module of its own."""

from __future__ import annotations

import os
import platform
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from realtime.displays import lets_in, list_displays
from realtime.errors import OutputError
from realtime.frame import Image
from realtime.pictures.files import write_picture
from realtime.program.notes import Note, no_note
from realtime.program.written_paths import check_writable
from realtime.shifted_keys import ShiftedKeys

WINDOW_NAME = "StyleCam"
_LARGEST_WINDOW_WH = (1920, 1080)
_SHARE_OF_SCREEN = 0.9  # the rest is for title and panels


class Sink(Protocol):
    """Takes finished pictures in order."""

    @property
    def output_wh(self) -> tuple[int, int] | None:
        """Size of what was written, where it may differ from that of the pictures taken."""

    def write(self, image_bgr: Image, presented_at_s: float | None) -> None:
        """Takes a picture (H, W, 3) uint8.

        Raises:
            OutputError: it cannot be written.
        """

    def close(self, complete: bool) -> None:
        """Finishes. With complete=False what was made is kept all the same."""


class NullSink:
    """Throws pictures away: --headless."""

    output_wh = None

    def write(self, image_bgr: Image, presented_at_s: float | None) -> None:
        """Takes a picture and forgets it."""

    def close(self, complete: bool) -> None:
        """Nothing to finish."""


class WindowSink:
    """The live window: resizable, keeps the picture's aspect, may fill the screen.

    Raises:
        OutputError: no display to show it on.
    """

    output_wh = None

    def __init__(self) -> None:
        reason = display_problem()
        if reason is not None:
            raise OutputError(f"window: {reason}; run it on a desktop, or use --output FILE or --headless")
        try:
            cv2.namedWindow(WINDOW_NAME, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        except cv2.error:
            raise OutputError(
                "window: this OpenCV has no windows (opencv-python-headless?); pip install opencv-python, or use --output FILE"
            ) from None
        self.is_closed = False
        self._keys = ShiftedKeys()
        self._screen_wh = next(iter(list_displays()), None)
        self._size_wh: tuple[int, int] | None = None  # of the pictures
        self._fitted_wh: tuple[int, int] | None = None  # of the pictures that the window was last made to fit
        self._fullscreen = False
        self._was_visible = False

    def write(self, image_bgr: Image, presented_at_s: float | None = None) -> None:
        """Shows a picture; what is pressed meanwhile is for `poll`."""
        if self.is_closed:  # showing a picture would open it again
            return
        self._size_wh = (image_bgr.shape[1], image_bgr.shape[0])
        self._fit()
        cv2.imshow(WINDOW_NAME, _on_black(image_bgr) if self._fullscreen else image_bgr)

    def poll(self) -> int:
        """The key pressed since the last call, or -1; lets the window draw itself."""
        key = self._keys.combine(cv2.pollKey())
        self._watch_close_button()
        return key

    def set_fullscreen(self, wanted: bool) -> None:
        """Fills the screen, or goes back to the window."""
        if wanted != self._fullscreen:
            self._fullscreen = wanted
            mode = cv2.WINDOW_FULLSCREEN if wanted else cv2.WINDOW_NORMAL
            cv2.setWindowProperty(WINDOW_NAME, cv2.WND_PROP_FULLSCREEN, mode)
            # On a full screen the picture brings black bars along; Qt's own are white.
            shape = cv2.WINDOW_FREERATIO if wanted else cv2.WINDOW_KEEPRATIO
            cv2.setWindowProperty(WINDOW_NAME, cv2.WND_PROP_ASPECT_RATIO, shape)
            self._fit()

    def close(self, complete: bool = True) -> None:
        """Takes the window away."""
        try:
            cv2.destroyWindow(WINDOW_NAME)
            cv2.waitKeyEx(1)
        except cv2.error:
            pass  # closed by its button already

    def _fit(self) -> None:
        """Gives the window the size of a picture of another size; on a full screen later, for Qt would leave it."""
        if self._size_wh is not None and self._size_wh != self._fitted_wh and not self._fullscreen:
            self._fitted_wh = self._size_wh
            cv2.resizeWindow(WINDOW_NAME, *window_size(self._size_wh, self._screen_wh))

    def _watch_close_button(self) -> None:
        """A window that was visible and no longer is was closed; GTK always says -1, which means nothing.

        Cocoa's are invisible when minimised, and have no button to close them.
        """
        if platform.system() == "Darwin":
            return
        try:
            visible = cv2.getWindowProperty(WINDOW_NAME, cv2.WND_PROP_VISIBLE)
        except cv2.error:
            visible = 0.0
        if visible > 0:
            self._was_visible = True
        elif self._was_visible:
            self.is_closed = True


def _on_black(image_bgr: Image) -> Image:
    """The picture with black bars, so that it has the window's shape."""
    _, _, width, height = cv2.getWindowImageRect(WINDOW_NAME)
    return letterbox(image_bgr, (width, height)) if min(width, height) > 0 else image_bgr


def letterbox(image_bgr: Image, shape_wh: tuple[int, int]) -> Image:
    """A picture with black bars at its sides or above and below it.

    Args:
        image_bgr: (H, W, 3) uint8.
        shape_wh: width and height of what it is to fill, in any unit.
    Returns:
        (H', W', 3) uint8 of that shape, the picture in its middle; the picture itself where it has the shape.
    """
    height, width = image_bgr.shape[:2]
    down = max(0, round(width * shape_wh[1] / shape_wh[0]) - height)
    right = max(0, round(height * shape_wh[0] / shape_wh[1]) - width)
    if not down and not right:
        return image_bgr
    bars = (down // 2, down - down // 2, right // 2, right - right // 2)
    return np.asarray(cv2.copyMakeBorder(image_bgr, *bars, cv2.BORDER_CONSTANT), np.uint8)


def window_size(picture_wh: tuple[int, int], screen_wh: tuple[int, int] | None) -> tuple[int, int]:
    """Size of the window in which a picture is first shown: its own, or what fits on the screen (on most, if it is unknown)."""
    scale = min(1.0, _LARGEST_WINDOW_WH[0] / picture_wh[0], _LARGEST_WINDOW_WH[1] / picture_wh[1])
    if screen_wh is not None:
        scale = min(scale, *(_SHARE_OF_SCREEN * room / side for room, side in zip(screen_wh, picture_wh, strict=True)))
    return max(1, round(picture_wh[0] * scale)), max(1, round(picture_wh[1] * scale))


class PictureSink:
    """One painted picture, written whole or not at all.

    Args:
        alpha: gives the photo's transparency (H, W) uint8 once it is read, None where it has none.
        note: told where the format cannot hold it.
    """

    output_wh = None

    def __init__(
        self, path: Path, overwrite: bool, alpha: Callable[[], Image | None] = lambda: None, note: Note = no_note
    ) -> None:
        self._path, self._alpha, self._note = path, alpha, note
        check_output(path, overwrite)

    def write(self, image_bgr: Image, presented_at_s: float | None) -> None:
        """Writes the picture."""
        write_picture(self._path, image_bgr, self._alpha(), self._note)

    def close(self, complete: bool) -> None:
        """Nothing is open."""


def check_output(path: Path, overwrite: bool, option: str = "--output", *, in_place: bool = False) -> None:
    """Refuses a result's place by the option that names it, before any work is done.

    Args:
        in_place: whether it may go into a device or a pipe as well, as figures may.
    Raises:
        OutputError: with the reason.
    """
    check_writable(path, f"{option} {path}", overwrite, in_place)


def display_problem() -> str | None:
    """Why no window can be shown, or None. Asked first, since Qt ends the process where it cannot connect."""
    if platform.system() in ("Windows", "Darwin"):
        return None
    display = os.environ.get("DISPLAY", "")
    wayland = os.environ.get("WAYLAND_DISPLAY", "")
    if not display:
        return "only Wayland without XWayland was found" if wayland else "no display was found (DISPLAY is not set)"
    if not _answers(display):
        return f"the display {display} does not answer"
    if lets_in() is False:
        return f"the display {display} refuses this user (XAUTHORITY)"
    return None


def _answers(display: str) -> bool:
    match = re.fullmatch(r"(?P<host>[^:]*):(?P<number>\d+)(\.\d+)?", display)
    if match is None:
        return False
    host, number = match["host"], int(match["number"])
    addresses: list[tuple[int, object]] = []
    if host in ("", "unix") or host.startswith("/"):
        addresses = [(socket.AF_UNIX, f"/tmp/.X11-unix/X{number}"), (socket.AF_UNIX, f"\0/tmp/.X11-unix/X{number}")]
    else:
        addresses = [(socket.AF_INET, (host, 6000 + number))]
    for family, address in addresses:
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout(1.0)
            try:
                connection.connect(address)  # type: ignore[arg-type]
            except OSError:
                continue
            return True
    return False
