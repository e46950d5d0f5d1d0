"""The command line of python -m models.textures."""

from __future__ import annotations

import argparse

from models.painting import style_size
from models.vgg import WEIGHTS_VARIABLE
from realtime.program import argument_types

_DESCRIPTION = (
    "Learns the texture of a painting (texture networks, Ulyanov et al. 2016) and paints pictures of any size with it that can "
    "be laid side by side without a seam, or a loop of them."
)
USUAL_STEPS = 800
USUAL_STYLE_SIZE = 512
USUAL_SIZE_WH = (1024, 1024)
USUAL_SECONDS = 10.0
USUAL_FPS = 25.0


def build_parser() -> argparse.ArgumentParser:
    """The command line; what is not given and belongs to one kind of run alone is None."""
    parser = argument_types.Parser(prog="python -m models.textures", description=_DESCRIPTION)
    parser.add_argument(
        "source",
        metavar="PAINTING|NETWORK",
        help="a painting's picture, the name of a style of the gallery, or a network that --save kept, which is not trained",
    )
    parser.add_argument("-o", "--output", metavar="OUT", help="picture (.png .tif .jpg), or a video that is a loop (.mp4 ...)")
    parser.add_argument(
        "--size",
        type=argument_types.size,
        default=USUAL_SIZE_WH,
        metavar="WxH",
        help="of the picture (default {}x{})".format(*USUAL_SIZE_WH),
    )
    parser.add_argument("--seed", type=argument_types.seed, default=0, help="another one gives another picture (default 0)")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    _add_video(parser)
    _add_training(parser)
    return parser


def _add_video(parser: argparse.ArgumentParser) -> None:
    video = parser.add_argument_group("video")
    video.add_argument("--seconds", type=argument_types.positive, metavar="S", help=f"of a round (default {USUAL_SECONDS:g})")
    video.add_argument("--fps", type=argument_types.positive, metavar="N", help=f"pictures a second (default {USUAL_FPS:g})")


def _add_training(parser: argparse.ArgumentParser) -> None:
    training = parser.add_argument_group("training")
    length = training.add_mutually_exclusive_group()
    length.add_argument("--steps", type=argument_types.count, metavar="N", help=f"default {USUAL_STEPS}")
    length.add_argument("--minutes", type=argument_types.positive, metavar="M", help="train for so long instead")
    training.add_argument("--save", metavar="FILE", help="keep the network: FILE.safetensors paints more in seconds")
    training.add_argument(
        "--style-size",
        type=style_size,
        metavar="PIXELS",
        help=f"short side of the painting: the larger, the larger the texture (default {USUAL_STYLE_SIZE})",
    )
    training.add_argument("--learning-rate", type=argument_types.learning_rate, metavar="RATE", help="of Adam (default 0.02)")
    training.add_argument("--vgg", metavar="FILE", help=f"VGG-19 state dict (default: {WEIGHTS_VARIABLE}, else torchvision's)")
