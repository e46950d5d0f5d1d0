"""What is needed to go on with a broken-off video: the parts that exist, their frames, the settings they were made with."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realtime.errors import OutputError
from realtime.program.written_paths import whole_file
from realtime.video.parts import Part, count_frames, picture_size, whole_frames
from realtime.video.side_files import beside, listed_parts, part_path, resume_file_path

_VERSION = 1


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
        path = resume_file_path(self.output)
        try:
            with whole_file(path) as partial:
                partial.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"--output {self.output}: {path.name} cannot be written beside it ({error.strerror})") from None

    def forget(self) -> None:
        """Removes the notes: the output is complete."""
        resume_file_path(self.output).unlink(missing_ok=True)


def find_unfinished(output: Path, settings: dict[str, Any]) -> UnfinishedVideo | None:
    """What an earlier run left of an output; None where it left nothing.

    Raises:
        OutputError: it was made with other settings, or the notes cannot be read.
    """
    path = resume_file_path(output)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        version, before = found["version"], dict(found["settings"])
        listed = [_read_part(output, part) for part in found["parts"]]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise OutputError(
            f"--resume: {path} cannot be read ({error}); use --overwrite without --resume to start over"
        ) from None
    if version != _VERSION:
        raise OutputError(
            f"--resume: {path} is of version {version}, expected {_VERSION}; use --overwrite without --resume to start over"
        )
    _check_settings(before, json.loads(json.dumps(settings)))
    kept = [part for part in map(_measure, listed) if part.frames]
    _check_sizes(kept)
    return UnfinishedVideo(output, settings, tuple(kept))


def is_unfinished(output: Path) -> bool:
    """Whether notes of a broken-off run lie beside an output."""
    return os.path.exists(resume_file_path(output))  # Path.exists raises where a name is too long


def check_nothing_left(output: Path, go_on: str = "") -> None:
    """Refuses an output beside which an earlier run left what it had made: a new one would replace that.

    Args:
        go_on: how to go on with it instead, where that can be done.
    Raises:
        OutputError: with what to do.
    """
    if is_unfinished(output):
        raise OutputError(f"--output {output}: broken off by an earlier run; add {go_on}--overwrite to begin again")
    left = part_path(output, 1)
    if os.path.exists(left) and count_frames(left):  # a crash leaves it, without notes
        raise OutputError(
            f"--output {output}: {left.name} of an earlier run lies beside it; move it away, or add --overwrite to replace it"
        )


def network_before(outputs: Iterable[Path]) -> str | None:
    """SHA-256 of the network by which the first of the outputs that was broken off was painted; None where none was."""
    for output in outputs:
        try:
            settings = json.loads(resume_file_path(output).read_text(encoding="utf-8"))["settings"]
            return str(settings["network"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def discard_unfinished(output: Path) -> None:
    """Removes what a broken-off run left, except what stands under the output's own name."""
    for path in listed_parts(output):
        if path != output:
            path.unlink(missing_ok=True)
    resume_file_path(output).unlink(missing_ok=True)


@dataclass(frozen=True)
class _ListedPart:
    """A part as the notes tell of it; those that were being written have neither frames nor bytes yet."""

    path: Path
    frames: int | None
    bytes: int | None
    start_s: float


def _listed(part: Part, frames: int | None) -> dict[str, Any]:
    entry: dict[str, Any] = {"file": part.path.name, "frames": frames, "start_s": part.start_s}
    with contextlib.suppress(OSError):
        if frames is not None:
            entry["bytes"] = part.path.stat().st_size
    return entry


def _read_part(output: Path, entry: dict[str, Any]) -> _ListedPart:
    """An entry of the notes. Raises KeyError, TypeError, OverflowError or ValueError where it makes no sense."""
    entry = {"bytes": None} | entry
    counts = {name: entry[name] for name in ("frames", "bytes")}
    for name, count in counts.items():
        if count is not None and (type(count) is not int or count < 0):
            raise ValueError(f"{name} are {count!r}, expected a count")
    start_s = float(entry["start_s"])
    if not math.isfinite(start_s):
        raise ValueError(f"start_s is {start_s}")
    return _ListedPart(beside(output, str(entry["file"])), **counts, start_s=start_s)


def _measure(listed: _ListedPart) -> Part:
    """A listed part with the frames of it that can be used.

    Raises:
        OutputError: it is no longer what the notes tell of.
    """
    path, frames = listed.path, listed.frames
    if frames is None:
        return Part(path, whole_frames(path), listed.start_s)
    if not os.path.exists(path):
        raise OutputError(f"--resume: {path} is missing; use --overwrite without --resume to start over")
    size, there = path.stat().st_size, count_frames(path)
    if there < frames or listed.bytes not in (None, size):
        left = f"{frames} frames" + (f" in {listed.bytes} bytes" if listed.bytes is not None else "")
        raise OutputError(
            f"--resume: {path} holds {there} frames in {size} bytes, the earlier run left {left}; "
            "put its file back, or use --overwrite without --resume to start over"
        )
    return Part(path, frames, listed.start_s)


def _check_sizes(parts: Sequence[Part]) -> None:
    sizes_wh = [picture_size(part.path) or (0, 0) for part in parts]
    if len(set(sizes_wh)) > 1:
        found = ", ".join(f"{part.path.name} {width}x{height}" for part, (width, height) in zip(parts, sizes_wh, strict=True))
        raise OutputError(
            f"--resume: the parts' pictures differ in size ({found}); use --overwrite without --resume to start over"
        )


def _check_settings(before: dict[str, Any], now: dict[str, Any]) -> None:
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            raise OutputError(
                f"--resume: {name} was {before.get(name)!r} and is {now.get(name)!r}; "
                "use the same settings, or --overwrite without --resume to start over"
            )
