"""What a run reports about itself: the figures of --stats, and their file."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from realtime.capture import Capture
from realtime.errors import EXIT_INTERRUPTED, OutputError
from realtime.outlets.outlet import collect_figures
from realtime.painter import Painter
from realtime.pipeline import Pipeline
from realtime.program.written_paths import is_written_in_place, whole_file
from realtime.timing import RunTimes

_LOOK_S = 0.05
_TAKE_S = 1.0  # that a pipe has left to take what it is given, after a signal


def collect_stats(
    pipeline: Pipeline, capture: Capture, painter: Painter, times: RunTimes, style: str, started_s: float
) -> dict[str, Any]:
    """What --stats writes.

    Args:
        started_s: monotonic seconds at which the process started.
    """
    first = times.first_shown_s
    return {
        "frames_in": pipeline.frames_in,
        "frames_styled": pipeline.frames_styled,
        "frames_dropped": capture.frames_dropped,
        "damaged_packets": capture.source.damaged_packets,
        "start_s": round(first - started_s, 3) if first is not None else None,
        "seconds": round(times.seconds, 3),
        "fps": round(times.fps, 3),
        "latency_ms": times.latencies_ms(),
        "stage_ms": times.stage_medians_ms(),
        "provider": painter.stylizer.provider,
        "precision": painter.stylizer.precision,
        "tier": painter.stylizer.tier,
        "style": style,
        "source_wh": pipeline.source_wh,
        "processed_wh": painter.smallest_processed_wh,
        "output_wh": pipeline.output_wh,
        **collect_figures(pipeline.outlets),
    }


def write_stats(path: Path, stats: dict[str, Any], option: str = "--stats", stop: threading.Event | None = None) -> None:
    """Writes figures as JSON, whole or not at all; into a pipe once somebody reads it.

    Args:
        option: by which the path was given, for messages.
        stop: set by a signal, after which nobody is waited for; None where signals raise KeyboardInterrupt.
    Raises:
        OutputError: the file cannot be written; with the exit code of an interruption where nobody read the pipe until then.
    """
    text = json.dumps(stats, indent=2) + "\n"
    try:
        if is_written_in_place(path):
            if not _write_in_place(path, text, stop or threading.Event()):
                raise _UnreadError(f"{option} {path}: not written, as nobody read it until the program was interrupted")
            return
        with whole_file(path) as partial:
            partial.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{option} {path}: cannot be written ({error.strerror})") from None


class _UnreadError(OutputError):
    exit_code = EXIT_INTERRUPTED


def _write_in_place(path: Path, text: str, stop: threading.Event) -> bool:
    """Writes on a thread of its own, since to open a pipe that nobody reads takes for ever, whatever signals come.

    Returns:
        Whether it was taken; not where `stop` was set before.
    """
    failures: list[OSError] = []

    def write() -> None:
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            failures.append(error)

    writer = threading.Thread(target=write, name="statistics", daemon=True)
    writer.start()
    while writer.is_alive() and not stop.is_set():
        writer.join(_LOOK_S)
    writer.join(_TAKE_S)
    if failures:
        raise failures[0]
    return not writer.is_alive()
