"""The command line of python -m models.train."""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict
from typing import Any

from models.distil import STEPS as DISTIL_STEPS
from models.generator import TIERS
from models.objective import TrainingSettings
from models.painting import style_size
from realtime.program import argument_types

_LARGEST_SIDE = 4096


def build_parser() -> argparse.ArgumentParser:
    """The command line of python -m models.train; a setting of the recipe that is not given is None."""
    parser = argument_types.Parser(
        prog="python -m models.train", description="Train one painting's generator.", parents=[settings_parser()]
    )
    parser.add_argument("--style", required=True, metavar="PAINTING", help="picture of the painting")
    parser.add_argument(
        "--content",
        required=True,
        metavar="FOLDER|VIDEO|imagenette",
        help="photographs: a folder, a video, or imagenette, which is downloaded (every 50th is kept for measuring)",
    )
    parser.add_argument("--out", required=True, metavar="RUN", help="folder for checkpoint, previews and log")
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--minutes", type=argument_types.positive, metavar="M", help="train for so long")
    length.add_argument("--steps", type=argument_types.count, metavar="N", help="train for so many steps")
    parser.add_argument(
        "--vgg", metavar="FILE", help="VGG-19 state dict (default: STYLECAM_VGG, else torchvision's, downloaded)"
    )
    parser.add_argument(
        "--from",
        dest="start",
        metavar="TRUNK",
        help='start from trained weights: "trunk" for those that come with the program, a style of the gallery, an ONNX or '
        ".safetensors file of this program, or another RUN",
    )
    parser.add_argument(
        "--distil-steps",
        type=argument_types.count,
        default=DISTIL_STEPS,
        metavar="N",
        help="steps of distillation before the training, where the network named by --from cannot be widened to the new "
        f"shape (as fine to fast) and has to be imitated (default {DISTIL_STEPS})",
    )
    parser.add_argument(
        "--install",
        nargs="?",
        const="",
        metavar="NAME",
        help="when done, export it into your own gallery, float32 and int8 (default name: the painting's file name)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument(
        "--resume", action="store_true", help="go on from the checkpoint in --out, with its settings where none are given"
    )
    parser.add_argument("--checkpoint-every", type=argument_types.count, default=100, metavar="STEPS")
    parser.add_argument("--preview-every", type=argument_types.count, default=200, metavar="STEPS")
    parser.add_argument("--log-every", type=argument_types.count, default=20, metavar="STEPS")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser


def settings_parser() -> argparse.ArgumentParser:
    """The settings of the recipe alone, None where they are not given: their defaults are TrainingSettings' own."""
    default = TrainingSettings()
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    settings = parser.add_argument_group("recipe", "without an option the default holds, or with --resume the run's own value")
    settings.add_argument("--tier", choices=sorted(TIERS), help=f"default {default.tier}")
    settings.add_argument("--batch", type=argument_types.count, help=f"photographs a step (default {default.batch})")
    settings.add_argument("--size", type=_crop_size, help=f"side of a crop, a multiple of 32 (default {default.size})")
    settings.add_argument("--style-size", type=style_size, help=f"short side of the painting (default {default.style_size})")
    settings.add_argument(
        "--style-scales",
        type=int,
        choices=(1, 2, 3, 4),
        help=f"sizes of the picture, each half the one before, at which style is compared (default {default.style_scales})",
    )
    for name in ("style", "content", "tv", "stability", "repetition"):
        settings.add_argument(f"--{name}-weight", type=_weight, help=f"default {getattr(default, f'{name}_weight')}")
    settings.add_argument("--learning-rate", type=argument_types.learning_rate, help=f"default {default.learning_rate}")
    settings.add_argument("--seed", type=argument_types.seed, help=f"default {default.seed}")
    return parser


def given_settings(args: argparse.Namespace) -> dict[str, Any]:
    """The settings of the recipe that the command line names."""
    found = {name: getattr(args, name) for name in asdict(TrainingSettings())}
    return {name: value for name, value in found.items() if value is not None}


def _weight(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"expected a number of at least 0, found {text}")
    return value


def _crop_size(text: str) -> int:
    value = argument_types.count(text)
    if not 64 <= value <= _LARGEST_SIDE or value % 32:
        raise argparse.ArgumentTypeError(f"expected a multiple of 32 from 64 to {_LARGEST_SIDE}, found {text}")
    return value
