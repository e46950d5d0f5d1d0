"""The folder for snapshots, and the names of all files that keys in the live window make."""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from realtime.errors import OutputError
from realtime.frame import Image
from realtime.pictures.files import write_picture

_MOST_WAITING = 8  # each holds a photo and its painting; a key that is held down asks for one with every frame
_CLOSE_S = 30.0

Now = Callable[[], time.struct_time]


@dataclass(frozen=True)
class Snapshot:
    """A finished snapshot, or why there is none."""

    path: Path | None
    problem: str = ""

    @property
    def original(self) -> Path | None:
        """The picture before it was painted, beside the painting."""
        return original_of(self.path) if self.path is not None else None


OnSaved = Callable[[Snapshot], None]


@dataclass(frozen=True)
class _Job:
    paint: Callable[[], Image]
    photo: Image
    style_name: str
    then: OnSaved | None


class SnapshotFolder:
    """Writes snapshots, painted and original, on a thread of its own, so that the picture never stops.

    done: snapshots that were written, and those that were not, with the reason.

    Args:
        folder: made when the first snapshot is written.
    """

    def __init__(self, folder: Path, now: Now = time.localtime) -> None:
        self._folder = folder
        self._now = now
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self.done: queue.SimpleQueue[Snapshot] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def save(self, paint: Callable[[], Image], photo: Image, style_name: str, then: OnSaved | None = None) -> None:
        """Asks for a snapshot; it is not taken where too many wait already, which is told as any other failure.

        Args:
            paint: gives the painted picture at full size; called on the snapshot thread.
            photo: the frame as it came from the camera.
            style_name: part of the file's name.
            then: called on the snapshot thread with a snapshot that was written.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="snapshots", daemon=True)
            self._thread.start()
        waiting = self._jobs.qsize()
        if waiting >= _MOST_WAITING:
            self.done.put(Snapshot(None, f"{waiting} are already waiting to be written"))
            return
        self._jobs.put(_Job(paint, photo, style_name, then))

    def problems(self) -> list[str]:
        """What went wrong with snapshots that nobody has taken out of `done`."""
        left: list[str] = []
        while not self.done.empty():
            snapshot = self.done.get()
            if snapshot.path is None:
                left.append(snapshot.problem)
        return left

    def close(self) -> None:
        """Waits until all snapshots that were asked for are written, or half a minute: what is left is given up and told."""
        if self._thread is None:
            return
        self._jobs.put(None)
        self._thread.join(_CLOSE_S)
        if self._thread.is_alive():
            unwritten = 1 + self._give_up_waiting()
            self.done.put(Snapshot(None, f"{unwritten} could not be written within {_CLOSE_S:g} seconds"))

    def _give_up_waiting(self) -> int:
        """Forgets what has not begun, and lets the thread end after what it is at. Returns how many were forgotten."""
        count = 0
        while True:
            try:
                count += self._jobs.get_nowait() is not None
            except queue.Empty:
                self._jobs.put(None)
                return count

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                path = dated_path(self._folder, job.style_name, ".png", self._now)
                write_picture(path, job.paint())
                write_picture(original_of(path), job.photo)
                snapshot = Snapshot(path)
                self.done.put(snapshot)
                if job.then is not None:
                    job.then(snapshot)
            except Exception as error:  # a failed snapshot must never end the live picture
                self.done.put(Snapshot(None, str(error)))


def original_of(snapshot: Path) -> Path:
    """Where the photo of a snapshot lies."""
    return snapshot.with_name(snapshot.stem + "_original.png")


def dated_path(folder: Path, style_name: str, suffix: str, now: Now = time.localtime) -> Path:
    """A name that is free, made of the time and the style, in a folder that is made if need be.

    Raises:
        OutputError: the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"folder {folder}: cannot be made ({error.strerror})") from None
    safe_name = re.sub(r"[^A-Za-z0-9_.-]", "_", style_name)
    stem = f"{time.strftime('%Y-%m-%d_%H-%M-%S', now())}_{safe_name}"
    number = 1
    while True:
        path = folder / (f"{stem}{suffix}" if number == 1 else f"{stem}_{number}{suffix}")
        if not path.exists():
            return path
        number += 1
