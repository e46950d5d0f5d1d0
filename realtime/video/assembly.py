"""The finished file: the painted parts one after the other, with sound, subtitles and chapters of the source."""

from __future__ import annotations

import errno
import heapq
import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.error

from realtime.errors import reason_of
from realtime.program.notes import Note
from realtime.video.codecs import FORMATS, FRAGMENTED
from realtime.video.local_files import ffmpeg_name
from realtime.video.parts import Part
from realtime.video.tracks import Track, choose_tracks

_HELD_BY_THE_FILE = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder", "DURATION"})
_DISK_TROUBLES = frozenset({errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG})
_ATTEMPTS = ((frozenset({"audio", "subtitle"}), "subtitles"), (frozenset({"audio"}), "sound"))
Timed = tuple[float, int, Any]


@dataclass(frozen=True)
class Soundtrack:
    """Where the tracks beside the picture come from.

    path: the source.
    origin_s: its time that is zero in the output.
    is_cut: whether the output begins later than the source.
    end_s: output time after which nothing is taken over; None for all of it.
    ends_with_picture: whether nothing is taken over behind the last picture, wherever that may be.
    """

    path: Path
    origin_s: float = 0.0
    is_cut: bool = False
    end_s: float | None = None
    ends_with_picture: bool = False


def assemble(parts: Sequence[Part], made: Path, suffix: str, soundtrack: Soundtrack | None, note: Note) -> int:
    """Copies parts and tracks into one file; pictures are not encoded again.

    A soundtrack that cannot be kept is left out with a note: the pictures are never lost for it.

    Args:
        made: the file to be written.
        suffix: the ending of the output's name.
    Returns:
        Frames in the file.
    Raises:
        av.error.FFmpegError, OSError: the file cannot be written.
    """
    for kinds, lost in _ATTEMPTS if soundtrack is not None else ():
        try:
            return _write(parts, made, suffix, soundtrack, kinds, note)
        except (av.error.FFmpegError, ValueError) as error:
            if getattr(error, "errno", None) in _DISK_TROUBLES:
                raise
            note(f"{lost} could not be kept ({reason_of(error)})")
    return _write(parts, made, suffix, None, frozenset(), note)


def needs_assembly(parts: Sequence[Part], suffix: str) -> bool:
    """Whether a single part is not yet what the output shall be."""
    return suffix != ".gif" or len(parts) != 1


def _write(
    parts: Sequence[Part], made: Path, suffix: str, soundtrack: Soundtrack | None, kinds: frozenset[str], note: Note
) -> int:
    with ExitStack() as opened:
        first = opened.enter_context(av.open(ffmpeg_name(parts[0].path)))
        source: Any = None
        if soundtrack is not None and suffix != ".gif":
            source = opened.enter_context(av.open(ffmpeg_name(soundtrack.path), metadata_errors="replace"))
        options = {"movflags": "faststart", "movie_timescale": _film_ticks(first)} if FORMATS[suffix] in FRAGMENTED else {}
        output: Any = opened.enter_context(av.open(ffmpeg_name(made), "w", format=FORMATS[suffix], container_options=options))
        pictures = output.add_stream_from_template(first.streams.video[0], opaque=True)
        if first.streams.video[0].average_rate:  # Matroska writes it down; left alone it takes H.264's tick for it
            pictures.codec_context.framerate = first.streams.video[0].average_rate
        if first.streams.video[0].codec_context.codec.canonical_name == "hevc" and FORMATS[suffix] in FRAGMENTED:
            pictures.codec_context.codec_tag = "hvc1"
        counted = _Counter()
        merged = [_pictures(parts, pictures, counted)]
        if source is not None and soundtrack is not None:
            tracks = choose_tracks(source, output, suffix, kinds, note)
            _take_over_descriptions(source, output, soundtrack)
            merged.append(_others(source, tracks, soundtrack, holds_negative_times=FORMATS[suffix] in FRAGMENTED))
        for _, _, packet in heapq.merge(*merged, key=lambda timed: timed[:2]):
            output.mux(packet)
    return counted.frames


@dataclass
class _Counter:
    frames: int = 0


