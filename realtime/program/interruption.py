"""Ctrl-C and SIGTERM end a program in one way: what it cleans up is cleaned up, 130, no traceback."""

from __future__ import annotations

import functools
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import ParamSpec

from realtime.errors import EXIT_INTERRUPTED

_Arguments = ParamSpec("_Arguments")


def answers_interruption(main: Callable[_Arguments, int]) -> Callable[_Arguments, int]:
    """A program's entry point, called in the main thread, that ends with 130 when it is interrupted."""

    @functools.wraps(main)
    def interruptible(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> int:
        with sigterm_as_ctrl_c():
            try:
                return main(*args, **kwargs)
            except KeyboardInterrupt:
                print("interrupted", file=sys.stderr)
                return EXIT_INTERRUPTED

    return interruptible


@contextmanager
def sigterm_as_ctrl_c() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt meanwhile, in the main thread: for programs with something of their own to say."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class StopRequest:
    """From here on Ctrl-C and SIGTERM ask, where the work under way is to be finished first."""

    def __init__(self) -> None:
        self.requested = False
        self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True

    def restore(self) -> None:
        """Puts the handlers back that were there before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)


def stop_on_signals(stop: threading.Event) -> None:
    """From here on Ctrl-C and SIGTERM set an event, and nothing else."""

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
