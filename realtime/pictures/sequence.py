"""Pictures as the frames of a film: read from many files, written to numbered ones."""

from __future__ import annotations

import os
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from realtime.errors import OutputError, SourceError
from realtime.frame import Image
from realtime.pictures.files import read_picture, scale_picture, write_picture
from realtime.program.inputs import numbered_name
from realtime.program.notes import Note, no_note, said_once
from realtime.sinks import check_output
from realtime.source import Source
from realtime.video.excerpt import Scale
from realtime.video.repeatable import describe_files

SEQUENCE_FPS = 25.0


class PictureSequence(Source):
    """Picture files in order, each one frame, on white where they are transparent.

    damaged_packets: pictures that could not be read and were left out.
    source_wh: size of the last picture before scaling and fitting; None before the first.
    skipped_frames: set before opening: so many frames are read and not handed over.

    Args:
        pictures: at least one.
        fps: frames a second; 25 where None is given.
        note: told what of the pictures was changed or left out.
        one_size: whether later pictures are fitted into the first one's size, as a film and a window need it.
        scale: factor or box for the size of the pictures.
    """

    can_be_cancelled = True
    average_rate: Fraction

    def __init__(
        self, pictures: tuple[Path, ...], fps: float | None, note: Note = no_note, one_size: bool = True, scale: Scale = None
    ) -> None:
        self.description = f"{len(pictures)} pictures from {pictures[0]}"
        self.fps: float | None = fps or SEQUENCE_FPS
        self.frame_count = len(pictures)
        self.average_rate = Fraction(self.fps or SEQUENCE_FPS).limit_denominator(1001) or Fraction(1, 1001)
        self.skipped_frames = 0
        self._cancelled = threading.Event()
        self._pictures, self._one_size, self._scale, self._note = pictures, one_size, scale, said_once(note)
        self._size_wh: tuple[int, int] | None = None
        self._next = 0
        self._read = 0

    def open(self) -> None:
        self._next = self._read = 0
        self._size_wh = None

    def read(self) -> tuple[Image, float | None] | None:
        while self._next < len(self._pictures) and not self._cancelled.is_set():
            path = self._pictures[self._next]
            self._next += 1
            try:
                original = read_picture(path, self._note)
                picture = scale_picture(original, self._scale, path)
            except SourceError as error:
                self.damaged_packets += 1
                self._note(f"left out: {error}")
                continue
            self._read += 1
            self.source_wh = (original.image_bgr.shape[1], original.image_bgr.shape[0])
            fitted = self._fitted(picture.opaque_bgr)  # the first one's size holds for all, skipped or not
            if self._read > self.skipped_frames:
                return fitted, float((self._read - 1) / self.average_rate)
        if self._pictures and not self._read and not self._cancelled.is_set():
            raise SourceError(f"{self.description}: none of them can be read")
        return None

    def frame_settings(self) -> dict[str, Any]:
        """What the frames depend on, for comparing with an earlier run."""
        return {"source": describe_files(self._pictures), "fps": str(self.average_rate), "scale": self._scale}

    def cancel(self) -> None:
        """Lets a read that passes over frames return at once, from another thread; nothing is read after it."""
        self._cancelled.set()

    def close(self) -> None:
        self._next = len(self._pictures)

    def _fitted(self, image_bgr: Image) -> Image:
        """The picture in the first one's size, on black where its aspect is another."""
        size_wh = (image_bgr.shape[1], image_bgr.shape[0])
        self._size_wh = self._size_wh or size_wh
        if size_wh == self._size_wh or not self._one_size:
            return image_bgr
        self._note("pictures of other sizes are fitted into the first one's, on black")
        return fit_on_black(image_bgr, self._size_wh)


def fit_on_black(image_bgr: Image, size_wh: tuple[int, int]) -> Image:
    """A picture as large as it fits into a size, in its middle, the rest black."""
    height, width = image_bgr.shape[:2]
    if (width, height) == size_wh:
        return np.ascontiguousarray(image_bgr)
    scale = min(size_wh[0] / width, size_wh[1] / height)
    fitted_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    canvas = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    left, top = (size_wh[0] - fitted_wh[0]) // 2, (size_wh[1] - fitted_wh[1]) // 2
    canvas[top : top + fitted_wh[1], left : left + fitted_wh[0]] = cv2.resize(image_bgr, fitted_wh, interpolation=method)
    return canvas


class NumberedPictures:
    """A picture file for each frame, numbered from 1.

    Args:
        pattern: a path with %d or %04d in its name.
        overwrite: whether existing files may be replaced.
    Raises:
        OutputError: the folder cannot be written, or the first file is there already.
    """

    output_wh = None

    def __init__(self, pattern: Path, overwrite: bool) -> None:
        self._pattern, self._overwrite = pattern, overwrite
        self._written = 0
        check_output(numbered_name(pattern, 1), overwrite)

    def write(self, image_bgr: Image, presented_at_s: float | None) -> None:
        """Writes the next picture."""
        path = numbered_name(self._pattern, self._written + 1)
        if os.path.exists(path) and not self._overwrite:
            raise OutputError(f"--output {path}: exists already; add --overwrite to replace it")
        write_picture(path, image_bgr)
        self._written += 1

    def close(self, complete: bool) -> None:
        """Nothing is open."""
