"""What is left of a camera's noise in the painting: python -m benchmarks.noise --style NAME.

The first frames of a clip, or a picture that stands still, as a camera sees them in ever poorer light: with noise of which
half is white and half comes in grains, through a JPEG as webcams send it. Each is painted by the network alone, and as on
the screen, where photo and painting are averaged over time (realtime/steadying.py), both at automatic levels.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

import realtime.program.quiet  # noqa: F401
from benchmarks.camera_noise import with_noise
from benchmarks.contact_sheets import fit_height, lay_out
from benchmarks.networks import add_arguments, chosen_styles, networks_of
from benchmarks.report import check_json, data_folder, print_table, write_json
from benchmarks.side_by_side import check_drawing, headed, named_beside, write_drawing
from benchmarks.stability import CLIPS, FRAMES, WIDTH, mean_change, paint_both_ways, read_clip
from realtime.errors import EXIT_DONE
from realtime.frame import Image
from realtime.pictures.files import PICTURE_SUFFIXES, read_picture
from realtime.program import argument_types
from realtime.program.interruption import entry_point
from realtime.stylizer import Stylizer

_SETTLING = 8  # frames that are not counted: an average needs a few
_JPEG_QUALITY = 85
_ALONE, _STEADIED = "network alone", "on screen"


class Light(NamedTuple):
    """What a camera makes of a scene: a share of its grey levels, and noise with a standard deviation in grey levels."""

    name: str
    share: float
    spread: float


LIGHTS = (
    Light("as it was", 1.0, 0.0),
    Light("noise of 3", 1.0, 3.0),
    Light("noise of 6", 1.0, 6.0),
    Light("dim, noise of 3", 0.3, 3.0),
    Light("dim, noise of 6", 0.3, 6.0),
)


def as_seen(picture: Image, light: Light, seed: int) -> Image:
    """A picture as the camera sends it; the picture itself in good light."""
    if light.share == 1 and not light.spread:
        return picture
    seen = with_noise(light.share * picture, light.spread, seed)
    packed = cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)


def read_frames(path: Path) -> list[Image]:
    """A clip's first frames as benchmarks.stability has them, or as many of a picture, at most as wide or high.

    Raises:
        SourceError: neither, or it cannot be read.
    """
    if path.suffix.lower() in PICTURE_SUFFIXES:
        picture = read_picture(path).opaque_bgr
        return [fit_height(picture, max(1, round(picture.shape[0] * min(1.0, WIDTH / max(picture.shape[:2])))))] * FRAMES
    return read_clip(path)


def measure(stylizer: Stylizer, frames: Sequence[Image], light: Light) -> tuple[dict[str, float], list[list[Image]]]:
    """By how many grey levels photo and paintings change from frame to frame; and what the network saw last, and painted."""
    seen = [as_seen(frame, light, number) for number, frame in enumerate(frames)]
    ways = paint_both_ways(stylizer.style, seen, with_levels=True)
    rows = {"photo": seen, _ALONE: ways.alone, _STEADIED: ways.steadied}
    changes = {name: round(mean_change(row[_SETTLING:]), 3) for name, row in rows.items()}
    return changes, [[ways.frames[-1], ways.alone[-1]], [ways.photos[-1], ways.steadied[-1]]]


def draw(last: Sequence[list[list[Image]]], titles: Sequence[str], shown: int) -> Image:
    """What the network saw and what it painted, the styles beside each other: above it alone, below as on the screen.

    Args:
        last: of `measure`, for each style.
        titles: the styles'.
        shown: height of each picture in the result, in pixels.
    """
    rows = []
    for way, name in enumerate((_ALONE, _STEADIED)):
        photo, *paintings = (
            fit_height(picture, shown) for picture in (last[0][way][0], *(of_style[way][1] for of_style in last))
        )
        rows.append([named_beside(photo, name), *paintings])
    return lay_out(headed(rows, titles), 1 + len(titles))


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = argument_types.Parser(prog="python -m benchmarks.noise", description=__doc__)
    add_arguments(parser)
    default = data_folder() / "video" / CLIPS[0]
    parser.add_argument("--source", type=Path, default=default, metavar="CLIP|PICTURE", help="(default %(default)s)")
    parser.add_argument(
        "--out", type=Path, metavar="FILE.jpg", help="draws what becomes of the last frame in the poorest light"
    )
    parser.add_argument("--shown", type=argument_types.height, default=240, help="height in that drawing (default %(default)s)")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(argv)
    check_json(args.json)
    if args.out is not None:
        check_drawing(args.out, [args.source])
    frames, rows, drawn, titles = read_frames(args.source), [], [], []
    for style in chosen_styles(args.style, args.styles):
        for found in networks_of(style, args.tier, args.precision):
            stylizer = found.open()
            for light in LIGHTS:
                changes, last = measure(stylizer, frames, light)
                rows.append(found.names | {"light": light.name} | changes)
            drawn.append(last)
            titles.append(style.title)
    if args.out is not None:
        write_drawing(args.out, draw(drawn, titles, args.shown))
    write_json(args.json, {"noise": rows})
    print_table(
        ("style", "network", "light", "photo", _ALONE, _STEADIED),
        [
            (r["style"], f"{r['tier']} {r['precision']}", r["light"], *(f"{r[k]:.2f}" for k in ("photo", _ALONE, _STEADIED)))
            for r in rows
        ],
    )
    print("mean change from frame to frame in grey levels")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
