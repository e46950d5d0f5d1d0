"""Processes that are measured: none is left behind, and their memory is told in MiB."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import processes
from benchmarks.processes import Memory, check_ended, memory_of, own_memory, peak_mib, running
from realtime.errors import UserError

SLEEPS = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(600)",
]


def test_memory_is_read_from_the_system_in_mib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PROC", tmp_path)
    for pid in ("7", "self"):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "status").write_text("Name:\tpython\nVmHWM:\t  204800 kB\nVmRSS:\t  102400 kB\n")
    assert memory_of(7) == own_memory("memory") == Memory(now_mib=100.0, highest_mib=200.0)


def test_of_a_process_that_has_ended_no_memory_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PROC", tmp_path)
    assert memory_of(7) is None
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "status").write_text("Name:\tpython\nState:\tZ (zombie)\n")
    assert memory_of(7) is None
    with pytest.raises(UserError, match=r"memory: reads .*/self/status, which this system does not have"):
        own_memory("memory")


@pytest.mark.parametrize(("system", "expected"), [("linux", 1024), ("darwin", 1)])
def test_the_peak_of_a_child_is_told_in_mib(system: str, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", system)
    assert peak_mib(2**20) == expected


@pytest.mark.parametrize("command", [SLEEPS, DEAF], ids=["answers", "deaf"])
def test_a_program_is_ended_with_what_it_was_started_for(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_PATIENCE_S", 0.5)
    started: list[subprocess.Popen[str]] = []

    def measure() -> None:
        with running(command) as process:
            started.append(process)
            assert process.stdout is not None
            assert process.stdout.readline() == "here\n"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure()
    assert started[0].returncode is not None and started[0].returncode < 0


def test_a_program_that_failed_is_told_with_its_last_words() -> None:
    program = "import sys; sys.exit('note: this\\nerror: no camera')"
    with running([sys.executable, "-c", program]) as process, pytest.raises(UserError) as caught:
        check_ended(process, "the run")
    assert str(caught.value) == "the run ended with 1: error: no camera"
    with running([sys.executable, "-c", ""]) as process:
        check_ended(process, "the run")
