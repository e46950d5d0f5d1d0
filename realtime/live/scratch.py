"""Temporary folders that go with the program, or, where it was killed, when it is started the next time."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

_PREFIX = "stylecam_"
_NAME = re.compile(_PREFIX + "[a-z0-9_]{8}")  # as tempfile ends its names; somebody's own folder may be called so too
_LOCK = "stylecam_is_using_this_folder"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A temporary folder, with a file in it that is locked while the folder is in use; removed at the end."""
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name, ExitStack() as stack:
        folder = Path(name)
        with suppress(OSError):  # where nothing can be locked nothing is removed later on either
            stack.enter_context(_locked(folder / "new", os.O_CREAT | os.O_EXCL))
            (folder / "new").rename(folder / _LOCK)  # only now: nobody ever finds it there unlocked while it is in use
        yield folder


def remove_abandoned() -> None:
    """Removes this user's folders whose lock nobody holds: those of programs that were killed."""
    if sys.platform == "win32":  # nothing was locked there
        return
    with suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for path in [Path(entry) for entry in entries if _NAME.fullmatch(entry.name)]:
            with suppress(OSError):  # of somebody else, in use, or gone meanwhile
                _remove_if_abandoned(path)


def _remove_if_abandoned(path: Path) -> None:
    if os.lstat(path).st_uid == os.getuid():
        with _locked(path / _LOCK):
            shutil.rmtree(path)  # which refuses a link, and follows none


@contextmanager
def _locked(file: Path, flags: int = 0) -> Iterator[None]:
    """Holds a file's lock, which goes with the process at the latest, however that ends.

    Args:
        flags: for opening it, beside the usual ones.
    Raises:
        OSError: it cannot be opened, somebody else holds it, or there are no such locks here.
    """
    if sys.platform == "win32":
        raise OSError("files are not locked here")
    import fcntl

    handle = os.open(file, os.O_RDWR | os.O_NOFOLLOW | flags)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)
