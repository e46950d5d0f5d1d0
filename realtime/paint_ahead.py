"""Frames of a film painted several at a time, each on its share of the cores, and handed on in their order.

A network that waits for no other frame uses two cores a tenth better as two runs of one thread each than as one run of
two threads, and what else a film needs (decoding, colours, encoding) fills the gaps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from realtime.controls import ControlState
from realtime.frame import Frame
from realtime.painter import PaintedFrame
from realtime.processor import core_count
from realtime.providers import expected_provider
from realtime.studio import Studio

_MOST_LANES = 4  # each holds a frame and the network's working memory


class PaintAhead:
    """Paints the next frames while the caller hands on the one before.

    Args:
        paint: may run on several threads at once.
        lanes: how many, at least 2.
    """

    def __init__(self, paint: Callable[[Frame, ControlState], PaintedFrame], lanes: int) -> None:
        self._paint, self._lanes = paint, lanes
        self._pool = ThreadPoolExecutor(lanes, "painting")
        self._under_way: deque[Future[PaintedFrame]] = deque()

    def __len__(self) -> int:
        """Frames begun and not yet taken."""
        return len(self._under_way)

    @property
    def is_full(self) -> bool:
        """Whether every lane has a frame, and one more waits for the first that is free."""
        return len(self._under_way) > self._lanes

    def begin(self, frame: Frame, state: ControlState) -> None:
        """Begins a frame."""
        self._under_way.append(self._pool.submit(self._paint, frame, state))

    def take(self) -> PaintedFrame:
        """The oldest frame begun, waited for.

        Raises:
            IndexError: none is under way.
            Exception: what its painting raised.
        """
        return self._under_way.popleft().result()

    def close(self) -> None:
        """Ends the threads; frames that were begun and not taken are lost."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def share_cores(studio: Studio, provider: str) -> tuple[Studio, int]:
    """A studio for painting a film, and how many frames it paints at a time; as it is and one where a GPU paints."""
    lanes = min(_MOST_LANES, core_count())
    if lanes < 2 or expected_provider(provider) != "cpu":
        return studio, 1
    return studio.in_lanes(lanes, core_count() // lanes), lanes
