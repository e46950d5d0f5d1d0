"""Programs that run while they are measured, and the memory of processes, in MiB everywhere."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from realtime.errors import UserError

PROC = Path("/proc")
_MIB = 2**20
_PATIENCE_S = 5.0  # between asking a program to end and ending it


@dataclass(frozen=True)
class Memory:
    """Resident memory of a process in MiB: now, and at its highest so far."""

    now_mib: float
    highest_mib: float


def memory_of(pid: int | str) -> Memory | None:
    """Asks the system; None where the process has ended, or the system has no /proc.

    Args:
        pid: a process's number, or "self".
    """
    try:
        text = (PROC / str(pid) / "status").read_text(encoding="utf-8")
    except OSError:
        return None
    found = {name: int(size_kib) / 1024 for name, size_kib in re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB", text, re.MULTILINE)}
    return Memory(round(found["VmRSS"], 1), round(found["VmHWM"], 1)) if len(found) == 2 else None


def own_memory(what_for: str) -> Memory:
    """That of this process.

    Args:
        what_for: begins the message.
    Raises:
        UserError: a system without /proc.
    """
    found = memory_of("self")
    if found is None:
        raise UserError(f"{what_for}: reads {PROC}/self/status, which this system does not have; measure on Linux")
    return found


def peak_mib(ru_maxrss: int) -> int:
    """The largest resident size as getrusage and wait4 tell it: KiB, and bytes on macOS."""
    return round(ru_maxrss * (1 if sys.platform == "darwin" else 1024) / _MIB)


@contextmanager
def running(command: Sequence[str], captures: bool = True) -> Iterator[subprocess.Popen[str]]:
    """A program that runs meanwhile; it is ended, and waited for, where it has not ended when this is left.

    Args:
        captures: whether stdout and stderr are for the caller to read.
    """
    pipe = subprocess.PIPE if captures else None
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.communicate(timeout=_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
        process.communicate()


def check_ended(process: subprocess.Popen[str], what: str) -> None:
    """Waits for a program's end.

    Raises:
        UserError: it failed; with the last line that it wrote on stderr.
    """
    _, errors = process.communicate()
    if process.returncode:
        last_words = (errors or "").strip().splitlines()[-1:] or ["it does not say why"]
        raise UserError(f"{what} ended with {process.returncode}: {last_words[0]}")
