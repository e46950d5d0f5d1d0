"""Flicker and warp error of styles on clips: python -m benchmarks.stability.

flicker: mean |y_t - y_(t-1)| over mean |x_t - x_(t-1)| for the first 24 frames of a clip at 480 pixels' width; 1 is as
steady as the camera. warp error: the painting of a second picture, moved back along the true optical flow, against
the painting of the first, over the same for the photographs. The network alone, nothing outside it; beside it the
flicker that is left of a live picture, where photo and painting are steadied (realtime/steadying.py).
"""

from __future__ import annotations

import itertools
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

import realtime.program.quiet  # noqa: F401
from benchmarks.networks import add_arguments, chosen_styles, networks_of
from benchmarks.report import check_json, data_folder, print_table, write_json
from export.description import graph_sha256
from realtime.auto_levels import AutoLevels, set_levels
from realtime.errors import EXIT_DONE, SourceError
from realtime.frame import Image
from realtime.program import argument_types
from realtime.program.interruption import entry_point
from realtime.steadying import Steadier
from realtime.stylizer import Stylizer
from realtime.video.reader import VideoFileSource

FRAMES = 24
WIDTH = 480
CLIPS = ("people/asl_book.mkv", "people/asl_walk.mkv", "moving/bottle-detection.mp4")
_FLOW_MAGIC = 202021.25
_UNKNOWN_FLOW = 1e9
_AGREEMENT = 10.0  # grey levels: where the photographs themselves differ more, something was covered or the light changed


class BothWays(NamedTuple):
    """What the network gets and what it paints, for a row of frames: each as it comes, and averaged over time."""

    frames: list[Image]
    alone: list[Image]
    photos: list[Image]
    steadied: list[Image]


def read_clip(path: Path) -> list[Image]:
    """The first 24 frames, 480 wide, the height a multiple of 32.

    Raises:
        SourceError: not a clip, or nothing moves in it.
    """
    source = VideoFileSource(path)
    source.open()
    frames: list[Image] = []
    try:
        while len(frames) < FRAMES and (found := source.read()) is not None:
            height, width = found[0].shape[:2]
            size_wh = (WIDTH, max(1, round(height * WIDTH / width / 32)) * 32)
            frames.append(np.asarray(cv2.resize(found[0], size_wh, interpolation=cv2.INTER_AREA), np.uint8))
    finally:
        source.close()
    if len(frames) < 2 or mean_change(frames) == 0:
        raise SourceError(f"clip {path}: found no motion in its first {len(frames)} frames; expected a clip where things move")
    return frames


def measure_flicker(paint: Callable[[Image], Image], frames: list[Image], with_levels: bool = False) -> dict[str, float]:
    """flicker, what steadying leaves of it, and the painting's own change in grey levels a frame, before and after that.

    Args:
        with_levels: whether the frames are painted at automatic levels.
    """
    ways = paint_both_ways(paint, frames, with_levels)
    photos, change, rest = mean_change(frames), mean_change(ways.alone), mean_change(ways.steadied)
    return {
        "flicker": round(change / photos, 3),
        "steadied": round(rest / photos, 3),
        "grey_levels": round(change, 3),
        "grey_levels_steadied": round(rest, 3),
    }


def paint_both_ways(paint: Callable[[Image], Image], frames: list[Image], with_levels: bool) -> BothWays:
    """A row of frames as the network alone paints it, and as it is painted for the screen and for films.

    Args:
        with_levels: whether both are painted at automatic levels.
    """
    ways, steadier, levels_alone, levels = BothWays([], [], [], []), Steadier(), AutoLevels(), AutoLevels()

    def seen_at(photo: Image, of_row: AutoLevels) -> Image:
        return set_levels(photo, of_row.curve_for(photo)) if with_levels else photo

    for frame in frames:
        steady = steadier.look_at(frame)
        ways.frames.append(seen_at(frame, levels_alone))
        ways.alone.append(paint(ways.frames[-1]))
        ways.photos.append(seen_at(steady.picture_bgr, levels))
        ways.steadied.append(steadier.steady(paint(ways.photos[-1]), steady.moving, None))
    return ways


def mean_change(frames: list[Image]) -> float:
    """From frame to frame, in grey levels."""
    changes = [np.abs(after.astype(np.int16) - before.astype(np.int16)).mean() for before, after in itertools.pairwise(frames)]
    return float(np.mean(changes))


