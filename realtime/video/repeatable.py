"""Sources that give the same frames when they are read again, so that --resume can go on with what was painted of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Repeatable(Protocol):
    """A source that can pass over the frames an earlier run has painted.

    skipped_frames: set before opening: so many frames are read and not handed over.
    """

    skipped_frames: int

    def frame_settings(self) -> dict[str, Any]:
        """What its frames depend on, for comparing with an earlier run: the files, and the options that choose from them."""

    def cancel(self) -> None:
        """Lets an open or read that passes over frames return at once, from another thread; nothing is read after it."""


def describe_file(path: Path) -> str:
    """Name, size and time of a file: enough to notice that it is another one."""
    try:
        found = path.stat()
    except OSError:
        return path.name
    return f"{path.name}, {found.st_size} bytes, changed {found.st_mtime_ns}"


def describe_files(paths: Sequence[Path]) -> str:
    """The same of many files, however many there are."""
    digest = hashlib.sha256("\n".join(map(describe_file, paths)).encode("utf-8", "surrogateescape")).hexdigest()
    return f"{len(paths)} files from {paths[0].name}, their names, sizes and times: {digest[:16]}"
