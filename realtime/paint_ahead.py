"""Frames of a film painted several at a time, each on its share of the cores, and handed on in their order.

A network that waits for no other frame uses two cores a tenth better as two runs of one thread each than as one run of
two threads, and what else a film needs (decoding, colours, encoding) fills the gaps.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from realtime.networks.processor import core_count
from realtime.networks.providers import NVIDIA_PROVIDERS, expected_provider
from realtime.painter import PaintedFrame
from realtime.studio import Studio

_MOST_LANES = 4  # each holds a frame and the network's working memory
LANES_ON_GPU = 2
_ALL_THREADS = 0  # as onnxruntime counts them


class PaintAhead:
    """Paints the next frames while the caller hands on the one before.

    Args:
        lanes: how many, at least 2.
        stop: once it is set, no painting begins any more; those that have begun are finished.
    """

    def __init__(self, lanes: int, stop: threading.Event | None = None) -> None:
        self._lanes = lanes
        self._stop = stop or threading.Event()
        self._pool = ThreadPoolExecutor(lanes, "painting")
        self._under_way: deque[Future[PaintedFrame | None]] = deque()

    def __len__(self) -> int:
        """Frames put in and not yet taken."""
        return len(self._under_way)

    @property
    def is_full(self) -> bool:
        """Whether every lane has a frame, and one more waits for the first that is free."""
        return len(self._under_way) > self._lanes

    def put(self, paint: Callable[[], PaintedFrame]) -> None:
        """Has a frame painted by the next lane that is free.

        Args:
            paint: paints it, beside others.
        """
        self._under_way.append(self._pool.submit(self._paint_unless_stopped, paint))

    def take(self) -> PaintedFrame | None:
        """The oldest frame, waited for; None where the stop came before its painting began.

        After None, or an error, the oldest frame stays where it is: neither it nor one behind it is to be taken.

        Raises:
            IndexError: there is none.
            Exception: what its painting raised.
        """
        painted = self._under_way[0].result()
        if painted is not None:
            self._under_way.popleft()
        return painted

    def close(self) -> int:
        """Ends the threads, after what they are painting.

        Returns:
            Frames that were put in and not taken: they are lost.
        """
        self._pool.shutdown(wait=True, cancel_futures=True)
        lost = len(self._under_way)
        self._under_way.clear()
        return lost

    def _paint_unless_stopped(self, paint: Callable[[], PaintedFrame]) -> PaintedFrame | None:
        return None if self._stop.is_set() else paint()


def share_cores(studio: Studio, provider: str) -> tuple[Studio, int]:
    """A studio for painting a film, and how many frames it paints at a time.

    On an NVIDIA GPU two: while one is painted, the other's pixels are on their way there or back.
    """
    expected = expected_provider(provider)
    if expected in NVIDIA_PROVIDERS:
        return studio.in_lanes(LANES_ON_GPU, _ALL_THREADS), LANES_ON_GPU
    lanes, threads = share_out(core_count())
    if lanes < 2 or expected != "cpu":
        return studio, 1
    return studio.in_lanes(lanes, threads), lanes


def share_out(cores: int) -> tuple[int, int]:
    """Frames painted at a time, and threads for each of them.

    From two cores on it is at least two frames: the most threads together, and among equals the more frames. A core
    that is left over has decoding and encoding to do.
    """
    if cores < 2:
        return 1, 1
    lanes = max(range(2, min(_MOST_LANES, cores) + 1), key=lambda lanes: (lanes * (cores // lanes), lanes))
    return lanes, cores // lanes
