"""Latency and rate of the whole live path: python -m benchmarks.latency.

Runs run_cam.py on the demo source at a given size and rate, played as a camera without a window, and prints what its
--stats say.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.report import check_json, print_table, size_text, write_json
from realtime.errors import EXIT_DONE, UserError
from realtime.gallery import PRECISIONS
from realtime.program import argument_types
from realtime.program.interruption import entry_point

_PROGRAM = Path(__file__).resolve().parent.parent / "run_cam.py"
_CASES = (("640x480", 30), ("640x480", 60), ("1280x720", 30))


def measure(size: str, fps: int, frames: int, options: list[str]) -> dict[str, Any]:
    """The --stats of one run.

    Raises:
        UserError: the run failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        stats = Path(folder) / "stats.json"
        command = [sys.executable, str(_PROGRAM), "--source", "demo", "--live", "--headless", "--size", size, "--fps", str(fps)]
        command += ["--max-frames", str(frames), "--stats", str(stats), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise UserError(f"latency: the run ended with {done.returncode}: {done.stderr.strip()}")
        found: dict[str, Any] = json.loads(stats.read_text(encoding="utf-8"))
        return found


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point; arguments after -- are handed to run_cam.py."""
    parser = argument_types.Parser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--frames", type=argument_types.count, default=300, help="of each run (default %(default)s)")
    parser.add_argument("--precision", default="auto", choices=("auto", *PRECISIONS), help="default %(default)s")
    parser.add_argument("--json", type=Path)
    parser.add_argument("options", nargs="*", metavar="-- OPTION", help="handed to run_cam.py, such as -- --provider cpu")
    args = parser.parse_args(argv)
    rows = []
    check_json(args.json)
    for size, fps in _CASES:
        rows.append({"asked_fps": fps} | measure(size, fps, args.frames, ["--precision", args.precision, *args.options]))
    write_json(args.json, {"latency": rows})
    print_table(
        ("size", "processed", "network", "asked fps", "fps", "dropped", "p50 ms", "p95 ms", "p99 ms"),
        [
            (
                size_text(r["source_wh"]),
                size_text(r["processed_wh"]),
                f"{r['tier']} {r['precision']} {r['provider']}",
                r["asked_fps"],
                f"{r['fps']:.1f}",
                r["frames_dropped"],
                *(f"{r['latency_ms'][name]:.1f}" for name in ("p50", "p95", "p99")),
            )
            for r in rows
        ],
    )
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
