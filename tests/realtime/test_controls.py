"""Keys and what they change: pure functions, tried key by key."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.controls import (
    KEY_TABLE,
    PROCESSING_STEPS,
    Command,
    ControlState,
    KeyPress,
    apply_command,
    interpret_key,
)

NUM_LOCK = 0x100000
SHIFT = 0x10000
STATE = ControlState(style=1, style_count=3, strength=0.5)


def press(state: ControlState, *letters: str) -> ControlState:
    """The state after some letters."""
    for letter in letters:
        found = interpret_key(ord(letter))
        assert found is not None
        state = apply_command(state, found)
    return state


def test_no_key_stands_for_two_commands() -> None:
    keys = [key for binding in KEY_TABLE for key in binding.keys]
    assert len(keys) == len(set(keys))


def test_every_command_has_a_key_and_a_text() -> None:
    assert {binding.command for binding in KEY_TABLE} == set(Command)
    assert all(binding.label and binding.command.value for binding in KEY_TABLE)


@pytest.mark.parametrize("binding", KEY_TABLE, ids=lambda binding: binding.command.name)
@pytest.mark.parametrize("modifiers", [0, NUM_LOCK, NUM_LOCK | SHIFT])
def test_keys_of_the_table_give_their_command(binding: object, modifiers: int) -> None:
    assert binding in KEY_TABLE
    for key in binding.keys:
        if key <= 0xFFFF:  # Windows puts its codes where GTK puts the modifiers
            found = interpret_key(key | modifiers)
            assert found is not None
            assert found.command is binding.command


@pytest.mark.parametrize("code", [-1, 0, ord("z"), ord(" "), 9, 0xFFE1, 0xFFE3, 0xFFBE, 0x260000, 0xFF71])
def test_other_keys_mean_nothing(code: int) -> None:
    assert interpret_key(code) is None


@pytest.mark.parametrize("code", [0xFF53, 0x10FF53, 2555904, 63235])
def test_right_arrow_is_the_next_style_on_all_systems(code: int) -> None:
    assert interpret_key(code) == KeyPress(Command.NEXT)


@pytest.mark.parametrize("code", [0xFF51, 0x10FF51, 2424832, 63234])
def test_left_arrow_is_the_previous_style_on_all_systems(code: int) -> None:
    assert interpret_key(code) == KeyPress(Command.PREVIOUS)


@pytest.mark.parametrize("digit", range(1, 10))
def test_digits_pick_styles(digit: int) -> None:
    assert interpret_key(ord(str(digit))) == KeyPress(Command.PICK, digit - 1)
    assert press(ControlState(style_count=9), str(digit)).style == digit - 1


def test_digit_without_a_style_changes_nothing() -> None:
    assert press(STATE, "4") is STATE


def test_next_and_previous_go_round() -> None:
    assert press(STATE, "n").style == 2
    assert press(STATE, "n", "n").style == 0
    assert press(STATE, "p", "p").style == 2


def test_one_style_alone_stays() -> None:
    assert press(ControlState(style_count=1), "n").style == 0
    assert press(ControlState(style_count=1), "p").style == 0


def test_original_is_shown_until_a_style_or_strength_is_asked_for() -> None:
    original = press(STATE, "o")
    assert original.effective_strength == 0.0
    assert original.strength == 0.5
    assert press(original, "o") == STATE
    for letter in ("1", "n", "p", "+", "-"):
        assert not press(original, letter).shows_original


def test_strength_moves_in_steps_and_stays_within_its_ends() -> None:
    assert press(STATE, "+").strength == pytest.approx(0.6)
    assert press(STATE, "-").strength == pytest.approx(0.4)
    assert press(STATE, *"+" * 20).strength == 1.0
    assert press(STATE, *"-" * 20).strength == 0.0
    assert press(ControlState(strength=1.0), *"-" * 10, *"+" * 10).strength == 1.0


def test_processing_size_moves_through_its_steps() -> None:
    state = ControlState()
    shares = [state.processing_share]
    for _ in range(len(PROCESSING_STEPS) + 1):
        state = press(state, "[")
        shares.append(state.processing_share)
    assert shares[: len(PROCESSING_STEPS)] == list(reversed(PROCESSING_STEPS))
    assert shares[-1] == PROCESSING_STEPS[0]
    assert press(state, *"]" * 10).processing_share == 1.0


def test_size_keys_take_over_from_the_automatic() -> None:
    automatic = ControlState(processing_share=0.8, adapts=True)
    assert press(automatic, "[") == ControlState(processing_share=0.7, adapts=False)
    assert press(automatic, "]") == ControlState(processing_share=0.85, adapts=False)
    assert press(ControlState(adapts=True), "]") == ControlState(processing_share=1.0, adapts=False)
    assert press(automatic, "c").adapts


@pytest.mark.parametrize(
    ("letter", "name"),
    [("c", "colours_of_photo"), ("v", "split"), ("m", "mirror"), ("f", "fullscreen"), ("d", "diagnostics"), ("h", "help")],
)
def test_switches_change_one_thing_and_back(letter: str, name: str) -> None:
    for key in (letter, letter.upper()):
        assert press(STATE, key) == replace(STATE, **{name: True})
        assert press(STATE, key, key) == STATE


def test_each_snapshot_is_asked_for_once() -> None:
    assert press(STATE, "s", "S").snapshots_asked == 2


def test_quit_by_letter_and_escape() -> None:
    assert press(STATE, "q").quit
    assert interpret_key(27) == KeyPress(Command.QUIT)


@given(st.lists(st.sampled_from([key for binding in KEY_TABLE for key in binding.keys]), max_size=60), st.integers(1, 12))
def test_no_row_of_keys_leads_to_an_impossible_state(keys: list[int], style_count: int) -> None:
    state = ControlState(style_count=style_count)
    for key in keys:
        found = interpret_key(key)
        assert found is not None
        state = apply_command(state, found)
    assert 0 <= state.style < style_count == state.style_count
    assert 0.0 <= state.strength <= 1.0
    assert state.processing_share in PROCESSING_STEPS
    assert len(fields(state)) == len(fields(STATE))
