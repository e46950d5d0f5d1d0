"""Time and peak memory of painting large stills: python -m benchmarks.stills.

Each size is painted by the program itself in a process of its own, from a JPEG of the demo's scene to a JPEG.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import realtime.program.quiet  # noqa: F401
from benchmarks.processes import peak_mib, running
from benchmarks.report import check_json, print_table, write_json
from realtime.demo import DemoScene
from realtime.errors import EXIT_DONE, UserError
from realtime.pictures.files import write_picture
from realtime.program import argument_types
from realtime.program.interruption import entry_point

_SIZES_WH = ((1920, 1080), (4000, 3000), (6000, 4000), (8000, 6000))
_PROGRAM = Path(__file__).resolve().parent.parent / "run_cam.py"


def measure(size_wh: tuple[int, int], style: str | None, precision: str, folder: Path) -> dict[str, Any]:
    """Wall time in seconds and peak memory in MiB of one still.

    Raises:
        UserError: the program failed; it has said why.
    """
    photo, painted = folder / "photo.jpg", folder / "painted.jpg"
    write_picture(photo, DemoScene(size_wh).draw(2.0))
    command = [sys.executable, str(_PROGRAM), "--source", str(photo), "--output", str(painted), "--overwrite"]
    command += ["--provider", "cpu", "--precision", precision, *(["--style", style] if style else [])]
    started = time.monotonic()
    code, peak = _run(command)
    if code != EXIT_DONE:
        raise UserError(f"run_cam.py ended with {code}")
    return {
        "size_wh": size_wh,
        "megapixels": round(size_wh[0] * size_wh[1] / 1e6, 1),
        "precision": precision,
        "seconds": round(time.monotonic() - started, 2),
        "peak_mib": peak,
    }


def _run(command: list[str]) -> tuple[int, int]:
    """Exit code and largest resident size in MiB of a program."""
    with running(command, captures=False) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, peak_mib(usage.ru_maxrss)


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = argument_types.Parser(prog="python -m benchmarks.stills", description=__doc__)
    parser.add_argument("--style", help="default: the first of the gallery")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(argv)
    check_json(args.json)
    if not hasattr(os, "wait4"):  # Windows has none
        raise UserError("stills: this system does not tell the memory of a program that has ended; measure on Linux or macOS")
    with tempfile.TemporaryDirectory() as folder:
        results = [
            measure(size_wh, args.style, precision, Path(folder)) for size_wh in _SIZES_WH for precision in ("fp32", "int8")
        ]
    rows = [[f"{r['size_wh'][0]}x{r['size_wh'][1]}", *list(r.values())[1:]] for r in results]
    print_table(["size", "megapixels", "precision", "seconds", "peak MiB"], rows)
    write_json(args.json, {"stills": results})
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
