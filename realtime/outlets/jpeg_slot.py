"""The newest picture for any number of viewers: encoded once, on a thread of its own, and only while someone looks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from realtime.frame import Image


class JpegSlot:
    """Holds one picture and what it looks like encoded; older ones are gone.

    Args:
        encode: picture -> bytes; None for one that cannot be encoded, which is left out.
    """

    def __init__(self, encode: Callable[[Image], bytes | None]) -> None:
        self.pictures_encoded = self.pictures_sent = self.pictures_skipped = 0
        self.viewers = self.most_viewers = 0
        self._encode = encode
        self._changed = threading.Condition()
        self._picture: Image | None = None
        self._number = 0  # of the newest picture
        self._tried = 0  # number of the newest picture that was given to the encoder
        self._jpeg = b""
        self._jpeg_number = 0  # of the picture that is encoded
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def put(self, picture_bgr: Image) -> None:
        """Makes a picture the newest one; costs nothing more while nobody looks."""
        with self._changed:
            self._picture = picture_bgr
            self._number += 1
            if self.viewers:
                self._changed.notify_all()

    @contextmanager
    def watch(self) -> Iterator[Viewer]:
        """One who looks, as long as the block lasts."""
        with self._changed:
            self.viewers += 1
            self.most_viewers = max(self.most_viewers, self.viewers)
            if self._thread is None and not self._is_closed:
                self._thread = threading.Thread(target=self._run, name="jpeg", daemon=True)
                self._thread.start()
            viewer = Viewer(self, self._number - 1)  # the newest picture is new to everyone, an older one never shown
            self._changed.notify_all()
        try:
            yield viewer
        finally:
            with self._changed:
                self.viewers -= 1

    @property
    def is_closed(self) -> bool:
        """Whether no picture will come any more."""
        return self._is_closed

    def wait(self, after: int, timeout_s: float) -> tuple[int, bytes] | None:
        """The encoded picture and its number, once it is newer than another; None when none comes in time."""
        give_up_s = time.perf_counter() + timeout_s
        with self._changed:
            while self._jpeg_number <= after and not self._is_closed:
                left_s = give_up_s - time.perf_counter()
                if left_s <= 0:
                    return None
                self._changed.wait(left_s)
            return (self._jpeg_number, self._jpeg) if self._jpeg_number > after else None

    def count(self, sent: int, skipped: int) -> None:
        """Adds to the figures."""
        with self._changed:
            self.pictures_sent += sent
            self.pictures_skipped += skipped

    def close(self) -> None:
        """Lets everyone go."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(2.0)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_closed or (self.viewers and self._tried < self._number))
                if self._is_closed:
                    return
                picture, self._tried = self._picture, self._number
            assert picture is not None
            jpeg = self._encode(picture)
            if jpeg is None:
                continue
            with self._changed:
                self._jpeg, self._jpeg_number = jpeg, self._tried
                self.pictures_encoded += 1
                self._changed.notify_all()


class Viewer:
    """One who looks: gets the newest picture, never the same one twice."""

    def __init__(self, slot: JpegSlot, seen: int) -> None:
        self._slot = slot
        self._seen = max(0, seen)
        self._encoded_before = slot.pictures_encoded

    @property
    def is_over(self) -> bool:
        """Whether no picture will come any more."""
        return self._slot.is_closed

    def next(self, timeout_s: float) -> bytes | None:
        """The newest picture once there is one that was not seen; None when none comes in time."""
        found = self._slot.wait(self._seen, timeout_s)
        if found is None:
            return None
        self._seen, jpeg = found
        return jpeg

    def took_it(self) -> None:
        """The picture has been sent: those encoded meanwhile are skipped."""
        encoded = self._slot.pictures_encoded
        self._slot.count(1, max(0, encoded - self._encoded_before - 1))
        self._encoded_before = encoded
