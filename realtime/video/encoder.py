"""One part of an output: painted pictures encoded into a file that can be played however it ends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from av.video.reformatter import VideoReformatter

from realtime.frame import Image
from realtime.networks.processor import core_count
from realtime.video.codecs import CODECS, Encoding
from realtime.video.colour import ColourTags, tag_encoder, to_codec_frame
from realtime.video.local_files import ffmpeg_name

KEYFRAME_S = 2.0  # so much is painted again after a crash, at most
_FINEST_TICKS = 1_000_000
_GIF_TICK = Fraction(1, 100)
GIF_SHORTEST_S = 0.02  # players show a picture for a tenth of a second where a GIF asks for less
_ORDINARY = ColourTags()


@dataclass(frozen=True)
class VideoForm:
    """What an output takes over from its source.

    rate: frames a second, for players and rate control; times may be uneven all the same.
    time_base: unit of the times, in seconds; None for one frame of the rate.
    start_s: time of the first picture.
    colours: matrix, range and tags.
    pixel_aspect: width of a pixel over its height; None for square ones.
    """

    rate: Fraction
    time_base: Fraction | None = None
    start_s: float = 0.0
    colours: ColourTags = _ORDINARY
    pixel_aspect: Fraction | None = None


class PartFile:
    """Encodes pictures into fragmented MP4, or GIF; what was written before a crash can be played.

    Args:
        path: replaced if it exists.
        size_wh: of all pictures.
    Raises:
        av.error.FFmpegError: the file cannot be made, or the encoder takes no such pictures.
    """

    def __init__(self, path: Path, form: VideoForm, encoding: Encoding, size_wh: tuple[int, int]) -> None:
        self.frames_encoded = 0
        self._form, self._encoding = form, encoding
        self._time_base = _time_base(form, encoding)
        self._last_pts: int | None = None
        self._shortest_ticks = round(GIF_SHORTEST_S / self._time_base) if encoding.codec == "gif" else 1
        self._has_begun, self._delay = False, 0  # ticks by which pictures are decoded before they are shown
        self._waiting: Any = None  # the last packet: how long it lasts is known when there is another, or at the end
        self._padding_wh = padding(size_wh, encoding)
        self._reformatter = VideoReformatter()
        self._palettes = _Palettes(size_wh) if encoding.pixel_format == "pal8" else None
        # MP4 keeps exact times; its fragments are complete from keyframe to keyframe. Places in edit lists are told in
        # the film's own unit, a thousandth of a second if it is not set.
        ticks = str(min(self._time_base.denominator, _FINEST_TICKS))
        options = {"movflags": "frag_keyframe+empty_moov+delay_moov+default_base_moof", "movie_timescale": ticks}
        if encoding.codec == "gif":
            self._container: Any = av.open(ffmpeg_name(path), "w", format="gif")
        else:
            self._container = av.open(ffmpeg_name(path), "w", format="mp4", container_options=options)
        try:
            self._stream = self._add_stream((size_wh[0] + self._padding_wh[0], size_wh[1] + self._padding_wh[1]))
        except BaseException:
            self._container.close()
            raise

    def encode(self, image_bgr: Image, at_s: float | None) -> None:
        """Takes the next picture.

        Args:
            image_bgr: (H, W, 3) uint8.
            at_s: seconds after the first picture of the whole output; None for one frame after the last.
        Raises:
            av.error.FFmpegError: it cannot be written.
        """
        frame = self._to_frame(pad(image_bgr, self._padding_wh))
        frame.pts, frame.time_base = self._next_pts(at_s), self._time_base
        self._mux(self._stream.encode(frame))
        self.frames_encoded += 1

    def finish(self, hold_s: float = 0.0) -> None:
        """Writes what the encoder still holds, and the file's end.

        Args:
            hold_s: how long the last picture is shown; 0 for as long as the one before.
        Raises:
            av.error.FFmpegError: it cannot be written.
        """
        try:
            self._mux(self._stream.encode(None))
            if hold_s and self._waiting is not None and self._last_pts is not None:
                end = (self._last_pts + max(self._shortest_ticks, round(hold_s / self._time_base))) * self._time_base
                # A file is as long as its packets' durations together, the first of which begins with the first picture.
                self._waiting.duration = round(end / self._waiting.time_base) - self._waiting.dts - self._delay
            self._mux([None])
        finally:
            self._waiting = None  # nothing can be written into a closed file
            self._container.close()

    def _mux(self, packets: Iterable[Any]) -> None:
        """Writes all but the last of the packets so far; None lets that one go too."""
        for packet in packets:
            waiting, self._waiting = self._waiting, packet
            if waiting is not None:
                self._container.mux(waiting)
            elif packet is not None and not self._has_begun:
                self._has_begun, self._delay = True, packet.pts - packet.dts

    def abandon(self) -> None:
        """Closes the file as it is."""
        for end in (lambda: self._mux([None]), self._container.close):
            with contextlib.suppress(av.error.FFmpegError, OSError):  # the disk is full: that was told already
                end()

    def _add_stream(self, size_wh: tuple[int, int]) -> Any:
        encoding, form = self._encoding, self._form
        rate = form.rate.limit_denominator(1_001_000) or Fraction(1)
        stream: Any = self._container.add_stream(encoding.ffmpeg_name, rate=rate, options=encoding.options())
        stream.width, stream.height = size_wh
        stream.pix_fmt = encoding.pixel_format
        context = stream.codec_context
        context.time_base = stream.time_base = self._time_base
        context.gop_size = 1 if encoding.codec == "ffv1" else max(1, min(600, round(KEYFRAME_S * float(rate))))
        bit_rate = encoding.bit_rate(size_wh, float(rate))
        if bit_rate is not None:
            context.bit_rate = bit_rate
        if form.pixel_aspect:
            context.sample_aspect_ratio = form.pixel_aspect
        if not encoding.pixel_format.startswith(("bgr", "pal")):
            tag_encoder(context, form.colours)
        if encoding.codec == "hevc":
            context.codec_tag = "hvc1"  # the only one that Apple's players take
        context.thread_type = "AUTO"
        if encoding.codec == "h264":  # quick enough; the other cores paint, and each thread more costs x264 time of its own
            context.thread_count = max(1, core_count() // 2)
        return stream

    def _to_frame(self, image_bgr: Image) -> Any:
        if self._palettes is not None:
            return self._palettes.reduce(image_bgr)
        return to_codec_frame(image_bgr, self._form.colours, self._encoding.pixel_format, self._reformatter)

    def _next_pts(self, at_s: float | None) -> int:
        rate_ticks = max(1, round(1 / (self._form.rate * self._time_base)))
        if at_s is None:
            pts = round(self._form.start_s / self._time_base) if self._last_pts is None else self._last_pts + rate_ticks
        else:
            pts = round((self._form.start_s + at_s) / self._time_base)
        if self._last_pts is not None:
            pts = max(pts, self._last_pts + self._shortest_ticks)  # no two frames at one time: the second would be lost
        self._last_pts = pts
        return pts


class _Palettes:
    """The 256 best colours of each picture, and the picture in them: what a GIF holds."""

    def __init__(self, size_wh: tuple[int, int]) -> None:
        self._graph: Any = av.filter.Graph()
        picture = self._graph.add_buffer(
            width=size_wh[0], height=size_wh[1], format=av.VideoFormat("bgra"), time_base=_GIF_TICK
        )
        split, palette = self._graph.add("split"), self._graph.add("palettegen", "stats_mode=single:reserve_transparent=0")
        use, result = self._graph.add("paletteuse", "new=1:dither=bayer:bayer_scale=4"), self._graph.add("buffersink")
        picture.link_to(split)
        split.link_to(palette, 0, 0)
        split.link_to(use, 1, 0)
        palette.link_to(use, 0, 1)
        use.link_to(result)
        self._graph.configure()
        self._count = 0

    def reduce(self, image_bgr: Image) -> Any:
        """A frame of 256 colours."""
        frame = av.VideoFrame.from_ndarray(image_bgr, format="bgr24").reformat(format="bgra")
        frame.pts, frame.time_base = self._count, _GIF_TICK
        self._count += 1
        self._graph.vpush(frame)
        return self._graph.vpull()


def padding(size_wh: tuple[int, int], encoding: Encoding) -> tuple[int, int]:
    """Columns and rows, 0 or 1, that a picture needs more for the codec to hold it."""
    if not CODECS[encoding.codec].is_subsampled and encoding.pixel_format != "nv12":
        return 0, 0
    return size_wh[0] % 2, size_wh[1] % 2


def pad(image_bgr: Image, padding_wh: tuple[int, int]) -> Image:
    """A picture with its last column and row repeated so many times, contiguous in memory."""
    if padding_wh == (0, 0):
        return np.ascontiguousarray(image_bgr)
    return np.pad(image_bgr, ((0, padding_wh[1]), (0, padding_wh[0]), (0, 0)), mode="edge")


def _time_base(form: VideoForm, encoding: Encoding) -> Fraction:
    if encoding.codec == "gif":
        return _GIF_TICK
    time_base = form.time_base or 1 / form.rate.limit_denominator(1_001_000)
    return time_base if time_base.denominator <= _FINEST_TICKS else Fraction(1, _FINEST_TICKS)
