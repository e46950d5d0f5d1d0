"""The command line of python -m models.gatys."""

from __future__ import annotations

import argparse
from dataclasses import fields, replace
from typing import Any

from models.stills.settings import (
    COLOURS,
    INITS,
    OPTIMISERS,
    PRECISIONS,
    PRESETS,
    SCALINGS,
    STATISTICS,
    GatysSettings,
)
from models.vgg import POOLINGS, WEIGHTS_VARIABLE
from realtime.errors import UserError
from realtime.program import argument_types
from realtime.program.notes import print_note

_DESCRIPTION = "Paints a still in the style of one or several pictures, by optimisation (Gatys, Ecker and Bethge 2016)."
_LATER = "Without an option the preset's value holds; docs/STILLS.md explains all of them."


def build_parser() -> argparse.ArgumentParser:
    """The command line of python -m models.gatys."""
    parser = argument_types.Parser(prog="python -m models.gatys", description=_DESCRIPTION, epilog=_LATER)
    parser.add_argument("content", metavar="CONTENT", help="the photograph")
    parser.add_argument("style", metavar="STYLE", nargs="+", help="a painting's picture, or the name of a style of the gallery")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="picture to write: .png, .tif or .jpg")
    parser.add_argument("--preset", choices=sorted(PRESETS), default="fast", help="default %(default)s")
    parser.add_argument("--bits", type=int, choices=(8, 16), default=8, help="a channel; 16 for PNG and TIFF")
    parser.add_argument("--overwrite", action="store_true", help="replace an output that exists")
    parser.add_argument("--save-every", type=int, metavar="N", help="keep the picture of every Nth step as OUT_000N")
    parser.add_argument("--styles", metavar="DIR", help="one more folder of styles")
    parser.add_argument("--vgg", metavar="FILE", help=f"VGG-19 state dict (default: {WEIGHTS_VARIABLE}, else torchvision's)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=int, metavar="N", help="threads to compute with (default: one for each core)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    _add_losses(parser)
    _add_search(parser)
    machine = parser.add_argument_group("for programs")
    machine.add_argument("--progress-lines", action="store_true", help="progress as JSON lines on stdout")
    machine.add_argument("--progress-picture", metavar="FILE", help="the picture so far, small, rewritten on the way")
    return parser


def _add_losses(parser: argparse.ArgumentParser) -> None:
    losses = parser.add_argument_group("losses")
    for name in ("content", "style", "tv"):
        losses.add_argument(f"--{name}-weight", type=float, metavar="W", help="0 leaves the term out")
    losses.add_argument("--content-layers", metavar="LAYERS", help="such as relu4_2, or relu4_2=1,relu5_2=0.5")
    losses.add_argument("--style-layers", metavar="LAYERS", help="such as relu1_1,relu2_1=0.5")
    losses.add_argument("--conv", action="store_true", help="take layers before their ReLU: conv4_2 in place of relu4_2")
    losses.add_argument("--statistics", choices=STATISTICS, help="what is compared of the style")
    losses.add_argument("--scaling", choices=SCALINGS, help="terms divided by their targets, or the paper's constants")
    losses.add_argument("--pooling", choices=POOLINGS)
    losses.add_argument(
        "--normalised-gradients",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="each layer pulls by its weight alone",
    )
    losses.add_argument("--style-weights", type=float, nargs="+", metavar="W", help="one for each STYLE")
    losses.add_argument("--style-scale", type=float, metavar="S", help="above 1: larger strokes")
    losses.add_argument(
        "--masks", nargs="+", metavar="FILE", help="one for each STYLE: white where it is wanted; none: everywhere"
    )
    losses.add_argument(
        "--colours",
        choices=COLOURS,
        help="style: the painting's; luminance: paint lightness only; matched: recolour the style like the photo first",
    )


def _add_search(parser: argparse.ArgumentParser) -> None:
    search = parser.add_argument_group("search")
    search.add_argument("--init", metavar="|".join((*INITS, "FILE")), help="what to start from")
    search.add_argument("--size", type=int, metavar="PIXELS", help="of the longer side")
    search.add_argument("--optimiser", choices=OPTIMISERS)
    search.add_argument("--history", type=int, metavar="N", help="pairs that L-BFGS keeps")
    search.add_argument("--learning-rate", type=float, metavar="R", help="of Adam")
    search.add_argument("--iterations", type=int, metavar="N", help="steps at full size")
    search.add_argument("--coarse-factor", type=float, metavar="F", help="steps of smaller levels, times iterations")
    search.add_argument("--seconds", type=float, metavar="S", help="time budget; sizes that it has no time for are left out")
    search.add_argument("--levels", type=int, metavar="N", help="sizes of the pyramid")
    search.add_argument("--precision", choices=PRECISIONS)
    search.add_argument("--tile", type=int, metavar="PIXELS", help="side of the pieces that large pictures are computed in")
    search.add_argument("--seed", type=argument_types.seed, metavar="N")


def settings_of(args: argparse.Namespace) -> GatysSettings:
    """The preset with what was given in its place; a note on what changes nothing there, unless --quiet.

    Raises:
        UserError: a value that cannot be searched with.
    """
    given: dict[str, Any] = {
        f.name: getattr(args, f.name) for f in fields(GatysSettings) if getattr(args, f.name, None) is not None
    }
    if given.get("init") not in (None, *INITS):
        given["init"] = "photo"  # a file, which takes precedence
    if "style_weights" in given:
        given["style_weights"] = tuple(given["style_weights"])
    preset = PRESETS[args.preset]
    for name in ("content_layers", "style_layers"):
        layers = _layers(given[name]) if name in given else dict(getattr(preset, name))
        given[name] = {layer.replace("relu", "conv") if args.conv else layer: weight for layer, weight in layers.items()}
    settings = replace(preset, **given)
    if not args.quiet:
        for text in _without_effect(args, settings):
            print_note(text)
    return settings


def _without_effect(args: argparse.Namespace, settings: GatysSettings) -> list[str]:
    """What was given and changes nothing, with the reason."""
    adam = settings.optimiser == "adam"
    idle = {
        "learning_rate": (not adam, "the optimiser is lbfgs; add --optimiser adam"),
        "history": (adam, "the optimiser is adam; add --optimiser lbfgs"),
        "coarse_factor": (settings.levels == 1, "there is one size; add --levels 2 or more"),
    }
    return [
        f"--{name.replace('_', '-')} {getattr(args, name)}: has no effect, {why}"
        for name, (is_idle, why) in idle.items()
        if is_idle and getattr(args, name) is not None
    ]


def _layers(text: str) -> dict[str, float]:
    layers = {}
    for part in text.split(","):
        name, _, weight = part.strip().partition("=")
        try:
            layers[name] = float(weight) if weight else 1.0
        except ValueError:
            raise UserError(f"layers {text}: {weight} is no weight; expected such as relu4_2=0.5,relu5_2") from None
    return layers
