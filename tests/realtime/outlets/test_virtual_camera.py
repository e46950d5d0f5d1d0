"""The virtual camera, with a stand-in for pyvirtualcam and its drivers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from realtime.errors import EXIT_OUTPUT, ModelError, OutputError
from realtime.frame import Image
from realtime.outlets.virtual_camera import VirtualCamera
from realtime.pictures.sequence import fit_on_black
from tests.fakes import coloured_picture, flat_picture, wait_until


class Driver:
    """pyvirtualcam as far as it is used."""

    PixelFormat = SimpleNamespace(BGR="bgr")

    def __init__(self, problem: Exception | None = None, before_send: Callable[[int], None] = lambda _: None) -> None:
        self.sent: list[Image] = []
        self.opened: list[tuple[Any, ...]] = []
        self.closed = 0
        self._problem, self._before_send = problem, before_send

    def Camera(self, width: int, height: int, fps: float, *, fmt: str, device: str | None) -> Any:  # noqa: N802
        """Opens the camera."""
        if self._problem is not None:
            raise self._problem
        self.opened.append((width, height, fps, fmt, device))
        return SimpleNamespace(width=width, height=height, device="/dev/video9", send=self._send, close=self._close)

    def _send(self, picture: Image) -> None:
        self._before_send(len(self.sent))
        self.sent.append(picture)

    def _close(self) -> None:
        self.closed += 1


def camera_of(driver: Driver, told: list[str] | None = None, device: str | None = None) -> VirtualCamera:
    return VirtualCamera(device, None, (told if told is not None else []).append, lambda: driver)


def test_pictures_arrive_as_they_are() -> None:
    driver, told = Driver(), []
    camera = camera_of(driver, told)
    camera.offer(coloured_picture(), 0.0)
    wait_until(lambda: len(driver.sent) == 1)
    camera.close()
    assert driver.opened == [(64, 48, 30.0, "bgr", None)]
    np.testing.assert_array_equal(driver.sent[0], coloured_picture())
    assert told == ["virtual camera: /dev/video9"]
    assert driver.closed == 1
    assert camera.figures() == {"frames_sent": 1, "frames_dropped": 0}


def test_newest_picture_wins_and_the_rest_is_counted() -> None:
    gate = threading.Event()
    driver = Driver(before_send=lambda _: gate.wait(20) and None)
    camera = camera_of(driver)
    camera.offer(flat_picture(0), 0.0)
    wait_until(lambda: camera._newest is None)
    for level in range(1, 6):
        camera.offer(flat_picture(level), 0.0)
    gate.set()
    wait_until(lambda: len(driver.sent) == 2)
    camera.close()
    assert [int(picture[0, 0, 0]) for picture in driver.sent] == [0, 5]
    assert camera.figures() == {"frames_sent": 2, "frames_dropped": 4}


def test_odd_size_becomes_even_and_other_sizes_are_fitted_in() -> None:
    driver = Driver()
    camera = camera_of(driver, device="/dev/video9")
    camera.offer(flat_picture(90, (63, 47)), 0.0)
    wait_until(lambda: len(driver.sent) == 1)
    camera.offer(flat_picture(90, (200, 100)), 0.0)
    wait_until(lambda: len(driver.sent) == 2)
    camera.close()
    assert driver.opened[0][:2] == (64, 48)
    assert [picture.shape for picture in driver.sent] == [(48, 64, 3)] * 2


def test_picture_of_another_shape_keeps_it_with_black_around() -> None:
    framed = fit_on_black(flat_picture(200, (100, 50)), (40, 40))
    assert framed.shape == (40, 40, 3)
    assert (framed[10:30] == 200).all()
    assert not framed[:10].any()
    assert not framed[30:].any()


@pytest.mark.parametrize(
    ("system", "advice"), [("Linux", "modprobe v4l2loopback"), ("Windows", "OBS Studio"), ("Darwin", "OBS Studio")]
)
def test_missing_driver_is_one_line_for_each_system(system: str, advice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    camera = camera_of(Driver(RuntimeError("'v4l2loopback' backend: No v4l2 device\nfound")))
    with pytest.raises(OutputError, match=advice) as caught:
        camera.offer(flat_picture(0), 0.0)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == EXIT_OUTPUT
    camera.close()


def test_missing_package_says_how_to_install_it() -> None:
    def load() -> Any:
        raise ModuleNotFoundError("No module named 'pyvirtualcam'")

    with pytest.raises(ModelError, match=r"pip install -r requirements-virtual-camera\.txt"):
        VirtualCamera(None, None, lambda _: None, load)


def test_camera_that_goes_away_is_told_once_and_the_picture_goes_on() -> None:
    def fail(count: int) -> None:
        if count == 1:
            raise RuntimeError("device gone")

    driver, told = Driver(before_send=fail), []
    camera = camera_of(driver, told)
    for level in range(4):
        camera.offer(flat_picture(level), 0.0)
        wait_until(lambda: camera._newest is None or camera._is_over)
    wait_until(lambda: len(told) == 2)
    camera.offer(flat_picture(0), 0.0)
    camera.close()
    assert told[1] == "virtual camera stopped: device gone"
    assert driver.closed == 1


def test_a_failure_is_told_and_then_passed_on() -> None:
    def unplugged(number: int) -> None:
        if number:
            raise RuntimeError("unplugged")

    driver, told = Driver(before_send=unplugged), []
    camera = VirtualCamera(None, None, told.append, lambda: driver, on_failure=lambda: told.append("passed on"))
    camera.offer(flat_picture(0), 0.0)
    wait_until(lambda: len(driver.sent) == 1)
    assert not camera.has_failed
    camera.offer(flat_picture(1), 0.1)
    wait_until(lambda: told[-1] == "passed on")
    assert told[1:] == ["virtual camera stopped: unplugged", "passed on"]
    assert camera.has_failed
    camera.close()


@pytest.mark.parametrize("is_unplugged", [False, True])
def test_driver_that_fails_to_close_is_no_failure_of_its_own(is_unplugged: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def unplugged(_: int) -> None:
        if is_unplugged:
            raise RuntimeError("unplugged")

    def refuse() -> None:
        raise RuntimeError("cannot close")

    driver, told = Driver(before_send=unplugged), []
    monkeypatch.setattr(driver, "_close", refuse)
    unhandled: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", unhandled.append)
    camera = camera_of(driver, told)
    camera.offer(flat_picture(0), 0.0)
    wait_until(lambda: len(told) == 2 if is_unplugged else len(driver.sent) == 1)
    camera.close()
    assert unhandled == []
    assert told[1:] == (["virtual camera stopped: unplugged"] if is_unplugged else [])
    assert camera.has_failed is is_unplugged
