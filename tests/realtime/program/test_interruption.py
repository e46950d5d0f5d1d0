"""Ctrl-C and SIGTERM: one exit code, no traceback, handlers as they were."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from realtime.program.interruption import StopRequest, answers_interruption


@pytest.fixture(autouse=True)
def _handler_of_a_fresh_program() -> Iterator[None]:
    """A program tested in this process before may have left its own."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_stop_request_ends_nothing_by_itself(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    stop = StopRequest()
    assert not stop.requested
    signal.raise_signal(number)
    assert stop.requested
    stop.restore()
    assert signal.getsignal(number) is before
