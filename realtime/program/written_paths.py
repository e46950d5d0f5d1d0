"""Where a result is really written: links stay links, and devices and pipes are written to, not replaced."""

from __future__ import annotations

import os
from pathlib import Path

_OF_THE_SYSTEM = ("/dev/", "/proc/")


def behind_links(path: Path) -> Path:
    """The file that a link names, so that the link stays where the file is replaced; any other path as it is."""
    return Path(os.path.realpath(path)) if os.path.islink(path) and not is_written_in_place(path) else path


def is_written_in_place(path: Path) -> bool:
    """Whether a path names a device or a pipe, which nothing can be put in the place of; /dev/stdout is a link to one."""
    if os.path.abspath(path).startswith(_OF_THE_SYSTEM):
        return True
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)
