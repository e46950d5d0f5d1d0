"""What is written on the shown picture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from realtime.controls import KEY_TABLE, ControlState
from realtime.overlay import Hud, Panel, draw_overlay, help_rows
from tests.fakes import coloured_picture, flat_picture

HUD = Hud(style_label="Night sky, Anon", style_number=0, rate_fps=24.4, latency_ms=31.0, device="cpu fp32")
STATE = ControlState()


def changed_rows(shown: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Which rows of the picture the overlay touched."""
    return np.asarray(np.any(shown != drawn, axis=(1, 2)))


def test_shown_picture_itself_is_left_as_it_is() -> None:
    shown = coloured_picture((640, 480))
    shown.setflags(write=False)
    drawn = draw_overlay(shown, HUD, STATE)
    assert drawn.shape == shown.shape
    assert np.any(drawn != shown)
    np.testing.assert_array_equal(shown, coloured_picture((640, 480)))


def test_status_is_at_the_bottom_and_small() -> None:
    shown = flat_picture(200, (640, 480))
    touched = changed_rows(shown, draw_overlay(shown, HUD, STATE))
    assert touched[-1]
    assert not touched[:420].any()


def test_message_is_at_the_top() -> None:
    shown = flat_picture(200, (640, 480))
    touched = changed_rows(shown, draw_overlay(shown, replace(HUD, message="snapshot 1"), STATE))
    assert touched[0]
    assert not touched[100:400].any()


@pytest.mark.parametrize(
    ("hud", "state"),
    [
        (replace(HUD, style_label="Other"), STATE),
        (replace(HUD, style_number=3), STATE),
        (replace(HUD, rate_fps=9.0), STATE),
        (replace(HUD, latency_ms=99.0), STATE),
        (replace(HUD, device="cuda fp16"), STATE),
        (replace(HUD, message="hello"), STATE),
        (replace(HUD, recording="REC 0:12   3.4 MB"), STATE),
        (replace(HUD, job="re-painting 40 %"), STATE),
        (replace(HUD, job="re-painting 40 %", job_picture=flat_picture(9)), STATE),
        (HUD, replace(STATE, strength=0.5)),
        (HUD, replace(STATE, shows_original=True)),
        (HUD, replace(STATE, colours_of_photo=True)),
        (HUD, replace(STATE, help=True)),
        (replace(HUD, details=("a line", "another")), replace(STATE, diagnostics=True)),
    ],
)
def test_everything_that_matters_is_seen(hud: Hud, state: ControlState) -> None:
    shown = flat_picture(128, (640, 480))
    assert np.any(draw_overlay(shown, hud, state) != draw_overlay(shown, HUD, STATE))


def test_help_has_a_row_for_every_key() -> None:
    assert help_rows() == [(binding.label, binding.command.value) for binding in KEY_TABLE]


@pytest.mark.parametrize("size_wh", [(640, 480), (320, 240), (1920, 1080), (480, 640)])
def test_help_fits_on_the_picture(size_wh: tuple[int, int]) -> None:
    shown = flat_picture(128, size_wh)
    with_help = draw_overlay(shown, HUD, replace(STATE, help=True))
    difference = np.any(with_help != draw_overlay(shown, HUD, STATE), axis=2)
    assert difference.any(axis=1).sum() > size_wh[1] // 4
    assert not difference[:, -2:].any()


@pytest.mark.parametrize("size_wh", [(64, 48), (16, 16), (33, 9), (1, 1), (4000, 20)])
def test_tiny_and_odd_pictures_take_an_overlay(size_wh: tuple[int, int]) -> None:
    state = replace(STATE, help=True, diagnostics=True)
    hud = replace(HUD, message="a message " * 30, details=("a detail " * 20,) * 5)
    assert draw_overlay(flat_picture(99, size_wh), hud, state).shape == (size_wh[1], size_wh[0], 3)


