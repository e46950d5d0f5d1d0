"""Nothing but our own lines on stderr."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]


def test_a_truncated_png_gives_one_line_and_no_chatter_of_libpng(tmp_path: Path) -> None:
    random = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = cv2.imencode(".png", random)[1].tobytes()
    path = tmp_path / "cut.png"
    path.write_bytes(data[: len(data) // 40])
    command = [sys.executable, "run_cam.py", "--source", str(path), "--output", str(tmp_path / "out.png")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "libpng" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2


def test_stderr_is_back_after_the_silence() -> None:
    code = (
        "import os, sys\nfrom realtime.quiet import silent_libraries\n"
        "with silent_libraries():\n    os.write(2, b'lost')\nos.write(2, b'kept')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == "kept"
