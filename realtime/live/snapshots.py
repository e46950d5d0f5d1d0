"""The folder for snapshots, and the names of all files that keys in the live window make."""

from __future__ import annotations

import os
import queue
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
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
    """What became of a snapshot.

    path: of the painting; None where nothing was kept.
    problem: why it is missing, or where it is kept, why its original is.
    """

    path: Path | None
    problem: str = ""

    @property
    def failure(self) -> str:
        """What is to be told of it; empty where both pictures are there."""
        if self.path is None:
            return f"no snapshot: {self.problem}"
        return f"snapshot {self.path.name}: kept without its original: {self.problem}" if self.problem else ""

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
            then: called on the snapshot thread with a snapshot of which both pictures were written; must not raise.
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
            left.append(self.done.get().failure)
        return list(filter(None, left))

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
            snapshot = self._write(job)
            self.done.put(snapshot)
            if job.then is not None and not snapshot.problem:
                job.then(snapshot)

    def _write(self, job: _Job) -> Snapshot:
        """Writes both pictures; what was written before a failure is kept."""
        path: Path | None = None
        try:
            path = self._write_painting(job.paint(), job.style_name)
            write_picture(original_of(path), job.photo)
        except Exception as error:  # a failed snapshot must never end the live picture
            return Snapshot(path, str(error) or type(error).__name__)
        return Snapshot(path)

    def _write_painting(self, painting: Image, style_name: str) -> Path:
        path = self._take_name(style_name)
        try:
            write_picture(path, painting)
        except Exception:
            with suppress(OSError):
                path.unlink()
            raise
        return path

    def _take_name(self, style_name: str) -> Path:
        """Begins an empty file under a free name: another program that uses the folder takes the next one.

        Raises:
            OutputError: the folder cannot be made, or takes no files.
        """
        while True:
            path = dated_path(self._folder, style_name, ".png", self._now)
            try:
                path.open("xb").close()
            except FileExistsError:
                continue  # the other one was faster
            except OSError as error:
                raise OutputError(f"picture {path}: cannot be written ({error.strerror})") from None
            return path


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
        if not os.path.lexists(path):  # a link that leads nowhere takes a name too
            return path
        number += 1
