"""The screens that a window could be shown on, with their sizes."""

from __future__ import annotations

import ctypes
import ctypes.util
import platform
from typing import Any


def list_displays() -> list[tuple[int, int]]:
    """Width and height in pixels of each screen; empty where that cannot be asked. Asks no window system that is absent."""
    system = platform.system()
    try:
        if system == "Windows":
            return _windows_screens()
        return _macos_screens() if system == "Darwin" else _x11_screens()
    except (OSError, AttributeError):
        return []


def _x11_screens() -> list[tuple[int, int]]:
    x11: Any = ctypes.CDLL(ctypes.util.find_library("X11") or "libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    display = x11.XOpenDisplay(None)
    if not display:
        return []
    handle = ctypes.c_void_p(display)
    try:
        screens = range(x11.XScreenCount(handle))
        return [(x11.XDisplayWidth(handle, number), x11.XDisplayHeight(handle, number)) for number in screens]
    finally:
        x11.XCloseDisplay(handle)


def _windows_screens() -> list[tuple[int, int]]:
    user32: Any = ctypes.windll.user32  # type: ignore[attr-defined, unused-ignore]
    return [(user32.GetSystemMetrics(0), user32.GetSystemMetrics(1))]  # the primary one


def _macos_screens() -> list[tuple[int, int]]:
    graphics: Any = ctypes.CDLL("/System/Library/Frameworks/CoreGraphics.framework/CoreGraphics")
    numbers, count = (ctypes.c_uint32 * 16)(), ctypes.c_uint32(0)
    graphics.CGGetActiveDisplayList(16, numbers, ctypes.byref(count))
    for name in ("CGDisplayPixelsWide", "CGDisplayPixelsHigh"):
        getattr(graphics, name).restype = ctypes.c_size_t
    return [(graphics.CGDisplayPixelsWide(number), graphics.CGDisplayPixelsHigh(number)) for number in numbers[: count.value]]
