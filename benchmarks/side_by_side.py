"""One picture for a document: python -m benchmarks.side_by_side PICTURE... --out FILE.jpg.

Without --style the pictures stand beside each other. With it each begins rows of its paintings, one row for each --light,
--tier, --levels and --strokes, painted in float32 on the processor, under the styles' titles. Writes over FILE.jpg, at the
best quality below 250 kB. The pictures must be in the public domain: the shipped ones show scikit-image's astronaut.png (NASA).
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

import realtime.program.quiet  # noqa: F401
from benchmarks.contact_sheets import GREY, fit_height, labelled, lay_out
from benchmarks.networks import chosen_styles
from realtime.auto_levels import AutoLevels
from realtime.errors import EXIT_DONE, OutputError
from realtime.frame import Image
from realtime.gallery import TIERS, Style
from realtime.networks.model_choice import ModelChoice
from realtime.painter import paint_at
from realtime.pictures.files import read_picture
from realtime.program import argument_types
from realtime.program.interruption import entry_point
from realtime.program.same_files import check_not_source, identities
from realtime.program.standard_streams import lose_unread
from realtime.program.written_paths import whole_file
from realtime.sinks import check_output
from realtime.stylizer import Stylizer

_MOST_BYTES = 250_000  # of a picture that a page loads
_QUALITIES = range(95, 30, -2)
_HEADING_HEIGHT, _WORD_WIDTH = 24, 44
_LEVELS, _STROKES = ("own", "auto"), ("fine", "large")
_LONGEST_SIDE = 65_500  # of a JPEG


class Way(NamedTuple):
    """How a row is painted: by which tier, at which of the picture's levels, with which strokes."""

    tier: str
    levels: str
    strokes: str

    def paint(self, stylizer: Stylizer, picture: Image) -> Image:
        """A picture, as this row shows it."""
        curve = AutoLevels().curve_for(picture) if self.levels == "auto" else None
        size_wh = (picture.shape[1], picture.shape[0])
        return paint_at(stylizer, picture, size_wh, curve, self.strokes == "large")


def row_names(ways: Sequence[Way]) -> list[str]:
    """What tells the ways apart; nothing where there is only one."""
    differs = [len(set(told)) > 1 for told in zip(*ways, strict=True)]
    return [" ".join(itertools.compress(way, differs)) for way in ways]


def paint_rows(pictures: Sequence[Image], styles: Sequence[Style], ways: Sequence[Way]) -> list[list[Image]]:
    """A row for each picture and way: the picture, then its painting in each style, at the picture's size.

    Args:
        pictures: (H, W, 3) uint8, BGR.
    Raises:
        ModelError: a style has no float32 network of a tier.
    """
    tiers = dict.fromkeys(way.tier for way in ways)
    stylizers = {tier: [Stylizer(style, ModelChoice(tier, "fp32", "cpu")) for style in styles] for tier in tiers}
    return [
        [picture, *(way.paint(stylizer, picture) for stylizer in stylizers[way.tier])] for picture in pictures for way in ways
    ]


def darkened(picture: Image, light: float) -> Image:
    """A picture with a share of its grey levels."""
    return np.asarray(cv2.convertScaleAbs(picture, alpha=light), np.uint8)


def headed(rows: Sequence[Sequence[Image]], titles: Sequence[str]) -> list[Image]:
    """The cells of the rows below one of titles, of which the first column has none."""
    grey = [np.full((_HEADING_HEIGHT, cell.shape[1], 3), GREY, np.uint8) for cell in rows[0]]
    headings = [grey[0], *(labelled(cell, title) for cell, title in zip(grey[1:], titles, strict=True))]
    return [cell for row in (headings, *rows) for cell in row]


def named_beside(picture: Image, name: str) -> Image:
    """A row's first picture with the name of its paintings to the left: on the photograph it would seem to be meant."""
    margin = np.full((picture.shape[0], _WORD_WIDTH * len(name.split()), 3), GREY, np.uint8)
    return np.hstack([labelled(margin, name), picture])


def encode_small(picture: Image) -> bytes:
    """The best JPEG below 250 kB.

    Raises:
        OutputError: even a poor one is larger, or the picture longer than any.
    """
    size = f"{picture.shape[1]}x{picture.shape[0]}"

    for quality in _QUALITIES:
        is_encoded, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if not is_encoded:
            raise OutputError(f"--out: no JPEG holds {size} pixels; try a smaller --shown, or fewer pictures")
        if len(data) < _MOST_BYTES:
            return data.tobytes()
    raise OutputError(f"--out: {size} pixels do not fit into {_MOST_BYTES} bytes; try a smaller --shown, or fewer pictures")


