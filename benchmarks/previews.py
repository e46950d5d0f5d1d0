"""Paints the previews that ship: python -m benchmarks.previews --photo PICTURE.

styles/NAME/preview.jpg for each style of the gallery, and docs/banner.jpg with the photograph beside its paintings.
The picture must be in the public domain: the shipped ones are painted from scikit-image's astronaut.png (NASA).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

import realtime.quiet  # noqa: F401
from realtime.errors import EXIT_DONE, SourceError, UserError, tell_mistake
from realtime.frame import Image
from realtime.gallery import SHIPPED, load_gallery
from realtime.model_choice import ModelChoice
from realtime.picture_files import write_picture
from realtime.stylizer import Stylizer

_BANNER = SHIPPED.parent / "docs" / "banner.jpg"
_BANNER_HEIGHT = 420


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.previews")
    parser.add_argument("--photo", type=Path, required=True)
    args = parser.parse_args(argv)
    try:
        photo = cv2.imread(str(args.photo))
        if photo is None:
            raise SourceError(f"--photo {args.photo}: cannot be read as a picture")
        pictures: list[Image] = [np.asarray(photo, np.uint8)]
        for style in load_gallery():
            if style.models and (SHIPPED / style.name / "style.json").is_file():
                pictures.append(Stylizer(style, ModelChoice(precision="fp32")).style(pictures[0]))
                write_picture(SHIPPED / style.name / "preview.jpg", pictures[-1])
        size_wh = (round(photo.shape[1] * _BANNER_HEIGHT / photo.shape[0]), _BANNER_HEIGHT)
        row = np.hstack([cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA) for picture in pictures])
        write_picture(_BANNER, np.asarray(row, np.uint8))
    except UserError as error:
        return tell_mistake(error)
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
