"""Video files made for tests: tagged colours, uneven times, sound, subtitles, chapters, rotation, transparency."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import Interpolation

from realtime.frame import Image
from realtime.video.encoder import VideoForm
from realtime.video.excerpt import Excerpt
from realtime.video.other_tracks import Soundtrack
from realtime.video.reader import VideoFileSource
from realtime.video.writer import VideoFileSink

ASS_HEADER = b"[Script Info]\r\nScriptType: v4.00+\r\n\r\n[V4+ Styles]\r\nFormat: Name\r\n\r\n[Events]\r\nFormat: Text\r\n"
EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
BT709, BT601 = 1, 6
LIMITED, FULL = 1, 2
SOUND_RATE = 8000
CLICK_SAMPLES = 80
SOUND_FRAME_SAMPLES = 400  # so much is in a packet of a codec that does not care


def grey_ramp(size_wh: tuple[int, int] = (128, 64)) -> Image:
    """All greys from 0 to 255, left to right."""
    row = np.linspace(0, 255, size_wh[0]).round().astype(np.uint8)
    return np.repeat(np.tile(row, (size_wh[1], 1))[..., None], 3, axis=2)


def write_film(
    path: Path,
    pictures: Sequence[Image],
    *,
    times_s: Sequence[float] | None = None,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    matrix: int | None = BT709,
    range_: int = LIMITED,
    transfer: int | None = None,
    sound: str | None = None,
    clicks_s: Sequence[float] = (),
    subtitles: Sequence[tuple[float, str]] = (),
    subtitle_codec: str = "mov_text",
    chapters: Sequence[tuple[float, float, str]] = (),
    options: dict[str, str] | None = None,
    pixel_aspect: Fraction | None = None,
    sound_s: float | None = None,
    words_s: float = 0.1,
) -> Path:
    """A film with the given frames.

    Args:
        times_s: of each frame; 25 a second by default.
        matrix: tagged, and used to make YUV; None leaves it untagged and uses BT.601.
        sound: codec of a sound track as long as the film, silent but for the clicks.
        subtitles: (start, text), shown for words_s seconds each.
        chapters: (start, end, title).
        pixel_aspect: width of a pixel over its height.
        sound_s: length of the sound where it is not the film's.
    """
    shown_at = list(times_s) if times_s is not None else [index / 25 for index in range(len(pictures))]
    tick = Fraction(1, 1000)
    with av.open(str(path), "w") as container:
        if chapters:
            container.set_chapters(
                [
                    {"id": n, "start": round(a * 1000), "end": round(b * 1000), "time_base": tick, "metadata": {"title": t}}
                    for n, (a, b, t) in enumerate(chapters)
                ]
            )
        stream: Any = container.add_stream(codec, rate=25, options=options or ({"crf": "4"} if codec == "libx264" else {}))
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = tick
        if matrix is not None:
            stream.codec_context.colorspace = matrix
            stream.codec_context.color_trc = stream.codec_context.color_primaries = transfer or matrix
        if transfer is not None:
            stream.codec_context.color_trc = transfer
        stream.codec_context.color_range = range_
        if pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        voice: Any = container.add_stream(sound, rate=SOUND_RATE, layout="mono") if sound else None
        text: Any = container.add_stream(subtitle_codec) if subtitles else None
        if text is not None:
            text.codec_context.subtitle_header = ASS_HEADER
        for picture, at_s in zip(pictures, shown_at, strict=True):
            container.mux(stream.encode(_to_codec(picture, pixel_format, matrix, range_, round(at_s * 1000))))
        container.mux(stream.encode(None))
        if voice is not None:
            _write_sound(container, voice, sound_s or shown_at[-1] + 0.04, clicks_s)
        for start_s, words in subtitles:
            data = words.encode()
            packet: Any = av.Packet(struct.pack(">H", len(data)) + data if subtitle_codec == "mov_text" else data)
            packet.pts = packet.dts = round(start_s * 1000)
            packet.duration, packet.time_base, packet.stream = round(words_s * 1000), tick, text
            container.mux(packet)
    return path


def _to_codec(picture: Image, pixel_format: str, matrix: int | None, range_: int, pts: int) -> Any:
    alpha = picture.shape[2] == 4
    frame = av.VideoFrame.from_ndarray(picture, format="bgra" if alpha else "bgr24")
    if pixel_format != frame.format.name:
        is_yuv = pixel_format.startswith("yuv")
        space = {"dst_colorspace": 1 if matrix == BT709 else 5, "dst_color_range": range_} if is_yuv else {}
        frame = frame.reformat(format=pixel_format, src_color_range=FULL, interpolation=EXACT, **space)
    frame.pts, frame.time_base = pts, Fraction(1, 1000)
    return frame


def _write_sound(container: Any, voice: Any, seconds: float, clicks_s: Sequence[float]) -> None:
    samples = np.zeros((1, round(seconds * SOUND_RATE)), np.int16)
    for click_s in clicks_s:
        start = round(click_s * SOUND_RATE)
        samples[0, start : start + CLICK_SAMPLES] = 20000
    resampler = av.AudioResampler(voice.codec_context.format, "mono", SOUND_RATE, frame_size=SOUND_FRAME_SAMPLES)
    whole = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
    whole.sample_rate, whole.pts, whole.time_base = SOUND_RATE, 0, Fraction(1, SOUND_RATE)
    for frame in [*resampler.resample(whole), *resampler.resample(None)]:
        container.mux(voice.encode(frame))
    container.mux(voice.encode(None))


def remux(film: Path, path: Path, keeps: Callable[[Any], bool]) -> Path:
    """A film whose packets are written again as they are.

    Args:
        keeps: whether a packet stays; may change it.
    """
    container: Any
    output: Any
    with av.open(str(film)) as container, av.open(str(path), "w") as output:
        made = {stream.index: output.add_stream_from_template(stream) for stream in container.streams}
        for packet in container.demux():
            if packet.size and keeps(packet):
                packet.stream = made[packet.stream.index]
                output.mux(packet)
    return path


def later(film: Path, path: Path, seconds: float) -> Path:
    """A film whose clock stands so much later."""

    def move(packet: Any) -> bool:
        packet.pts += round(seconds / packet.time_base)
        packet.dts += round(seconds / packet.time_base)
        return True

    return remux(film, path, move)


def joined_film(film: Path, path: Path, times: int = 2) -> Path:
    """A transport stream put behind itself: its clock begins anew."""
    path.write_bytes(film.read_bytes() * times)
    return path


def copy_film(film: Path, made: Path, excerpt: Excerpt | None = None) -> list[str]:
    """A film read and written with its tracks; what was noted."""
    notes: list[str] = []
    excerpt = excerpt or Excerpt()
    source = VideoFileSource(film, excerpt)
    source.open()
    form = VideoForm(source.average_rate, source.time_base, source.start_s, source.colours)
    end_s = None if excerpt.end_s is None else excerpt.end_s - excerpt.start_s
    soundtrack = Soundtrack(film, source.origin_s, bool(excerpt.start_s), end_s, restarts_s=source.restarts_s)
    sink = VideoFileSink(
        made, form, overwrite=False, soundtrack=soundtrack, last_shown_s=source.last_shown_s, note=notes.append
    )
    while (found := source.read()) is not None:
        sink.write(*found)
    source.close()
    sink.close(True)
    return notes


def clicks_of(path: Path) -> list[float]:
    """Seconds at which the clicks of the first sound track begin."""
    loud: list[float] = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            samples = frame.to_ndarray()[0].astype(np.float64)
            samples /= 32768 if np.abs(samples).max() > 2 else 1
            at_s = float(frame.time or 0.0)
            loud += [at_s + int(index) / frame.sample_rate for index in np.flatnonzero(np.abs(samples) > 0.25)]
    return [at_s for number, at_s in enumerate(loud) if number == 0 or at_s - loud[number - 1] > 0.05]


def rotate_film(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Gives an MP4 a display matrix (a, b, c, d), each -1, 0 or 1."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 40  # version, flags, times, id, duration, layer, group, volume
    a, b, c, d = (value << 16 for value in matrix)
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))
    return path


def describe_film(path: Path) -> Any:
    """Times, pictures and tags of a file's first video stream."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        pictures = [frame.to_ndarray(format="bgr24", interpolation=EXACT, dst_color_range=FULL) for frame in frames]
        return [frame.time for frame in frames], pictures, (frames[0].colorspace, frames[0].color_range)
