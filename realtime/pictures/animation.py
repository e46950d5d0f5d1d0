"""Animated PNG and WebP as films: each picture once, at its time. (GIF goes the way of videos.)"""

from __future__ import annotations

import contextlib
import threading
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realtime.errors import SourceError
from realtime.frame import Image
from realtime.pictures.colour_profiles import to_srgb
from realtime.pictures.files import as_bgr, check_size, open_picture, scale_picture
from realtime.program.notes import no_note
from realtime.source import Source
from realtime.video.excerpt import Scale
from realtime.video.repeatable import describe_file

if TYPE_CHECKING:
    import PIL.Image

ANIMATED_SUFFIXES = frozenset({".png", ".webp"})
_USUAL_MS = 100.0  # shown where a file states no time, as browsers do


def is_animated(path: Path) -> bool:
    """Whether a picture file holds more than one picture; False for what cannot be read."""
    if path.suffix.lower() not in ANIMATED_SUFFIXES:
        return False
    try:
        with open_picture(path) as opened:
            return bool(getattr(opened, "is_animated", False))
    except SourceError:
        return False


class AnimatedPicture(Source):
    """The pictures of an animation in order, in sRGB, on white where they are transparent; played once.

    damaged_packets: always 0; a damaged animation ends with an error.
    average_rate: frames a second by the time of the first picture; known once open.
    time_base: unit of the pictures' times in seconds.
    source_wh: size before scaling; known once open.
    skipped_frames: set before opening: so many pictures are read and not handed over.
    """

    can_be_cancelled = True
    average_rate: Fraction
    time_base = Fraction(1, 1000)

    def __init__(self, path: Path, scale: Scale = None) -> None:
        self.description = f"animation {path}"
        self._scale = scale
        self.fps: float | None = None
        self.average_rate = Fraction(1000, round(_USUAL_MS))
        self.skipped_frames = 0
        self._last_shown_s = (0.0, 0.0)
        self._cancelled = threading.Event()
        self._path = path
        self._opened = contextlib.ExitStack()
        self._picture: PIL.Image.Image | None = None
        self._next = self._first = 0
        self._at_ms = 0.0

    def open(self) -> None:
        self.close()
        self._picture = self._opened.enter_context(open_picture(self._path))
        check_size(self._path, self._picture.size)
        self.source_wh = self._picture.size
        # An APNG may bring a picture for programs that know no animations; it is not part of the film.
        self._next = self._first = 1 if self._picture.info.get("default_image") else 0
        self.frame_count = int(getattr(self._picture, "n_frames", 1)) - self._first
        self._at_ms = 0.0
        self._seek()
        self.average_rate = Fraction(1000 / self._duration_ms()).limit_denominator(1001) or Fraction(1, 1001)
        self.fps = float(self.average_rate)

    def read(self) -> tuple[Image, float | None] | None:
        if self._picture is None:
            return None
        while self._next - self._first < (self.frame_count or 0) and not self._cancelled.is_set():
            self._seek()
            at_s = self._at_ms / 1000
            self._last_shown_s = (at_s, self._duration_ms() / 1000)
            self._at_ms += self._duration_ms()
            self._next += 1
            if self._next - self._first > self.skipped_frames:
                return self._shown(self._picture), at_s
        return None

    def last_shown_s(self) -> tuple[float, float]:
        """Time of the picture that was read last, and how long it is shown, in seconds."""
        return self._last_shown_s

    def frame_settings(self) -> dict[str, Any]:
        """What the frames depend on, for comparing with an earlier run."""
        return {"source": describe_file(self._path), "scale": self._scale}

    def cancel(self) -> None:
        """Lets a read that passes over pictures return at once, from another thread; nothing is read after it."""
        self._cancelled.set()

    def close(self) -> None:
        self._opened.close()
        self._picture = None

    def _shown(self, picture: PIL.Image.Image) -> Image:
        return scale_picture(as_bgr(to_srgb(picture, no_note)), self._scale, self._path).opaque_bgr

    def _seek(self) -> None:
        """Decodes the next picture; only then WebP tells its time."""
        assert self._picture is not None
        try:
            self._picture.seek(self._next)
            self._picture.load()
        except Exception as error:  # Pillow raises whatever its plugins stumble over: struct.error, zlib.error, ...
            raise SourceError(
                f"{self.description}: ends damaged after {self._next - self._first} pictures ({error}); those were kept"
            ) from None

    def _duration_ms(self) -> float:
        """How long the picture is shown."""
        assert self._picture is not None
        return float(self._picture.info.get("duration") or _USUAL_MS)
