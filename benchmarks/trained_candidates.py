"""Shapes of the generator, each trained alike on the same paintings: python -m benchmarks.trained_candidates.

benchmarks.candidates says what shapes cost, this one what they learn: every shape begins with random weights and takes the
same number of steps by the same recipe. Measured as by benchmarks.quality, timed side by side as by benchmarks.speed. --out
gets a plot, the paintings of one photograph, the figures as JSON, and the trainings, which a second call does not repeat.
"""

from __future__ import annotations

import argparse
import copy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

import realtime.program.quiet  # noqa: F401
from benchmarks.candidates import calibration_photos
from benchmarks.contact_sheets import fit_height, lay_out
from benchmarks.loss_plot import encode_plot
from benchmarks.quality import load_photos, load_targets, measure_quality
from benchmarks.ready_frames import fitted
from benchmarks.report import data_folder, print_table, write_json
from benchmarks.scatter_plot import MOST_GROUPS, Point, draw_points
from benchmarks.side_by_side import encode_small, headed
from benchmarks.speed import Contender, take_turns
from export.quantise import quantise
from export.to_onnx import export_generator
from models.checkpoint import CHECKPOINT_NAME, generator_from_checkpoint, load_checkpoint
from models.distributed import Process, join_training, leave_training
from models.generator import TIERS, Generator, GeneratorSettings, build_generator
from models.losses import CONTENT_LAYER, STYLE_LAYERS
from models.objective import TrainingSettings
from models.painting import load_painting
from models.recipe import changes, make_recipe
from models.train_arguments import build_parser as training_parser
from models.train_arguments import given_settings
from models.training import Training
from models.vgg import LossNetwork, load_loss_network
from realtime.errors import EXIT_DONE, OutputError, UserError
from realtime.gallery import style_from_file
from realtime.networks.model_choice import ModelChoice
from realtime.networks.providers import SessionSettings, create_session
from realtime.pictures.files import read_picture
from realtime.program import argument_types
from realtime.program.inputs import make_folder
from realtime.program.interruption import entry_point
from realtime.stylizer import Stylizer

_STYLE_SIZE = 512
_RECIPE = ("--batch", "1", "--size", "288", "--style-size", str(_STYLE_SIZE), "--repetition-weight", "0.5", "--quiet")
_PHOTO_HEIGHT, _SHOWN_HEIGHT = 360, 220
_FIGURES = ("style_error", "content_error", "fp32_ms", "int8_ms")


def shape(cell: int, stem: int, trunk: int, blocks: int, normalised: bool = False) -> GeneratorSettings:
    """Of the tier `fast` by name, which is what the exporter asks for."""
    return GeneratorSettings("fast", stem_width=stem, trunk_width=trunk, blocks=blocks, cell=cell, normalised=normalised)


SHAPES = {
    "fast": TIERS["fast"],
    "cells of 4x4": shape(4, 32, 64, 5),
    "3 blocks": shape(2, 16, 32, 3),
    "trunk 48, 3 blocks": shape(2, 16, 48, 3),
    "stem 8, 5 blocks": shape(2, 8, 32, 5),
    "fast, normalised": shape(2, 16, 32, 4, normalised=True),
    "fine, not normalised": shape(2, 32, 64, 5),
    "fine": shape(2, 32, 64, 5, normalised=True),
}


class CandidateTraining(Training):
    """A training of another shape than a tier's."""

    def __init__(
        self,
        wanted: GeneratorSettings,
        args: argparse.Namespace,
        settings: TrainingSettings,
        process: Process,
        network: LossNetwork,
        painting: Tensor,
    ) -> None:
        self._wanted = wanted
        super().__init__(args, settings, process, network, painting)

    def _first_generator(self, args: argparse.Namespace) -> Generator:
        return build_generator(self._wanted)


def train_shape(wanted: GeneratorSettings, args: argparse.Namespace, network: LossNetwork) -> None:
    """Trains one shape on one painting, from random weights; leaves its checkpoint in the training's --out."""
    settings = TrainingSettings(**given_settings(args))
    process = join_training("auto")
    try:
        painting = load_painting(Path(args.style), settings.style_size)
        training = CandidateTraining(wanted, args, settings, process, network, painting)
        for _ in tqdm(range(args.steps), desc=Path(args.out).name, disable=None, leave=False, unit="step"):
            training.step()
        training.save()
    finally:
        leave_training(process)


