"""How results are written: whole or not at all; links stay links, and devices and pipes are written to, not replaced."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_OF_THE_SYSTEM = ("/dev/", "/proc/")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A place beside a file that is written to meanwhile, and takes the file's place at the end; whatever happens, nothing
    half made is left.

    Raises:
        OSError: it cannot be put in place.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        with suppress(OSError):  # in place, or never begun, or no name that a file can have
            partial.unlink()


def behind_links(path: Path) -> Path:
    """The file that a link names, so that the link stays where the file is replaced; any other path as it is."""
    return Path(os.path.realpath(path)) if os.path.islink(path) and not is_written_in_place(path) else path


def is_written_in_place(path: Path) -> bool:
    """Whether a path names a device or a pipe, which nothing can be put in the place of; /dev/stdout is a link to one."""
    if os.path.abspath(path).startswith(_OF_THE_SYSTEM):
        return True
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)
