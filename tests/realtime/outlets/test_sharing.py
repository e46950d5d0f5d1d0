"""What the command line opens, and when a run without a window has nobody left that takes its picture."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from realtime.outlets.sharing import ending_without_takers, open_outlets
from realtime.program.command_line import parse_arguments
from tests.fakes import flat_picture, wait_until


def is_ended(options: list[str], *have_failed: bool) -> bool:
    """Whether the run is ended; the first of the outlets is the recorder."""
    ended: list[bool] = []
    outlets: list[Any] = [SimpleNamespace(has_failed=has_failed) for has_failed in have_failed]
    ending_without_takers(parse_arguments(options), outlets, lambda: ended.append(True))()
    return bool(ended)


@pytest.mark.parametrize(
    ("have_failed", "expected"),
    [((True,), True), ((True, False), False), ((False, True), False), ((True, True), True), ((True, True, False), False)],
)
def test_a_recording_run_ends_with_the_last_of_its_takers(have_failed: tuple[bool, ...], expected: bool) -> None:
    assert is_ended(["--headless", "--record"], *have_failed) is expected


def test_a_recorder_that_was_not_asked_for_takes_nothing() -> None:
    assert is_ended(["--headless"], False, True)
    assert not is_ended(["--headless"], False, True, False)


def test_a_window_or_a_file_goes_on() -> None:
    assert not is_ended(["--record"], True)


@pytest.mark.parametrize(
    ("device", "of_source", "asked", "opened"),
    [("/dev/video9", 25.0, 50.0, (25.0, "/dev/video9")), ("", None, 50.0, (50.0, None)), ("", None, None, (30.0, None))],
)
def test_a_virtual_camera_gets_its_device_its_rate_and_whom_to_tell(
    device: str, of_source: float | None, asked: float | None, opened: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[object] = []

    def refuse(_: object) -> None:
        raise RuntimeError("unplugged")

    def open_camera(width: int, height: int, fps: float, *, fmt: str, device: str | None) -> object:
        found.append((fps, device))
        return SimpleNamespace(width=width, height=height, device="the camera", send=refuse, close=lambda: None)

    library = SimpleNamespace(Camera=open_camera, PixelFormat=SimpleNamespace(BGR="bgr"))
    monkeypatch.setitem(sys.modules, "pyvirtualcam", library)
    settings = replace(parse_arguments([]), virtual_camera=device, fps=asked)
    (camera,) = open_outlets(settings, of_source, found.append, lambda: found.append("failed"))
    camera.offer(flat_picture(0), 0.0)
    wait_until(lambda: found[-1] == "failed")
    camera.close()
    assert found == [opened, "virtual camera: the camera", "virtual camera stopped: unplugged", "failed"]
