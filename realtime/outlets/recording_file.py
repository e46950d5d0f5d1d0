"""One recording on the disk: H.264 in an MP4 that can be played up to its last second however the program ends."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
from av.video.frame import PictureType

from realtime.errors import OutputError
from realtime.frame import Image
from realtime.video.encoder import pad

_TIME_BASE = Fraction(1, 90_000)
_KEY_EVERY_S = 1.0  # a fragment reaches the disk when the next one begins: more than this is never lost
_CONSTANT_QUALITY = "20"
_NOMINAL_RATE = 30  # for the encoder's rate control alone; every frame carries its own time
_BT709, _LIMITED = 1, 1

# Written in fragments while it lasts; closed in order it becomes a plain MP4, which more programs can seek in.
_CONTAINER_OPTIONS = {"movflags": "hybrid_fragmented+frag_keyframe", "flush_packets": "1"}


class RecordingFile:
    """Takes pictures with their times until it is closed.

    frames: written so far; after a failure those that can be played.
    seconds: time of the last one.

    Args:
        path: must not exist.
        size_wh: of every picture; an odd side gains a row or column, since 4:2:0 colour holds even ones only.
    Raises:
        FileExistsError: it exists.
        OutputError: the file cannot be made.
    """

    def __init__(self, path: Path, size_wh: tuple[int, int]) -> None:
        self.path = path
        self.frames = 0
        self.seconds = 0.0
        self._frames_in_fragments = 0
        self._last_pts = -1
        self._is_closed = False
        self._last_key_s = -_KEY_EVERY_S
        try:
            self._disk = _Disk(path)
        except FileExistsError:
            raise
        except OSError as error:
            raise _unwritable(path, error) from None
        self._padding_wh = (size_wh[0] % 2, size_wh[1] % 2)
        self._container: Any = av.open(self._disk, "w", format="mp4", options=_CONTAINER_OPTIONS)
        self._stream: Any = self._add_stream(size_wh)

    @property
    def bytes(self) -> int:
        """Size on the disk so far."""
        return self._disk.size

    def write(self, picture_bgr: Image, at_s: float) -> None:
        """Encodes a picture.

        Args:
            picture_bgr: (H, W, 3) uint8 of the size given at the beginning.
            at_s: seconds since the first picture.
        Raises:
            OutputError: the disk refuses; what was written before stays playable.
        """
        frame = av.VideoFrame.from_ndarray(pad(picture_bgr, self._padding_wh), format="bgr24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=_BT709, dst_color_range=_LIMITED)
        frame.pts = self._last_pts = max(self._last_pts + 1, round(at_s / _TIME_BASE))
        frame.time_base = _TIME_BASE
        begins_fragment = at_s - self._last_key_s >= _KEY_EVERY_S
        if begins_fragment:
            frame.pict_type, self._last_key_s = PictureType.I, at_s
        self._container.mux(self._stream.encode(frame))
        self._check_disk()
        if begins_fragment:
            self._frames_in_fragments = self.frames
        self.frames += 1
        self.seconds = at_s

    def close(self) -> None:
        """Writes the rest and turns the fragments into a plain MP4; may be called twice.

        Raises:
            OutputError: the disk refuses; the fragments written before stay playable.
        """
        if self._is_closed:
            return
        self._is_closed = True
        container, stream = self._container, self._stream
        self._container = self._stream = None  # an encoder holds some 20 MB, and files are remembered until the program ends
        try:
            if self._disk.failure is None:
                container.mux(stream.encode(None))
            container.close()
        finally:
            self._disk.close()
        self._check_disk()

    def _check_disk(self) -> None:
        if self._disk.failure is not None:
            self.frames = 0 if self._disk.is_removed else self._frames_in_fragments
            raise _unwritable(self.path, self._disk.failure)
        self._disk.mark_whole()

    def _add_stream(self, size_wh: tuple[int, int]) -> Any:
        stream: Any = self._container.add_stream("libx264", rate=_NOMINAL_RATE)
        stream.width, stream.height = size_wh[0] + self._padding_wh[0], size_wh[1] + self._padding_wh[1]
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = _TIME_BASE
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
        stream.options = {
            "crf": _CONSTANT_QUALITY,
            "preset": "superfast",
            "tune": "zerolatency",  # no picture waits inside the encoder
            "g": "100000",  # key frames come by the clock
            "forced-idr": "1",
            "threads": str(max(1, min(4, (os.cpu_count() or 1) // 4))),  # the cores belong to the live picture
        }
        return stream


def begin_recording(free_path: Callable[[], Path], size_wh: tuple[int, int]) -> RecordingFile:
    """A recording under a name that is free; where another program takes it first, under the next one.

    Args:
        free_path: gives a name that is free at this moment.
    Raises:
        OutputError: the file cannot be made.
    """
    while True:
        with suppress(FileExistsError):
            return RecordingFile(free_path(), size_wh)


class _Disk:
    """What the muxer writes to. After a refusal it takes nothing more and goes back to the last whole fragment.

    Without this the muxer, told to close, would mark the file as complete although its index did not fit on the disk.
    """

    def __init__(self, path: Path) -> None:
        self.failure: OSError | None = None
        self.is_removed = False  # by somebody, while it was written; the system goes on taking what goes into it
        self.size = 0
        self._path, self._whole = path, 0
        self._file = open(path, "xb", buffering=0)  # noqa: SIM115  (closed by close)
        self._has_names = self._names() > 0  # some file systems count none for any file

    def write(self, data: bytes) -> int:
        """Writes all of it, or takes note of the failure."""
        left = memoryview(data)
        while self.failure is None and left:
            try:
                left = left[self._file.write(left) :]
            except OSError as error:
                self.failure = error
                self._back_to_whole()
        if self.failure is None and self._has_names and not self._names():
            self.is_removed, self._whole = True, 0
            self.failure = FileNotFoundError(errno.ENOENT, "it was removed")
        self.size = max(self.size, self.tell()) if self.failure is None else self._whole
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """As a file's."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As a file's."""
        return self._file.tell()

    def mark_whole(self) -> None:
        """Everything up to here can be played."""
        self._whole = self.size

    def close(self) -> None:
        """Closes the file; may be called twice."""
        try:
            self._file.close()
        except OSError as error:  # network drives tell only now that they are full
            self.failure = self.failure or error
        if self.failure is not None and self._whole == 0 and not self.is_removed:
            with suppress(OSError):  # it holds nothing
                self._path.unlink(missing_ok=True)

    def _names(self) -> int:
        """Under how many names the file lies in folders: not the same as the name that it had, which may be changed."""
        return os.fstat(self._file.fileno()).st_nlink

    def _back_to_whole(self) -> None:
        try:
            self._file.truncate(self._whole)
        except OSError:
            return  # players skip the torn fragment at the end


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{path.name}: cannot be written ({error.strerror or error})")
