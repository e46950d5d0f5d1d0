"""How much memory the machine has left, as far as the system tells."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def available_bytes() -> int | None:
    """Bytes that can be taken without swapping, a container's limit respected; None where the system does not tell."""
    found = [value for value in (_of_machine(), _of_container()) if value is not None]
    return min(found) if found else None


def share_of_memory(most_bytes: int, lanes: int) -> int:
    """Bytes that each of several networks may take for itself while all of them paint.

    Args:
        most_bytes: that one may take which paints alone.
        lanes: networks at work at the same time.
    Returns:
        most_bytes where all of them together leave half of the free memory, else an equal share of that half; never less
        than an equal share of most_bytes.
    """
    return min(most_bytes, max(most_bytes, half_of_memory()) // lanes)


def half_of_memory() -> int:
    """Half of the bytes that are free now, the other half left to everything else; 0 where the system does not tell."""
    return (available_bytes() or 0) // 2


def _of_machine() -> int | None:
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return _of_windows() if hasattr(ctypes, "windll") else _half_of_all()


def _of_windows() -> int | None:
    status = (ctypes.c_uint64 * 8)(64)  # MEMORYSTATUSEX: its length in bytes, all memory, what of it is free, ...
    kernel: Any = ctypes.windll.kernel32  # type: ignore[attr-defined, unused-ignore]
    return int(status[2]) if kernel.GlobalMemoryStatusEx(ctypes.byref(status)) else None


def _half_of_all() -> int | None:
    """Of a machine that does not say what is free, as macOS."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (OSError, ValueError):
        return None


def _of_container() -> int | None:
    try:
        limit = int((_CGROUP / "memory.max").read_text(encoding="ascii"))  # "max" where there is no limit
        return max(0, limit - int((_CGROUP / "memory.current").read_text(encoding="ascii")))
    except (OSError, ValueError):
        return None
