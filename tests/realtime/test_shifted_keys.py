"""Shift and a letter as OpenCV's Qt reports them: one after the other."""

from __future__ import annotations

import pytest

from realtime.controls import Command, interpret_key
from realtime.shifted_keys import ShiftedKeys
from tests.fakes import FakeClock

SHIFT, RIGHT_SHIFT, NUM_LOCK = 0xFFE1, 0xFFE2, 0x100000


@pytest.mark.parametrize("shift", [SHIFT, RIGHT_SHIFT, SHIFT | NUM_LOCK])
@pytest.mark.parametrize("modifiers", [0, NUM_LOCK])
def test_letter_after_shift_is_a_capital(clock: FakeClock, shift: int, modifiers: int) -> None:
    keys = ShiftedKeys(clock)
    assert keys.combine(shift) == -1
    assert keys.combine(-1) == -1
    clock.advance(0.5)
    found = interpret_key(keys.combine(ord("g") | modifiers))
    assert found is not None
    assert found.command is Command.CANCEL_REPAINT
    found = interpret_key(keys.combine(ord("g") | modifiers))
    assert found is not None
    assert found.command is Command.REPAINT


def test_shift_that_was_for_another_key_or_long_ago_does_not_count(clock: FakeClock) -> None:
    keys = ShiftedKeys(clock)
    keys.combine(SHIFT)
    assert keys.combine(ord("+")) == ord("+")
    assert keys.combine(ord("g")) == ord("g")
    keys.combine(SHIFT)
    clock.advance(3.5)
    assert keys.combine(ord("g")) == ord("g")


@pytest.mark.parametrize("code", [-1, 27, ord("G"), ord("1"), 0xFF53, 2555904, 63235])
def test_other_keys_pass(clock: FakeClock, code: int) -> None:
    keys = ShiftedKeys(clock)
    assert keys.combine(code) == code
    keys.combine(SHIFT)
    assert keys.combine(code) == code
