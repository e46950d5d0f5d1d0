"""What the program has to say on the picture: a few lines, each for a few seconds, from whatever thread."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

_SHOWN_S = 3.0
_CHARACTERS_A_SECOND = 15  # a long line, such as what to do about a failure, is shown until it can have been read
_LONGEST = 160  # characters: messages may come from files and other programs
_MOST_LINES = 3


class Messages:
    """Lines that go by themselves.

    on_terminal: whether they are printed instead, where no window shows them.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter, on_terminal: bool = False) -> None:
        self.on_terminal = on_terminal
        self._clock = clock
        self._lines: list[tuple[str, float]] = []  # text, and when it goes
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        """Shows a line for as long as it takes to read; the oldest one makes room."""
        line = " ".join(text.split())
        shown = line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."
        if self.on_terminal:
            print(line, file=sys.stderr)
            return
        with self._lock:
            kept = [entry for entry in self._lines if entry[0] != shown]
            until_s = self._clock() + max(_SHOWN_S, len(shown) / _CHARACTERS_A_SECOND)
            self._lines = [*kept, (shown, until_s)][-_MOST_LINES:]

    def current(self) -> str:
        """The lines to be shown now, one below the other."""
        with self._lock:
            self._lines = [entry for entry in self._lines if self._clock() < entry[1]]
            return "\n".join(text for text, _ in self._lines)
