"""Fixtures for all rooms."""

from __future__ import annotations

import os
import signal
import site
from collections.abc import Iterator
from pathlib import Path

import pytest

import realtime.program.quiet  # before OpenCV is loaded
import realtime.sources  # noqa: F401  (OpenCV before PyAV: the other way round its windows hang)

# isort: split
from tests.fakes import FakeClock, write_clip, write_style, write_style_onnx
from tests.program import command, environment, run_cam, work  # noqa: F401  (fixtures)

# Started in the background by a shell, or under nohup: programs would inherit that they ignore these.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if (_HANGUP := getattr(signal, "SIGHUP", None)) is not None and signal.getsignal(_HANGUP) is signal.SIG_IGN:
    signal.signal(_HANGUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def _own_gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the styles of whoever runs it, nor writes there, whatever the platform's convention."""
    # Python's packages and the key to the display are found by way of the home folder; they stay where they are.
    monkeypatch.setenv("PYTHONUSERBASE", site.getuserbase())
    monkeypatch.setenv("XAUTHORITY", os.environ.get("XAUTHORITY") or str(Path.home() / ".Xauthority"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data_home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache_home"))
    for name in ("HOME", "USERPROFILE", "LOCALAPPDATA"):  # macOS, and Windows
        monkeypatch.setenv(name, str(tmp_path / "home"))


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    """What a program that runs within a test makes of signals ends with the test."""
    numbers = [number for name in ("SIGINT", "SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None]
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def clock() -> FakeClock:
    """Seconds that pass only when told to."""
    return FakeClock()


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty frames of 64x48 at ten a second, each of another grey; not to be written to."""
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4")


@pytest.fixture(scope="session")
def inversion_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network by the contract that inverts its picture; not to be written to."""
    return write_style_onnx(tmp_path_factory.mktemp("models") / "inversion.onnx")


@pytest.fixture(scope="session")
def styles_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three styles: night_sky inverts, plain_day repeats, wild_sea inverts; not to be written to."""
    base = tmp_path_factory.mktemp("styles")
    write_style(base, "night_sky", order=-30)
    write_style(base, "plain_day", order=-20, inverts=False)
    write_style(base, "wild_sea", order=-10)
    return base
