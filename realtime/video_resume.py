"""What is needed to go on with a broken-off video: the parts that exist, their frames, the settings they were made with."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.error

from realtime.errors import OutputError
from realtime.local_files import ffmpeg_name
from realtime.side_files import beside, listed_parts, notes_path, part_path

_VERSION = 1
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


@dataclass(frozen=True)
class UnfinishedVideo:
    """An output on its way, as the file beside it describes it.

    settings: what the pictures depend on; None for sources that cannot be read again.
    parts: made by runs before this one.
    """

    output: Path
    settings: dict[str, Any] | None
    parts: tuple[Part, ...] = ()

    @property
    def frames(self) -> int:
        """Frames that need not be made again."""
        return sum(part.frames for part in self.parts)

    @property
    def new_part(self) -> Path:
        """Where this run writes."""
        number = 1
        while any(part.path == part_path(self.output, number) for part in self.parts):
            number += 1
        return part_path(self.output, number)

    def remember(self, parts: Sequence[Part], running: Part | None = None) -> None:
        """Writes down which parts there are.

        Args:
            running: the part that is being written: its frames are counted should it end early.
        Raises:
            OutputError: it cannot be written.
        """
        if self.settings is None:
            return
        listed = [_listed(part, part.frames) for part in parts]
        if running is not None:
            listed.append(_listed(running, None))
        text = json.dumps({"version": _VERSION, "settings": self.settings, "parts": listed}, indent=2)
        path = notes_path(self.output)
        partial = path.with_name(path.name + ".partial")
        try:
            partial.write_text(text + "\n", encoding="utf-8")
            os.replace(partial, path)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise OutputError(f"--output {self.output}: {path.name} cannot be written beside it ({error.strerror})") from None

    def forget(self) -> None:
        """Removes the notes: the output is complete."""
        notes_path(self.output).unlink(missing_ok=True)


def find_unfinished(output: Path, settings: dict[str, Any]) -> UnfinishedVideo | None:
    """What an earlier run left of an output; None where it left nothing.

    Raises:
        OutputError: it was made with other settings, or the notes cannot be read.
    """
    path = notes_path(output)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        version, before, listed = found["version"], dict(found["settings"]), list(found["parts"])
        parts = [(beside(output, str(part["file"])), part["frames"], float(part["start_s"])) for part in listed]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(f"--resume: {path} cannot be read ({error}); --overwrite alone begins again") from None
    if version != _VERSION:
        raise OutputError(f"--resume: {path} is of version {version}, expected {_VERSION}; --overwrite alone begins again")
    _check_settings(before, json.loads(json.dumps(settings)))
    kept: list[Part] = []
    for its_path, frames, start_s in parts:
        there = whole_frames(its_path)
        count = there if frames is None else int(frames)
        if frames is not None and not os.path.exists(its_path):
            raise OutputError(f"--resume: {its_path} is missing; --overwrite alone begins again")
        if count:
            kept.append(Part(its_path, count, start_s))
    return UnfinishedVideo(output, settings, tuple(kept))


def is_unfinished(output: Path) -> bool:
    """Whether notes of a broken-off run lie beside an output."""
    return os.path.exists(notes_path(output))  # Path.exists raises where a name is too long


def discard_unfinished(output: Path) -> None:
    """Removes what a broken-off run left, except what stands under the output's own name."""
    for path in listed_parts(output):
        if path != output:
            path.unlink(missing_ok=True)
    notes_path(output).unlink(missing_ok=True)


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


def _listed(part: Part, frames: int | None) -> dict[str, Any]:
    return {"file": part.path.name, "frames": frames, "start_s": part.start_s}


def _check_settings(before: dict[str, Any], now: dict[str, Any]) -> None:
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            raise OutputError(
                f"--resume: {name} was {before.get(name)!r} and is {now.get(name)!r}; "
                "use the same settings, or --overwrite alone to begin again"
            )
