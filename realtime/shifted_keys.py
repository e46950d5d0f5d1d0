"""Shift with a letter, for windows that report the two one after the other: OpenCV's Qt says "g" for G as well."""

from __future__ import annotations

import time
from collections.abc import Callable

_SHIFT = frozenset({0xFFE1, 0xFFE2})  # left and right, as X11 numbers keys
_HELD_S = 3.0  # the release is never reported


class ShiftedKeys:
    """Remembers that Shift went down, and makes the next letter a capital.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._down_at_s: float | None = None

    def combine(self, code: int) -> int:
        """The code of a key, or -1 for none, with Shift taken into account.

        Args:
            code: as the window reports it; -1 for none.
        """
        if code < 0:
            return code
        if code & 0xFFFF in _SHIFT:
            self._down_at_s = self._clock()
            return -1
        is_shifted = self._down_at_s is not None and self._clock() - self._down_at_s <= _HELD_S
        self._down_at_s = None
        return code - 32 if is_shifted and ord("a") <= code & 0xFFFF <= ord("z") else code
