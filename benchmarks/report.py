"""What all benchmarks share: the machine in words, tables, JSON."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnxruntime as ort

from realtime.networks.processor import core_count, processor_name
from realtime.program.standard_streams import lose_unread
from realtime.program.statistics_file import write_stats
from realtime.sinks import check_output

DATA_VARIABLE = "STYLECAM_DATA"
SIZES_WH = ((640, 480), (1280, 720))  # of live pictures, measured unless others are asked for


def data_folder() -> Path:
    """The shared data folder: photographs, paintings, clips."""
    return Path(os.environ.get(DATA_VARIABLE, "../shared"))


def machine() -> dict[str, Any]:
    """Processor, cores, versions and date of a measurement."""
    return {
        "processor": processor_name(),
        "cores": core_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "onnxruntime": ort.__version__,
        "date": datetime.date.today().isoformat(),
    }


def size_text(size_wh: Sequence[int]) -> str:
    """WIDTHxHEIGHT."""
    return "x".join(map(str, size_wh))


def print_table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Columns aligned, numbers to the right."""
    lose_unread("stdout")  # whoever leaves before the end has seen enough; what shall be kept lies in --json
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(header))]
    for number, row in enumerate(cells):
        print(
            "  ".join(
                cell.ljust(width) if k == 0 else cell.rjust(width)
                for k, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
        )
        if number == 0:
            print("  ".join("-" * width for width in widths))


def check_json(path: Path | None) -> None:
    """Refuses a place for a result before anything is measured.

    Raises:
        OutputError: with the reason.
    """
    if path is not None:
        check_output(path, overwrite=True, option="--json", in_place=True)


def write_json(path: Path | None, content: dict[str, Any]) -> None:
    """Writes a result with the machine it was measured on, whole or not at all; nothing where no path was given.

    Raises:
        OutputError: the file cannot be written.
    """
    if path is not None:
        write_stats(path, {"machine": machine(), **content}, "--json")
