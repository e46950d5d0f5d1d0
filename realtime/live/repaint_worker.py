"""The process that re-paints a snapshot: started at low priority, read line by line, ended when it is no longer wanted.

Whatever it prints is foreign input: lines are bounded, and those that are not understood are passed over.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_ROOT = Path(__file__).resolve().parent.parent.parent
_NICENESS = 15  # more than the live picture's own
_LOWEST_PRIORITY = 19
_OUT_OF_MEMORY_SCORE = "800"  # of -1000..1000: where memory runs out the system ends the worker, not the live picture
_LONGEST_LINE = 8192
_PATIENCE_S = 3.0  # between asking a worker to end and ending it


@dataclass(frozen=True)
class Progress:
    """How far a worker is.

    share: 0..1.
    remaining_s: its own guess.
    """

    share: float
    remaining_s: float


@dataclass(frozen=True)
class Outcome:
    """How a worker ended.

    code: exit code; negative: the signal that killed it.
    last_words: its last line on stderr.
    output: where it says that the result lies; empty where it said nothing.
    """

    code: int
    last_words: str
    output: str


class RepaintWorker:
    """A running process.

    Args:
        arguments: after the interpreter's name.
        threads: for its computations.
    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, arguments: Sequence[str], threads: int) -> None:
        count = str(threads)
        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=_ROOT,
            env={**os.environ, "OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            creationflags=_low_priority_flags(),
        )
        _lower_priority(self._process.pid)
        self._last_words: deque[str] = deque(maxlen=1)
        self._stderr = threading.Thread(target=self._drain_stderr, name="repaint stderr", daemon=True)
        self._stderr.start()

    def follow(self, on_progress: Callable[[Progress], None]) -> Outcome:
        """Reads what it prints until it ends."""
        assert self._process.stdout is not None
        output = ""
        for line in _bounded_lines(self._process.stdout):
            event = _parse(line)
            if isinstance(event, Progress):
                on_progress(event)
            elif event is not None:
                output = event
        code = self._process.wait()
        self._stderr.join(1.0)
        self._process.stdout.close()
        return Outcome(code, self._last_words[0] if self._last_words else "", output)

    def end(self) -> None:
        """Asks it to end, and ends it where it does not; does not wait."""
        with suppress(OSError):
            self._process.terminate()
        timer = threading.Timer(_PATIENCE_S, self.kill)
        timer.daemon = True
        timer.start()

    def kill(self) -> None:
        """Ends it now."""
        with suppress(OSError):
            self._process.kill()

    def _drain_stderr(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stderr:
            for line in _bounded_lines(stderr):
                text = line.decode("utf-8", "replace").strip()
                if text:
                    self._last_words.append(text.removeprefix("error: "))


def _bounded_lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Lines without their ends; of one that is too long nothing is kept."""
    is_too_long = False
    while chunk := stream.readline(_LONGEST_LINE):
        ends = chunk.endswith(b"\n")
        if not is_too_long and (ends or len(chunk) < _LONGEST_LINE):
            yield chunk.rstrip(b"\r\n")
        is_too_long = not ends


def _parse(line: bytes) -> Progress | str | None:
    """What a line tells: progress, the result's path, or nothing that is understood."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    if found.get("event") == "done":
        output = found.get("output")
        return output if isinstance(output, str) else None
    share, remaining_s = _number(found.get("share")), _number(found.get("remaining_s"))
    if found.get("event") != "progress" or share is None or remaining_s is None:
        return None
    return Progress(min(1.0, max(0.0, share)), min(86_400.0, max(0.0, remaining_s)))


def _number(value: Any) -> float | None:
    is_one = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12
    return float(value) if is_one else None


def _low_priority_flags() -> int:
    if sys.platform == "win32":
        return subprocess.BELOW_NORMAL_PRIORITY_CLASS | subprocess.CREATE_NO_WINDOW
    return 0


def _lower_priority(pid: int) -> None:
    """Set from outside: code run in the child before its program starts is not safe beside threads."""
    if sys.platform == "win32":
        return
    with suppress(OSError):  # it may have ended already
        own = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, pid, min(_LOWEST_PRIORITY, own + _NICENESS))
    with suppress(OSError):  # Linux alone
        Path(f"/proc/{pid}/oom_score_adj").write_text(_OUT_OF_MEMORY_SCORE, encoding="ascii")
