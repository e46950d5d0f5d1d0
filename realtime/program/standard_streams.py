"""stdout and stderr as they may be: closed, of few letters, or a pipe or a disk that takes nothing more.

Loaded before anything opens a file that stays open: see _keep_descriptors.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from typing import Any, TextIO, cast

from realtime.errors import EXIT_OUTPUT

_TAKES_NOTHING = frozenset({errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF})
_ESCAPED = "backslashreplace"
_STDERR = 2


def prepare_streams() -> None:
    """Both streams are there from here on, also where the program was started without them, and take any name of a file.

    What one of them cannot show of a text, such as letters that its encoding lacks or bytes that are no text, is escaped:
    as Python does by itself for stderr alone.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8", errors=_ESCAPED))  # noqa: SIM115  (stays open)
        elif isinstance(stream, io.TextIOWrapper) and stream.errors != _ESCAPED:
            stream.reconfigure(errors=_ESCAPED)


def lose_unread(*names: str) -> None:
    """From here on what one of these streams does not take is lost without an error: for work whose results lie elsewhere.

    Both streams are prepared, named or not; what is written to one that the program was started without is lost too.

    Args:
        names: "stdout", "stderr".
    """
    prepare_streams()
    for name in names:
        setattr(sys, name, losing_unread(getattr(sys, name)))


def losing_unread(stream: TextIO) -> TextIO:
    """The same stream, as one whose reader may leave and whose disk may be full."""
    return stream if isinstance(stream, _LosingUnread) else cast(TextIO, _LosingUnread(stream))


def _keep_descriptors() -> None:
    """Lets those of stdin, stdout and stderr that the program was started without lead nowhere: else the next file that is
    opened becomes one of them, and is written to, or redirected, as such.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        os.set_inheritable(opened, True)  # other programs started from here need them too
    os.close(opened)


class _LosingUnread:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


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


_keep_descriptors()
