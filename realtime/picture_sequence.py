"""Pictures as the frames of a film: read from many files, written to numbered ones."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

from realtime.errors import OutputError, SourceError
from realtime.frame import Image
from realtime.inputs import numbered_name
from realtime.picture_files import read_picture, write_picture
from realtime.sinks import check_output

SEQUENCE_FPS = 25.0
_NO_KEY = -1


class PictureSequence:
    """Picture files in order, each one frame.

    damaged_packets: pictures that could not be read and were left out.

    Args:
        pictures: at least one.
        fps: frames a second; 25 where None is given.
    """

    is_live = False
    is_mirrored = False
    is_hardware = False
    can_return = False

    def __init__(self, pictures: tuple[Path, ...], fps: float | None) -> None:
        self.description = f"{len(pictures)} pictures from {pictures[0]}"
        self.fps: float | None = fps or SEQUENCE_FPS
        self.frame_count: int | None = len(pictures)
        self.average_rate = Fraction(self.fps or SEQUENCE_FPS).limit_denominator(1001) or Fraction(1, 1001)
        self.damaged_packets = 0
        self._pictures = pictures
        self._next = 0
        self._read = 0

    def open(self) -> None:
        self._next = self._read = 0

    def read(self) -> tuple[Image, float | None] | None:
        while self._next < len(self._pictures):
            path = self._pictures[self._next]
            self._next += 1
            try:
                picture = read_picture(path)
            except SourceError as error:
                self.damaged_packets += 1
                print(f"left out: {error}", file=sys.stderr)
                continue
            self._read += 1
            return picture.image_bgr, float((self._read - 1) / self.average_rate)
        if self._pictures and not self._read:
            raise SourceError(f"{self.description}: none of them can be read")
        return None

    def close(self) -> None:
        self._next = len(self._pictures)


class NumberedPictures:
    """A picture file for each frame, numbered from 1.

    Args:
        pattern: a path with %d or %04d in its name.
        overwrite: whether existing files may be replaced.
    Raises:
        OutputError: the folder cannot be written, or the first file is there already.
    """

    def __init__(self, pattern: Path, overwrite: bool) -> None:
        self._pattern, self._overwrite = pattern, overwrite
        self._written = 0
        check_output(numbered_name(pattern, 1), overwrite)

    def write(self, image_bgr: Image, presented_at_s: float | None) -> int:
        """Writes the next picture."""
        path = numbered_name(self._pattern, self._written + 1)
        if path.exists() and not self._overwrite:
            raise OutputError(f"--output {path}: exists already; add --overwrite to replace it")
        write_picture(path, image_bgr)
        self._written += 1
        return _NO_KEY

    def close(self, complete: bool) -> None:
        """Nothing is open."""
