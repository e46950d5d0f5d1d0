"""Synthesises the texture of a painting: python -m models.exemplar PAINTING -o styles/NAME/exemplar.jpg.

The painting itself need not be shipped then: the exemplar, made from noise by the style loss alone (Gatys et al. 2015,
"Texture Synthesis Using Convolutional Neural Networks"), serves as the style picture with any loss network.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from realtime.errors import EXIT_DONE, OutputError, SourceError, UserError
from realtime.program import argument_types
from realtime.program.interruption import entry_point
from realtime.program.same_files import check_not_source, identities
from realtime.program.standard_streams import lose_unread

SHORT_SIDE = 512
MOST_BYTES = 200_000
_LARGEST_ASPECT = 20  # of a painting's sides
_MARGIN = 32  # painted and cut away: the network sees a black frame around a picture
_QUALITIES = range(95, 20, -3)
_LEVELS = 6


def build_parser() -> argparse.ArgumentParser:
    """The command line of python -m models.exemplar."""
    parser = argument_types.Parser(prog="python -m models.exemplar", description="Synthesise the texture of a painting.")
    parser.add_argument("painting", metavar="PAINTING", help="picture of the painting")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="such as styles/NAME/exemplar.jpg")
    parser.add_argument("--short-side", type=int, default=SHORT_SIDE, metavar="PIXELS", help="default %(default)s")
    parser.add_argument("--iterations", type=int, default=60, metavar="N", help="at full size (default %(default)s)")
    parser.add_argument("--coarse-factor", type=float, default=1.0, metavar="F", help="smaller levels (default %(default)s)")
    parser.add_argument("--tv-weight", type=float, default=3.0, metavar="W", help="smoothness (default %(default)s)")
    parser.add_argument("--seed", type=argument_types.seed, default=0)
    parser.add_argument("--vgg", metavar="FILE", help="VGG-19 state dict (default: STYLECAM_VGG, else torchvision's)")
    parser.add_argument("--overwrite", action="store_true", help="replace an exemplar that exists")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser


def run(args: argparse.Namespace) -> None:
    """Makes one exemplar.

    Raises:
        UserError: something the user can mend.
    """
    import torch

    from models.devices import choose_device, enough_memory
    from models.images import encode_image
    from models.stills.files import check_place, read_still, write_whole
    from models.stills.levels import SMALLEST_SIDE, resize
    from models.stills.objective import StylePicture
    from models.stills.paint import paint
    from models.stills.progress import ProgressBar
    from models.stills.settings import SIZES, GatysSettings
    from models.vgg import load_loss_network

    output = Path(args.output)
    if output.suffix.lower() not in (".jpg", ".jpeg"):
        raise OutputError(f"{output}: an exemplar is a JPEG; expected such as styles/NAME/exemplar.jpg")
    if not SMALLEST_SIDE <= args.short_side <= SIZES[1] - 2 * _MARGIN:
        raise UserError(f"--short-side {args.short_side}: expected {SMALLEST_SIDE} to {SIZES[1] - 2 * _MARGIN}")
    check_not_source(output, identities([Path(args.painting)]))
    check_place(output, args.overwrite)
    painting = read_still(Path(args.painting))
    short, long = sorted(painting.shape[1:])
    if long > _LARGEST_ASPECT * short:
        raise SourceError(
            f"painting {args.painting}: {painting.shape[2]}x{painting.shape[1]} pixels; expected one side of at most "
            f"{_LARGEST_ASPECT} times the other; cut a part out of it"
        )
    scale = args.short_side / short
    painting = resize(painting[None], (round(painting.shape[1] * scale), round(painting.shape[2] * scale)))[0]
    side = args.short_side + 2 * _MARGIN
    settings = GatysSettings(
        content_weight=0.0,
        tv_weight=args.tv_weight,
        init="noise",
        size=side,
        style_scale=max(painting.shape[1:]) / min(side, max(painting.shape[1:])),
        levels=_LEVELS,
        iterations=args.iterations,
        coarse_factor=args.coarse_factor,
        seed=args.seed,
    )
    network = load_loss_network(settings.layers(), Path(args.vgg) if args.vgg else None, settings.pooling)
    device = choose_device("auto")
    bar = ProgressBar(args.quiet)
    try:
        canvas = torch.zeros(3, side, side)
        with enough_memory(f"for --short-side {args.short_side}; try a smaller one"):
            made = paint(canvas, [StylePicture(painting)], settings, network.features.to(device), progress=bar)
    finally:
        bar.close()
    inner = made.picture[:, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    data = fitting_jpeg(lambda quality: encode_image(output.suffix.lower(), inner, quality=quality))
    try:
        write_whole(output, data)
    except OSError as error:
        raise OutputError(f"{output}: cannot be written ({error.strerror}); give another place") from None
    if not args.quiet:
        print(f"{output}: {len(data)} bytes, style loss {made.loss / settings.style_weight:.4f}, {made.seconds:.0f} s")


def fitting_jpeg(encode: Callable[[int], bytes]) -> bytes:
    """The first JPEG below 200 kB, from the best quality downwards.

    Args:
        encode: quality -> bytes of a file.
    Raises:
        OutputError: even the worst is larger.
    """
    for data in map(encode, _QUALITIES):
        if len(data) < MOST_BYTES:
            return data
    raise OutputError(f"an exemplar of less than {MOST_BYTES} bytes cannot be made; try a smaller --short-side")


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    lose_unread("stdout", "stderr")
    run(build_parser().parse_args(argv))
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
