"""Reads video files with PyAV: every frame once at its time, damage in the middle skipped and counted."""

from __future__ import annotations

import contextlib
import itertools
import re
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error

from realtime.errors import SourceError
from realtime.frame import Image
from realtime.program.notes import Note, no_note
from realtime.source import Source
from realtime.video.colour import ColourTags
from realtime.video.excerpt import Excerpt
from realtime.video.frame_times import FrameTimes, keyframe_before
from realtime.video.opening import decoder_of, open_video
from realtime.video.pictures import PictureMaker
from realtime.video.repeatable import describe_file

_LENGTH_TOLERANCE_S = 0.6  # headers round and streams end unevenly; a larger gap means a file cut short
_DAMAGES_IN_A_ROW = 50  # so many unreadable places one after the other are the end of a file
_TICKS = 1_000_000  # of a container's own times in a second
_LAST_TICK = 2**63 - 1  # that FFmpeg can count; no file begins behind it


class VideoFileSource(Source):
    """A video file, frame by frame in the order of presentation.

    damaged_packets: packets that could not be read or decoded so far.
    average_rate: frames a second as a fraction, for writing with the same rate; known once open.
    time_base: the unit of the file's times in seconds.
    origin_s: time in the file that is zero in an output; what is kept of a late start is after it.
    start_s: time of the first wanted frame after origin_s.
    skipped_frames: set before opening: so many wanted frames are decoded and not handed over.
    shortest_s: set before opening: for so long the output shows a picture at least; of those that come faster some are
        left out, so that it keeps its pace.
    restarts_s: seconds added to the times behind each place where the clock began anew; grows with reading.

    Args:
        excerpt: the part that is wanted.
        note: told what of a frame was changed.
    """

    can_be_cancelled = True
    average_rate: Fraction
    time_base: Fraction

    def __init__(self, path: Path, excerpt: Excerpt | None = None, note: Note = no_note) -> None:
        self.description = f"video {path}"
        self.path = path
        self.excerpt = excerpt or Excerpt()
        self.fps: float | None = None
        self.average_rate = Fraction(30)
        self.time_base = Fraction(1, 30)
        self.pixel_aspect: Fraction | None = None
        self.has_sound = False  # known once open
        self.skipped_frames = 0
        self.shortest_s = 0.0
        self.restarts_s: list[float] = []
        self._last_shown_s = (0.0, 0.0)
        self.origin_s = 0.0
        self.start_s = 0.0
        self._wanted_s = (float("-inf"), float("inf"))  # times in the file between which frames are handed over
        self._pictures = PictureMaker(self.description, self.excerpt.scale, note)
        self._container: Any = None
        self._stream: Any = None
        self._frames: Iterator[Any] = iter(())
        self._first_picture: Image | None = None
        self._first_s: float | None = None
        self._last_s = 0.0
        self._hold_s = 0.0  # how long the last frame is shown, where the file says so
        self._cancelled = threading.Event()
        self._count = 0
        self._reached_end = False

    @property
    def end_s(self) -> float | None:
        """Time after origin_s at which the wanted part ends; None for the end of the file. Known once open."""
        return None if self.excerpt.end_s is None else self._wanted_s[1] - self.origin_s

    @property
    def colours(self) -> ColourTags:
        """How an output is to be encoded so that it looks as this."""
        return self._pictures.colours

    def open(self) -> None:
        """Opens the file and decodes the first frame, so that size, colours and times are known.

        Raises:
            SourceError: nothing in it can be shown.
        """
        self._container, self._stream = open_video(self.path)
        self._read_header()
        self._frames = self._wanted_frames()
        frame = next(self._frames, None)
        if frame is not None:
            self._first_s = frame[1]
            self._last_shown_s = (0.0, self._hold_s)
            self.start_s = frame[1] - self.origin_s
            self._first_picture = self._pictures.make(frame[0])
            self.source_wh = self._pictures.source_wh
            if self._pictures.is_turned and self.pixel_aspect:
                self.pixel_aspect = 1 / self.pixel_aspect
        elif self._count == 0 and self.excerpt.start_s and not self._cancelled.is_set():
            raise SourceError(f"{self.description}: ends before --start {self.excerpt.start_s:g}")
        self._count, self._last_s = (0, 0.0) if frame is None else (1, 0.0)

    def read(self) -> tuple[Image, float | None] | None:
        """The next picture and its time in seconds after the first; None at the end."""
        if self._container is None:
            return None
        if self._first_picture is not None:
            picture, self._first_picture = self._first_picture, None
            if self.skipped_frames == 0:
                return picture, 0.0
        while not self._cancelled.is_set():
            found = next(self._frames, None)
            if found is None:
                if not self._cancelled.is_set():
                    self._check_end()
                return None
            frame, at_s = found
            self._last_s = at_s - (self._first_s or 0.0)
            self._last_shown_s = (self._last_s, self._hold_s)
            self._count += 1
            if self._count > self.skipped_frames:
                return self._pictures.make(frame), self._last_s
        return None

    def last_shown_s(self) -> tuple[float, float]:
        """Time of the frame that was read last, and how long it is shown, in seconds; 0 where the file does not tell."""
        return self._last_shown_s

    def frame_settings(self) -> dict[str, Any]:
        """What the frames depend on, for comparing with an earlier run."""
        excerpt = self.excerpt
        return {"source": describe_file(self.path), "start": excerpt.start_s, "end": excerpt.end_s, "scale": excerpt.scale}

    def cancel(self) -> None:
        """Lets an open or read that passes over frames return at once, from another thread; nothing is read after it."""
        self._cancelled.set()

    def close(self) -> None:
        self._frames = iter(())
        self._first_picture = None
        if self._container is not None:
            self._container.close()
            self._container = self._stream = None

    def _read_header(self) -> None:
        stream = self._stream
        self.average_rate = as_fraction(stream.average_rate or stream.guessed_rate) or Fraction(30)
        self.fps = float(self.average_rate)
        self.time_base = as_fraction(stream.time_base) or 1 / self.average_rate
        self.pixel_aspect = as_fraction(stream.sample_aspect_ratio)  # the container's, else the codec's
        beginning_s = self._beginning_s()
        self._times = FrameTimes(self._container, stream, self.average_rate, self.restarts_s)
        self.origin_s = beginning_s + self.excerpt.start_s if self.excerpt.start_s or self._times.is_clocked else 0.0
        self._wanted_s = (
            beginning_s + self.excerpt.start_s if self.excerpt.start_s else float("-inf"),
            float("inf") if self.excerpt.end_s is None else beginning_s + self.excerpt.end_s,
        )
        self.has_sound = bool(self._container.streams.audio)
        self.frame_count = self._expected_frames()

    def _expected_frames(self) -> int | None:
        ends_at_s = self._announced_end_s()
        seconds = None if ends_at_s is None else ends_at_s - self._beginning_s()
        rate = float(self.average_rate)
        kept = min(1.0, 1 / (rate * self.shortest_s)) if self.shortest_s else 1.0
        if self.excerpt.is_whole:
            return round((self._stream.frames or (seconds or 0) * rate) * kept) or None
        end_s = min(self.excerpt.end_s or float("inf"), seconds or float("inf"))
        return None if end_s == float("inf") else max(1, round((end_s - self.excerpt.start_s) * rate * kept))

    def _wanted_frames(self) -> Iterator[tuple[Any, float]]:
        """Frames of the excerpt with their times in the file."""
        if self._wanted_s[0] / self.time_base > _LAST_TICK:
            return
        decoded = self._from_start() if self.excerpt.start_s else self._timed_frames(self._decode())
        shown_s = float("-inf")
        for frame, at_s in decoded:
            if self._cancelled.is_set():
                return
            if at_s >= self._wanted_s[1] - 1e-6:
                self._reached_end = True
                return
            late_s = max(0.0, shown_s + self.shortest_s - at_s)  # by which it would be shown, after those before it
            has_room = not self.shortest_s or late_s < self.shortest_s - 1e-6
            if at_s >= self._wanted_s[0] - 1e-6 and has_room:
                shown_s = at_s + late_s
                yield frame, shown_s

    def _from_start(self) -> Iterator[tuple[Any, float]]:
        """Jumps to the keyframe before the start; reads from the beginning where times do not tell what that is."""
        if self._times.is_reordered:
            return self._timed_frames(self._decode())
        frames, first = self._decode(), None
        with contextlib.suppress(av.error.FFmpegError):
            if self._seek():
                first = next(frames, None)
        if first is not None and first.time is not None and first.time <= self._wanted_s[0]:
            return self._timed_frames(itertools.chain([first], frames))
        self._container.close()
        self._container, self._stream = open_video(self.path)
        self._times = FrameTimes(self._container, self._stream, self.average_rate, self.restarts_s)
        self.damaged_packets = 0
        return self._timed_frames(self._decode())

    def _seek(self) -> bool:
        """Jumps to the keyframe before the start; whether that is where it has come to."""
        if not self._times.is_clocked:
            self._container.seek(int(self._wanted_s[0] / self.time_base), stream=self._stream, backward=True)
            return True
        keyframe = keyframe_before(self._container, self._stream, self._wanted_s[0])
        if keyframe is None:
            return False
        # FFmpeg stops at any packet of that time, and a recording that was joined to this one may have one too.
        self._container.seek(keyframe.dts, stream=self._stream, backward=True)
        found = next(self._container.demux(self._stream), None)
        self._container.seek(keyframe.dts, stream=self._stream, backward=True)
        return found is not None and (found.pos, found.dts) == (keyframe.pos, keyframe.dts)

    def _timed_frames(self, frames: Iterator[Any]) -> Iterator[tuple[Any, float]]:
        for frame in frames:
            self._hold_s = float((frame.duration or 0) * (frame.time_base or 0))
            yield frame, self._times.of(frame)

    def _decode(self) -> Iterator[Any]:
        container, stream = self._container, self._stream
        decoder = decoder_of(stream)
        packets, in_a_row = container.demux(stream), 0
        while in_a_row < _DAMAGES_IN_A_ROW:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError:  # the container is damaged here; there may be more behind
                self.damaged_packets += 1
                in_a_row += 1
                packets = container.demux(stream)
                continue
            if not packet.size and packet.pts is not None:  # the picture before is shown on; no decoder takes it
                continue
            self._times.expect(packet)
            try:
                for frame in decoder.decode(packet):
                    in_a_row = 0
                    yield frame
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                self.damaged_packets += 1
                self._times.give_up_one()

    def _check_end(self) -> None:
        """Tells a file that was cut short from one that is complete.

        Raises:
            SourceError: nothing could be decoded, or the end of the announced length is missing.
        """
        if self._count == 0:
            raise SourceError(f"{self.description}: no frame in it can be decoded")
        if self._reached_end or self.restarts_s:  # of joined recordings no length is known
            return
        ends_at_s = self._announced_end_s()
        reached_s = (self._first_s or 0.0) + self._last_s + max(1 / float(self.average_rate), self._hold_s)
        if ends_at_s is not None and reached_s < ends_at_s - _LENGTH_TOLERANCE_S:
            beginning_s = self._beginning_s()
            raise SourceError(
                f"{self.description}: ends damaged after {self._count} frames, {reached_s - beginning_s:.1f} of "
                f"{ends_at_s - beginning_s:.1f} seconds; the frames before were kept"
            )

    def _announced_end_s(self) -> float | None:
        """Time in the file at which its pictures end, as it states it; None where nothing is stated."""
        stream = self._stream
        alone = len(self._container.streams) == 1
        # Of ASF, FFmpeg gives every stream the file's length, which is that of the longest.
        is_its_own = alone or self._container.format.name != "asf"
        if stream.duration is not None and stream.time_base is not None and is_its_own:
            return float((stream.duration + (stream.start_time or 0)) * stream.time_base)
        # Matroska counts lengths from zero, however late the first frame comes.
        stated = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
        if stated is not None:
            return int(stated[1]) * 3600 + int(stated[2]) * 60 + float(stated[3])
        return self._container.duration / _TICKS if alone and self._container.duration else None

    def _beginning_s(self) -> float:
        return float((self._container.start_time or 0) / _TICKS)


def as_fraction(rational: Any) -> Fraction | None:
    """A rate or a tick that FFmpeg tells, of whatever class PyAV gives it; None where it is 0 or unknown."""
    return Fraction(rational.numerator, rational.denominator) if rational else None
