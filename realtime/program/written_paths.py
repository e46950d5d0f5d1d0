"""How results are written: whole or not at all; links stay links, and devices and pipes are written to, not replaced."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from realtime.errors import OutputError

# Links to what a program was started with; followed to a file, they would be mistaken for one of the user's.
_STREAMS = re.compile(r"/dev/(std(in|out|err)|fd/\d+)|/proc/[^/]+/fd/\d+")


def check_writable(path: Path, name: str, overwrite: bool, in_place: bool = False) -> None:
    """Refuses a place where no result can be written, or a file lies that nobody asked to replace, before any work is done.

    Args:
        name: of the place, with the option by which it was given if it has one, for messages.
        in_place: whether the result may be written into a device or a pipe as well.
    Raises:
        OutputError: with the reason.
    """
    if os.path.isdir(path):  # Path's own questions raise where a name is too long or a folder is closed
        raise OutputError(f"{name}: is a folder; expected the name of a file")
    if is_written_in_place(path):
        if not in_place:
            raise OutputError(f"{name}: is a device or a pipe; expected the name of a file")
        if not os.access(path, os.W_OK):
            raise OutputError(f"{name}: cannot be written; give another place")
        return
    if os.path.exists(path) and not overwrite:
        raise OutputError(f"{name}: exists already; add --overwrite to replace it")
    place = behind_links(path)
    if not os.path.isdir(place.parent):
        raise OutputError(f"{name}: the folder {place.parent} does not exist; make it first, or give another place")
    if is_written_in_place(_beside(place)):  # to begin it would wait for whoever reads the pipe
        raise OutputError(f"{name}: {_beside(place).name} beside it is a device or a pipe; remove it, or give another name")
    try:
        _try_beside(place)
    except OSError as error:
        raise OutputError(
            f"{name}: cannot be written in {place.parent} ({error.strerror}); give another name or place"
        ) from None


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A place beside a file that is written to meanwhile, and takes the file's place at the end; whatever happens, nothing
    half made is left.

    Raises:
        OSError: it cannot be put in place.
    """
    place = behind_links(path)
    partial = _beside(place)
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


def _beside(place: Path) -> Path:
    """Where a file is written before it takes its place."""
    return place.with_name(place.name + ".partial")


def _try_beside(place: Path) -> None:
    """Begins the file beside a place and takes it away again; what an earlier run left there is not touched.

    Raises:
        OSError: it cannot be begun.
    """
    partial = _beside(place)
    there_already = os.path.exists(partial)
    partial.open("ab").close()
    if not there_already:
        partial.unlink()
