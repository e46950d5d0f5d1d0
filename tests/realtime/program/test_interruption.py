"""Ctrl-C and SIGTERM: one exit code, no traceback, handlers as they were."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from realtime.program.interruption import StopRequest, entry_point

ROOT = Path(__file__).resolve().parents[3]
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

    @entry_point
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
    assert entry_point(lambda: 5)() == 5


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
    code += "stop_on_signals(stop)\nprint('ready', flush=True)\nany(stop.wait(0.1) for _ in range(600))\n"
    code += "print('bye', flush=True)\nsys.exit(7)"
    number, terminal = pty.fork()
    if number == 0:
        os.execv(sys.executable, [sys.executable, "-c", code])
    assert b"ready" in os.read(terminal, 100)
    os.close(terminal)  # which is what sends the signal
    _, status = os.waitpid(number, 0)
    assert os.waitstatus_to_exitcode(status) == 7


def test_a_signal_while_the_event_is_just_being_waited_for_is_taken() -> None:
    code = "import signal, threading\nfrom realtime.program.interruption import stop_on_signals\n"
    code += "stop = threading.Event()\nstop_on_signals(stop)\n"
    code += "with stop._cond: signal.raise_signal(signal.SIGINT)\n"  # as wait() holds it when it begins and ends
    code += "assert stop.wait(60)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=True)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: signal.Signals(number).name)
@pytest.mark.parametrize("begin", ["stop_on_signals(threading.Event())", "StopRequest()", "entry_point(lambda: 7)()"])
def test_a_signal_while_python_shuts_down_changes_no_exit_code(begin: str, number: signal.Signals) -> None:
    code = f"""
import os, sys, threading
from realtime.program.interruption import StopRequest, entry_point, stop_on_signals

class Last:
    def __del__(self, kill=os.kill, process=os.getpid()):
        kill(process, {int(number)})

last = Last()  # until all modules are cleared away, long after Python has put the default handlers back
{begin}
sys.exit(7)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (7, b"")


def test_a_program_may_name_files_that_stdout_cannot_show(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(taken, encoding="ascii"))

    @entry_point
    def main() -> int:
        print("Léger \udce9", flush=True)
        return 0

    assert main() == 0
    assert taken.getvalue().strip() == rb"L\xe9ger \udce9"
