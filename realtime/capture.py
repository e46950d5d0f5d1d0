"""The reader thread: frames out of a source, the newest one or every one, with a watchdog for lost cameras."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from enum import Enum

import numpy as np

from realtime.errors import SourceError, UserError
from realtime.frame import Frame, Image
from realtime.source import Source

FREEZE_S = 5.0  # a camera without a new frame, or with the same bytes, for so long is taken for lost
_FIRST_BACK_OFF_S = 0.25
_LONGEST_BACK_OFF_S = 1.0
_JOIN_S = 1.0
_POLL_S = 0.05
_QUEUE_FRAMES = 4
_INTERVALS, _FEWEST_INTERVALS = 40, 8  # between frames that are looked at
_SHORTER_SHARE = 4  # one of so many is shorter: a busy machine makes some longer than the source does


class Policy(Enum):
    """What happens to frames that nobody has fetched yet."""

    NEWEST = "newest"  # one slot; an older frame is dropped and counted
    EVERY = "every"  # a bounded queue; the reader waits


class CaptureState(Enum):
    """How the source is doing."""

    RUNNING = "running"
    LOST = "lost"  # being opened again
    ENDED = "ended"
    FAILED = "failed"


class Capture:
    """Reads a source on a thread of its own.

    Args:
        source: opened by `start`.
        policy: NEWEST for live sources, EVERY for files.
        retry_s: how long to wait for a lost source; None for ever.
        clock: monotonic seconds.
        freeze_s: time without a new picture after which a camera counts as lost.
    """

    def __init__(
        self,
        source: Source,
        policy: Policy,
        *,
        retry_s: float | None = None,
        clock: Callable[[], float] = time.perf_counter,
        freeze_s: float = FREEZE_S,
    ) -> None:
        self.source = source
        self.policy = policy
        self.frames_dropped = 0
        self.state = CaptureState.RUNNING
        self.abandoned = False
        self._retry_s, self._clock, self._freeze_s = retry_s, clock, freeze_s
        self._frames: deque[Frame] = deque()
        self._delivered = 0
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._generation = 0
        self._thread: threading.Thread | None = None
        self._lost_at_s: float | None = None  # until a frame has come again: opening alone proves nothing
        self._back_off_s = _FIRST_BACK_OFF_S
        self._hang_s = freeze_s  # without a frame, after which a reader is replaced
        self._is_reading = False  # the source is open, and a frame is waited for
        self._last_frame_s = 0.0
        self._last_change_s = 0.0
        self._last_image: Image | None = None
        self._frozen_image: Image | None = None  # for which the source was opened again
        self._intervals_s: deque[float] = deque(maxlen=_INTERVALS)

    def start(self, interrupted: threading.Event | None = None) -> bool:
        """Opens the source and begins to read.

        Args:
            interrupted: set from outside to give up at once; cameras and streams take seconds to say that they fail, and a
                file as long to pass over what lies before its --start.
        Returns:
            False where it was interrupted before the source was open.
        Raises:
            SourceError: the source cannot be opened. A source that never opened is not waited for.
        """
        if interrupted is None or not (self.source.can_return or self.source.can_be_cancelled):
            self.source.open()
        elif not self._open_unless(interrupted):
            return False
        self._last_frame_s = self._last_change_s = self._clock()
        self._start_thread(lost=False)
        return True

    def get(self, timeout_s: float) -> Frame | None:
        """The next frame, or None when there is none within the time.

        Raises:
            Exception: what ended the reader, once all frames before it have been fetched.
        """
        with self._changed:
            self._changed.wait_for(lambda: bool(self._frames) or self.is_over, timeout_s)
            if self._frames:
                frame = self._frames.popleft()
                self._changed.notify_all()
                return frame
            if self._error is not None:
                raise self._error
        self._watch()
        return None

    @property
    def interval_s(self) -> float:
        """Seconds from one frame of the source to the next, as far as it is known: rather too few where they come unevenly."""
        with self._changed:
            known = sorted(self._intervals_s)
        return known[len(known) // _SHORTER_SHARE] if len(known) >= _FEWEST_INTERVALS else 0.0

    @property
    def frames_in(self) -> int:
        """Frames that the source handed over; of a file's, those that were fetched, for none of them is ever dropped."""
        return self._delivered - (len(self._frames) if self.policy is Policy.EVERY else 0)

    @property
    def is_over(self) -> bool:
        """Whether no frame will come after those still queued."""
        return self.state in (CaptureState.ENDED, CaptureState.FAILED)

    @property
    def is_exhausted(self) -> bool:
        """Whether the source ended well and every frame has been fetched."""
        with self._changed:
            return self.state is CaptureState.ENDED and not self._frames

    def stop(self) -> None:
        """Ends the thread and closes the source; a reader stuck in a driver is abandoned after a second."""
        if self._stop.is_set() and self.abandoned:
            return
        self._stop.set()
        self.source.cancel()
        with self._changed:
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_JOIN_S)
            self.abandoned = self._thread.is_alive()
        if not self.abandoned:
            self.source.close()

    def _open_unless(self, interrupted: threading.Event) -> bool:
        """Opens the source on a thread that is left behind where it is interrupted."""
        problems: list[Exception] = []

        def open_source() -> None:
            try:
                self.source.open()
            except Exception as error:  # raised again by the caller's thread
                problems.append(error)

        opening = threading.Thread(target=open_source, name="opening", daemon=True)
        opening.start()
        while opening.is_alive() and not interrupted.is_set():
            opening.join(_POLL_S)
        if interrupted.is_set():
            self.source.cancel()
            if self.source.can_be_cancelled:
                opening.join(_JOIN_S)
            self.abandoned = opening.is_alive()
            return False
        if problems:
            raise problems[0]
        return True

    def _start_thread(self, lost: bool) -> None:
        self._thread = threading.Thread(target=self._run, args=(self._generation, lost), name="capture", daemon=True)
        self._thread.start()

    def _run(self, generation: int, lost: bool) -> None:
        try:
            if lost and not self._open_again(generation, close_first=False):
                return
            while self._is_current(generation):
                self._is_reading = True
                found = self.source.read()
                if found is None or self._is_frozen(found[0]):
                    if not self._is_current(generation):
                        return
                    if not self.source.can_return:
                        self._finish(generation, None)
                        return
                    if not self._open_again(generation, close_first=True):
                        return
                    continue
                self._deliver(generation, *found)
        except Exception as error:  # whatever a driver raises goes to the caller of get()
            self._finish(generation, error)

    def _deliver(self, generation: int, image_bgr: Image, presented_at_s: float | None) -> None:
        now = self._clock()
        with self._changed:
            while self.policy is Policy.EVERY and len(self._frames) >= _QUEUE_FRAMES and self._is_current(generation):
                self._changed.wait()
            if not self._is_current(generation):
                return
            if self.policy is Policy.NEWEST and self._frames:
                self._frames.clear()
                self.frames_dropped += 1
            self._frames.append(Frame(image_bgr, self._delivered, now, presented_at_s))
            self._delivered += 1
            self._intervals_s.append(now - self._last_frame_s)
            self._last_frame_s = now
            self._lost_at_s, self._back_off_s, self._hang_s = None, _FIRST_BACK_OFF_S, self._freeze_s
            self.state = CaptureState.RUNNING
            self._changed.notify_all()

    def _is_frozen(self, image_bgr: Image) -> bool:
        """Whether a camera has returned the same bytes for too long: sensors are noisy, so that means a fault.

        One that shows the same picture after it was opened anew shows a still: a grabber of a slide, a virtual camera.
        """
        if not self.source.is_hardware:
            return False
        now = self._clock()
        before, self._last_image = self._last_image, image_bgr
        if before is None or not _is_same(before, image_bgr):
            self._last_change_s = now
        if now - self._last_change_s <= self._freeze_s:
            return False
        if self._frozen_image is not None and _is_same(self._frozen_image, image_bgr):
            self._last_change_s = now
            return False
        self._frozen_image = image_bgr
        return True

    def _open_again(self, generation: int, close_first: bool) -> bool:
        """Waits for the source to return. False when the waiting was ended."""
        with self._changed:
            if self._is_current(generation):
                self._is_reading = False
                self._lose()
        if close_first:
            self.source.close()
        while self._is_current(generation):
            if self._has_waited_enough():
                self._give_up(generation)
                return False
            if self._stop.wait(self._back_off_s):
                return False
            self._back_off_s = min(2 * self._back_off_s, _LONGEST_BACK_OFF_S)
            try:
                self.source.open()
            except UserError:
                continue
            self._last_change_s = self._last_frame_s = self._clock()
            self._last_image = None
            return True
        return False

    def _lose(self) -> None:
        """From here on the source is lost, and has been since the first time that no frame came after opening it."""
        self.state = CaptureState.LOST
        if self._lost_at_s is None:
            self._lost_at_s = self._clock()
        self._changed.notify_all()

    def _has_waited_enough(self, grace_s: float = 0.0) -> bool:
        lost_at_s = self._lost_at_s
        return self._retry_s is not None and lost_at_s is not None and self._clock() - lost_at_s >= self._retry_s + grace_s

    def _give_up(self, generation: int) -> None:
        reason = f"{self.source.description}: lost, and not back within {self._retry_s:g} seconds"
        self._finish(generation, SourceError(reason))

    def _watch(self) -> None:
        """Replaces a reader that hangs inside a driver, and gives up where opening hangs too; old threads are left behind."""
        with self._changed:
            if self._stop.is_set() or self.is_over or not self.source.can_return:
                return
            if self._has_waited_enough(self._freeze_s):  # an opening that is under way may take so long
                self._give_up(self._generation)
                return
            if not self._is_reading or self._clock() - self._last_frame_s <= self._hang_s:
                return
            self._hang_s *= 2  # each reader that is left behind keeps a thread
            self._generation += 1
            self._is_reading = False
            self._lose()
        self._start_thread(lost=True)

    def _finish(self, generation: int, error: Exception | None) -> None:
        with self._changed:
            if not self._is_current(generation):
                return
            self._error = error
            self.state = CaptureState.ENDED if error is None else CaptureState.FAILED
            self._changed.notify_all()

    def _is_current(self, generation: int) -> bool:
        return generation == self._generation and not self._stop.is_set()


def _is_same(before: Image, after: Image) -> bool:
    """Whether two pictures hold the same bytes; a few rows tell nearly always, at a sixteenth of the work."""
    if before.shape != after.shape or not np.array_equal(before[::16], after[::16]):
        return False
    return np.array_equal(before, after)
