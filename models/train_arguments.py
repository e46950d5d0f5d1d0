"""The command line of python -m models.train."""

from __future__ import annotations

import argparse
import math

from models.generator import TIERS
from models.objective import TrainingSettings
from realtime import argument_types

SMALLEST_PAINTING = 64  # pixels of its short side


def build_parser() -> argparse.ArgumentParser:
    """The command line of python -m models.train."""
    default = TrainingSettings()
    parser = argparse.ArgumentParser(prog="python -m models.train", description="Train one painting's generator.")
    parser.add_argument("--style", required=True, metavar="PAINTING", help="picture of the painting")
    parser.add_argument(
        "--content",
        required=True,
        metavar="FOLDER|VIDEO|imagenette",
        help="photographs: a folder, a video, or imagenette, which is downloaded (every 50th is kept for measuring)",
    )
    parser.add_argument("--out", required=True, metavar="RUN", help="folder for checkpoint, previews and log")
    parser.add_argument("--tier", choices=sorted(TIERS), default=default.tier)
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--minutes", type=argument_types.positive, metavar="M", help="train for so long")
    length.add_argument("--steps", type=argument_types.count, metavar="N", help="train for so many steps")
    parser.add_argument(
        "--batch", type=argument_types.count, default=default.batch, help="photographs a step (default %(default)s)"
    )
    parser.add_argument(
        "--size", type=_crop_size, default=default.size, help="side of a crop, a multiple of 32 (default %(default)s)"
    )
    parser.add_argument(
        "--style-size",
        type=_style_size,
        default=default.style_size,
        help="short side of the painting (default %(default)s)",
    )
    parser.add_argument(
        "--style-scales",
        type=int,
        choices=(1, 2, 3, 4),
        default=default.style_scales,
        help="sizes of the picture, each half the one before, at which style is compared (default %(default)s)",
    )
    for name in ("style", "content", "tv", "stability", "repetition"):
        parser.add_argument(
            f"--{name}-weight", type=_weight, default=getattr(default, f"{name}_weight"), help="default %(default)s"
        )
    parser.add_argument(
        "--learning-rate", type=argument_types.positive, default=default.learning_rate, help="default %(default)s"
    )
    parser.add_argument(
        "--vgg", metavar="FILE", help="VGG-19 state dict (default: STYLECAM_VGG, else torchvision's, downloaded)"
    )
    parser.add_argument(
        "--from",
        dest="start",
        metavar="TRUNK",
        help='start from trained weights: "trunk" for those that come with the program, a .safetensors file, or another RUN',
    )
    parser.add_argument(
        "--install",
        nargs="?",
        const="",
        metavar="NAME",
        help="when done, export it into your own gallery, float32 and int8 (default name: the painting's file name)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--seed", type=argument_types.seed, default=default.seed)
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    parser.add_argument("--checkpoint-every", type=argument_types.count, default=100, metavar="STEPS")
    parser.add_argument("--preview-every", type=argument_types.count, default=200, metavar="STEPS")
    parser.add_argument("--log-every", type=argument_types.count, default=20, metavar="STEPS")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser


def _weight(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"expected a number of at least 0, found {text}")
    return value


def _style_size(text: str) -> int:
    value = argument_types.count(text)
    if value < SMALLEST_PAINTING:
        raise argparse.ArgumentTypeError(f"expected at least {SMALLEST_PAINTING}, found {text}")
    return value


def _crop_size(text: str) -> int:
    value = argument_types.count(text)
    if value < 64 or value % 32:
        raise argparse.ArgumentTypeError(f"expected a multiple of 32 from 64, found {text}")
    return value
