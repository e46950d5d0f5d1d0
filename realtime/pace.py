"""A steady beat for pictures that are made or shown again at a rate."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """Waits so that calls return a given number of times a second, without drifting.

    Args:
        clock: monotonic seconds.
        wait: lets so many seconds pass, or fewer where somebody ends the waiting.
    """

    def __init__(
        self, fps: float, clock: Callable[[], float] = time.perf_counter, wait: Callable[[float], object] = time.sleep
    ) -> None:
        self._interval_s = 1 / fps
        self._clock, self._wait = clock, wait
        self._next_s: float | None = None

    def wait(self) -> None:
        """Returns at the next beat; beats that were missed are not made up for."""
        now = self._clock()
        if self._next_s is None or now > self._next_s + self._interval_s:
            self._next_s = now
        elif now < self._next_s:
            self._wait(self._next_s - now)
        self._next_s += self._interval_s
