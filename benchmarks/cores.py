"""What a waiting camera costs: python -m benchmarks.cores.

A source of ready frames at 15 a second leaves time to wait. The processor time of the whole process over that of the
network alone on as many frames says how idle the cores really are; decoding and display are not in it. Beside it, how
threads and spinning share them: milliseconds and processor milliseconds for a frame.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

import realtime.program.quiet  # noqa: F401
from benchmarks.ready_frames import ReadyFrames, fitted, ready_pictures, run_pipeline
from benchmarks.report import check_json, print_table, write_json
from realtime.errors import EXIT_DONE
from realtime.gallery import ModelFile, find_style, load_gallery
from realtime.networks.exact_sums import keep_sums_exact
from realtime.networks.model_choice import ModelChoice
from realtime.networks.processor import core_count
from realtime.program import argument_types
from realtime.program.interruption import entry_point
from realtime.studio import Studio

_FPS = 15.0


def measure_waiting(studio: Studio, size_wh: tuple[int, int], frames: int) -> dict[str, Any]:
    """Processor time for each frame: the network alone, and the live path at 15 frames a second."""
    pictures = ready_pictures(size_wh)
    stylizer = studio.require(0, size_wh)
    alone_ms = []
    for number in range(frames):
        began = time.process_time()
        stylizer.style(pictures[number % len(pictures)])
        alone_ms.append((time.process_time() - began) * 1000)
    run = run_pipeline(studio, ReadyFrames(pictures, frames, _FPS))
    whole_ms = run.processor_s * 1000 / max(1, run.stats["frames_styled"])
    return {
        "size_wh": size_wh,
        "network": f"{stylizer.tier} {stylizer.precision}",
        "network_processor_ms": round(float(np.mean(alone_ms)), 2),
        "live_processor_ms": round(whole_ms, 2),
        "ratio": round(whole_ms / float(np.mean(alone_ms)), 3),
        "frames_dropped": run.stats["frames_dropped"],
    }


def measure_threads(model: ModelFile, size_wh: tuple[int, int], rounds: int) -> list[dict[str, Any]]:
    """Wall and processor time for a frame by threads and spinning, in turns."""
    settings = [(threads, spins) for threads in range(1, core_count() + 1) for spins in (False, True)]
    sessions = {setting: _session(model, *setting) for setting in settings}
    frame = fitted(sessions[settings[0]], ready_pictures(size_wh)[0])
    found: dict[tuple[int, bool], list[tuple[float, float]]] = {setting: [] for setting in settings}
    for _ in range(rounds):
        for setting, session in sessions.items():
            session.run(None, {session.get_inputs()[0].name: frame})
            began, began_processor = time.perf_counter(), time.process_time()
            session.run(None, {session.get_inputs()[0].name: frame})
            found[setting].append(((time.perf_counter() - began) * 1000, (time.process_time() - began_processor) * 1000))
    return [
        {
            "size_wh": size_wh,
            "threads": threads,
            "spins": spins,
            "ms": round(float(np.median([wall for wall, _ in times])), 2),
            "processor_ms": round(float(np.median([processor for _, processor in times])), 2),
        }
        for (threads, spins), times in found.items()
    ]


def _session(model: ModelFile, threads: int, spins: bool) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spins else "0")
    keep_sums_exact(options)
    return ort.InferenceSession(str(model.path), options, providers=["CPUExecutionProvider"])


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = argument_types.Parser(prog="python -m benchmarks.cores", description=__doc__)
    parser.add_argument("--style", help="default: the gallery's first")
    parser.add_argument("--size", type=argument_types.size, default="640x480", metavar="WxH", help="default %(default)s")
    parser.add_argument("--frames", type=argument_types.count, default=150, help="waited for (default %(default)s)")
    parser.add_argument("--rounds", type=argument_types.count, default=20, help="turns of all threads (default %(default)s)")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(argv)
    check_json(args.json)
    styles, number = find_style(load_gallery(), args.style)
    studio = Studio([styles[number]], ModelChoice(provider="cpu"))
    waiting = measure_waiting(studio, args.size, args.frames)
    stylizer = studio.require(0)
    model = styles[number].models[stylizer.tier][stylizer.precision]
    threads = measure_threads(model, args.size, args.rounds)
    write_json(args.json, {"waiting": waiting, "threads": threads})
    print_table(
        ("at 15 frames a second", "network alone, processor ms", "live path, processor ms", "ratio", "dropped"),
        [
            (
                f"{waiting['network']} {'x'.join(map(str, args.size))}",
                waiting["network_processor_ms"],
                waiting["live_processor_ms"],
                waiting["ratio"],
                waiting["frames_dropped"],
            )
        ],
    )
    print()
    print_table(
        ("threads", "spinning", "ms", "processor ms"),
        [(r["threads"], "yes" if r["spins"] else "no", r["ms"], r["processor_ms"]) for r in threads],
    )
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
