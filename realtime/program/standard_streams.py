"""stdout and stderr as they may be: closed, or a pipe or a disk that takes nothing more."""

from __future__ import annotations

import contextlib
import errno
import os
import sys

from realtime.errors import EXIT_OUTPUT

_TAKES_NOTHING = frozenset({errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF})


def replace_missing() -> None:
    """Gives the program a stdout and a stderr where it was started without: what is written there goes nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  (as long as the program runs)


def tell_unwritable(error: OSError) -> int | None:
    """Ends a program whose stdout takes nothing more: in silence where its reader is gone (`| head`), else with one line.

    Returns:
        The exit code; None where the error is of another kind.
    """
    if error.errno not in _TAKES_NOTHING:
        return None
    with contextlib.suppress(OSError, ValueError):  # or Python fails once more on what is still to be written, as it ends
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    if error.errno != errno.EPIPE:
        with contextlib.suppress(OSError):
            print(f"error: the output cannot be written ({error.strerror})", file=sys.stderr)
    return EXIT_OUTPUT
