"""When a run without a window has nobody left that takes its picture."""

from __future__ import annotations

from argparse import Namespace
from types import SimpleNamespace
from typing import Any

import pytest

from realtime.outlets.sharing import ending_without_takers


def is_ended(args: dict[str, bool], *have_failed: bool) -> bool:
    """Whether the run is ended; the first of the outlets is the recorder."""
    ended: list[bool] = []
    outlets: list[Any] = [SimpleNamespace(has_failed=has_failed) for has_failed in have_failed]
    ending_without_takers(Namespace(**args), outlets, lambda: ended.append(True))()
    return bool(ended)


@pytest.mark.parametrize(
    ("have_failed", "expected"),
    [((True,), True), ((True, False), False), ((False, True), False), ((True, True), True), ((True, True, False), False)],
)
def test_a_recording_run_ends_with_the_last_of_its_takers(have_failed: tuple[bool, ...], expected: bool) -> None:
    assert is_ended({"headless": True, "record": True}, *have_failed) is expected


def test_a_recorder_that_was_not_asked_for_takes_nothing() -> None:
    assert is_ended({"headless": True, "record": False}, False, True)
    assert not is_ended({"headless": True, "record": False}, False, True, False)


def test_a_window_or_a_file_goes_on() -> None:
    assert not is_ended({"headless": False, "record": True}, True)
