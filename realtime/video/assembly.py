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
from realtime.video.opening import open_container
from realtime.video.other_tracks import Soundtrack, Timed, other_packets
from realtime.video.parts import Part
from realtime.video.tracks import choose_tracks

_HELD_BY_THE_FILE = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder", "DURATION"})
_DISK_TROUBLES = frozenset({errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG})
# Of a packet that is not what its track holds; a filter on the way into the file may take the rest for a header.
_DAMAGES = (av.error.InvalidDataError, av.error.PatchWelcomeError)
_GIF_SIGNATURE, _GIF_HEADER_BYTES, _GIF_FRAME, _GIF_END = b"GIF8", 13, b"\x21\xf9\x04", b"\x3b"


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
    for kinds, lost in _attempts(soundtrack.path) if soundtrack is not None and suffix != ".gif" else ():
        try:
            return _write(parts, made, suffix, soundtrack, kinds, note)
        except (av.error.FFmpegError, ValueError) as error:
            if getattr(error, "errno", None) in _DISK_TROUBLES:
                raise
            note(f"{lost} could not be kept ({reason_of(error)})")
    return _write(parts, made, suffix, None, frozenset(), note)


def _attempts(source: Path) -> list[tuple[frozenset[str], str]]:
    """Kinds of tracks to be kept, first all that there are, and what is lost where a file with them cannot be written."""
    names = {"audio": "sound", "subtitle": "subtitles"}
    try:
        with open_container(source) as container:
            found = [kind for kind in names if any(stream.type == kind for stream in container.streams)]
    except (av.error.FFmpegError, OSError, ValueError):  # it vanished; the attempt tells how
        found = ["audio"]
    if not found:
        return [(frozenset(), "title and chapters")]
    return [(frozenset(found[:count]), names[found[count - 1]]) for count in range(len(found), 0, -1)]


def needs_assembly(parts: Sequence[Part], suffix: str) -> bool:
    """Whether a single part is not yet what the output shall be."""
    return suffix != ".gif" or len(parts) != 1


def _write(
    parts: Sequence[Part], made: Path, suffix: str, soundtrack: Soundtrack | None, kinds: frozenset[str], note: Note
) -> int:
    with ExitStack() as opened:
        first = opened.enter_context(av.open(ffmpeg_name(parts[0].path)))
        source: Any = None
        if soundtrack is not None:
            source = opened.enter_context(open_container(soundtrack.path))
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
            merged.append(other_packets(source, tracks, soundtrack, holds_negative_times=FORMATS[suffix] in FRAGMENTED))
        for _, order, packet in heapq.merge(*merged, key=lambda timed: timed[:2]):
            try:
                output.mux(packet)
            except _DAMAGES:
                if order == 0:
                    raise
                counted.damaged += 1
            else:
                counted.others += order > 0
        if counted.damaged > counted.others:  # not damage, but a kind that the file cannot hold
            raise ValueError(f"{counted.damaged} damaged packets")
    if counted.damaged:
        note(f"damaged packets of sound or subtitles left out: {counted.damaged}")
    return counted.frames


@dataclass
class _Counter:
    """Packets of pictures, of the other tracks, and of these the ones that the file refused."""

    frames: int = 0
    others: int = 0
    damaged: int = 0


def _pictures(parts: Sequence[Part], stream: Any, counted: _Counter) -> Iterator[Timed]:
    """The parts' packets, decoding times made to rise over the seams."""
    last_s = float("-inf")
    for part in parts:
        container: Any
        with av.open(ffmpeg_name(part.path)) as container:
            made = container.streams.video[0]
            tick = float(made.time_base)
            packets = (packet for packet in container.demux(video=0) if packet.size)
            late = 0
            if container.format.name == "gif":
                late = round((part.start_s - parts[0].start_s) / tick)  # every GIF counts from zero
                packets = (_gif_frame_alone(packet, keeps_header=part is parts[0]) for packet in packets)
            shown_last = _shown_last(part) if part is parts[-1] else None
            for packet in _with_decoding_times(itertools.islice(packets, part.frames)):
                counted.frames += 1
                if packet.pts == shown_last and made.duration:  # parts tell their whole length, but not every packet its own
                    packet.duration = max(packet.duration or 0, (made.start_time or 0) + made.duration - packet.pts)
                packet.pts += late
                dts = packet.dts + late
                if dts * tick <= last_s:
                    dts = min(packet.pts, round(last_s / tick) + 1)
                packet.dts = dts
                last_s = dts * tick
                packet.stream = stream
                yield last_s, 0, packet


def _gif_frame_alone(packet: Any, keeps_header: bool) -> Any:
    """A packet of a GIF without the file's header and end mark, which FFmpeg hands out with its first and last frame.

    In the middle of a file most players stop there; FFmpeg alone searches for more.
    """
    data = bytes(packet)
    begin = data.find(_GIF_FRAME, _GIF_HEADER_BYTES) if data.startswith(_GIF_SIGNATURE) and not keeps_header else 0
    alone: Any = av.Packet(data[begin:].removesuffix(_GIF_END))
    alone.pts, alone.dts, alone.duration, alone.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
    alone.is_keyframe = packet.is_keyframe
    return alone


def _shown_last(part: Part) -> int | None:
    """Time of the packet that is shown last, which need not be the last one; None where not all of a part is wanted."""
    container: Any
    with av.open(ffmpeg_name(part.path)) as container:
        times = [packet.pts for packet in container.demux(video=0) if packet.size]
    return max(times) if len(times) == part.frames else None


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
