"""Sinks: one contract for all of them, then pictures, outputs that are refused, and displays."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from unittest.mock import MagicMock

import cv2
import numpy as np
import pytest

from realtime.errors import OutputError
from realtime.frame import Image
from realtime.sinks import (
    WINDOW_NAME,
    NullSink,
    PictureSink,
    Sink,
    WindowSink,
    check_output,
    display_problem,
    letterbox,
    window_size,
)
from realtime.video.writer import VideoFileSink
from tests.fakes import SMALL_WH, coloured_picture, flat_picture, noisy_picture

NOON = time.struct_time((2026, 7, 5, 12, 0, 0, 6, 186, 0))
SINKS: dict[str, Callable[[Path], Sink]] = {
    "null": lambda folder: NullSink(),
    "picture": lambda folder: PictureSink(folder / "out.png", overwrite=False),
    "video file": lambda folder: VideoFileSink(folder / "out.mp4", Fraction(10), overwrite=False),
    "window": lambda folder: WindowSink(),
}
needs_display = pytest.mark.skipif(display_problem() is not None, reason=f"{display_problem()}")


@pytest.fixture(params=[pytest.param(name, marks=needs_display if name == "window" else ()) for name in SINKS])
def make_sink(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Sink]:
    return lambda: SINKS[request.param](tmp_path)


# -------------------------------------------------------------------------------------------- the contract


def test_sink_takes_pictures(make_sink: Callable[[], Sink]) -> None:
    sink = make_sink()
    assert sink.output_wh is None
    for number in range(3):
        sink.write(coloured_picture(seed=number), number / 10)
    assert sink.output_wh in (None, SMALL_WH)
    sink.close(True)


def test_sink_takes_pictures_without_a_time(make_sink: Callable[[], Sink]) -> None:
    sink = make_sink()
    sink.write(coloured_picture(), None)
    sink.close(True)


def test_sink_leaves_pictures_as_they_are(make_sink: Callable[[], Sink]) -> None:
    picture = noisy_picture()
    picture.setflags(write=False)
    sink = make_sink()
    sink.write(picture, 0.0)
    sink.close(True)
    np.testing.assert_array_equal(picture, noisy_picture())


def test_sink_takes_views_and_odd_sizes(make_sink: Callable[[], Sink]) -> None:
    sink = make_sink()
    sink.write(coloured_picture((131, 95))[::2, ::-2], 0.0)
    sink.close(True)


@pytest.mark.parametrize("complete", [True, False])
def test_sink_closes_before_the_first_picture(make_sink: Callable[[], Sink], tmp_path: Path, complete: bool) -> None:
    make_sink().close(complete)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("complete", [True, False])
def test_sink_keeps_what_was_made_and_nothing_half_made(make_sink: Callable[[], Sink], tmp_path: Path, complete: bool) -> None:
    sink = make_sink()
    sink.write(coloured_picture(), 0.0)
    sink.close(complete)
    assert [path.name for path in tmp_path.iterdir()] in ([], ["out.png"], ["out.mp4"])
    assert not any(thread.name == "encoder" for thread in threading.enumerate())


# ----------------------------------------------------------------------------------------------- pictures


def test_picture_is_written_with_the_transparency_of_its_photo(tmp_path: Path) -> None:
    alpha = noisy_picture()[:, :, 0]
    PictureSink(tmp_path / "out.png", overwrite=False, alpha=lambda: alpha).write(noisy_picture(), None)
    written = cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_UNCHANGED)
    assert written is not None
    np.testing.assert_array_equal(written, np.dstack([noisy_picture(), alpha]))


@pytest.mark.parametrize(
    ("picture_wh", "screen_wh", "window_wh"),
    [
        ((640, 480), None, (640, 480)),
        ((1920, 1080), None, (1920, 1080)),
        ((3840, 2160), None, (1920, 1080)),
        ((3000, 4000), None, (810, 1080)),
        ((1920, 1080), (1600, 1000), (1440, 810)),
        ((640, 480), (1600, 1000), (640, 480)),
        ((1080, 1920), (1600, 1000), (506, 900)),
        ((4000, 3000), (5120, 2880), (1440, 1080)),
    ],
)
def test_window_fits_on_the_screen(
    picture_wh: tuple[int, int], screen_wh: tuple[int, int] | None, window_wh: tuple[int, int]
) -> None:
    assert window_size(picture_wh, screen_wh) == window_wh


# ---------------------------------------------------------------------------------------- outputs refused


def test_output_that_is_fine_leaves_no_trace(tmp_path: Path) -> None:
    check_output(tmp_path / "out.mp4", overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_existing_output_needs_permission(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already; add --overwrite"):
        check_output(path, overwrite=False)
    check_output(path, overwrite=True)
    assert path.read_bytes() == b"precious"


def test_folder_in_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="a folder"):
        check_output(tmp_path, overwrite=True)


def test_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        check_output(tmp_path / "missing" / "out.mp4", overwrite=False)


def test_name_longer_than_a_file_system_takes(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        check_output(tmp_path / ("long" * 100 + ".mp4"), overwrite=False)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that nobody can write into")
def test_folder_that_cannot_be_written() -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        check_output(Path("/proc/out.mp4"), overwrite=False)


# ------------------------------------------------------------------------------------------------ display

on_x11 = pytest.mark.skipif(os.name == "nt" or os.uname().sysname == "Darwin", reason="only X11 can be absent")


@on_x11
@pytest.mark.parametrize("display", ["", ":99999", "nonsense", "127.0.0.1:59000"])
def test_display_that_is_not_there(monkeypatch: pytest.MonkeyPatch, display: str) -> None:
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", display)
    problem = display_problem()
    assert problem is not None
    assert display in problem
    with pytest.raises(OutputError, match="use --output FILE or --headless"):
        WindowSink()


@on_x11
def test_wayland_alone_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    problem = display_problem()
    assert problem is not None
    assert "Wayland" in problem


@needs_display
def test_window_follows_sizes_and_closes_twice() -> None:
    window = WindowSink()
    for size_wh in ((160, 120), (200, 90)):
        window.write(coloured_picture(size_wh))
        assert window.poll() == -1
    window.set_fullscreen(True)
    window.write(coloured_picture((160, 120)))
    assert window.poll() == -1
    assert cv2.getWindowProperty(WINDOW_NAME, cv2.WND_PROP_FULLSCREEN) == cv2.WINDOW_FULLSCREEN
    window.set_fullscreen(False)
    assert window.poll() == -1
    window.close()
    window.close()


@pytest.mark.parametrize("system", ["Linux", "Windows", "Darwin"])
def test_window_that_was_closed_is_not_opened_again(monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    shown: list[object] = []
    visible = [1.0, 1.0, 0.0]
    monkeypatch.setattr("realtime.sinks.display_problem", lambda: None)
    monkeypatch.setattr("platform.system", lambda: system)
    for name, stand_in in {
        "namedWindow": lambda *_: None,
        "resizeWindow": lambda *_: None,
        "imshow": lambda *_: shown.append(None),
        "pollKey": lambda: -1,
        "getWindowProperty": lambda *_: visible.pop(0),
    }.items():
        monkeypatch.setattr(cv2, name, stand_in)
    window = WindowSink()
    window.write(coloured_picture())
    window.poll()
    window.poll()
    assert not window.is_closed
    window.poll()
    assert window.is_closed == (system != "Darwin")  # where it is invisible too when minimised, and has no such button
    window.write(coloured_picture())
    assert len(shown) == (2 if system == "Darwin" else 1)


@on_x11
def test_full_screen_is_left_by_its_key_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Qt's window leaves it as soon as it is given a size."""
    calls: list[object] = []
    monkeypatch.setattr("realtime.sinks.display_problem", lambda: None)

    def keep(_: str, number: int, value: int) -> None:
        if number == cv2.WND_PROP_FULLSCREEN:
            calls.append(value == cv2.WINDOW_FULLSCREEN)

    for name, stand_in in {
        "namedWindow": lambda *_: None,
        "imshow": lambda *_: None,
        "getWindowImageRect": lambda _: (0, 0, 160, 120),
        "resizeWindow": lambda _, *size_wh: calls.append(size_wh),
        "setWindowProperty": keep,
    }.items():
        monkeypatch.setattr(cv2, name, stand_in)
    window = WindowSink()
    window.set_fullscreen(True)  # from the start
    window.write(coloured_picture((160, 120)))
    window.set_fullscreen(False)
    window.set_fullscreen(True)
    window.write(coloured_picture((200, 90)))
    window.write(coloured_picture((200, 90)))
    assert calls == [True, False, (160, 120), True]
    window.set_fullscreen(False)
    window.write(coloured_picture((160, 120)))
    assert calls[4:] == [False, (200, 90), (160, 120)]


