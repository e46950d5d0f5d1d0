"""What is written on the shown picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from realtime.controls import KEY_TABLE, ControlState
from realtime.frame import Image
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
        (HUD, replace(STATE, processing_share=0.65)),
        (HUD, replace(STATE, help=True)),
        (replace(HUD, details=("a line", "another")), replace(STATE, diagnostics=True)),
    ],
)
def test_everything_that_matters_is_seen(hud: Hud, state: ControlState) -> None:
    shown = flat_picture(128, (640, 480))
    assert np.any(draw_overlay(shown, hud, state) != draw_overlay(shown, HUD, STATE))


def test_strength_of_nothing_is_told() -> None:
    shown = flat_picture(128, (640, 480))
    assert np.any(draw_overlay(shown, HUD, replace(STATE, strength=0.0)) != draw_overlay(shown, HUD, STATE))


def test_help_has_a_row_for_every_key() -> None:
    assert help_rows() == [(binding.label, binding.command.value) for binding in KEY_TABLE]


@pytest.mark.parametrize("size_wh", [(640, 480), (320, 240), (1920, 1080), (480, 640)])
def test_help_fits_on_the_picture(size_wh: tuple[int, int]) -> None:
    shown = flat_picture(128, size_wh)
    with_help = draw_overlay(shown, HUD, replace(STATE, help=True))
    difference = np.any(with_help != draw_overlay(shown, HUD, STATE), axis=2)
    assert difference.any(axis=1).sum() > difference.shape[0] // 4
    assert not difference[:, -2:].any()
    assert not difference[-30:].any()  # the status


WRITTEN_ON_WH = {
    (640, 480): (640, 480),
    (1280, 720): (1280, 720),
    (320, 240): (640, 480),
    (240, 320): (640, 853),
    (64, 48): (640, 480),
    (640, 120): (1920, 360),
    (16, 16): (640, 640),
    (33, 9): (1320, 360),
    (1, 1): (640, 640),
    (4000, 20): (4000, 20),
    (4, 4000): (4, 4000),  # narrower than a letter
}


@pytest.mark.parametrize("size_wh", WRITTEN_ON_WH)
def test_tiny_and_odd_pictures_take_an_overlay(size_wh: tuple[int, int]) -> None:
    state = replace(STATE, help=True, diagnostics=True)
    hud = replace(HUD, message="a message " * 30, details=("a detail " * 20,) * 5)
    assert draw_overlay(flat_picture(99, size_wh), hud, state).shape[1::-1] == WRITTEN_ON_WH[size_wh]


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
    height, width = drawn.shape[:2]
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


@dataclass(frozen=True)
class Drawn:
    """A panel where it was drawn, and the size of what it was drawn on."""

    panel: Panel
    top: int
    room_wh: tuple[int, int]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Drawn]:
    """All panels that are drawn, in their order."""
    found: list[Drawn] = []
    draw = Panel.draw

    def note(panel: Panel, picture: Image, top: int, *arguments: Any, **named: Any) -> int:
        found.append(Drawn(panel, top, (picture.shape[1], picture.shape[0])))
        return draw(panel, picture, top, *arguments, **named)

    monkeypatch.setattr(Panel, "draw", note)
    return found


def lines_of(drawn: list[Drawn]) -> list[str]:
    return ["   ".join(row) for entry in drawn for row in entry.panel.rows]


LONG_PATH = "/home/somebody/" + "pictures_of_a_summer/" * 8 + "night_sky.png"
LONG_MESSAGE = "VGG-19: weights/vgg19.pth: cannot be read as weights (invalid magic number); download it again to go on here"
SIZES_WH = [(320, 240), (240, 320), (480, 270), (640, 360), (640, 480), (1280, 720), (1080, 1920), (640, 120)]


@pytest.mark.parametrize("size_wh", SIZES_WH)
@pytest.mark.parametrize("shows_help", [True, False])
def test_long_texts_go_on_in_further_lines_that_can_be_read(
    size_wh: tuple[int, int], drawn: list[Drawn], shows_help: bool
) -> None:
    hud = replace(HUD, message=LONG_MESSAGE, recording="REC 0:12", details=(f"video {LONG_PATH}   640x480", "another"))
    state = ControlState(strength=0.5, colours_of_photo=True, processing_share=0.65, help=shows_help, diagnostics=True)
    draw_overlay(flat_picture(90, size_wh), hud, state)
    text = " ".join(lines_of(drawn))
    assert text.replace("   ", " ").count("download it again to go on here") == 1
    assert "H help" in text
    assert min(entry.panel.scale for entry in drawn) >= 0.39
    for entry in drawn:
        assert entry.panel.width <= entry.room_wh[0]
        assert entry.top + entry.panel.height <= entry.room_wh[1]


def test_long_path_is_broken_and_makes_nothing_else_smaller(drawn: list[Drawn]) -> None:
    draw_overlay(flat_picture(90, (640, 480)), replace(HUD, message=f"snapshot 3\nno snapshot: {LONG_PATH}: full"), STATE)
    message = drawn[-1].panel
    assert message.scale > 0.5
    assert message.width <= 640
    first, second, *path = [row[0] for row in message.rows]
    assert (first, second) == ("snapshot 3", "no snapshot:")
    assert "".join(path) == f"{LONG_PATH}: full"


@pytest.mark.parametrize("rate_fps", [9.0, 30.0])
def test_lettering_is_a_little_smaller_before_one_word_has_a_line_of_its_own(drawn: list[Drawn], rate_fps: float) -> None:
    label = "The Great Wave off Kanagawa, Katsushika Hokusai"
    hud = replace(HUD, style_label=label, latency_ms=118.0, device="cpu int8", rate_fps=rate_fps)
    draw_overlay(flat_picture(90, (640, 480)), hud, STATE)
    status = drawn[0].panel
    assert len(status.rows) == 1
    assert 0.89 < status.scale / 0.6 <= 1


@pytest.mark.parametrize("size_wh", SIZES_WH)
def test_every_key_is_on_the_help(size_wh: tuple[int, int], drawn: list[Drawn]) -> None:
    """In the place of diagnostics and of the re-painting."""
    hud = replace(HUD, details=("a line",), job="re-painting 40 %", job_picture=flat_picture(9))
    draw_overlay(flat_picture(90, size_wh), hud, ControlState(help=True, diagnostics=True))
    table = drawn[-1]
    assert len(drawn) == 2
    assert {text for row in table.panel.rows for text in row if text} == {text for row in help_rows() for text in row}
    assert table.top + table.panel.height <= table.room_wh[1]
    assert table.panel.width <= table.room_wh[0]
    assert table.panel.scale >= 0.5


def test_what_is_too_large_for_its_room_leaves_the_status_alone() -> None:
    shown = flat_picture(128, (640, 360))
    plain = draw_overlay(shown, HUD, STATE)
    crowded = draw_overlay(shown, replace(HUD, message="line\n" * 40), replace(STATE, help=True))
    np.testing.assert_array_equal(crowded[-28:], plain[-28:])
