"""Writes measured figures into styles: python -m export.figures --quality Q.json --stability S.json.

The files are what benchmarks.quality and benchmarks.stability write with --json. style_error, content_error and
flicker go into style.json and into each network's metadata.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.description import graph_sha256, tell
from realtime.errors import EXIT_DONE, ModelError
from realtime.gallery import DESCRIPTION, load_gallery, read_style
from realtime.program import argument_types
from realtime.program.interruption import entry_point
from realtime.program.standard_streams import lose_unread

FLICKER_CLIP = "people/asl_book.mkv"


@dataclass(frozen=True)
class Measured:
    """What was measured of one network.

    graphs: SHA-256 of its graph as each of the benchmarks found it; None of a file that does not tell.
    """

    style: str
    tier: str
    precision: str
    figures: dict[str, Any]
    graphs: frozenset[str | None]

    def __str__(self) -> str:
        return f"{self.style} {self.tier} {self.precision}"


def read_measured(quality: Path, stability: Path) -> list[Measured]:
    """The figures of all networks of which the quality was measured.

    Args:
        quality, stability: files as benchmarks.quality and benchmarks.stability write them.
    Raises:
        ModelError: they are not.
    """
    try:
        found, steady = (json.loads(path.read_text(encoding="utf-8")) for path in (quality, stability))
        rows = {(row["style"], row["tier"], row["precision"]): row for row in steady["stability"]}
        measured = []
        for row in found["quality"]:
            key = (row["style"], row["tier"], row["precision"])
            figures = {name: row[name] for name in ("style_error", "content_error", "painting_size")}
            figures |= {"vgg_sha256": found["vgg_sha256"], "measured": found["machine"]["date"]}
            graphs = {found.get("graph_sha256") for found in (row, rows.get(key)) if found is not None}
            if key in rows:
                figures |= {"flicker": rows[key]["clips"][FLICKER_CLIP]["flicker"], "warp_error": rows[key]["warp_error"]}
            measured.append(Measured(*key, figures, frozenset(graphs)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"figures cannot be read ({error}); expected what the benchmarks write with --json") from None
    return measured


def folders_of(measured: list[Measured], styles: Path | None) -> dict[str, Path]:
    """Where the measured styles lie: name -> folder.

    Args:
        styles: a folder of styles, or None for the gallery: the shipped ones and the user's own.
    Raises:
        ModelError: a style is not there, lacks a network that was measured, or has another in its place now.
    """
    if styles is None:
        gallery = {style.name: style for style in load_gallery()}
    else:
        gallery = {name: read_style(styles / name / DESCRIPTION) for name in {entry.style for entry in measured}}
    folders = {}
    for entry in measured:
        if entry.style not in gallery:
            raise ModelError(f"style {entry.style}: not in the gallery; name its folder with --styles")
        models = gallery[entry.style].models
        if entry.precision not in models.get(entry.tier, {}):
            raise ModelError(f"style {entry.style}: has no {entry.tier} {entry.precision}")
        path = models[entry.tier][entry.precision].path
        _check_graph(entry, path)
        folders[entry.style] = path.parent
    return folders


def _check_graph(entry: Measured, path: Path) -> None:
    """Refuses figures of a network that has been trained or exported anew since."""
    again = "measure again with python -m benchmarks.quality and python -m benchmarks.stability"
    if None in entry.graphs:
        raise ModelError(f"figures of {entry}: their file does not tell of which network they are (graph_sha256); {again}")
    if entry.graphs != {graph_sha256(path)}:
        raise ModelError(f"figures of {entry}: measured of another network than {path} is now; {again}")


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    lose_unread("stdout", "stderr")
    parser = argument_types.Parser(prog="python -m export.figures", description="Write measured figures into the styles.")
    parser.add_argument("--quality", type=Path, required=True)
    parser.add_argument("--stability", type=Path, required=True)
    parser.add_argument("--styles", type=Path, metavar="DIR", help="default: the gallery, your own styles included")
    args = parser.parse_args(argv)
    measured = read_measured(args.quality, args.stability)
    folders = folders_of(measured, args.styles)
    for entry in measured:
        words = {key: str(value) for key, value in entry.figures.items() if isinstance(value, float)}
        tell(folders[entry.style], entry.tier, entry.precision, words, entry.figures)
        print(f"{entry}: {entry.figures}")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