def check(args: argparse.Namespace) -> None:
    """Refuses, before the hours that it takes, what would be noticed after them.

    Raises:
        UserError: with what to do.
    """
    if len({painting.stem for painting in args.painting}) < len(args.painting):
        raise UserError("--painting: two of one name; give one of them another")
    if len(args.painting) > MOST_GROUPS:
        raise UserError(f"--painting: {len(args.painting)} of them, and the plot has colours for {MOST_GROUPS}")
    read_picture(args.photo)
    for painting in args.painting:
        load_painting(painting, _STYLE_SIZE)
    make_folder(args.out, "--out")


def check_earlier(label: str, args: argparse.Namespace, network: LossNetwork) -> None:
    """Refuses a training that is there already and is another one than is asked for; its photographs are not compared.

    Args:
        args: of the training, whose `out` holds the earlier one.
    Raises:
        OutputError: with its folder.
    """
    earlier = load_checkpoint(Path(args.out))
    wanted = make_recipe(args, TrainingSettings(**given_settings(args)), network)
    differs = list(changes(wanted, earlier["recipe"]).values())
    differs += [f"{args.steps} steps, was {earlier['step']}"] * (earlier["step"] != args.steps)
    differs += ["another shape"] * (generator_from_checkpoint(earlier).settings != SHAPES[label])
    if differs:
        raise OutputError(f"--out: {args.out} holds another training ({'; '.join(differs)}); name another folder")


def network_of(label: str, painting: Path, content: Path, folder: Path, steps: int, network: LossNetwork) -> Path:
    """The float32 network of a shape, trained now unless the folder has it."""
    run = folder / painting.stem / label.replace(", ", "_").replace(" ", "_")
    path = run / "fp32.onnx"
    command = ["--style", str(painting), "--content", str(content), "--out", str(run), "--steps", str(steps), *_RECIPE]
    args = training_parser().parse_args(command)
    if (run / CHECKPOINT_NAME).is_file():
        check_earlier(label, args, network)
    else:
        run.mkdir(parents=True, exist_ok=True)
        train_shape(SHAPES[label], args, copy.deepcopy(network))  # a training changes its precision
    if not path.is_file():
        export_generator(generator_from_checkpoint(load_checkpoint(run)).eval(), path)
    return path


def int8_of(path: Path) -> Path:
    """The int8 network beside a float32 one, made now unless it is there."""
    target = path.with_name("int8.onnx")
    if not target.is_file():
        quantise(path, target, calibration_photos(path.parent))
    return target


def time_networks(files: dict[str, Path], size_wh: tuple[int, int], rounds: int) -> dict[str, float]:
    """Milliseconds for a frame of each network, by name; they take turns on the processor."""
    frame = np.random.default_rng(0).integers(0, 256, (size_wh[1], size_wh[0], 3), np.uint8)
    contenders = {}
    for name, path in files.items():
        session, _ = create_session(path, SessionSettings("cpu"), path.name)
        contenders[name] = Contender(name, path.stem, session, fitted(session, frame))
    take_turns(contenders.values(), rounds)
    return {name: round(contender.median_ms, 2) for name, contender in contenders.items()}


