"""Sends the live picture to a virtual camera, which calls and streams take for a real one. Needs pyvirtualcam."""

from __future__ import annotations

import importlib
import platform
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from realtime.errors import ModelError, OutputError, first_line
from realtime.frame import Image
from realtime.outlets.outlet import Figures
from realtime.pictures.sequence import fit_on_black

DEFAULT_FPS = 30.0
_DRIVERS = {
    "Linux": "sudo apt install v4l2loopback-dkms && sudo modprobe v4l2loopback devices=1 exclusive_caps=1",
    "Windows": "install OBS Studio 26 or later, which brings its virtual camera",
    "Darwin": "install OBS Studio 30 or later, start its virtual camera once and stop it again",
}


class VirtualCamera:
    """Opened with the first picture, whose size it keeps; pictures of another size are fitted into it.

    Args:
        device: the camera's name or path; None for the first that is free.
        fps: what other programs are told.
        tell: takes what the user should know later on.
        load: gives the module pyvirtualcam; exchanged in tests.
        on_failure: called, from the camera's thread, after a failure was told.
    Raises:
        ModelError: pyvirtualcam is not installed.
    """

    name = "virtual_camera"

    def __init__(
        self,
        device: str | None,
        fps: float | None,
        tell: Callable[[str], None],
        load: Callable[[], Any] = lambda: importlib.import_module("pyvirtualcam"),
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        try:
            self._library = load()
        except ImportError:
            raise ModelError(
                "--virtual-camera: pyvirtualcam is not installed; "
                "python -m pip install -r requirements-virtual-camera.txt (its licence is the GPL)"
            ) from None
        self.has_failed = False
        self._device, self._fps, self._tell, self._on_failure = device, fps or DEFAULT_FPS, tell, on_failure
        self._camera: Any = None
        self._newest: Image | None = None
        self._changed = threading.Condition()
        self._is_over = False
        self._thread: threading.Thread | None = None
        self._sent = self._dropped = 0

    def offer(self, picture_bgr: Image, captured_at_s: float) -> None:
        """Sends a picture, or drops the one before where that has not been sent yet.

        Raises:
            OutputError: with the first picture: there is no driver, or the camera is taken.
        """
        if self._thread is None:
            self._open((picture_bgr.shape[1], picture_bgr.shape[0]))
        with self._changed:
            if self._is_over:
                return
            self._dropped += self._newest is not None
            self._newest = picture_bgr
            self._changed.notify()

    def figures(self) -> Figures:
        """Pictures sent and dropped."""
        return {"frames_sent": self._sent, "frames_dropped": self._dropped}

    def close(self) -> None:
        """Gives the camera back."""
        with self._changed:
            self._is_over = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(2.0)

    def _open(self, size_wh: tuple[int, int]) -> None:
        even_wh = (size_wh[0] + size_wh[0] % 2, size_wh[1] + size_wh[1] % 2)  # what 4:2:0 colour can hold
        form = self._library.PixelFormat.BGR
        try:
            self._camera = self._library.Camera(*even_wh, self._fps, fmt=form, device=self._device)
        except Exception as error:  # pyvirtualcam raises whatever its drivers do
            raise OutputError(_no_driver(self._device, error)) from None
        self._tell(f"virtual camera: {self._camera.device}")
        self._thread = threading.Thread(target=self._run, name="virtual camera", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while (picture := self._next()) is not None:
                self._camera.send(fit_on_black(picture, (self._camera.width, self._camera.height)))
                self._sent += 1
        except Exception as error:  # a virtual camera that fails must never end the live picture
            with self._changed:
                self._is_over = self.has_failed = True
            self._tell(f"virtual camera stopped: {first_line(error)}")
            self._on_failure()
        finally:
            with suppress(Exception):  # a driver that cannot close ends nothing else: all pictures are sent
                self._camera.close()

    def _next(self) -> Image | None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_over or self._newest is not None)
            picture, self._newest = self._newest, None
            return None if self._is_over else picture


def _no_driver(device: str | None, error: Exception) -> str:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    asked = f" {device}" if device else ""
    return f"--virtual-camera{asked}: cannot be opened ({reason}); {_DRIVERS.get(platform.system(), _DRIVERS['Linux'])}"
