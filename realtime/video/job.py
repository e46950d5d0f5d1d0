"""One painted video from beginning to end: what is asked for, what an earlier run left of it, and the sink it goes to."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from realtime.auto_levels import WINDOW
from realtime.errors import UserError
from realtime.pictures.animation import AnimatedPicture
from realtime.program.notes import Note
from realtime.sinks import check_output
from realtime.source import Source
from realtime.sources import PacedFile
from realtime.steadying import frames_to_repeat
from realtime.video.codecs import choose_encoding
from realtime.video.encoder import GIF_SHORTEST_S, VideoForm
from realtime.video.other_tracks import Soundtrack
from realtime.video.reader import VideoFileSource
from realtime.video.repeatable import Repeatable
from realtime.video.resume import UnfinishedVideo, check_nothing_left, discard_unfinished, find_unfinished, is_unfinished
from realtime.video.writer import VideoFileSink

_CODECS_WITH_PIXEL_ASPECT = ("h264", "hevc")  # in their own data; of the others it would have to stand in the container
_LIVE_TICK = Fraction(1, 90000)  # a camera's frames come when they come
_RATE_OF_UNKNOWN = 30.0


@dataclass(frozen=True)
class VideoOptions:
    """What the command line says about a video file.

    codec, encoder, crf: None for what the output's name asks for.
    resume: go on with what an earlier run left.
    fps: of a source that states no rate.
    is_limited: the run may end before its source does.
    is_steady: pictures are averaged over time.
    has_auto_levels: a picture is painted at the levels of those before it too.
    """

    codec: str | None = None
    encoder: str | None = None
    crf: int | None = None
    overwrite: bool = False
    resume: bool = False
    fps: float | None = None
    is_limited: bool = False
    is_steady: bool = False
    has_auto_levels: bool = False


class VideoJob:
    """A video to be written: made before its source is opened, since that decides which frames are read.

    frames_done: frames that an earlier run painted and this one need not.
    frames_repeated: the last of those, which the source gives again, so that averages over time go on where they were.

    Args:
        path: of the output.
        source: not yet open; told to leave out the frames that are done.
        look: everything beside the source that the painted pictures depend on, for comparing with an earlier run.
    Raises:
        UserError: options that do not go together.
        OutputError: the file cannot be written, or cannot be continued with these settings.
    """

    def __init__(self, path: Path, source: Source, options: VideoOptions, look: dict[str, Any], note: Note) -> None:
        self._path, self._source, self._options, self._note = path, source, options, note
        self._sink: VideoFileSink | None = None
        self._begins_again = False  # what an earlier run left goes once there is something to put in its place
        self._encoding = choose_encoding(path, options.codec, options.encoder, options.crf)
        self._unfinished = self._take_up(look)
        self.frames_done = self._unfinished.frames
        self.frames_repeated = self._frames_to_repeat()
        check_output(path, options.overwrite or any(part.path == path for part in self._unfinished.parts))
        if isinstance(source, Repeatable):
            source.skipped_frames = self.frames_done - self.frames_repeated
        if isinstance(source, VideoFileSource) and self._encoding.codec == "gif":
            source.shortest_s = GIF_SHORTEST_S

    def open_sink(self) -> VideoFileSink:
        """The sink for the painted pictures; the source must be open.

        Raises:
            OutputError: the file cannot be written.
        """
        if self._begins_again:
            discard_unfinished(self._path)
        source = self._source
        soundtrack = None
        if isinstance(source, VideoFileSource):
            form = VideoForm(source.average_rate, source.time_base, source.start_s, source.colours, source.pixel_aspect)
            if form.pixel_aspect and form.pixel_aspect != 1 and self._encoding.codec not in _CODECS_WITH_PIXEL_ASPECT:
                kept = " and ".join(_CODECS_WITH_PIXEL_ASPECT)
                self._note(f"--output {self._path}: the pixels' shape is lost; {kept} keep it")
            soundtrack = Soundtrack(
                source.path,
                source.origin_s,
                bool(source.excerpt.start_s),
                source.end_s,
                self._options.is_limited,
                source.restarts_s,
            )
        else:
            if isinstance(source, PacedFile) and isinstance(source.file, VideoFileSource) and source.file.has_sound:
                self._note("--live: the sound is left out, since late frames are dropped; without --live it is kept")
            tick = _LIVE_TICK if source.is_live else source.time_base
            form = VideoForm(_rate(source, self._options.fps), tick)
        if self._encoding.codec == "gif":
            self._note_pace(float(form.rate))
        self._sink = VideoFileSink(
            self._path,
            form,
            self._options.overwrite,
            encoding=self._encoding,
            soundtrack=soundtrack,
            unfinished=self._unfinished,
            last_shown_s=source.last_shown_s if isinstance(source, VideoFileSource | AnimatedPicture) else None,
            note=self._note,
        )
        return self._sink

    def _note_pace(self, fps: float) -> None:
        most = 1 / GIF_SHORTEST_S
        if fps > 1.01 * most:  # some headers round
            is_thinned = isinstance(self._source, VideoFileSource)
            loss = f"of {fps:g} the others are left out" if is_thinned else f"{fps:g} are shown more slowly"
            self._note(f"--output {self._path}: a GIF shows at most {most:g} pictures a second; {loss}")

    def describe_kept(self) -> str:
        """What there is after an interruption, for the user."""
        frames = self._sink.frames_written if self._sink is not None else 0
        if not frames:
            return "no frame was written"
        hint = "; --resume goes on" if self._unfinished.settings is not None else ""
        return f"{frames} frames are in {self._path}{hint}"

    def _frames_to_repeat(self) -> int:
        """The mean of the paintings remembers some whose levels remember photos that are means as well."""
        of_levels = WINDOW if self._options.has_auto_levels else 0
        return frames_to_repeat(self.frames_done, of_levels) if self._options.is_steady else min(self.frames_done, of_levels)

    def _take_up(self, look: dict[str, Any]) -> UnfinishedVideo:
        """What is there already; a fresh start where there is nothing or nothing is to be kept."""
        settings = self._settings(self._source, look) if isinstance(self._source, Repeatable) else None
        if self._options.resume:
            if settings is None:
                raise UserError(
                    f"--resume: only for films read from files (a video, several pictures, an animation) and not played as a "
                    f"camera; not for {self._source.description}"
                )
            found = find_unfinished(self._path, settings)
            if found is not None:
                if found.frames:
                    self._note(f"--output {self._path}: going on after {found.frames} frames")
                return found
        elif self._options.overwrite:
            self._begins_again = is_unfinished(self._path)
        if not self._options.overwrite:
            check_nothing_left(self._path, "" if settings is None else "--resume to go on, ")
        return UnfinishedVideo(self._path, settings)

    def _settings(self, source: Repeatable, look: dict[str, Any]) -> dict[str, Any]:
        encoding = self._encoding
        return {
            **source.frame_settings(),
            **look,
            "steady": self._options.is_steady,
            "auto levels": self._options.has_auto_levels,
            "codec": encoding.codec,
            "encoder": encoding.encoder,
            "crf": encoding.crf,
            "encoder options": encoding.options(),
            "PyAV": av.__version__,
        }


def _rate(source: Source, asked_fps: float | None) -> Fraction:
    return (
        source.average_rate
        or Fraction(source.fps or asked_fps or _RATE_OF_UNKNOWN).limit_denominator(1001)
        or Fraction(1, 1001)
    )
