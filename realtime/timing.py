"""Rates, stage times and percentiles, with an injected clock."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

STAGES = ("capture", "style", "composite", "present")
_KEPT = 20_000  # values of the longest runs beyond which the oldest are forgotten
_STALE_S = 2.0  # after the last frame, its rate says nothing any more; the slowest machines need a second for a frame


class RunTimes:
    """What a run measures about itself.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self.first_shown_s: float | None = None
        self.last_shown_s: float | None = None
        self.shown = 0
        self._latencies_ms: deque[float] = deque(maxlen=_KEPT)
        self._stages_ms: dict[str, deque[float]] = {stage: deque(maxlen=_KEPT) for stage in STAGES}
        self._recent: deque[tuple[float, float]] = deque()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times a stage of one frame."""
        started = self.clock()
        yield
        self.stage_took(name, self.clock() - started)

    def stage_took(self, name: str, seconds: float) -> None:
        """Notes the time of a stage of one frame that came in pieces."""
        self._stages_ms[name].append(seconds * 1000)

    def frame_shown(self, captured_at_s: float) -> None:
        """A frame has reached its sink: counts it and its latency."""
        now = self.clock()
        latency_ms = (now - captured_at_s) * 1000
        self._latencies_ms.append(latency_ms)
        self._recent.append((now, latency_ms))
        while self._recent and self._recent[0][0] < now - 1.0:
            self._recent.popleft()
        if self.first_shown_s is None:
            self.first_shown_s = now
        self.last_shown_s = now
        self.shown += 1

    @property
    def recent_fps(self) -> float:
        """Frames a second over the last second; 0 where no frame comes any more."""
        recent = self._of_late()
        if len(recent) < 2:
            return 0.0
        span = recent[-1][0] - recent[0][0]
        return (len(recent) - 1) / span if span > 0 else 0.0

    @property
    def recent_latency_ms(self) -> float:
        """Median latency over the last second; 0 where no frame comes any more."""
        return percentile([latency for _, latency in self._of_late()], 50)

    def _of_late(self) -> deque[tuple[float, float]]:
        """When frames were shown and their latencies, over the second before the last one."""
        if self._recent and self._recent[-1][0] < self.clock() - _STALE_S:
            self._recent.clear()
        return self._recent

    @property
    def seconds(self) -> float:
        """From the first to the last frame shown."""
        if self.first_shown_s is None or self.last_shown_s is None:
            return 0.0
        return self.last_shown_s - self.first_shown_s

    @property
    def fps(self) -> float:
        """(n - 1) / seconds."""
        return (self.shown - 1) / self.seconds if self.seconds > 0 else 0.0

    def latencies_ms(self) -> dict[str, float]:
        """p50, p95 and p99."""
        return {f"p{share}": round(percentile(self._latencies_ms, share), 3) for share in (50, 95, 99)}

    def stage_medians_ms(self) -> dict[str, float]:
        """Median of each stage."""
        return {name: round(percentile(values, 50), 3) for name, values in self._stages_ms.items()}


def percentile(values: Sequence[float] | deque[float], share: float) -> float:
    """A percentile by linear interpolation; 0 of nothing."""
    return float(np.percentile(np.fromiter(values, float), share)) if values else 0.0
