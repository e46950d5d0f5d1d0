"""Memory of a long live run: python -m benchmarks.memory. Linux only.

Twelve styles in the gallery, the one on show and its neighbours warm, thousands of ready frames through the whole live
path: resident memory at its highest, and how it changes from the first tenth of the run to its end.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import realtime.program.quiet  # noqa: F401
from benchmarks.processes import own_memory
from benchmarks.ready_frames import ReadyFrames, ready_pictures, run_pipeline
from benchmarks.report import check_json, print_table, size_text, write_json
from realtime.errors import EXIT_DONE
from realtime.frame import Image
from realtime.gallery import Style, find_style, load_gallery
from realtime.networks.model_choice import ModelChoice
from realtime.program import argument_types
from realtime.program.interruption import entry_point
from realtime.studio import Studio

_NAME = "benchmarks.memory"
_SETTLE_S = 5.0  # for the neighbours to be warm
_PARTS = 10


def gallery_of(styles: list[Style], count: int) -> list[Style]:
    """So many styles, those there are used again under other names: each gets a session of its own all the same."""
    return [replace(styles[number % len(styles)], name=f"style_{number}") for number in range(count)]


def measure(studio: Studio, pictures: list[Image], frames: int) -> dict[str, Any]:
    """Runs in ten parts and reads the memory after each."""
    size_wh = (pictures[0].shape[1], pictures[0].shape[0])
    studio.require(0, size_wh)
    studio.warm(0, size_wh)
    last = len(studio.styles) - 1
    give_up_s = time.monotonic() + _SETTLE_S
    while any(studio.ready(number) is None for number in {0, min(1, last), last}) and time.monotonic() < give_up_s:
        time.sleep(0.05)
    readings = []
    for _ in range(_PARTS):
        run_pipeline(studio, ReadyFrames(pictures, max(1, frames // _PARTS)))
        readings.append(own_memory(_NAME))
    return {
        "size_wh": size_wh,
        "styles": len(studio.styles),
        "frames": frames,
        "resident_mib": [reading.now_mib for reading in readings],
        "growth_mib": round(readings[-1].now_mib - readings[0].now_mib, 1),
        "highest_mib": readings[-1].highest_mib,
    }


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = argument_types.Parser(prog=f"python -m {_NAME}", description=__doc__)
    parser.add_argument(
        "--size", type=argument_types.size, default="640x480", metavar="WxH", help="of the frames (default %(default)s)"
    )
    parser.add_argument(
        "--styles", type=argument_types.count, default=12, metavar="N", help="in the gallery (default %(default)s)"
    )
    parser.add_argument("--frames", type=argument_types.count, default=20_000, help="in all (default %(default)s)")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(argv)
    check_json(args.json)
    own_memory(_NAME)
    styles, _ = find_style(load_gallery(), None)
    studio = Studio(gallery_of(styles, args.styles), ModelChoice(provider="cpu"))
    try:
        row = measure(studio, ready_pictures(args.size), args.frames)
    finally:
        studio.close()
    write_json(args.json, {"memory": row})
    print_table(
        ("styles", "size", "frames", "highest MiB", "after a tenth", "at the end", "growth"),
        [
            (
                row["styles"],
                size_text(args.size),
                row["frames"],
                row["highest_mib"],
                row["resident_mib"][0],
                row["resident_mib"][-1],
                row["growth_mib"],
            )
        ],
    )
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
