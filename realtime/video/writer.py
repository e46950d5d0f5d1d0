"""Writes videos with PyAV, on a thread of its own: encoding runs beside decoding and styling."""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import av.error

from realtime.errors import OutputError, reason_of
from realtime.frame import Image
from realtime.program.notes import Note, no_note
from realtime.program.written_paths import put_in_place
from realtime.sinks import check_output
from realtime.video.assembly import assemble, needs_assembly
from realtime.video.codecs import Encoding, choose_encoding
from realtime.video.encoder import PartFile, VideoForm, padding
from realtime.video.other_tracks import Soundtrack
from realtime.video.parts import Part, count_frames, end_of_part, trim_part
from realtime.video.resume import UnfinishedVideo
from realtime.video.side_files import finishing_path

_QUEUE_FRAMES = 4


class VideoFileSink:
    """A video file; it appears under its name when it is complete and playable.

    While it is made it lies beside its place as NAME.partial, playable at any time, without sound. At the end pictures
    and soundtrack are copied into NAME.finishing, which is then moved to NAME.

    Args:
        path: its ending chooses the kind of file.
        form: what is taken over from the source; a rate alone means even times.
        overwrite: whether an existing file may be replaced.
        encoding: codec, encoder, quality; by default what the name's ending asks for.
        soundtrack: where sound, subtitles and chapters come from; None for none.
        unfinished: what earlier runs left, to be continued, and the settings to go on with.
        last_shown_s: tells at the end the time of a picture and how long it is shown; 0 where that is not known.
        note: told what was changed.
    Raises:
        OutputError: the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        form: VideoForm | Fraction,
        overwrite: bool,
        *,
        encoding: Encoding | None = None,
        soundtrack: Soundtrack | None = None,
        unfinished: UnfinishedVideo | None = None,
        last_shown_s: Callable[[], tuple[float, float]] | None = None,
        note: Note = no_note,
    ) -> None:
        self._encoding = encoding or choose_encoding(path, None, None, None)
        self._unfinished = unfinished or UnfinishedVideo(path, None)
        check_output(path, overwrite or any(part.path == path for part in self._unfinished.parts))
        self.frames_written = self._unfinished.frames
        self._path, self._soundtrack, self._note = path, soundtrack, note
        self._form = form if isinstance(form, VideoForm) else VideoForm(form)
        self._part = Part(self._unfinished.new_part, 0)
        self._frames: queue.Queue[tuple[Image, float | None] | None] = queue.Queue(_QUEUE_FRAMES)
        self._error: Exception | None = None
        self._thread: threading.Thread | None = None
        self._size_wh: tuple[int, int] | None = None
        self._end_s = 0.0
        self._last_s: float | None = None
        self._last_shown_s = last_shown_s

    @property
    def output_wh(self) -> tuple[int, int] | None:
        """Size of the file's pictures, padding included; None before the first."""
        if self._size_wh is None:
            return None
        added = padding(self._size_wh, self._encoding)
        return self._size_wh[0] + added[0], self._size_wh[1] + added[1]

    def write(self, image_bgr: Image, presented_at_s: float | None) -> None:
        """Queues a picture; a size that changes in mid-file is refused."""
        size_wh = (image_bgr.shape[1], image_bgr.shape[0])
        if self._thread is None:
            self._begin(size_wh, presented_at_s or 0.0)
        if size_wh != self._size_wh:
            raise OutputError(
                f"--output {self._path}: the picture changed from {self._size_wh} to {size_wh}, which a file cannot hold"
            )
        self._last_s = presented_at_s
        if presented_at_s is not None:
            self._end_s = self._form.start_s + presented_at_s + 1 / float(self._form.rate)
        while True:
            if self._error is not None:
                raise self._error
            try:
                self._frames.put((image_bgr, presented_at_s), timeout=0.5)
                return
            except queue.Full:
                continue

    def close(self, complete: bool) -> None:
        """Writes what is queued, finishes the file and gives it its name.

        Args:
            complete: False keeps what --resume needs beside the file.
        Raises:
            OutputError: the disk refused; what could be kept lies beside it as .partial.
        """
        if self._thread is None and not self._unfinished.parts:
            return
        if self._thread is not None:
            self._end_thread(self._thread)
        if self._error is not None:
            raise self._error
        parts = list(self._unfinished.parts)
        if self._thread is None and not complete and [part.path for part in parts] == [self._path]:
            return  # nothing came to what an earlier run put in place, with its sound
        if self._thread is not None:
            parts.append(replace(self._part, frames=self.frames_written - self._unfinished.frames))
        self._finish(parts, complete)

    def _begin(self, size_wh: tuple[int, int], presented_at_s: float) -> None:
        self._size_wh = size_wh
        added = padding(size_wh, self._encoding)
        if any(added):
            padded = (size_wh[0] + added[0], size_wh[1] + added[1])
            self._note(
                f"--output {self._path}: {self._encoding.codec} holds even sizes only; "
                f"{size_wh[0]}x{size_wh[1]} padded to {padded[0]}x{padded[1]}"
            )
        self._part = Part(self._unfinished.new_part, 0, self._form.start_s + presented_at_s)
        self._unfinished.remember(self._unfinished.parts, running=self._part)
        self._thread = threading.Thread(target=self._encode, args=(size_wh,), name="encoder", daemon=True)
        self._thread.start()

    def _end_thread(self, thread: threading.Thread) -> None:
        while thread.is_alive():
            try:
                self._frames.put(None, timeout=0.5)
                break
            except queue.Full:
                continue
        thread.join()

    def _encode(self, size_wh: tuple[int, int]) -> None:
        try:
            part = PartFile(self._part.path, self._form, self._encoding, size_wh)
            try:
                while (found := self._frames.get()) is not None:
                    part.encode(*found)
                    self.frames_written += 1
                part.finish(self._hold_s())
            finally:
                part.abandon()
            check_whole(self._part.path, part.frames_encoded)
        except (av.error.FFmpegError, OSError) as error:
            self._error = self._refusal(reason_of(error))
        except Exception as error:
            self._error = error

    def _hold_s(self) -> float:
        """How long the last picture is shown, where it is that of which the source tells; else 0."""
        at_s, hold_s = self._last_shown_s() if self._last_shown_s is not None else (None, 0.0)
        return hold_s if at_s == self._last_s else 0.0

    def _refusal(self, reason: str) -> OutputError:
        if self._encoding.codec != "gif":
            trim_part(self._part.path)
        new, earlier = count_frames(self._part.path), self._unfinished
        playable = [part.path.name for part in earlier.parts] + [self._part.path.name] * bool(new)
        if not new:
            self._forget_part()
        where = f"{earlier.frames + new} frames can be played in {', '.join(playable)}" if playable else "nothing was kept"
        hint = "; add --resume to go on" if playable and earlier.settings is not None else ""
        return OutputError(
            f"--output {self._path}: cannot be written after {self.frames_written} frames ({reason}); {where}{hint}"
        )

    def _forget_part(self) -> None:
        """Removes a part without a frame, and what the notes say of it: there is nothing to go on with."""
        with contextlib.suppress(OutputError, OSError):  # the failure that led here is what is told
            self._part.path.unlink(missing_ok=True)
            if self._unfinished.parts:
                self._unfinished.remember(self._unfinished.parts)
            else:
                self._unfinished.forget()

    def _finish(self, parts: list[Part], complete: bool) -> None:
        soundtrack = self._soundtrack
        if soundtrack is not None and (soundtrack.ends_with_picture or not complete):
            pictures_end_s = self._end_s or end_of_part(parts[-1])
            soundtrack = replace(soundtrack, end_s=min(pictures_end_s, soundtrack.end_s or pictures_end_s))
        made = finishing_path(self._path)
        suffix = self._path.suffix.lower()
        try:
            if needs_assembly(parts, suffix):
                assemble(parts, made, suffix, soundtrack, self._note)
                check_whole(made, self.frames_written)
            else:
                made = parts[0].path
            if made != self._path:  # else it is there, and a link would be put in the place of its own file
                put_in_place(made, self._path)
        except (av.error.FFmpegError, OSError) as error:
            if made != parts[0].path:
                made.unlink(missing_ok=True)
            with contextlib.suppress(OutputError):  # on a full disk; the notes of the beginning do as well
                self._unfinished.remember(parts)
            names = ", ".join(part.path.name for part in parts)
            raise OutputError(
                f"--output {self._path}: cannot be put in place ({reason_of(error)}); "
                f"all {self.frames_written} frames are in {names}"
            ) from None
        if complete:
            self._unfinished.forget()
        else:
            self._unfinished.remember([Part(self._path, self.frames_written, parts[0].start_s)])
        for part in parts:
            if part.path != self._path:
                part.path.unlink(missing_ok=True)


def check_whole(path: Path, frames: int) -> None:
    """Counts the frames of a finished file: the last bytes may be lost on a full disk without a word from FFmpeg.

    Raises:
        OSError: there are fewer than were written.
    """
    if count_frames(path) < frames:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
