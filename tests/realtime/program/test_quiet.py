"""Nothing but our own lines on stderr."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[3]


def run_python(code: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """A program in a process of its own, with the project to import from and changes of its environment."""
    told, environment = [sys.executable, "-c", code], os.environ | changes
    return subprocess.run(told, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_a_truncated_png_gives_one_line_and_no_chatter_of_libpng(tmp_path: Path) -> None:
    random = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = cv2.imencode(".png", random)[1].tobytes()
    path = tmp_path / "cut.png"
    path.write_bytes(data[: len(data) // 40])
    command = [sys.executable, "run_cam.py", "--source", str(path), "--output", str(tmp_path / "out.png")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "libpng" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2


def test_qt_is_not_asked_for_a_desktop_that_it_cannot_speak_to() -> None:
    """Or it aborts the process with the window's first call."""
    done = run_python("import os, run_cam\nprint(os.environ['QT_QPA_PLATFORM'])", QT_QPA_PLATFORM="wayland")
    assert done.stdout == "xcb\n"


def test_stderr_is_back_after_the_silence() -> None:
    code = (
        "import os, sys\nfrom realtime.program.quiet import silent_libraries\n"
        "with silent_libraries():\n    os.write(2, b'lost')\nos.write(2, b'kept')\n"
    )
    done = run_python(code)
    assert done.stderr == "kept"


def test_two_threads_silent_at_the_same_time_give_stderr_back() -> None:
    code = """
import os, threading
from realtime.program.quiet import silent_libraries

first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()

def first():
    with silent_libraries():
        first_in.set()
        second_in.wait()
    first_out.set()

def second():
    first_in.wait()
    with silent_libraries():
        second_in.set()
        first_out.wait()
        os.write(2, b"lost")

threads = [threading.Thread(target=run) for run in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
os.write(2, b"kept")
"""
    done = run_python(code)
    assert done.stderr == "kept"


def test_what_python_prints_comes_through_the_silence() -> None:
    code = (
        "import os, sys\nfrom realtime.program.quiet import silent_libraries\nusual = sys.stderr\n"
        "for number in range(2):\n    with silent_libraries():\n"
        "        os.write(2, b'lost')\n        print(number, file=sys.stderr)\n"
        "print(sys.stderr is usual, file=sys.stderr)\n"
    )
    done = run_python(code)
    assert done.stderr == "0\n1\nTrue\n"


def test_process_without_stderr_is_left_alone() -> None:
    code = (
        "import os, sys\nos.close(2)\nsys.stderr = None\nfrom realtime.program.quiet import silent_libraries\n"
        "with silent_libraries():\n    pass\nprint('well')\n"
    )
    done = run_python(code)
    assert (done.returncode, done.stdout) == (0, "well\n")
