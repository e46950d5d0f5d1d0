"""Ctrl-C, SIGTERM and a closed terminal end a program in one way: what it cleans up is cleaned up, 130, no traceback."""

from __future__ import annotations

import _thread
import atexit
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, ParamSpec

from realtime.errors import EXIT_INTERRUPTED, UserError, tell_mistake
from realtime.program.standard_streams import prepare_streams

_Arguments = ParamSpec("_Arguments")
_Handlers = dict[int, Any]
_HANGUP: int | None = getattr(signal, "SIGHUP", None)  # a terminal's window was closed; Windows has none


def entry_point(main: Callable[_Arguments, int]) -> Callable[_Arguments, int]:
    """What all main functions but that of run_cam.py have in common, called in the main thread.

    Its streams are prepared, a user's mistake becomes one line and its exit code, and an interruption 130: SIGTERM and a
    closed terminal raise KeyboardInterrupt meanwhile, as Ctrl-C does.
    """

    @functools.wraps(main)
    def run(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> int:
        prepare_streams()
        before = _answer(_interrupt, but=signal.SIGINT)
        try:
            return main(*args, **kwargs)
        except UserError as error:
            return tell_mistake(error)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return EXIT_INTERRUPTED
        finally:
            _restore(before)

    return run


def _interrupt() -> None:
    raise KeyboardInterrupt


class StopRequest:
    """From here on Ctrl-C, SIGTERM and a closed terminal ask, where the work under way is to be finished first."""

    def __init__(self) -> None:
        self.requested = False
        self._before = _answer(self._ask)

    def _ask(self) -> None:
        self.requested = True

    def restore(self) -> None:
        """Puts the handlers back that were there before."""
        _restore(self._before)


def stop_on_signals(stop: threading.Event) -> None:
    """From here on Ctrl-C, SIGTERM and a closed terminal set an event, a moment later, and nothing else."""
    # A signal may come while this thread holds the event's lock, just before it waits: set here, it would wait for itself.
    # Starting a threading.Thread takes a lock too.
    _answer(lambda: _thread.start_new_thread(stop.set, ()))


def _answer(ask: Callable[[], object], but: int | None = None) -> _Handlers:
    """Calls ask at each ending signal; returns the handlers that were there before."""
    terminals = [stream for stream in (1, 2) if os.isatty(stream)]

    def handle(number: int, _frame: FrameType | None) -> None:
        if number == _HANGUP:
            _silence(terminals)
        ask()

    atexit.unregister(_ignore_signals)
    atexit.register(_ignore_signals)  # before whatever packages do at the end: the last one registered is the first called
    # nohup lets a program ignore its terminal's end, and it shall.
    hangup = (_HANGUP,) if _HANGUP is not None and signal.getsignal(_HANGUP) is not signal.SIG_IGN else ()
    return {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM, *hangup) if number != but}


def _ignore_signals() -> None:
    """Python puts the default handlers back as it shuts down, which takes a tenth of a second: a signal that came then, such
    as a second one, would end the program with its number in place of the exit code.
    """
    for number in (signal.SIGINT, signal.SIGTERM, *(() if _HANGUP is None else (_HANGUP,))):
        signal.signal(number, signal.SIG_IGN)


def _restore(before: _Handlers) -> None:
    for number, handler in before.items():
        signal.signal(number, handler)


def _silence(terminals: list[int]) -> None:
    """What is still said to a terminal that is gone is lost, and must not end the cleaning up."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in terminals:
            os.dup2(nowhere, stream)
        os.close(nowhere)
