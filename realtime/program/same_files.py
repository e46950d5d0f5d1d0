"""Refuses results that would be written over what is read: the only copy would be gone, so not even --overwrite may."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from realtime.errors import OutputError
from realtime.program.inputs import Batch, Single, Work, is_numbered_output, numbered_results
from realtime.video.side_files import side_files

Identities = frozenset[tuple[int, int]]


def identities(paths: Iterable[Path]) -> Identities:
    """What tells files apart by whatever name or link they are reached: device and number. Missing ones have none."""
    found = (_identity(path) for path in paths)
    return frozenset(identity for identity in found if identity is not None)


def check_not_source(path: Path, sources: Identities, option: str = "--output") -> None:
    """Refuses a result that is one of the sources, or is made by way of one.

    Raises:
        OutputError: it is one, under this name or another.
    """
    if not sources:
        return
    if _identity(path) in sources:
        raise OutputError(f"{option} {path}: is the source itself; name another file")
    for side in side_files(path):
        if _identity(side) in sources:
            raise OutputError(
                f"{option} {path}: would be written through {side.name}, the source itself; name another file, or rename it"
            )


def check_apart(work: Work, output: Path | None, stats: Path | None) -> None:
    """Refuses an output that is a source, and statistics that are a source or an output; a batch looks at each of its jobs.

    What is made beside a result on the way to it counts as the result.

    Raises:
        OutputError: with the name.
    """
    sources = identities(sources_of(work))
    outputs = results_of(work, output)
    if not isinstance(work, Batch):
        for path in outputs:
            check_not_source(path, sources)
    if stats is not None:
        check_not_source(stats, sources, "--stats")
        if os.path.realpath(stats) in _real_paths(outputs):
            raise OutputError(f"--stats {stats}: is the output itself; name another file")
        if os.path.realpath(stats) in _real_paths(side for path in outputs for side in side_files(path)):
            raise OutputError(f"--stats {stats}: is a file that is made on the way to the output; name another")


def results_of(work: Work, output: Path | None) -> list[Path]:
    """The files that are written, statistics apart; of numbered pictures those that are there already."""
    return [job.output for job in work.jobs] if isinstance(work, Batch) else _files_of(output)


def sources_of(work: Work) -> list[Path]:
    """The files that are read; of a camera or a stream a name that is no file's."""
    if isinstance(work, Batch):
        return [job.source for job in work.jobs]
    return [Path(work.source)] if isinstance(work, Single) else list(work.pictures)


def _files_of(output: Path | None) -> list[Path]:
    if output is None:
        return []
    if is_numbered_output(output):
        return numbered_results(output) if os.path.isdir(output.parent) else []
    return [output]


def _real_paths(paths: Iterable[Path]) -> set[str]:
    return {os.path.realpath(path) for path in paths}


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):  # not there, or no path at all
        return None
    return found.st_dev, found.st_ino
