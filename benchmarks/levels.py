"""What the automatic levels are worth in bad light: python -m benchmarks.levels --style NAME.

The standard photos as they are, dim (three tenths of the light, and a camera's noise) and pale (three tenths of the contrast),
each painted as it is and at automatic levels (realtime/auto_levels.py). Both errors as in benchmarks.quality, always
against the photo as it was, and the change from frame to frame of a clip in the same light, as it is on the screen.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import realtime.program.quiet  # noqa: F401
from benchmarks.networks import add_arguments
from benchmarks.quality import (
    Photo,
    Targets,
    add_data_arguments,
    load_network,
    measure_quality,
    measuring,
    standard_measures,
)
from benchmarks.report import check_json, data_folder, print_table, write_json
from benchmarks.stability import CLIPS, measure_flicker, read_clip
from models.vgg import VGGFeatures
from realtime.auto_levels import AutoLevels, set_levels
from realtime.errors import EXIT_DONE
from realtime.frame import Image
from realtime.program import argument_types
from realtime.program.interruption import entry_point
from realtime.stylizer import Stylizer

# The light's name -> (share of the contrast, grey level that black becomes, standard deviation of the noise)
LIGHTS = {"as it was": (1.0, 0.0, 0.0), "dim": (0.3, 0.0, 3.0), "pale": (0.3, 90.0, 2.0)}


def in_light(picture: Image, light: str, seed: int) -> Image:
    """A picture as a camera would see it in other light: dark or flat, with noise, in whole grey levels."""
    contrast, black, noise = LIGHTS[light]
    if contrast == 1.0:
        return picture
    random = np.random.default_rng(seed)
    return np.clip(np.round(black + contrast * picture + random.normal(0.0, noise, picture.shape)), 0, 255).astype(np.uint8)


def measure(
    stylizer: Stylizer, targets: Targets, photos: Sequence[Photo], frames: Sequence[Image], vgg: VGGFeatures, light: str
) -> dict[str, Any]:
    """Both errors and the change on the screen, painted as it is and at automatic levels."""
    lit_photos = [replace(photo, image_bgr=in_light(photo.image_bgr, light, n)) for n, photo in enumerate(photos)]
    lit_frames = [in_light(frame, light, n) for n, frame in enumerate(frames)]
    ways: dict[str, Callable[[Image], Image]] = {
        "as it is": stylizer.style,
        "auto levels": lambda photo: stylizer.style(set_levels(photo, AutoLevels().curve_for(photo))),
    }
    found = {}
    for way, paint_photo in ways.items():
        quality = measure_quality(paint_photo, targets, lit_photos, vgg)
        flicker = measure_flicker(stylizer.style, lit_frames, with_levels=way == "auto levels")
        found[way] = {
            "style_error": quality["style_error"],
            "content_error": quality["content_error"],
            "grey_levels": flicker["grey_levels_steadied"],
        }
    return found


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = argument_types.Parser(prog="python -m benchmarks.levels", description=__doc__)
    add_arguments(parser)
    add_data_arguments(parser)
    parser.add_argument("--clip", type=Path, default=data_folder() / "video" / CLIPS[0], help="(default %(default)s)")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(argv)
    check_json(args.json)
    network = load_network(args.vgg)
    frames, rows = read_clip(args.clip), []
    with measuring():
        for found, targets, photos in standard_measures(args, network):
            stylizer = found.open()
            for light in LIGHTS:
                figures = measure(stylizer, targets, photos, frames, network.features, light)
                rows.append(found.names | {"light": light} | figures)
    write_json(args.json, {"vgg": network.source, "vgg_sha256": network.sha256, "levels": rows})
    print_table(
        ("style", "network", "light", "as it is", "auto levels", "change of a clip"),
        [
            (
                row["style"],
                f"{row['tier']} {row['precision']}",
                row["light"],
                *(f"{row[way]['style_error']:.3f} at {row[way]['content_error']:.3f}" for way in ("as it is", "auto levels")),
                f"{row['as it is']['grey_levels']:.1f} -> {row['auto levels']['grey_levels']:.1f}",
            )
            for row in rows
        ],
    )
    print("style_error at content_error; grey levels by which the steadied painting changes from frame to frame")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
