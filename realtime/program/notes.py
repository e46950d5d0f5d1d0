"""Notes for the user on stderr: what was done that they may not expect, beside a progress bar without breaking it."""

from __future__ import annotations

import sys
from collections.abc import Callable

from tqdm import tqdm

Note = Callable[[str], None]


def print_note(text: str) -> None:
    """Writes "note: ..." on stderr, above the progress bar if there is one."""
    tqdm.write(f"note: {text}", file=sys.stderr)


def no_note(text: str) -> None:
    """Says nothing: --quiet."""


def said_once(note: Note) -> Note:
    """The same, but each text is said the first time alone: many files may have the same to tell."""
    said: set[str] = set()

    def say(text: str) -> None:
        if text not in said:
            said.add(text)
            note(text)

    return say
