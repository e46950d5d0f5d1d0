"""Many files, one after the other: what goes wrong with one is told and does not stop the others."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from realtime.errors import EXIT_DONE, EXIT_INTERRUPTED, UserError
from realtime.pictures.files import PICTURE_SUFFIXES
from realtime.program.inputs import Batch, Job
from realtime.program.same_files import Identities, check_not_source, identities, sources_of
from realtime.sinks import check_output

Report = Callable[[dict[str, Any]], None]
PaintFile = Callable[[Job, Report], int]


@dataclass(frozen=True)
class Existing:
    """What to do with files that are there already; neither: refuse them.

    overwrite: replace them.
    resume: leave those alone that are complete, and go on with videos that were broken off.
    """

    overwrite: bool = False
    resume: bool = False


def paint_batch(
    batch: Batch, existing: Existing, paint: PaintFile, report: Report, stop: threading.Event, quiet: bool = False
) -> int:
    """Paints every file of a batch.

    Args:
        paint: paints one file, hands over its figures, and returns an exit code or raises a UserError.
        report: gets the figures of all of them at the end: painted, failed, and one entry for each file.
        stop: set from outside to end after the file under way.
        quiet: no progress bar.
    Returns:
        0 where all went well, 130 where it was stopped, else the code of the first failure.
    """
    entries: list[dict[str, Any]] = []
    sources = identities(sources_of(batch))
    bar = tqdm(batch.jobs, unit="file", disable=True if quiet else None, leave=False)
    for job in bar:
        if stop.is_set():
            break
        bar.set_postfix_str(job.source.name, refresh=False)
        entries.append(_paint_one(job, existing, paint, sources))
    bar.close()
    failed = [entry for entry in entries if entry["exit_code"] != EXIT_DONE]
    painted = len(entries) - len(failed)
    report({"painted": painted, "failed": len(failed), "files": entries})
    if failed or painted < len(batch.jobs):
        print(f"{painted} of {len(batch.jobs)} files painted", file=sys.stderr)
    if stop.is_set():
        return EXIT_INTERRUPTED
    return int(failed[0]["exit_code"]) if failed else EXIT_DONE


def is_done(output: Path) -> bool:
    """Whether an earlier run has made an output, and made it to the end: --resume leaves it alone."""
    if not os.path.exists(output) or _is_picture(output):
        return os.path.exists(output)
    from realtime.video.resume import is_unfinished  # PyAV takes a fifth of a second to load: only for files

    return not is_unfinished(output)


def _paint_one(job: Job, existing: Existing, paint: PaintFile, sources: Identities) -> dict[str, Any]:
    entry: dict[str, Any] = {"source": str(job.source), "output": str(job.output)}
    try:
        check_not_source(job.output, sources)
        if existing.resume and is_done(job.output):
            return entry | {"exit_code": EXIT_DONE}
        if _is_picture(job.output):  # refused before it is painted; a video looks after itself
            check_output(job.output, existing.overwrite)
        entry["exit_code"] = paint(job, entry.update)
    except UserError as error:
        tqdm.write(f"error: {error}", file=sys.stderr)
        entry |= {"exit_code": error.exit_code, "error": str(error)}
    return entry


def _is_picture(output: Path) -> bool:
    return output.suffix.lower() in PICTURE_SUFFIXES
