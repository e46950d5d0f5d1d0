"""Keeps a live picture at its rate by making the processing size a little smaller or larger: pure, with an injected clock."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable

import numpy as np

from realtime.source import Source
from realtime.sources import PictureSource

_STEP = 0.93  # of width and height: about a seventh of the work, and hardly seen
_SMALLEST = 0.35  # below that strokes are blotches; who wants it has the key
SHARES = tuple(_STEP**k for k in range(math.floor(math.log(_SMALLEST, _STEP)) + 1))  # from 1 downwards

# How long and how clearly something has to be so before the size follows.
_TOO_SLOW_S = 1.0  # frames took too long for this time
_HAS_ROOM_S = 3.0  # the next larger size would have fitted for this time; doubled each time that it did not fit after all,
_LONGEST_S = 240.0  # up to this,
_SETTLED_S = 20.0  # and set back once a larger size has held for so long
_IGNORED_S = 0.3  # after a change nothing is judged: memory and caches settle
_LIMIT = 1.0  # a frame that takes longer than this share of its time is too slow
_ROOM = 0.88  # the next larger size fits below this share: far below the limit, or it would go back and forth
_WORTH_IT = 0.3  # a smaller size is of use only while painting itself takes more than this share of a frame's time
_LEAST_FRAMES = 3
_JUDGED_EVERY_S = 0.25


def may_adapt(source: Source, processing_wh: tuple[int, int] | None) -> bool:
    """Whether a rate is worth a smaller size: for what moves at its own pace, where the user has not said a size."""
    return source.is_live and not isinstance(source, PictureSource) and processing_wh is None


class SizeControl:
    """Follows the times of the frames with a share of width and height.

    Args:
        target_fps: rate to hold.
        clock: monotonic seconds.
    """

    def __init__(self, target_fps: float, clock: Callable[[], float] = time.perf_counter) -> None:
        self._interval_s = 1 / target_fps
        self._source_interval_s = 0.0
        self._clock = clock
        self._step = 0
        self._changed_s = self._judged_s = clock()
        self._larger_at_s: float | None = None
        self._has_room_s = _HAS_ROOM_S
        self._times: deque[tuple[float, float, float]] = deque()  # at, the whole work, painting

    @property
    def share(self) -> float:
        """Of the source's width and height, in (0, 1]."""
        return SHARES[self._step]

    def frame_done(self, work_s: float, painting_s: float, source_interval_s: float = 0.0) -> float:
        """Takes the time that a frame took and returns the share for the next one.

        Args:
            work_s: seconds from taking the frame until it was shown, without waiting for it.
            painting_s: those of them that the processing size is the reason of.
            source_interval_s: from one frame of the source to the next; one that is slower than the rate, as a camera in
                dim light, leaves each frame so much time.
        """
        now = self._clock()
        self._source_interval_s = source_interval_s
        self._times.append((now, work_s, painting_s))
        if now - self._judged_s >= _JUDGED_EVERY_S:
            self._judged_s = now
            self._judge(now)
        return self.share

    def _judge(self, now: float) -> None:
        longest_s = max(_TOO_SLOW_S, self._has_room_s)
        while len(self._times) > _LEAST_FRAMES and self._times[0][0] < now - longest_s:
            self._times.popleft()
        if self._larger_at_s is not None and now - self._larger_at_s > _SETTLED_S:
            self._larger_at_s, self._has_room_s = None, _HAS_ROOM_S
        loads = self._loads(now, _TOO_SLOW_S)
        if loads is not None and loads[0] > _LIMIT:
            if loads[1] > _WORTH_IT:
                self._make_smaller(now, loads[0])
        elif self._fits_larger(now):
            self._larger_at_s = now
            self._move(now, -1)

    def _loads(self, now: float, seconds: float) -> tuple[float, float] | None:
        """Median shares of a frame's time that frames and their painting took of late; None while that is not known."""
        if now - self._changed_s < _IGNORED_S + seconds:
            return None
        if len(self._times) < _LEAST_FRAMES:
            return None
        recent = [times for times in self._times if times[0] >= now - seconds]
        if len(recent) < _LEAST_FRAMES:  # so slow that the time holds hardly a frame
            recent = list(self._times)[-_LEAST_FRAMES:]
        _, work_s, painting_s = np.median(recent, axis=0)
        interval_s = max(self._interval_s, self._source_interval_s)
        return float(work_s) / interval_s, float(painting_s) / interval_s

    def _make_smaller(self, now: float, load: float) -> None:
        if self._step == len(SHARES) - 1:
            return
        if self._larger_at_s is not None:  # the step up was a mistake: wait longer before the next
            self._has_room_s = min(2 * self._has_room_s, _LONGEST_S)
            self._larger_at_s = None
        self._move(now, 2 if load > 1.3 * _LIMIT else 1)

    def _fits_larger(self, now: float) -> bool:
        if self._step == 0:
            return False
        loads = self._loads(now, self._has_room_s)
        growth = (SHARES[self._step - 1] / self.share) ** 2  # work grows with the pixels, at most
        return loads is not None and loads[0] * growth < _ROOM

    def _move(self, now: float, steps: int) -> None:
        self._step = min(self._step + steps, len(SHARES) - 1)
        self._changed_s = now
        self._times.clear()