def measure(args: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each painting and shape, with errors, times and the network's place.

    Raises:
        UserError: something the user can mend.
    """
    rows: list[dict[str, Any]] = []
    network = load_loss_network((*STYLE_LAYERS, CONTENT_LAYER), args.vgg)
    for painting in args.painting:
        for label in args.shape:
            path = network_of(label, painting, args.content, args.out, args.steps, network)
            rows.append({"painting": painting.stem, "shape": label, "path": path})
    with torch.no_grad():
        photos = load_photos(args.content, network.features)
        targets = {painting.stem: load_targets(painting, network.features) for painting in args.painting}
        for row in rows:
            found = measure_quality(stylizer_of(row["path"]).style, targets[row["painting"]], photos, network.features)
            row |= {name: found[name] for name in ("style_error", "content_error")}
    timed = {row["shape"]: row["path"] for row in rows}  # what a network costs does not depend on what it has learnt
    files = {f"{label} fp32": path for label, path in timed.items()}
    files |= {f"{label} int8": int8_of(path) for label, path in timed.items() if not SHAPES[label].normalised}
    times = time_networks(files, args.size, args.rounds)
    for row in rows:
        row |= {f"{precision}_ms": times.get(f"{row['shape']} {precision}") for precision in ("fp32", "int8")}
    return rows


def stylizer_of(path: Path) -> Stylizer:
    """A network on the processor."""
    return Stylizer(style_from_file(path), ModelChoice(provider="cpu"))


def draw_plot(rows: Sequence[dict[str, Any]], size_wh: tuple[int, int]) -> np.ndarray:
    """Style error over time for a frame: (H, W, 3) uint8, BGR."""
    points = [Point(row["fp32_ms"], row["style_error"], row["shape"], row["painting"]) for row in rows]
    return draw_points(points, f"milliseconds a frame, float32, {size_wh[0]}x{size_wh[1]}", "style_error")


def draw_paintings(rows: Sequence[dict[str, Any]], photo: Path) -> np.ndarray:
    """A photograph painted by each network, a row for each painting and a column for each shape."""
    picture = fit_height(read_picture(photo).opaque_bgr, _PHOTO_HEIGHT)
    names = list(dict.fromkeys(row["painting"] for row in rows))
    cells = [[stylizer_of(row["path"]).style(picture) for row in rows if row["painting"] == name] for name in names]
    shown = [[fit_height(cell, _SHOWN_HEIGHT) for cell in (picture, *line)] for line in cells]
    shapes = list(dict.fromkeys(row["shape"] for row in rows))
    return lay_out(headed(shown, shapes), 1 + len(shapes))


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = argument_types.Parser(prog="python -m benchmarks.trained_candidates", description=__doc__)
    parser.add_argument("photo", type=Path, metavar="PHOTO", help="what the pictures show painted")
    parser.add_argument("--painting", type=Path, action="append", required=True, help="may be repeated")
    parser.add_argument("--shape", action="append", choices=SHAPES, help="may be repeated (default: all)")
    parser.add_argument("--content", type=Path, default=data_folder() / "content", help="photographs (default %(default)s)")
    parser.add_argument("--vgg", type=Path, help="VGG-19 state dict (default: as models.train)")
    parser.add_argument("--steps", type=argument_types.count, default=600, help="of each training (default %(default)s)")
    parser.add_argument("--size", type=argument_types.size, default=(1280, 720), help="that is timed (default 1280x720)")
    parser.add_argument("--rounds", type=argument_types.count, default=7, help="turns (default %(default)s)")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    args = parser.parse_args(argv)
    args.shape = list(dict.fromkeys(args.shape or SHAPES))
    check(args)
    rows = measure(args)
    write(args, rows, draw_plot(rows, args.size), draw_paintings(rows, args.photo))
    header = ("painting", "shape", "style_error", "content_error", "fp32 ms", "int8 ms")
    print_table(header, [[row["painting"], row["shape"], *(row[name] or "" for name in _FIGURES)] for row in rows])
    return EXIT_DONE


def write(args: argparse.Namespace, rows: Sequence[dict[str, Any]], plot: np.ndarray, paintings: np.ndarray) -> None:
    """Writes candidates.png, candidates.jpg and candidates.json.

    Raises:
        OutputError: they cannot be written.
    """
    found = [{name: value for name, value in row.items() if name != "path"} for row in rows]
    try:
        (args.out / "candidates.png").write_bytes(encode_plot(plot))
        (args.out / "candidates.jpg").write_bytes(encode_small(paintings))
    except OSError as error:
        raise OutputError(f"--out {args.out}: cannot be written ({error.strerror})") from None
    write_json(args.out / "candidates.json", {"steps": args.steps, "recipe": _RECIPE, "candidates": found})


if __name__ == "__main__":
    sys.exit(main())
