"""What every source of frames is, and what it says of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction

from realtime.frame import Image


class Source(ABC):
    """Hands out pictures in order.

    description: for the screen and for error messages.
    is_live: frames come at the source's own pace and the newest one wins.
    is_mirrored: whether people expect to see it as in a mirror.
    is_hardware: a camera on this machine, which may freeze and return one picture for ever.
    can_return: after a loss, opening it again may succeed.
    can_be_cancelled: whether `cancel` has an effect.
    fps: frames a second of a file; None where only measuring tells.
    average_rate: the same as a fraction, for writing with the same rate.
    time_base: unit of its frames' times in seconds, where it has one.
    frame_count: frames of a file as far as its header says.
    source_wh: upright size of its pictures before --scale, where that may differ from what it hands out.
    damaged_packets: what it has left out so far because it could not be read.
    """

    description: str
    is_live: bool = False
    is_mirrored: bool = False
    is_hardware: bool = False
    can_return: bool = False
    can_be_cancelled: bool = False
    fps: float | None = None
    average_rate: Fraction | None = None
    time_base: Fraction | None = None
    frame_count: int | None = None
    source_wh: tuple[int, int] | None = None
    damaged_packets: int = 0

    @abstractmethod
    def open(self) -> None:
        """Gets ready to read. Raises SourceError with the reason."""

    @abstractmethod
    def read(self) -> tuple[Image, float | None] | None:
        """The next picture (H, W, 3) uint8 BGR and its time in the file in seconds; None at the end.

        Raises:
            SourceError: a file that ended damaged.
        """

    @abstractmethod
    def close(self) -> None:
        """Releases everything; may be called twice."""

    def cancel(self) -> None:  # noqa: B027  (most sources never keep anybody waiting)
        """Lets an open or read return at once, from another thread, however long it has to wait; nothing is read after it."""
