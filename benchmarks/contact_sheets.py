"""Pictures to look at: python -m benchmarks.contact_sheets --photos FOLDER --clip CLIP --out DIR.

Into DIR go, as JPEG, painted by the product's own stylizer and shown pixel by pixel:

    style_NAME.jpg          every photograph beside its painting in one style
    photo_NAME.jpg          one photograph in all styles
    strip_CLIP_NAME.jpg     frames of a clip, their paintings, and how much these change from frame to frame

With several tiers or precisions (--tier fast fine) the paintings of all of them that a style has stand side by side, and
each has a strip of its own. --style also takes ONNX files, so that networks which are no styles yet can be compared.
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

import realtime.program.quiet  # noqa: F401
from benchmarks.networks import chosen_styles
from realtime.errors import EXIT_DONE, SourceError
from realtime.frame import Image
from realtime.gallery import PRECISIONS, TIERS, Style
from realtime.networks.model_choice import ModelChoice, allowed_files
from realtime.overlay import Panel
from realtime.pictures.files import PICTURE_SUFFIXES, read_picture, write_picture
from realtime.program import argument_types
from realtime.program.inputs import expand, make_folder
from realtime.program.interruption import entry_point
from realtime.program.standard_streams import lose_unread
from realtime.sources import choose_source
from realtime.stylizer import Stylizer

_GAP = 6
GREY = 128
_TEXT_SCALE = 0.5
_CHANGE_GAIN = 4  # changes between frames are drawn so many times as strong
_STYLE_COLUMNS, _PHOTO_COLUMNS = 2, 3


def fit_height(picture: Image, height: int) -> Image:
    """A picture of the given height, its aspect kept; enlarged smoothly where it is smaller."""
    scale = height / picture.shape[0]
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    size_wh = (max(1, round(picture.shape[1] * scale)), height)
    return np.asarray(cv2.resize(picture, size_wh, interpolation=method), np.uint8)


def labelled(picture: Image, text: str) -> Image:
    """A copy with a line of text in its upper left corner."""
    copy = picture.copy()
    Panel.fit([(text,)], _TEXT_SCALE, (picture.shape[1], picture.shape[0])).draw(copy, 0)
    return copy


def lay_out(cells: Sequence[Image], columns: int) -> Image:
    """Pictures in rows on grey, each column as wide as its widest picture, each row as high as its highest."""
    rows = [cells[k : k + columns] for k in range(0, len(cells), columns)]
    widths = [max(row[k].shape[1] for row in rows if len(row) > k) for k in range(min(columns, len(cells)))]
    heights = [max(cell.shape[0] for cell in row) for row in rows]
    size_wh = (sum(widths) + _GAP * (len(widths) + 1), sum(heights) + _GAP * (len(heights) + 1))
    sheet = np.full((size_wh[1], size_wh[0], 3), GREY, np.uint8)
    top = _GAP
    for row, height in zip(rows, heights, strict=True):
        left = _GAP
        for cell, width in zip(row, widths, strict=False):
            sheet[top : top + cell.shape[0], left : left + cell.shape[1]] = cell
            left += width + _GAP
        top += height + _GAP
    return sheet


def change_of(before: Image, after: Image) -> Image:
    """How much two frames differ, as grey levels, strengthened."""
    change = cv2.cvtColor(cv2.absdiff(before, after), cv2.COLOR_BGR2GRAY)
    strong = cv2.convertScaleAbs(change, alpha=_CHANGE_GAIN)
    return np.asarray(cv2.cvtColor(strong, cv2.COLOR_GRAY2BGR), np.uint8)


def strip(frames: Sequence[Image], stylizer: Stylizer, label: str) -> Image:
    """Three rows: frames, their paintings, and the changes of the paintings, of which the first is black."""
    painted = [stylizer.style(frame) for frame in frames]
    changes = [change_of(painted[max(0, k - 1)], picture) for k, picture in enumerate(painted)]
    rows = [labelled(frames[0], label), *frames[1:], *painted, labelled(changes[0], f"changes x{_CHANGE_GAIN}"), *changes[1:]]
    return lay_out(rows, len(frames))


def free_name(name: str, taken: Iterable[str]) -> str:
    """A name, with a number where it is taken; not every file system tells capitals from small letters."""
    lowered = {other.lower() for other in taken}
    names = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(2)))
    return next(one for one in names if one.lower() not in lowered)


def named(paths: Iterable[Path]) -> dict[str, Path]:
    """Files by names that differ, even where the files differ in folder or suffix alone."""
    found: dict[str, Path] = {}
    for path in dict.fromkeys(paths):
        found[free_name(path.stem, found)] = path
    return found


def read_photos(sources: Sequence[str], count: int, height: int) -> dict[str, Image]:
    """Photographs by name, evenly spread over what is found.

    Args:
        sources: folders, patterns or files.
    Raises:
        SourceError: nothing in them, or not a picture.
    """
    found = [path for text in sources for path in expand(text) or [Path(text)]]
    paths = [path for path in dict.fromkeys(found) if path.suffix.lower() in PICTURE_SUFFIXES]
    if not paths:
        raise SourceError(f"--photos {' '.join(sources)}: no photographs found there")
    steps = max(1, min(count, len(paths)) - 1)
    chosen = [paths[round(k * (len(paths) - 1) / steps)] for k in range(min(count, len(paths)))]
    return {name: fit_height(read_picture(path).image_bgr, height) for name, path in named(chosen).items()}


def read_frames(clip: Path, first: int, every: int, count: int, height: int) -> list[Image]:
    """Frames of a clip.

    Args:
        first: number of the first one.
        every: distance between two, in frames.
    Raises:
        SourceError: not a clip, or one that ends before the first frame.
    """
    source = choose_source(str(clip), has_window=False)
    source.open()
    frames: list[Image] = []
    try:
        number = 0
        while len(frames) < count and (found := source.read()) is not None:
            if number >= first and (number - first) % every == 0:
                frames.append(fit_height(found[0], height))
            number += 1
    finally:
        source.close()
    if not frames:
        raise SourceError(f"--clip {clip}: has no frame {first}")
    return frames


def stylizers_of(style: Style, choices: Sequence[ModelChoice]) -> list[Stylizer]:
    """Those of the choices that a style has a network for.

    Raises:
        ModelError: it has none of them, or one of its networks cannot be used.
    """
    usable = [choice for choice in choices if allowed_files(style, choice)]
    return [Stylizer(style, choice) for choice in usable or choices[:1]]  # the first says what there is


def make_sheets(
    styles: Sequence[Style],
    choices: Sequence[ModelChoice],
    photos: dict[str, Image],
    clips: dict[str, list[Image]],
    folder: Path,
) -> list[Path]:
    """Paints and writes all sheets.

    Args:
        choices: the networks wanted of each style.
    Returns:
        The files, in the order in which they were written.
    Raises:
        ModelError: a style that has none of the networks wanted.
    """
    written: list[Path] = []
    in_all: dict[str, list[Image]] = {name: [labelled(photo, "photograph")] for name, photo in photos.items()}

    def write(name: str, sheet: Image) -> None:
        plain = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
        written.append(folder / f"{free_name(plain, (path.stem for path in written))}.jpg")
        write_picture(written[-1], sheet)

    for style in tqdm(styles, unit="style", disable=None):
        stylizers = {f"{style.name} {used.tier} {used.precision}": used for used in stylizers_of(style, choices)}
        rows: list[Image] = []
        for name, photo in photos.items():
            painted = [labelled(stylizer.style(photo), label) for label, stylizer in stylizers.items()]
            rows.append(np.hstack([labelled(photo, name), *painted]))
            in_all[name].extend(painted)
        if rows:
            write(f"style_{style.name}", lay_out(rows, _STYLE_COLUMNS))
        for name, frames in clips.items():
            for label, stylizer in stylizers.items():
                write(f"strip_{name}_{label if len(stylizers) > 1 else style.name}", strip(frames, stylizer, label))
    for name, cells in in_all.items():
        write(f"photo_{name}", lay_out(cells, _PHOTO_COLUMNS))
    return written


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    raw = argparse.RawDescriptionHelpFormatter  # the list of sheets stays a list
    parser = argument_types.Parser(prog="python -m benchmarks.contact_sheets", description=__doc__, formatter_class=raw)
    number = argument_types.count
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--photos", nargs="+", metavar="FOLDER|FILE", help="photographs: folders, patterns or files")
    parser.add_argument("--count", type=number, default=8, help="of these at most, evenly spread (default %(default)s)")
    parser.add_argument("--clip", type=Path, action="append", default=[], help="may be repeated")
    parser.add_argument("--frames", type=number, default=5, help="of a clip in a strip (default %(default)s)")
    parser.add_argument("--first", type=number, default=1, help="number of the strip's first frame (default %(default)s)")
    parser.add_argument("--every", type=number, default=1, help="distance between the strip's frames (default %(default)s)")
    parser.add_argument(
        "--height", type=argument_types.height, default=480, help="at which all is painted and shown (default %(default)s)"
    )
    parser.add_argument("--style", action="append", metavar="NAME", help="default: all of the gallery; may be repeated")
    parser.add_argument("--styles", type=Path, metavar="DIR", help="one more folder with styles")
    parser.add_argument("--tier", nargs="+", choices=("auto", *TIERS), default=["auto"], help="one or several (default auto)")
    parser.add_argument(
        "--precision", nargs="+", choices=("auto", *PRECISIONS), default=["auto"], help="one or several (default auto)"
    )
    return parser


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    lose_unread("stdout", "stderr")
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.photos is None and not args.clip:
        parser.error("nothing to paint: give --photos FOLDER, --clip CLIP, or both")
    styles = chosen_styles(args.style, args.styles)
    photos = read_photos(args.photos, args.count, args.height) if args.photos is not None else {}
    which = (args.first - 1, args.every, args.frames, args.height)
    clips = {name: read_frames(clip, *which) for name, clip in named(args.clip).items()}
    make_folder(args.out, "--out")
    choices = [ModelChoice(tier, precision) for tier in args.tier for precision in args.precision]
    written = make_sheets(styles, choices, photos, clips, args.out)
    print(f"{args.out}: {len(written)} sheets")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
