"""Names of files as they are told: the bytes of one need not be text."""

from __future__ import annotations

import sys


def legible(text: str) -> str:
    """A text that any file can hold: bytes of a name that are no UTF-8 become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def say(line: str) -> None:
    """Prints a line on stdout; what stdout cannot show of the names in it is escaped, as on stderr."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(line.encode(encoding, "backslashreplace").decode(encoding))