def test_diagnostics_without_lines_draw_nothing() -> None:
    shown = flat_picture(128, (640, 480))
    np.testing.assert_array_equal(draw_overlay(shown, HUD, replace(STATE, diagnostics=True)), draw_overlay(shown, HUD, STATE))


def test_accents_are_taken_off_since_the_font_lacks_them() -> None:
    shown = flat_picture(128, (640, 480))
    with_accents = draw_overlay(shown, replace(HUD, style_label="Nuit étoilée, Müller"), STATE)
    without = draw_overlay(shown, replace(HUD, style_label="Nuit etoilee, Muller"), STATE)
    np.testing.assert_array_equal(with_accents, without)


def test_mirrored_view_of_a_picture_is_taken() -> None:
    shown = coloured_picture((640, 480))[:, ::-1]
    assert draw_overlay(shown, HUD, STATE).shape == shown.shape


@pytest.mark.parametrize("size_wh", [(640, 480), (320, 240), (480, 640)])
def test_small_picture_of_a_re_painting_is_in_the_lower_right_corner(size_wh: tuple[int, int]) -> None:
    shown = flat_picture(200, size_wh)
    hud = replace(HUD, message="snapshot 1: 2026-07-05_12-00-00_night_sky.png")
    plain = draw_overlay(shown, hud, STATE)
    drawn = draw_overlay(shown, replace(hud, job="re-painting 40 %, 12 s left", job_picture=flat_picture(9, (320, 90))), STATE)
    width, height = size_wh
    rows, columns = np.nonzero((drawn == 9).all(axis=2))
    assert columns.max() == width - 1
    assert rows.size == pytest.approx((width * 0.3) ** 2 * 90 / 320, rel=0.1)
    assert rows.min() > height / 2
    assert not np.any(drawn[: height // 2] != plain[: height // 2])
    assert not np.any(drawn[:, : width // 2] != plain[:, : width // 2])


def test_messages_stand_below_each_other() -> None:
    shown = flat_picture(200, (640, 480))
    one = changed_rows(shown, draw_overlay(shown, replace(HUD, message="first"), STATE))
    two = changed_rows(shown, draw_overlay(shown, replace(HUD, message="first\nsecond"), STATE))
    assert two.sum() > one.sum()


def texts_of(panels: list[Panel]) -> str:
    return " ".join(text for panel in panels for row in panel.rows for text in row)


@pytest.mark.parametrize("size_wh", [(320, 240), (480, 270), (240, 320), (1280, 720)])
def test_long_texts_go_on_in_further_lines_that_can_be_read(size_wh: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Panel] = []
    draw = Panel.draw

    def note(panel: Panel, *arguments: Any, **named: Any) -> int:
        drawn.append(panel)
        return draw(panel, *arguments, **named)

    monkeypatch.setattr(Panel, "draw", note)
    message = (
        "VGG-19: /home/somebody/weights/vgg19.pth: cannot be read as weights (invalid magic number); download it again " * 2
    )
    state = ControlState(strength=0.5, colours_of_photo=True, processing_share=0.65)
    draw_overlay(flat_picture(90, size_wh), replace(HUD, message=message.strip()), state)
    assert texts_of(drawn).count("download it again") == 2
    assert "H help" in texts_of(drawn)
    assert min(panel.scale for panel in drawn) >= 0.39
    assert max(panel.width for panel in drawn) <= size_wh[0]


@pytest.mark.parametrize("size_wh", [(320, 240), (426, 240), (640, 480)])
def test_every_key_is_on_the_help_of_a_small_picture(size_wh: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[Panel, int]] = []
    monkeypatch.setattr(Panel, "draw", lambda panel, picture, top, *_, **__: drawn.append((panel, top)) or top + panel.height)
    draw_overlay(flat_picture(90, size_wh), HUD, ControlState(help=True))
    panel, top = drawn[-1]
    assert {text for row in panel.rows for text in row if text} == {text for row in help_rows() for text in row}
    assert top + panel.height <= size_wh[1]
    assert panel.width <= size_wh[0]
