"""How results are written: whole or not at all; links stay links, and devices and pipes are written to, not replaced."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Links to what a program was started with; followed to a file, they would be mistaken for one of the user's.
_STREAMS = re.compile(r"/dev/(std(in|out|err)|fd/\d+)|/proc/[^/]+/fd/\d+")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A place beside a file that is written to meanwhile, and takes the file's place at the end; whatever happens, nothing
    half made is left.

    Raises:
        OSError: it cannot be put in place.
    """
    place = behind_links(path)
    partial = place.with_name(place.name + ".partial")
    try:
        yield partial
        os.replace(partial, place)
    finally:
        with suppress(OSError):  # in place, or never begun, or no name that a file can have
            partial.unlink()


def put_in_place(made: Path, path: Path) -> None:
    """Moves a finished file to its place, to the one that a link names where the place is a link.

    Raises:
        OSError: it cannot be put there.
    """
    place = behind_links(path)
    try:
        os.replace(made, place)
    except OSError as error:
        if error.errno != errno.EXDEV:  # the link leads to another disk
            raise
        with whole_file(place) as partial:
            shutil.copyfile(made, partial)
        made.unlink()


def behind_links(path: Path) -> Path:
    """The file that a link names, so that the link stays where the file is replaced; any other path as it is."""
    return Path(os.path.realpath(path)) if os.path.islink(path) and not is_written_in_place(path) else path


def is_written_in_place(path: Path) -> bool:
    """Whether a path names a device or a pipe, which nothing can be put in the place of; /dev/stdout is a link to one."""
    if _STREAMS.fullmatch(os.path.abspath(path)):
        return True
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)