@on_x11
def test_bars_beside_the_picture_are_black_on_a_full_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Image] = []
    monkeypatch.setattr("realtime.sinks.display_problem", lambda: None)
    for name, stand_in in {
        "namedWindow": lambda *_: None,
        "resizeWindow": lambda *_: None,
        "setWindowProperty": lambda *_: None,
        "imshow": lambda _, picture: shown.append(picture),
        "getWindowImageRect": lambda _: (1920, 0, 1600, 900),  # on the second screen
    }.items():
        monkeypatch.setattr(cv2, name, stand_in)
    window = WindowSink()
    window.write(flat_picture(90, (160, 120)))
    window.set_fullscreen(True)
    window.write(flat_picture(90, (160, 120)))
    assert [picture.shape[1::-1] for picture in shown] == [(160, 120), (213, 120)]
    assert not shown[1][:, :26].any()
    assert (shown[1][:, 26:186] == 90).all()
    assert not shown[1][:, 186:].any()


@pytest.mark.parametrize(
    ("shape_wh", "size_wh"), [((160, 120), (64, 48)), ((1920, 1080), (85, 48)), ((100, 100), (64, 64)), ((1, 4), (64, 256))]
)
def test_letterbox_has_the_shape_asked_for(shape_wh: tuple[int, int], size_wh: tuple[int, int]) -> None:
    boxed = letterbox(flat_picture(90, (64, 48)), shape_wh)
    assert boxed.shape == (size_wh[1], size_wh[0], 3)
    assert np.count_nonzero(boxed) == 64 * 48 * 3


