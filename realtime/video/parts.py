"""Files that hold a stretch of an output: what of them can be used, for a run may have broken off in their middle."""

from __future__ import annotations

import contextlib
import itertools
import os
import struct
from dataclasses import dataclass
from pathlib import Path

import av
import av.error

from realtime.video.local_files import ffmpeg_name

_GIF = "gif"  # its pictures lean on those before, never on those behind


@dataclass(frozen=True)
class Part:
    """A file with the first frames of an output, or those after another part.

    frames: so many of its frames count.
    start_s: time of its first frame in the output; a GIF by itself counts from zero.
    """

    path: Path
    frames: int
    start_s: float = 0.0


def whole_frames(path: Path) -> int:
    """Frames of a part that broke off, up to its last keyframe: those from there on may lean on what was lost."""
    seen = usable = 0
    try:
        with av.open(ffmpeg_name(path)) as container:
            for packet in container.demux(video=0):
                if not packet.size:
                    continue
                if packet.is_keyframe or container.format.name == _GIF:
                    usable = seen
                seen += 1
    except (av.error.FFmpegError, OSError, IndexError):
        pass  # not even its header was written, or it ends in the middle of something
    return usable


def trim_part(path: Path) -> None:
    """Cuts off what was written of a last fragment when the disk became full, so that players do not stumble over it."""
    end = 0
    try:
        with path.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            position = 0
            while position + 8 <= size:
                file.seek(position)
                length, kind = struct.unpack(">I4s", file.read(8))
                if length == 1:  # the length follows in eight bytes
                    length = struct.unpack(">Q", file.read(8).rjust(8, b"\0"))[0]
                position += max(8, length)
                if kind in (b"ftyp", b"mdat") and position <= size:
                    end = position
            if end:
                file.truncate(end)
    except OSError:
        pass  # it stays as it is


def count_frames(path: Path) -> int:
    """Frames that a player finds whole in a file."""
    frames = 0
    try:
        with av.open(ffmpeg_name(path)) as container:
            for packet in container.demux(video=0):
                frames += bool(packet.size and not packet.is_corrupt)
    except (av.error.FFmpegError, OSError, IndexError):
        pass
    return frames


def end_of_part(part: Part) -> float:
    """Time in the output at which the last picture of a part ends, in seconds."""
    end_s = 0.0
    with contextlib.suppress(av.error.FFmpegError, OSError, IndexError), av.open(ffmpeg_name(part.path)) as container:
        packets = (packet for packet in container.demux(video=0) if packet.size)
        for packet in itertools.islice(packets, part.frames):
            if packet.pts is not None:
                end_s = max(end_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
    return end_s


def picture_size(path: Path) -> tuple[int, int] | None:
    """Width and height of a part's pictures; None where it cannot be opened."""
    try:
        with av.open(ffmpeg_name(path)) as container:
            context = container.streams.video[0].codec_context
            return context.width, context.height
    except (av.error.FFmpegError, OSError, IndexError):
        return None
