"""The screens that a window could be shown on, with their sizes."""

from __future__ import annotations

import ctypes
import ctypes.util
import platform
from typing import Any

from realtime.program.quiet import silent_libraries


def list_displays() -> list[tuple[int, int]]:
    """Width and height in pixels of each screen; empty where that cannot be asked. Asks no window system that is absent."""
    system = platform.system()
    try:
        if system == "Windows":
            return _windows_screens()
        return _macos_screens() if system == "Darwin" else _x11_screens()
    except (OSError, AttributeError):
        return []


def lets_in() -> bool | None:
    """Whether the X server takes this user's connection; None where libX11 is missing, so that it cannot be asked."""
    try:
        x11 = _load_x11()
    except (OSError, AttributeError):
        return None
    with silent_libraries():  # it says why on stderr
        display = x11.XOpenDisplay(None)
    if display:
        x11.XCloseDisplay(ctypes.c_void_p(display))
    return bool(display)


def _load_x11() -> Any:
    x11: Any = ctypes.CDLL(ctypes.util.find_library("X11") or "libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    return x11


def _x11_screens() -> list[tuple[int, int]]:
    x11 = _load_x11()
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
