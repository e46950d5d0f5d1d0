"""Records the live picture: frames with their true times, encoded on a thread of its own."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from realtime.errors import UserError
from realtime.frame import Image
from realtime.live.snapshots import Now, dated_path
from realtime.outlets.outlet import Figures

if TYPE_CHECKING:
    from realtime.outlets.recording_file import RecordingFile

_QUEUE_FRAMES = 8
_FINISH_S = 20.0
_LOADED_S = 5.0
Tell = Callable[[str], None]


class Recorder:
    """Starts and stops recordings; without one it costs nothing.

    A camera that changes its size goes on in another file. A disk that refuses ends the recording, never the picture.

    Args:
        folder: made when the first recording begins.
        tell: takes what the user should know, from any thread.
        on_failure: called, from the recording's thread, after a failure was told.

    Attributes:
        has_failed: whether a recording of this run was ended by its disk.
    """

    name = "recording"

    def __init__(
        self, folder: Path, tell: Tell, now: Now = time.localtime, on_failure: Callable[[], None] = lambda: None
    ) -> None:
        self.has_failed = False
        self._folder, self._tell, self._now, self._on_failure = folder, tell, now, on_failure
        self._session: _Session | None = None
        self._all: list[_Session] = []

    @property
    def is_on(self) -> bool:
        """Whether frames are being recorded; not after a failure."""
        return self._session is not None and not self._session.has_failed

    def begin(self, style_name: str) -> None:
        """Records from the next frame on; style_name becomes part of the file's name."""
        self.end()
        self._session = _Session(
            lambda: dated_path(self._folder, style_name, ".mp4", self._now), self._tell, self._take_failure
        )
        self._all.append(self._session)

    def load(self) -> None:
        """Loads what encodes, which takes a fifth of a second, before a source is opened that would not wait for it."""
        import realtime.outlets.recording_file  # noqa: F401

    def wait_until_ready(self) -> None:
        """Waits until no frame would be left out at the beginning of a recording that was begun."""
        if self._session is not None:
            self._session.wait_until_ready()

    def end(self) -> None:
        """Ends the recording; its file is finished in the background."""
        if self._session is not None:
            self._session.finish()
            self._session = None

    def offer(self, picture_bgr: Image, captured_at_s: float) -> None:
        """Records a picture, or counts it as dropped where the encoder lags behind."""
        if self._session is not None:
            self._session.offer(picture_bgr, captured_at_s)

    def status(self) -> str:
        """Time, size and dropped frames of the recording that runs, for the screen; empty without one."""
        session = self._session
        if session is None or session.has_failed:
            return ""
        file = session.files[-1] if session.files else None
        recorded_s, size = (file.seconds, file.bytes) if file is not None else (0.0, 0)
        minutes, seconds = divmod(int(recorded_s), 60)
        dropped = f"   {session.frames_dropped} dropped" if session.frames_dropped else ""
        return f"REC {minutes}:{seconds:02d}   {size / 1e6:.1f} MB{dropped}"

    def figures(self) -> Figures:
        """Of all recordings of this run."""
        return {
            "files": sum(len(session.files) for session in self._all),
            "frames_written": sum(session.frames_written for session in self._all),
            "frames_dropped": sum(session.frames_dropped for session in self._all),
        }

    def close(self) -> None:
        """Ends the recording and waits until its file is finished."""
        self.end()
        give_up_s = time.perf_counter() + _FINISH_S
        for session in self._all:
            session.join(max(0.0, give_up_s - time.perf_counter()))

    def _take_failure(self) -> None:
        """Called by a recording, perhaps before `begin` has returned."""
        self.has_failed = True
        self._on_failure()


@dataclass
class _Session:
    """One press of the key to the next: a thread, its queue, and mostly one file."""

    free_path: Callable[[], Path]
    tell: Tell
    on_failure: Callable[[], None]
    frames_dropped: int = 0
    has_failed: bool = False
    files: list[RecordingFile] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._frames: queue.Queue[tuple[Image, float]] = queue.Queue(_QUEUE_FRAMES)
        self._is_ready = threading.Event()
        self._frames_taken = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    @property
    def frames_written(self) -> int:
        """In all files of the session."""
        return sum(file.frames for file in self.files)

    def offer(self, picture_bgr: Image, captured_at_s: float) -> None:
        """Queues a frame. Those before the encoder is loaded belong to no recording; after that none is lost silently."""
        if not self._is_ready.is_set() or self._ending.is_set() or self.has_failed:
            return
        try:
            self._frames.put_nowait((picture_bgr, captured_at_s))
            self._frames_taken += 1
        except queue.Full:
            self.frames_dropped += 1

    def finish(self) -> None:
        """No frame comes after this one."""
        self._ending.set()

    def wait_until_ready(self) -> None:
        """Waits for the encoder, and not for ever."""
        self._is_ready.wait(_LOADED_S)

    def join(self, timeout_s: float) -> None:
        """Waits for the file."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            self._record()
        except Exception as error:  # a recording that fails must never end the live picture
            self.has_failed = True
            self.frames_dropped += self._frames_taken - self.frames_written
            reason = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            kept = f"; {self.frames_written} frames are kept" if self.frames_written else ""
            self.tell(f"recording stopped: {reason}{kept}")
            self._empty_queue()
            self.on_failure()
        finally:
            self._is_ready.set()  # for whoever waits, also where it failed before the first frame

    def _record(self) -> None:
        # PyAV takes a fifth of a second to load: only for those who record.
        from realtime.outlets.recording_file import begin_recording

        self.free_path()  # a folder that cannot be made is told now, not with the first frame
        self._is_ready.set()
        file: RecordingFile | None = None
        started_s, shape_hw = 0.0, (0, 0)
        try:
            while (frame := self._next()) is not None:
                picture_bgr, captured_at_s = frame
                if file is None or picture_bgr.shape[:2] != shape_hw:
                    if file is not None:
                        self._close(file)
                    started_s, shape_hw = captured_at_s, picture_bgr.shape[:2]
                    file = begin_recording(self.free_path, (shape_hw[1], shape_hw[0]))
                    self.files.append(file)
                    if len(self.files) > 1:
                        self.tell(f"the picture's size changed; recording goes on in {file.path.name}")
                file.write(picture_bgr, captured_at_s - started_s)
            if file is None:
                self.tell("nothing was recorded")
            else:
                self._close(file)
        except Exception:
            if file is not None:
                with suppress(UserError):  # the first failure is the one to tell
                    file.close()
            raise

    def _empty_queue(self) -> None:
        """Lets go of pictures that nobody will write; sessions are remembered until the program ends."""
        with suppress(queue.Empty):
            while True:
                self._frames.get_nowait()

    def _close(self, file: RecordingFile) -> None:
        file.close()
        dropped = f", {self.frames_dropped} frames dropped" if self.frames_dropped else ""
        self.tell(f"recorded {file.path.name}: {file.seconds:.1f} s, {file.bytes / 1e6:.1f} MB{dropped}")

    def _next(self) -> tuple[Image, float] | None:
        """The next frame; None when the recording is over and the queue is empty."""
        while True:
            is_ending = self._ending.is_set()  # asked before: the last frame may come after the queue was found empty
            try:
                return self._frames.get(timeout=0.05)
            except queue.Empty:
                if is_ending:
                    return None
