"""Writes measured figures into a style: python -m export.figures --quality Q.json --stability S.json.

The files are what benchmarks.quality and benchmarks.stability write with --json. style_error, content_error and
flicker go into style.json and into each network's metadata.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from export.to_onnx import file_entry, save_style, write_metadata
from realtime.errors import EXIT_DONE, ModelError, UserError, tell_mistake
from realtime.gallery import SHIPPED

FLICKER_CLIP = "people/asl_book.mkv"


def record(folder: Path, tier: str, precision: str, figures: dict[str, Any]) -> None:
    """Adds figures to a network's metadata and to its entry in style.json.

    Raises:
        ModelError: the style has no such network.
    """
    path = folder / "style.json"
    style = json.loads(path.read_text(encoding="utf-8"))
    entry = style["tiers"].get(tier, {}).get(precision)
    if entry is None:
        raise ModelError(f"style {folder}: has no {tier} {precision}")
    write_metadata(folder / entry["file"], {key: str(value) for key, value in figures.items() if isinstance(value, float)})
    entry |= figures | file_entry(folder / entry["file"])
    save_style(folder, style)


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m export.figures", description="Write measured figures into the styles.")
    parser.add_argument("--quality", type=Path, required=True)
    parser.add_argument("--stability", type=Path, required=True)
    parser.add_argument("--styles", type=Path, default=SHIPPED)
    args = parser.parse_args(argv)
    try:
        quality = json.loads(args.quality.read_text(encoding="utf-8"))
        stability = json.loads(args.stability.read_text(encoding="utf-8"))
        steady = {(row["style"], row["tier"], row["precision"]): row for row in stability["stability"]}
        for row in quality["quality"]:
            key = (row["style"], row["tier"], row["precision"])
            figures = {name: row[name] for name in ("style_error", "content_error", "painting_size")}
            figures |= {"vgg_sha256": quality["vgg_sha256"], "measured": quality["machine"]["date"]}
            if key in steady:
                figures |= {"flicker": steady[key]["clips"][FLICKER_CLIP]["flicker"], "warp_error": steady[key]["warp_error"]}
            record(args.styles / key[0], key[1], key[2], figures)
            print(f"{key[0]} {key[1]} {key[2]}: {figures}")
    except (OSError, ValueError, KeyError) as error:
        if isinstance(error, UserError):
            return tell_mistake(error)
        print(f"error: figures cannot be read ({error}); expected what the benchmarks write with --json", file=sys.stderr)
        return ModelError.exit_code
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
