"""Notes for the user."""

from __future__ import annotations

import pytest

from realtime.program.notes import no_note, print_note, said_once


def test_notes_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    print_note("16 bits reduced")
    no_note("never seen")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "note: 16 bits reduced\n")


def test_each_text_is_said_once() -> None:
    said: list[str] = []
    note = said_once(said.append)
    for text in ("one", "two", "one", "one"):
        note(text)
    said_once(said.append)("one")  # another run says it again
    assert said == ["one", "two", "one"]
