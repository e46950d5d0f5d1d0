"""Paints the previews that ship: python -m benchmarks.previews --photo PICTURE.

Writes over the files that ship, unasked: styles/NAME/preview.jpg of each style of the gallery, and docs/banner.jpg with the
photograph beside its paintings.
The picture must be in the public domain: the shipped ones are painted from scikit-image's astronaut.png (NASA).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

import realtime.program.quiet  # noqa: F401
from realtime.errors import EXIT_DONE, SourceError
from realtime.frame import Image
from realtime.gallery import DESCRIPTION, SHIPPED, load_gallery
from realtime.networks.model_choice import ModelChoice
from realtime.pictures.files import write_picture
from realtime.program import argument_types
from realtime.program.interruption import entry_point
from realtime.stylizer import Stylizer

_BANNER = SHIPPED.parent / "docs" / "banner.jpg"
_BANNER_HEIGHT = 480
_MOST_IN_A_ROW = 4


def banner(photo: Image, paintings: Sequence[Image]) -> Image:
    """The photograph with its paintings to the right of it: a few beside each other, more of them in two rows.

    Args:
        photo: (H, W, 3) uint8; the paintings are of the same size, at least one.
    """
    rows = 1 if len(paintings) <= _MOST_IN_A_ROW else 2
    columns = -(-len(paintings) // rows)
    height = _BANNER_HEIGHT // rows
    width = round(photo.shape[1] * height / photo.shape[0])
    cells = [cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA) for picture in paintings]
    cells += [np.full_like(cells[0], 255)] * (rows * columns - len(cells))
    grid = np.vstack([np.hstack(cells[row * columns : (row + 1) * columns]) for row in range(rows)])
    large = cv2.resize(photo, (rows * width, rows * height), interpolation=cv2.INTER_AREA)
    return np.asarray(np.hstack([large, grid]), np.uint8)


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = argument_types.Parser(prog="python -m benchmarks.previews", description=__doc__)
    parser.add_argument("--photo", type=Path, required=True, help="to be painted")
    args = parser.parse_args(argv)
    photo = cv2.imread(str(args.photo))
    if photo is None:
        raise SourceError(f"--photo {args.photo}: cannot be read as a picture")
    pictures: list[Image] = [np.asarray(photo, np.uint8)]
    for style in load_gallery():
        if style.models and (SHIPPED / style.name / DESCRIPTION).is_file():
            pictures.append(Stylizer(style, ModelChoice(precision="fp32")).style(pictures[0]))
            write_picture(SHIPPED / style.name / "preview.jpg", pictures[-1])
    write_picture(_BANNER, banner(pictures[0], pictures[1:]))
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
