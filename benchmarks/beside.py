"""What goes on beside the live picture and what it costs: python -m benchmarks.beside.

Runs run_cam.py without a window on the demo source played as a camera: alone, recording, with four viewers of whom one
stops reading, and (with --repaint) beside a re-painting. The cases take turns; rates are medians over the rounds and are
given as shares of the run alone. Memory is the process's own at a quarter of a run and at its end (Linux alone).
"""

from __future__ import annotations

import argparse
import json
import re
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.processes import check_ended, memory_of, running
from benchmarks.report import check_json, print_table, size_text, write_json
from realtime.errors import EXIT_DONE, OutputError, UserError
from realtime.gallery import PRECISIONS
from realtime.live.repaint_worker import RepaintWorker
from realtime.program import argument_types
from realtime.program.interruption import entry_point

_PROGRAM = Path(__file__).resolve().parent.parent / "run_cam.py"
_THE_RUN = "beside: the run"
_VIEWERS = 3  # that read, and one more that does not


def measure(case: str, args: argparse.Namespace) -> dict[str, Any]:
    """One run of a case.

    Args:
        case: "alone", "recording", "viewers" or "repaint".
    Returns:
        fps, p95_ms, memory_mib at a quarter and at the end, and the figures of recorder and server.
    Raises:
        UserError: the run failed.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        stats = Path(folder) / "stats.json"
        command = [sys.executable, str(_PROGRAM), "--source", "demo", "--live", "--headless", "--stats", str(stats)]
        command += [
            "--size",
            size_text(args.size),
            "--processing-size",
            size_text(args.size),
            "--fps",
            str(args.fps),
            "--precision",
            args.precision,
        ]
        command += ["--max-frames", str(round(args.fps * args.seconds))]
        if case == "recording":
            command += ["--record", "--recording-dir", folder]
        if case == "viewers":
            command += ["--serve", "0"]
        if case == "repaint":
            stack.enter_context(_repainting(args, Path(folder)))
        process = stack.enter_context(running(command))
        if case == "viewers":
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                check_ended(process, _THE_RUN)
            stack.enter_context(_viewers(line))
        time.sleep(args.seconds / 4)
        early, late = memory_of(process.pid), None
        while process.poll() is None:
            late = memory_of(process.pid) or late
            time.sleep(0.2)
        check_ended(process, _THE_RUN)
        found = json.loads(stats.read_text(encoding="utf-8"))
    kept = {name: found[name] for name in ("recording", "serving") if name in found}
    return {
        "fps": found["fps"],
        "p95_ms": found["latency_ms"]["p95"],
        "memory_mib": [m and m.now_mib for m in (early, late)],
        **kept,
    }


@contextmanager
def _viewers(line: str) -> Iterator[None]:
    """Some that read what comes and one that asks and then never reads."""
    match = re.search(r":(\d+)/", line)
    if match is None:
        raise UserError(f"beside: expected the address that is served, found {line.strip()!r}")
    address = ("127.0.0.1", int(match[1]))
    with ExitStack() as stack:
        try:
            connections = [stack.enter_context(socket.create_connection(address)) for _ in range(_VIEWERS + 1)]
            for connection in connections:
                connection.sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        except OSError as error:
            reason = error.strerror or error
            raise UserError(f"beside: {line.strip()}: cannot be reached ({reason}); try run_cam.py --serve by hand") from None
        for connection in connections[1:]:
            threading.Thread(target=_read_all, args=(connection,), daemon=True).start()
        yield


def _read_all(connection: socket.socket) -> None:
    with suppress(OSError):
        while connection.recv(1 << 16):
            pass


@contextmanager
def _repainting(args: argparse.Namespace, folder: Path) -> Iterator[None]:
    """A re-painting as the live window starts it, ended with the run."""
    photo, painting = (str(path.resolve()) for path in args.repaint)
    arguments = ["-m", "models.gatys", photo, painting, "-o", str(folder / "out.png"), "--preset", "best", "--progress-lines"]
    arguments += ["--vgg", str(args.vgg.resolve())] if args.vgg is not None else []
    worker = RepaintWorker(arguments, threads=1)
    has_begun = threading.Event()

    def follow() -> None:
        worker.follow(lambda _: has_begun.set())
        has_begun.set()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        has_begun.wait()
        if not thread.is_alive():
            raise OutputError("beside: the re-painting ended at once; try the same by hand with python -m models.gatys")
        yield
    finally:
        worker.kill()
        thread.join()


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = argument_types.Parser(prog="python -m benchmarks.beside", description=__doc__)
    parser.add_argument("--size", type=argument_types.size, default="640x480", metavar="WxH", help="default %(default)s")
    parser.add_argument("--fps", type=argument_types.positive, default=30.0, help="of the demo camera (default %(default)s)")
    parser.add_argument("--seconds", type=argument_types.positive, default=20.0, help="of each run (default %(default)s)")
    parser.add_argument("--rounds", type=argument_types.count, default=3, help="turns of all cases (default %(default)s)")
    parser.add_argument("--precision", choices=("auto", *PRECISIONS), default="int8", help="default %(default)s")
    parser.add_argument("--repaint", type=Path, nargs=2, metavar=("PHOTO", "PAINTING"), help="measure a re-painting too")
    parser.add_argument("--vgg", type=Path, help="for the re-painting")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(argv)
    cases = ["alone", "recording", "viewers", *(["repaint"] if args.repaint else [])]
    runs: dict[str, list[dict[str, Any]]] = {case: [] for case in cases}
    check_json(args.json)
    for _ in range(args.rounds):
        for case in cases:
            runs[case].append(measure(case, args))
    write_json(args.json, {"beside": runs})
    alone = statistics.median(run["fps"] for run in runs["alone"])
    print_table(
        ("case", "fps", "share of alone", "p95 ms", "memory MiB, early and late", "frames dropped by it", "most viewers"),
        [
            (
                case,
                f"{(fps := statistics.median(run['fps'] for run in found)):.1f}",
                f"{fps / alone:.3f}",
                f"{statistics.median(run['p95_ms'] for run in found):.1f}",
                "{} {}".format(*found[-1]["memory_mib"]),
                sum(run["recording"]["frames_dropped"] for run in found) if case == "recording" else "-",
                max(run["serving"]["most_viewers"] for run in found) if case == "viewers" else "-",
            )
            for case, found in runs.items()
        ],
    )
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
