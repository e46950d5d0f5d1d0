"""Messages: shown for a while, a few at once, on the terminal where there is no window."""

from __future__ import annotations

import pytest

from realtime.live.messages import Messages
from tests.fakes import FakeClock


def test_lines_go_one_by_one(clock: FakeClock) -> None:
    messages = Messages(clock)
    messages.say("first")
    clock.advance(1.0)
    messages.say("second")
    assert messages.current() == "first\nsecond"
    clock.advance(2.5)
    assert messages.current() == "second"
    clock.advance(1.0)
    assert messages.current() == ""


def test_oldest_makes_room_and_nothing_is_said_twice(clock: FakeClock) -> None:
    messages = Messages(clock)
    for text in ("a", "b", "c", "d", "c"):
        messages.say(text)
    assert messages.current() == "b\nd\nc"


def test_foreign_text_stays_on_one_short_line(clock: FakeClock) -> None:
    messages = Messages(clock)
    messages.say("no\nsnapshot " + "x" * 1000)
    assert messages.current().startswith("no snapshot xxx")
    assert len(messages.current()) == 160


def test_without_a_window_they_are_printed(clock: FakeClock, capsys: pytest.CaptureFixture[str]) -> None:
    messages = Messages(clock, on_terminal=True)
    messages.say("hello")
    assert messages.current() == ""
    assert capsys.readouterr().err == "hello\n"


def test_long_lines_stay_until_they_can_have_been_read(clock: FakeClock) -> None:
    messages = Messages(clock)
    messages.say("not re-painted: " + "x" * 104)
    clock.advance(7.9)
    assert messages.current()
    clock.advance(0.2)
    assert not messages.current()