def _pictures(parts: Sequence[Part], stream: Any, counted: _Counter) -> Iterator[Timed]:
    """The parts' packets, decoding times made to rise over the seams."""
    last_s = float("-inf")
    for part in parts:
        container: Any
        with av.open(ffmpeg_name(part.path)) as container:
            tick = float(container.streams.video[0].time_base)
            # Every GIF counts from zero.
            late = round((part.start_s - parts[0].start_s) / tick) if container.format.name == "gif" else 0
            packets = (packet for packet in container.demux(video=0) if packet.size)
            for packet in _with_decoding_times(itertools.islice(packets, part.frames)):
                counted.frames += 1
                packet.pts += late
                dts = packet.dts + late
                if dts * tick <= last_s:
                    dts = min(packet.pts, round(last_s / tick) + 1)
                packet.dts = dts
                last_s = dts * tick
                packet.stream = stream
                yield last_s, 0, packet


def _with_decoding_times(packets: Iterator[Any]) -> Iterator[Any]:
    """The same packets, those without a decoding time given one: just before the first known one, as many ticks as there are.

    Matroska holds none, and where pictures are reordered FFmpeg cannot guess the first few.
    """
    unknown: list[Any] = []
    for packet in packets:
        if packet.dts is None:
            unknown.append(packet)
            continue
        for ahead, waiting in zip(range(len(unknown), 0, -1), unknown, strict=True):
            waiting.dts = min(waiting.pts, packet.dts - ahead)
        yield from unknown
        unknown.clear()
        yield packet
    for packet in unknown:
        packet.dts = packet.pts
        yield packet


def _others(source: Any, tracks: dict[int, Track], soundtrack: Soundtrack, holds_negative_times: bool) -> Iterator[Timed]:
    """Packets of the other tracks that belong into the output, in its time."""
    if not tracks:
        return
    at_s = 0.0
    packets = source.demux([stream for stream in source.streams if stream.index in tracks])
    if soundtrack.is_cut:
        source.seek(int(soundtrack.origin_s * 1_000_000), backward=True)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.error.FFmpegError):  # a damaged end; what came before is kept
            break
        time = packet.dts if packet.dts is not None else packet.pts
        if not packet.size or time is None:
            continue
        at_s = float(time * packet.time_base) - soundtrack.origin_s
        # Codecs of sound run in before zero. MP4 says so; Matroska would move the whole film instead.
        is_run_in = not holds_negative_times and at_s + float((packet.duration or 0) * packet.time_base) <= 0
        if at_s < 0 and (soundtrack.is_cut or is_run_in):
            continue
        if soundtrack.end_s is not None and at_s >= soundtrack.end_s:
            if at_s > soundtrack.end_s + 10:  # tracks are interleaved, but not to the second
                break
            continue
        shift = round(soundtrack.origin_s / packet.time_base)
        packet.dts = None if packet.dts is None else packet.dts - shift
        packet.pts = None if packet.pts is None else packet.pts - shift
        for made in tracks[packet.stream.index].take(packet):
            yield _time_of(made, at_s), 1, made
    for track in tracks.values():
        for made in track.finish():
            yield _time_of(made, at_s), 1, made


def _time_of(made: Any, otherwise_s: float) -> float:
    """When a packet belongs into the file: silence for a gap is known at its end and lies before it."""
    return otherwise_s if made.dts is None else float(made.dts * made.time_base)


def _take_over_descriptions(source: Any, output: Any, soundtrack: Soundtrack) -> None:
    output.metadata.update({key: text for key, text in source.metadata.items() if key not in _HELD_BY_THE_FILE})
    chapters = []
    for chapter in source.chapters():
        time_base = chapter["time_base"]
        start, end = (round(chapter[edge] - soundtrack.origin_s / time_base) for edge in ("start", "end"))
        last = end if soundtrack.end_s is None else min(end, round(soundtrack.end_s / time_base))
        if last > max(start, 0):
            chapters.append({**chapter, "start": max(start, 0), "end": last})
    if chapters:
        output.set_chapters(chapters)


def _film_ticks(part: Any) -> str:
    return str(min(part.streams.video[0].time_base.denominator, 1_000_000))
