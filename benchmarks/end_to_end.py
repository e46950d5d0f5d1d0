"""The whole live path against the network alone: python -m benchmarks.end_to_end.

Ready frames, handed over as fast as they are taken, go through capture thread, painter, compositor and sink; in turns
with the network alone on the same frames. What is lost on the way is the difference.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import realtime.program.quiet  # noqa: F401
from benchmarks.ready_frames import ReadyFrames, ready_pictures, run_pipeline
from benchmarks.report import SIZES_WH, check_json, print_table, size_text, write_json
from realtime.errors import EXIT_DONE
from realtime.frame import Image
from realtime.gallery import PRECISIONS, TIERS, find_style, load_gallery
from realtime.networks.model_choice import ModelChoice
from realtime.networks.providers import PROVIDERS
from realtime.program import argument_types
from realtime.program.interruption import entry_point
from realtime.studio import Studio
from realtime.stylizer import Stylizer


def measure(studio: Studio, size_wh: tuple[int, int], frames: int, rounds: int) -> dict[str, Any]:
    """Medians over the rounds, network alone and whole path in turns."""
    pictures = ready_pictures(size_wh)
    stylizer = studio.require(0, size_wh)
    alone, whole, stages = [], [], []
    for _ in range(rounds):
        alone.append(_alone_fps(stylizer, pictures, frames))
        stats = run_pipeline(studio, ReadyFrames(pictures, frames)).stats
        whole.append(stats["fps"])
        stages.append(stats["stage_ms"])
    shares = [with_all / without for with_all, without in zip(whole, alone, strict=True)]
    return {
        "size_wh": size_wh,
        "network": f"{stylizer.tier} {stylizer.precision} {stylizer.provider}",
        "network_alone_fps": round(float(np.median(alone)), 2),
        "end_to_end_fps": round(float(np.median(whole)), 2),
        "share": round(float(np.median(shares)), 4),
        "stage_ms": {name: round(float(np.median([stage[name] for stage in stages])), 3) for name in stages[0]},
    }


def _alone_fps(stylizer: Stylizer, pictures: list[Image], frames: int) -> float:
    started = time.perf_counter()
    for number in range(frames):
        stylizer.style(pictures[number % len(pictures)])
    return frames / (time.perf_counter() - started)


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = argument_types.Parser(prog="python -m benchmarks.end_to_end", description=__doc__)
    parser.add_argument("--style", help="default: the gallery's first")
    parser.add_argument("--size", action="append", type=argument_types.size, help="default: 640x480 and 1280x720")
    parser.add_argument("--tier", default="auto", choices=("auto", *TIERS), help="default %(default)s")
    parser.add_argument("--precision", default="auto", choices=("auto", *PRECISIONS), help="default %(default)s")
    parser.add_argument("--provider", default="auto", choices=PROVIDERS, help="default %(default)s")
    parser.add_argument("--frames", type=argument_types.count, default=100, help="of a turn (default %(default)s)")
    parser.add_argument("--rounds", type=argument_types.count, default=5, help="turns (default %(default)s)")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(argv)
    check_json(args.json)
    styles, number = find_style(load_gallery(), args.style)
    studio = Studio([styles[number]], ModelChoice(args.tier, args.precision, args.provider))
    rows = [measure(studio, size_wh, args.frames, args.rounds) for size_wh in args.size or SIZES_WH]
    write_json(args.json, {"end_to_end": rows})
    print_table(
        ("network", "size", "alone fps", "end to end fps", "share", "capture ms", "style ms", "composite ms", "present ms"),
        [
            (
                r["network"],
                size_text(r["size_wh"]),
                f"{r['network_alone_fps']:.1f}",
                f"{r['end_to_end_fps']:.1f}",
                f"{r['share']:.1%}",
                *(f"{r['stage_ms'][name]:.2f}" for name in ("capture", "style", "composite", "present")),
            )
            for r in rows
        ],
    )
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