def draw(pictures: Sequence[Image], styles: Sequence[Style], ways: Sequence[Way], shown: int) -> Image:
    """The pictures in a row, or with styles each with its paintings.

    Args:
        pictures: (H, W, 3) uint8, BGR, as they are painted.
        shown: height of each in the result, in pixels.
    Raises:
        ModelError: a style has no float32 network of a tier.
    """
    if not styles:
        return lay_out([fit_height(picture, shown) for picture in pictures], len(pictures))
    rows = [[fit_height(cell, shown) for cell in row] for row in paint_rows(pictures, styles, ways)]
    if len(ways) > 1:
        names = itertools.cycle(row_names(ways))
        rows = [[named_beside(row[0], name), *row[1:]] for row, name in zip(rows, names, strict=False)]
    return lay_out(headed(rows, [style.title for style in styles]), 1 + len(styles))


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argument_types.Parser(prog="python -m benchmarks.side_by_side", description=__doc__)
    parser.add_argument("pictures", nargs="+", type=Path, metavar="PICTURE")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.jpg")
    parser.add_argument("--style", nargs="+", metavar="NAME|FILE.onnx", help="columns (default: the pictures alone)")
    parser.add_argument("--styles", type=Path, metavar="DIR", help="one more folder with styles")
    parser.add_argument("--tier", nargs="+", choices=TIERS, help="rows of paintings (default fast)")
    parser.add_argument("--levels", nargs="+", choices=_LEVELS, help="rows at the picture's own levels, or at automatic ones")
    parser.add_argument("--strokes", nargs="+", choices=_STROKES, help="rows with fine strokes alone, or on large ones")
    parser.add_argument("--light", nargs="+", type=argument_types.share, help="shares of the grey levels (default 1)")
    parser.add_argument("--height", type=argument_types.height, help="at which they are painted (default: their own)")
    parser.add_argument("--shown", type=argument_types.height, default=240, help="height in the result (default %(default)s)")
    return parser


def run(args: argparse.Namespace) -> None:
    """Reads, paints, and writes the result.

    Raises:
        UserError: something the user can mend.
    """
    check_drawing(args.out, args.pictures)
    styles = chosen_styles(args.style, args.styles) if args.style else []
    read = [read_picture(path).opaque_bgr for path in args.pictures]
    for path, picture in zip(args.pictures, read, strict=True):
        _check_width(path, picture, max(args.height or 1, args.shown))
    chosen = itertools.product(args.tier or ["fast"], args.levels or ["own"], args.strokes or ["fine"])
    ways = list(dict.fromkeys(itertools.starmap(Way, chosen)))
    sized = [fit_height(picture, args.height or picture.shape[0]) for picture in read]
    pictures = [darkened(picture, light) for picture in sized for light in args.light or [1.0]]
    write_drawing(args.out, draw(pictures, styles, ways, args.shown))


def check_drawing(path: Path, sources: Sequence[Path]) -> None:
    """Refuses a place for a drawing before anything is painted.

    Raises:
        OutputError: with the reason.
    """
    if path.suffix.lower() not in (".jpg", ".jpeg"):
        raise OutputError(f"--out {path}: expected a JPEG, as in docs/tiers.jpg")
    check_not_source(path, identities(sources), "--out")
    check_output(path, overwrite=True, option="--out")


def write_drawing(path: Path, picture: Image) -> None:
    """Writes a drawing, whole or not at all, and says how large it is.

    Raises:
        OutputError: it is too large, or cannot be written.
    """
    data = encode_small(picture)
    try:
        with whole_file(path) as partial:
            partial.write_bytes(data)
    except OSError as error:
        raise OutputError(f"--out {path}: cannot be written ({error.strerror})") from None
    print(f"{path}: {len(data)} bytes")


def _check_width(path: Path, picture: Image, height: int) -> None:
    """Refuses a picture that is so wide for its height that no memory may hold it at the height wanted."""
    width = round(picture.shape[1] * height / picture.shape[0])
    if width > _LONGEST_SIDE:
        raise OutputError(
            f"picture {path}: {width} pixels wide at a height of {height}, and a JPEG holds {_LONGEST_SIDE}; "
            "try a smaller --shown or --height"
        )


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    lose_unread("stdout", "stderr")
    parser = build_parser()
    args = parser.parse_args(argv)
    if not args.style and (args.tier or args.levels or args.strokes or args.styles or args.height):
        parser.error("--tier, --levels, --strokes, --styles, --height: nothing is painted without --style")
    run(args)
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
