"""Re-paints snapshots by slow optimisation, one after the other, in a process of its own beside the live picture."""

from __future__ import annotations

import importlib.util
import os
import queue
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from realtime.errors import ModelError, SourceError
from realtime.frame import Image
from realtime.gallery import Style
from realtime.live.repaint_worker import Outcome, Progress, RepaintWorker
from realtime.live.scratch import remove_abandoned, scratch_folder
from realtime.pictures.files import read_picture

PROGRAM = ("-m", "models.gatys")
_MOST_WAITING = 8
_JOIN_S = 5.0


@dataclass(frozen=True)
class RepaintSettings:
    """What the user chose.

    painting: the style picture in place of the style's own exemplar.
    vgg: file with the loss network's weights; None for wherever the worker finds them.
    """

    painting: Path | None = None
    vgg: Path | None = None


@dataclass(frozen=True)
class RepaintStatus:
    """What the screen shows: a line, and the picture as far as it is."""

    line: str = ""
    picture: Image | None = None


@dataclass(frozen=True)
class _Job:
    photo: Path
    painted: Path
    style_picture: Path

    @property
    def output(self) -> Path:
        return self.painted.with_name(self.painted.stem + "_repainted.png")


class Repainter:
    """Takes snapshots and re-paints them in order; without one it costs nothing. What a killed one left is removed.

    Args:
        settings: of the user.
        tell: takes what the user should know, from any thread.
        program: how the worker is started; exchanged in tests.
        has_torch: whether PyTorch is installed, found out without loading it.
    Raises:
        ModelError: the user's painting or weights are not there.
    """

    def __init__(
        self,
        settings: RepaintSettings,
        tell: Callable[[str], None],
        program: Sequence[str] = PROGRAM,
        has_torch: Callable[[], bool] = lambda: importlib.util.find_spec("torch") is not None,
    ) -> None:
        if settings.painting is not None and not os.path.isfile(settings.painting):
            raise ModelError(f"--painting {settings.painting}: no such file; expected a picture of a painting")
        if settings.vgg is not None and not os.path.isfile(settings.vgg):
            raise ModelError(f"--vgg {settings.vgg}: no such file; expected VGG-19's weights")
        self._settings, self._tell, self._program, self._has_torch = settings, tell, tuple(program), has_torch
        self._jobs: queue.Queue[_Job | None] = queue.Queue()
        self._lock = threading.Lock()
        self._worker: RepaintWorker | None = None
        self._is_busy = self._is_cancelled = self._is_closed = False
        self._status = RepaintStatus()
        self._thread: threading.Thread | None = None
        remove_abandoned()

    def style_picture(self, style: Style) -> Path:
        """The picture in whose style a snapshot would be re-painted.

        Raises:
            ModelError: nothing can be re-painted now, with the reason.
        """
        if not self._has_torch():
            raise ModelError("re-painting needs PyTorch; pip install -r requirements.txt")
        if self._jobs.qsize() >= _MOST_WAITING:
            raise ModelError(f"{_MOST_WAITING} snapshots wait to be re-painted already")
        picture = self._settings.painting or style.exemplar
        if picture is None:
            raise ModelError(f"{style.name} has no exemplar.jpg to re-paint from; --painting FILE gives one")
        return picture

    def request(self, photo: Path, painted: Path, style_picture: Path) -> None:
        """Re-paints a snapshot once those before it are done.

        Args:
            photo: the frame as it came from the camera.
            painted: the network's painting, from which the optimisation starts; the result lies beside it.
        """
        with self._lock:
            if self._is_closed:
                return
            is_waiting = self._is_busy or not self._jobs.empty()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="repaint", daemon=True)
                self._thread.start()
            self._jobs.put(_Job(photo, painted, style_picture))
        if is_waiting:
            self._tell("it will be re-painted after the one before")

    def cancel(self) -> bool:
        """Ends the re-painting that runs; the next one begins.

        Returns:
            Whether there was one; it is told where there was none.
        """
        with self._lock:
            worker, is_one = self._worker, self._is_busy
            self._is_cancelled = is_one
            if is_one:
                self._status = RepaintStatus("cancelling", self._status.picture)
        if worker is not None:
            worker.end()
        elif not is_one:
            self._tell("nothing is being re-painted")
        return is_one

    @property
    def status(self) -> RepaintStatus:
        """For the screen."""
        status, waiting = self._status, self._jobs.qsize()
        if not status.line or not waiting:
            return status
        return RepaintStatus(f"{status.line}, {waiting} waiting", status.picture)

    def close(self) -> None:
        """Ends the worker and forgets those that wait."""
        with self._lock:
            self._is_closed = True
            worker = self._worker
        self._jobs.put(None)
        if worker is not None:
            worker.end()
        if self._thread is not None:
            self._thread.join(_JOIN_S)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            with self._lock:
                if self._is_closed:
                    return
                self._is_busy, self._is_cancelled = True, False
            try:
                self._repaint(job)
            except Exception as error:  # nothing that happens here may end the live picture
                self._tell(f"not re-painted: {error}")
            finally:
                with self._lock:
                    self._worker, self._is_busy = None, False
                self._status = RepaintStatus()

    def _repaint(self, job: _Job) -> None:
        with scratch_folder() as folder:
            picture = folder / "progress.png"
            self._status = RepaintStatus("re-painting, X cancels", None)
            worker = RepaintWorker(self._arguments(job, picture), max(1, (os.cpu_count() or 2) // 2))
            with self._lock:
                self._worker = worker
                if self._is_closed or self._is_cancelled:  # while it was being started
                    worker.end()
            self._report(job, worker.follow(lambda progress: self._note(progress, picture)))

    def _arguments(self, job: _Job, picture: Path) -> list[str]:
        arguments = [*self._program, str(job.photo.resolve()), str(job.style_picture.resolve())]
        arguments += ["-o", str(job.output.resolve()), "--init", str(job.painted.resolve()), "--preset", "fast"]
        arguments += ["--progress-lines", "--progress-picture", str(picture)]
        if self._settings.vgg is not None:
            arguments += ["--vgg", str(self._settings.vgg.resolve())]
        return arguments

    def _note(self, progress: Progress, picture: Path) -> None:
        line = f"re-painting {progress.share:.0%}, {_duration(progress.remaining_s)} left"
        try:
            newer = read_picture(picture).opaque_bgr
        except SourceError:  # a disk that was full when the worker wrote it may have room the next time
            newer = None
        with self._lock:
            if not self._is_cancelled:
                self._status = RepaintStatus(line, self._status.picture if newer is None else newer)

    def _report(self, job: _Job, outcome: Outcome) -> None:
        # A worker whose disk is full puts the picture elsewhere, says where, and ends with an error all the same.
        if (outcome.code == 0 or outcome.output) and os.path.isfile(outcome.output or job.output):
            place = job.output.name if not outcome.output or Path(outcome.output).name == job.output.name else outcome.output
            self._tell(f"re-painted: {place}")
        elif self._is_cancelled or self._is_closed:
            self._tell("re-painting cancelled")
        elif outcome.code < 0:
            reason = "was out of memory or killed" if outcome.code == -getattr(signal, "SIGKILL", 9) else "ended"
            self._tell(f"not re-painted: its process {reason} (signal {-outcome.code})")
        else:
            self._tell(f"not re-painted: {outcome.last_words or f'its process ended with code {outcome.code}'}")


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