def measure_warp_error(stylizer: Stylizer, folder: Path) -> float:
    """Warp error averaged over the picture pairs of a folder.

    Raises:
        SourceError: no pairs there, or one that cannot be measured with.
    """
    ratios = []
    for flow_path in sorted(folder.glob("*_flow01.flo")):
        prefix = flow_path.name.removesuffix("_flow01.flo")
        first, second = (_read_picture(folder / f"{prefix}_img{k}.png") for k in (0, 1))
        flow = read_flow(flow_path)
        if not first.shape[:2] == second.shape[:2] == flow.shape[:2]:
            found = ", ".join(f"{array.shape[1]}x{array.shape[0]}" for array in (first, second, flow))
            raise SourceError(f"flow pair {flow_path}: found sizes {found} of pictures and flow; expected one size")
        photos = _differences(first, second, flow)
        paintings = _differences(stylizer.style(first), stylizer.style(second), flow)
        agree = (photos < _AGREEMENT) & _inside(flow)
        if not photos[agree].any():
            raise SourceError(f"flow pair {flow_path}: found no change along the flow to compare with; expected photographs")
        ratios.append(float(paintings[agree].mean() / photos[agree].mean()))
    if not ratios:
        raise SourceError(f"flow pairs: none in {folder}; expected N_flow01.flo with N_img0.png and N_img1.png")
    return round(float(np.mean(ratios)), 3)


def read_flow(path: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A Middlebury .flo file: (H, W, 2) float32, right and down in pixels.

    Raises:
        SourceError: it cannot be read, has another format, or is not as long as its header says.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"flow {path}: cannot be read ({error.strerror})") from None
    if len(data) < 12:
        raise SourceError(f"flow {path}: only {len(data)} bytes")
    magic, width, height = struct.unpack("<fii", data[:12])
    if magic != _FLOW_MAGIC or min(width, height) < 1 or width * height * 8 + 12 != len(data):
        raise SourceError(f"flow {path}: not a Middlebury flow file of the size its header states")
    return np.frombuffer(data, "<f4", offset=12).reshape(height, width, 2).astype(np.float32)


def _differences(first: Image, second: Image, flow: Any) -> Any:
    """|second(p + flow) - first(p)|, averaged over the colours: (H, W)."""
    rows, columns = np.indices(flow.shape[:2], np.float32)
    moved = cv2.remap(second.astype(np.float32), columns + flow[:, :, 0], rows + flow[:, :, 1], cv2.INTER_LINEAR)
    return np.abs(np.asarray(moved) - first.astype(np.float32)).mean(axis=2)


def _inside(flow: Any) -> Any:
    """Pixels whose flow is known and stays in the picture."""
    rows, columns = np.indices(flow.shape[:2], np.float32)
    known = (np.abs(flow) < _UNKNOWN_FLOW).all(axis=2)
    x, y = columns + flow[:, :, 0], rows + flow[:, :, 1]
    return known & (x >= 0) & (x <= flow.shape[1] - 1) & (y >= 0) & (y <= flow.shape[0] - 1)


def _read_picture(path: Path) -> Image:
    picture = cv2.imread(str(path))
    if picture is None:
        raise SourceError(f"picture {path}: cannot be read")
    return np.asarray(picture, np.uint8)


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = argument_types.Parser(prog="python -m benchmarks.stability", description=__doc__)
    add_arguments(parser)
    parser.add_argument("--videos", type=Path, default=data_folder() / "video", help="clips and flow (default %(default)s)")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(argv)
    rows = []
    check_json(args.json)
    chosen = chosen_styles(args.style, args.styles)
    clips = {name: read_clip(args.videos / name) for name in CLIPS}
    for style in chosen:
        for found in networks_of(style, args.tier, args.precision):
            stylizer = found.open()
            row: dict[str, Any] = found.names | {"graph_sha256": graph_sha256(found.model.path)}
            row |= {"clips": {name: measure_flicker(stylizer.style, frames) for name, frames in clips.items()}}
            rows.append(row | {"warp_error": measure_warp_error(stylizer, args.videos / "flow")})
    write_json(args.json, {"stability": rows})
    print_table(
        ("style", "network", *(f"flicker {Path(name).stem}" for name in CLIPS), "warp error"),
        [
            (
                r["style"],
                f"{r['tier']} {r['precision']}",
                *(f"{r['clips'][name]['flicker']:.2f} -> {r['clips'][name]['steadied']:.2f}" for name in CLIPS),
                f"{r['warp_error']:.2f}",
            )
            for r in rows
        ],
    )
    print("-> what is left of it when steadied, as on the screen and in films")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
