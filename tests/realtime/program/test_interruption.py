"""Ctrl-C and SIGTERM: one exit code, no traceback, handlers as they were."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

import pytest

from realtime.program.interruption import StopRequest, answers_interruption

NUMBERS = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]


@pytest.fixture(autouse=True)
def _handler_of_a_fresh_program() -> Iterator[None]:
    """A program tested in this process before may have left its own."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: signal.Signals(number).name)
def test_an_interrupted_program_cleans_up_and_ends_with_130(number: signal.Signals, capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    cleaned = []

    @answers_interruption
    def main(argv: list[str] | None = None) -> int:
        try:
            signal.raise_signal(number)
            return 0
        finally:
            cleaned.append(argv)

    assert main(["a"]) == 130
    assert cleaned == [["a"]]
    assert capsys.readouterr().err == "interrupted\n"
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_program_that_is_left_alone_ends_as_it_wants() -> None:
    assert answers_interruption(lambda: 5)() == 5


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: signal.Signals(number).name)
def test_a_stop_request_ends_nothing_by_itself(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    stop = StopRequest()
    assert not stop.requested
    signal.raise_signal(number)
    assert stop.requested
    stop.restore()
    assert signal.getsignal(number) is before


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="terminals of POSIX")
def test_a_program_that_shall_outlive_its_terminal_does() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        stop = StopRequest()
        signal.raise_signal(signal.SIGHUP)
        assert not stop.requested
        stop.restore()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="terminals of POSIX")
def test_what_is_said_to_a_terminal_that_is_gone_ends_nothing() -> None:
    import pty

    code = "import sys, threading\nfrom realtime.program.interruption import stop_on_signals\nstop = threading.Event()\n"
    code += "stop_on_signals(stop)\nprint('ready', flush=True)\nstop.wait(60)\nprint('bye', flush=True)\nsys.exit(7)"
    number, terminal = pty.fork()
    if number == 0:
        os.execv(sys.executable, [sys.executable, "-c", code])
    assert b"ready" in os.read(terminal, 100)
    os.close(terminal)  # which is what sends the signal
    _, status = os.waitpid(number, 0)
    assert os.waitstatus_to_exitcode(status) == 7
