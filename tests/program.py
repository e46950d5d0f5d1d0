"""Runs the program as its users do: fixtures and what came of it."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from realtime.errors import EXIT_DONE

ROOT = Path(__file__).resolve().parent.parent
TIME_LIMIT_S = 60


@dataclass(frozen=True)
class Outcome:
    """How a run of the program ended."""

    code: int
    output: str
    errors: str

    def complains(self, code: int, *parts: str) -> None:
        """Checks that a mistake was told in a line or two, without any other noise."""
        assert self.code == code, self.errors
        lines = self.errors.splitlines()
        assert 1 <= len(lines) <= 2, self.errors
        assert lines[0].startswith("error: ")
        assert "Traceback" not in self.errors
        assert self.output == ""
        for part in parts:
            assert part in self.errors

    def succeeds(self) -> None:
        """Checks that all went well and nothing was said about it."""
        assert (self.code, self.errors) == (EXIT_DONE, "")


RunCam = Callable[..., Outcome]


def mistake_of(main: Callable[[list[str]], int], argv: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code and message of a program that is called in this process and tells a mistake in a line or two."""
    code = main(argv)
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert len(said.splitlines()) <= 2
    return code, said


@contextmanager
def pipe_without_reader() -> Iterator[int]:
    """What a program writes to when the one that it was piped into has gone, as `head` does."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


class StreamWithoutReader(io.StringIO):
    """The same within this process, in the place of stdout."""

    def write(self, _: str) -> int:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A machine without a display and without styles of the user's."""
    gone = ("DISPLAY", "WAYLAND_DISPLAY", "ORT_DISABLE_TELEMETRY", "SVT_LOG")  # the last two the program sets itself
    kept = {name: value for name, value in os.environ.items() if name not in gone}
    return kept | {"XDG_DATA_HOME": str(tmp_path / "data_home")}


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Path]:
    """The folder in which the program runs; it must leave nothing half made there."""
    folder = tmp_path / "work"
    folder.mkdir()
    yield folder
    assert list(folder.rglob("*.partial")) == []
    assert list(ROOT.glob("*.partial")) == []


@pytest.fixture
def command(styles_folder: Path) -> list[str]:
    """The program with a tiny style."""
    program = [sys.executable, str(ROOT / "run_cam.py")]
    return [*program, "--styles", str(styles_folder), "--style", "night_sky", "--provider", "cpu"]


@pytest.fixture
def run_cam(command: list[str], work: Path, environment: dict[str, str]) -> RunCam:
    """Runs the program to its end; later arguments win over those of the fixture."""

    def run(*arguments: object, **changes: str) -> Outcome:
        done = subprocess.run(
            [*command, *map(str, arguments)],
            cwd=work,
            env=environment | changes,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run