@on_x11
@pytest.mark.parametrize(("handle", "refused"), [(0, True), (77, False)])
def test_display_that_refuses_the_user(monkeypatch: pytest.MonkeyPatch, handle: int, refused: bool) -> None:
    library = MagicMock()
    library.XOpenDisplay.return_value = handle
    monkeypatch.setattr("realtime.displays._load_x11", lambda: library)
    monkeypatch.setattr("realtime.sinks._answers", lambda _: True)
    monkeypatch.setenv("DISPLAY", ":7")
    assert display_problem() == ("the display :7 refuses this user (XAUTHORITY)" if refused else None)
    assert library.XCloseDisplay.call_count == (0 if refused else 1)


@on_x11
def test_display_is_taken_as_it_is_where_nobody_can_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.displays._load_x11", MagicMock(side_effect=OSError))
    monkeypatch.setattr("realtime.sinks._answers", lambda _: True)
    monkeypatch.setenv("DISPLAY", ":7")
    assert display_problem() is None


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="needs Xvfb")
def test_server_with_a_secret_refuses_those_without(tmp_path: Path) -> None:
    name, cookie = b"MIT-MAGIC-COOKIE-1", b"0123456789abcdef"
    fields = b"".join(struct.pack(">H", len(field)) + field for field in (b"", b"", name, cookie))
    (tmp_path / "secret").write_bytes(struct.pack(">H", 0xFFFF) + fields)
    (tmp_path / "none").touch()
    server_command = ["Xvfb", "-displayfd", "1", "-auth", str(tmp_path / "secret"), "-screen", "0", "64x64x24"]
    code = "from realtime.sinks import display_problem; print(display_problem())"
    with subprocess.Popen(server_command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        display = f":{server.stdout.readline().strip()}"
        found = {}
        for file in ("secret", "none"):
            environment = os.environ | {"DISPLAY": display, "XAUTHORITY": str(tmp_path / file)}
            asked = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
            found[file] = (asked.stdout.strip(), asked.stderr)
        server.terminate()
    assert found == {"secret": ("None", ""), "none": (f"the display {display} refuses this user (XAUTHORITY)", "")}
