"""The files that a run makes beside an output on the way to it, and --resume goes on with; known by their names."""

from __future__ import annotations

import json
import re
from pathlib import Path


def part_path(output: Path, number: int) -> Path:
    """A part of a video, from 1; only runs that go on with others make more than one."""
    return output.with_name(f"{output.name}.partial" if number == 1 else f"{output.name}.{number}.partial")


def resume_file_path(output: Path) -> Path:
    """The small file that --resume needs, beside the output."""
    return output.with_name(output.name + ".resume.json")


def finishing_path(output: Path) -> Path:
    """Where a video is put together before it gets its name."""
    return output.with_name(output.name + ".finishing")


def beside(output: Path, name: str) -> Path:
    """Path of a part by the name in the notes.

    Raises:
        ValueError: no part is called so; names that lead elsewhere are not followed.
    """
    if name != output.name and not re.fullmatch(re.escape(output.name) + r"(\.\d+)?\.partial", name):
        raise ValueError(f"{name!r} is no part of {output.name}")
    return output.with_name(name)


def listed_parts(output: Path) -> list[Path]:
    """The parts that the notes name, the output itself perhaps among them; none where there are no notes to be read."""
    try:
        listed = json.loads(resume_file_path(output).read_text(encoding="utf-8"))["parts"]
        return [beside(output, str(part["file"])) for part in listed]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def side_files(output: Path) -> list[Path]:
    """Every file beside an output that a run may write over or remove."""
    listed = listed_parts(output)
    numbered = [part_path(output, number) for number in range(1, len(listed) + 2)]
    notes = resume_file_path(output)
    made = [*numbered, *listed, finishing_path(output), notes, part_path(notes, 1)]
    return [path for path in dict.fromkeys(made) if path != output]
