"""Milliseconds of shapes of the generator, side by side: python -m benchmarks.candidates.

With random weights, calibrated on frames of the demo: what a network costs does not depend on what it has learnt. How
each looks has to be trained; this says which of them are worth it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

import realtime.program.quiet  # noqa: F401
from benchmarks.ready_frames import fitted
from benchmarks.report import SIZES_WH, check_json, print_table, size_text, write_json
from benchmarks.speed import Contender, take_turns
from export.quantise import quantise
from export.to_onnx import export_generator
from models.folding import count_parameters, kilo_macs_per_pixel
from models.generator import TIERS, GeneratorSettings, build_generator
from realtime.demo import DemoScene
from realtime.errors import EXIT_DONE
from realtime.networks.providers import SessionSettings, create_session
from realtime.program import argument_types
from realtime.program.interruption import entry_point

_PRECISIONS = ("fp32", "int8")
_PHOTO_WH = (320, 288)  # of the demo, to calibrate with
_PHOTO_TIMES_S = (0.0, 5.0, 10.0, 15.0)
CANDIDATES = [
    GeneratorSettings("fast", stem_width=32, trunk_width=64, blocks=5, cell=4),
    TIERS["fast"],
    *(
        GeneratorSettings("fast", stem_width=stem, trunk_width=trunk, blocks=blocks, cell=2)
        for stem, trunk, blocks in ((16, 32, 5), (16, 32, 3), (16, 48, 2), (16, 48, 3), (16, 40, 4), (12, 32, 4), (8, 32, 5))
    ),
]


def settings_of(text: str) -> GeneratorSettings:
    """CELL,STEM,TRUNK,BLOCKS as settings.

    Raises:
        argparse.ArgumentTypeError: not four numbers, or none that a generator can have.
    """
    try:
        cell, stem, trunk, blocks = map(int, text.split(","))
        return GeneratorSettings("fast", stem_width=stem, trunk_width=trunk, blocks=blocks, cell=cell)
    except ValueError as error:
        wanted = "expected CELL,STEM,TRUNK,BLOCKS such as 2,16,32,4"
        raise argparse.ArgumentTypeError(f"{wanted}, found {text!r} ({error})") from None


def label(settings: GeneratorSettings) -> str:
    """A shape in a few characters: cell, stem, trunk, blocks."""
    return f"{settings.cell}x{settings.cell}, {settings.stem_width}, {settings.trunk_width}, {settings.blocks}"


def export_candidate(settings: GeneratorSettings, folder: Path, photos: list[Path]) -> dict[str, Path]:
    """The candidate's networks by precision, with random weights."""
    torch.manual_seed(0)
    files = {precision: folder / f"{precision}.onnx" for precision in _PRECISIONS}
    export_generator(build_generator(settings).eval(), files["fp32"])
    quantise(files["fp32"], files["int8"], photos)
    return files


def measure(candidates: list[GeneratorSettings], sizes_wh: Sequence[tuple[int, int]], rounds: int) -> list[dict[str, Any]]:
    """A row for each candidate and size; the first candidate is the measure of the others."""
    with tempfile.TemporaryDirectory() as name:
        photos = calibration_photos(Path(name))
        sessions = {}
        for number, settings in enumerate(candidates):
            folder = Path(name) / str(number)
            folder.mkdir()
            for precision, path in export_candidate(settings, folder, photos).items():
                sessions[number, precision], _ = create_session(path, SessionSettings("cpu"), path.name)
    shapes, rows = [_describe(settings) for settings in candidates], []
    for size_wh in sizes_wh:
        frame = np.random.default_rng(0).integers(0, 256, (1, size_wh[1], size_wh[0], 3), np.uint8)
        contenders = {
            (number, precision): Contender(label(candidates[number]), precision, session, fitted(session, frame[0]))
            for (number, precision), session in sessions.items()
        }
        take_turns(contenders.values(), rounds)
        rows += [shape | {"size_wh": size_wh} | _times(contenders, number) for number, shape in enumerate(shapes)]
    return rows


def calibration_photos(folder: Path) -> list[Path]:
    """Frames of the demo, written into a folder, to calibrate int8 with where only its speed is wanted."""
    scene = DemoScene(_PHOTO_WH)
    files = [folder / f"{number}.png" for number in range(len(_PHOTO_TIMES_S))]
    for path, time_s in zip(files, _PHOTO_TIMES_S, strict=True):
        cv2.imwrite(str(path), scene.draw(time_s))
    return files


def _describe(settings: GeneratorSettings) -> dict[str, Any]:
    generator = build_generator(settings)
    return {
        "shape": label(settings),
        "parameters": count_parameters(generator),
        "kmacs_a_pixel": round(kilo_macs_per_pixel(generator, 1024), 1),
    }


def _times(contenders: dict[tuple[int, str], Contender], number: int) -> dict[str, float]:
    found = {}
    for precision in _PRECISIONS:
        milliseconds = contenders[number, precision].median_ms
        found[f"{precision}_ms"] = round(milliseconds, 2)
        found[f"{precision}_of_first"] = round(milliseconds / contenders[0, precision].median_ms, 2)
    return found


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = argument_types.Parser(prog="python -m benchmarks.candidates", description=__doc__)
    parser.add_argument(
        "--shape",
        action="append",
        type=settings_of,
        metavar="CELL,STEM,TRUNK,BLOCKS",
        help="may be repeated; the first is the measure of the others; default: those in docs/TRAINING.md",
    )
    parser.add_argument("--size", action="append", type=argument_types.size, help="default: 640x480 and 1280x720")
    parser.add_argument("--rounds", type=argument_types.count, default=7, help="turns (default %(default)s)")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(argv)
    check_json(args.json)
    rows = measure(args.shape or CANDIDATES, args.size or SIZES_WH, args.rounds)
    write_json(args.json, {"candidates": rows})
    print_table(
        ("cells, stem, trunk, blocks", "parameters", "kMAC a pixel", "size", "fp32 ms", "of first", "int8 ms", "of first"),
        [
            (
                row["shape"],
                row["parameters"],
                row["kmacs_a_pixel"],
                size_text(row["size_wh"]),
                f"{row['fp32_ms']:.1f}",
                f"{row['fp32_of_first']:.2f}",
                f"{row['int8_ms']:.1f}",
                f"{row['int8_of_first']:.2f}",
            )
            for row in rows
        ],
    )
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
