"""The command line of run_cam.py, and the answers that need no picture."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

from realtime import __version__
from realtime.cameras import list_cameras
from realtime.errors import EXIT_DONE
from realtime.gallery import PRECISIONS, TIERS, Style
from realtime.networks.providers import PROVIDERS
from realtime.pictures.files import PICTURE_SUFFIXES
from realtime.program import argument_types
from realtime.program.settings import RunSettings
from realtime.video.names import CODEC_NAMES, ENCODER_NAMES


class _AnsweringParser(argument_types.Parser):
    def _print_message(self, message: str, file: Any = None) -> None:
        """What --help and --version answer; argparse itself hides that it was not taken."""
        print(message, end="", file=file or sys.stderr, flush=True)


def build_parser() -> argparse.ArgumentParser:
    """All options with their defaults."""
    parser = _AnsweringParser(
        prog="run_cam.py",
        description="Turns a camera, a stream, a clip or a picture into a painting. Keys in the window: H shows them.",
    )
    frames = parser.add_argument_group("frames")
    frames.add_argument(
        "--source",
        nargs="+",
        action="extend",
        help="camera's number, rtsp:// or http:// address, video, picture, folder, pattern (frames/%%04d.png, 'photos/*.jpg'), "
        "several files, or demo (default 0)",
    )
    frames.add_argument("--size", type=argument_types.size, metavar="WxH", help="asked of the camera")
    frames.add_argument(
        "--fps",
        type=argument_types.frame_rate,
        metavar="N",
        help="asked of the camera; of pictures: frames a second (default 25)",
    )
    frames.add_argument(
        "--live", action="store_true", help="play a file in real time, as a camera would: late frames are dropped"
    )
    frames.add_argument(
        "--retry",
        type=argument_types.positive,
        metavar="SECONDS",
        help="how long to wait for a lost camera (default: for ever)",
    )
    frames.add_argument("--max-frames", type=argument_types.count, metavar="N", help="stop after so many styled frames")
    style = parser.add_argument_group("style")
    style.add_argument("--style", metavar="NAME|FILE.onnx", help="default: the first of the gallery")
    style.add_argument("--styles", type=Path, metavar="DIR", help="one more folder with styles")
    style.add_argument(
        "--steady",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="average photo and painting over time where the picture is still, against noise and flicker (default: on)",
    )
    style.add_argument(
        "--auto-levels",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="paint dark and pale pictures as if they were well lit (default: on)",
    )
    style.add_argument(
        "--large-strokes",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="stills, films and snapshots of 1080 pixels and more on the short side get coarse strokes below the fine ones "
        "(default: on)",
    )
    style.add_argument("--strength", type=argument_types.share, default=1.0, metavar="0..1", help="default 1")
    style.add_argument("--colours", choices=("style", "photo"), default="style", help="whose colours (default style)")
    style.add_argument("--split", action="store_true", help="photo on the left, painting on the right")
    network = parser.add_argument_group("network")
    network.add_argument("--tier", choices=("auto", *TIERS), default="auto")
    network.add_argument("--provider", choices=PROVIDERS, default="auto")
    network.add_argument("--precision", choices=("auto", *PRECISIONS), default="auto")
    network.add_argument(
        "--target-fps",
        type=argument_types.positive,
        default=30.0,
        metavar="N",
        help="frame rate to aim for: auto chooses for it, a live picture is processed smaller to hold it (default 30)",
    )
    network.add_argument("--recalibrate", action="store_true", help="measure again what auto takes, instead of once a machine")
    network.add_argument(
        "--model-range",
        type=argument_types.value_range,
        metavar="LOW..HIGH",
        help="value range of a foreign ONNX file: 0..255, 0..1, -1..1",
    )
    network.add_argument(
        "--processing-size",
        type=argument_types.size,
        metavar="WxH",
        help="run the network at a fixed size: the picture scaled down to fit into this box",
    )
    window = parser.add_argument_group("window")
    window.add_argument("--no-mirror", action="store_true", help="show a camera as others see you")
    window.add_argument("--fullscreen", action="store_true")
    window.add_argument("--snapshot-dir", type=Path, metavar="DIR", help="default snapshots/")
    window.add_argument("--record", action="store_true", help="record from the start, with or without a window (key R)")
    window.add_argument("--recording-dir", type=Path, metavar="DIR", help="default recordings/")
    window.add_argument(
        "--painting", type=Path, metavar="FILE", help="style picture that key G paints from, in place of the style's own"
    )
    window.add_argument("--vgg", type=Path, metavar="FILE", help="VGG-19's weights, for key G")
    output = parser.add_argument_group("output")
    output.add_argument("--output", type=Path, metavar="OUT.mp4|OUT.png|%04d.png|FOLDER", help="write files, show no window")
    output.add_argument("--overwrite", action="store_true", help="replace an existing output file")
    output.add_argument("--headless", action="store_true", help="no window, no output: for measuring")
    output.add_argument("--stats", type=Path, metavar="FILE.json", help="write rates, latencies and counts")
    sharing = parser.add_argument_group("other programs", "with a window or --headless")
    sharing.add_argument(
        "--serve",
        type=argument_types.port,
        nargs="?",
        const=8090,
        metavar="PORT",
        help="show it to browsers, VLC and OBS (default port 8090)",
    )
    sharing.add_argument(
        "--serve-address", metavar="ADDRESS", help="address to listen on (default: 127.0.0.1, reachable from this machine only)"
    )
    sharing.add_argument(
        "--virtual-camera", nargs="?", const="", metavar="DEVICE", help="be a camera for calls and streams (needs pyvirtualcam)"
    )
    output.add_argument("--quiet", action="store_true", help="no progress bar and no notes; errors alone")
    _add_video_options(parser.add_argument_group("video files"))
    about = parser.add_argument_group("about")
    about.add_argument("--list-styles", action="store_true")
    about.add_argument("--list-cameras", action="store_true")
    about.add_argument("--doctor", action="store_true", help="what runs where on this machine")
    about.add_argument("--version", action="version", version=f"StyleCam {__version__}")
    about.add_argument("--debug", action="store_true", help="show the traceback of a bug")
    return parser


def _add_video_options(video: argparse._ArgumentGroup) -> None:
    video.add_argument(
        "--start", type=argument_types.time_of_video, metavar="TIME", help="begin here: seconds, MM:SS or HH:MM:SS"
    )
    video.add_argument("--end", type=argument_types.time_of_video, metavar="TIME", help="end here")
    video.add_argument(
        "--scale", type=argument_types.scale, metavar="FACTOR|WxH", help="smaller or larger; WxH is a box it fits into"
    )
    video.add_argument("--codec", choices=CODEC_NAMES, help="default: h264, in .webm vp9, in .gif gif")
    video.add_argument("--crf", type=argument_types.whole, metavar="N", help="constant quality, lower is better and larger")
    video.add_argument("--encoder", choices=ENCODER_NAMES, help="hardware to encode with (default: software)")
    video.add_argument("--resume", action="store_true", help="go on with a video that was broken off")


def parse_arguments(argv: list[str] | None = None) -> RunSettings:
    """The arguments of the program; argparse by itself takes the -1..1 of "--model-range -1..1" for an option."""
    given = list(sys.argv[1:] if argv is None else argv)
    for number in range(len(given) - 1):
        if given[number] == "--model-range" and re.match(r"-[\d.]", given[number + 1]):
            given[number : number + 2] = [f"--model-range={given[number + 1]}"]
            break
    parser = build_parser()
    args = parser.parse_args(given)
    args.source = args.source or ["0"]
    if args.record and args.output is not None:
        parser.error("--record: --output writes a file already; leave out one of the two")
    if args.output is not None and (args.serve is not None or args.virtual_camera is not None):
        parser.error("--serve, --virtual-camera: with a window or --headless, not with --output")
    if args.serve is None and args.serve_address is not None:
        parser.error("--serve-address: only with --serve")
    if args.end is not None and args.end <= (args.start or 0.0):
        parser.error(f"--end: expected a time after --start {args.start or 0:g}, found {args.end:g}")
    for name in ("codec", "crf", "encoder", "resume"):
        if getattr(args, name) not in (None, False) and (args.output is None or args.output.suffix.lower() in PICTURE_SUFFIXES):
            parser.error(f"--{name}: only for a video as --output")
    return RunSettings(**vars(args))


def list_styles(styles: list[Style]) -> int:
    """A line for each style: key, name, title, artist, year, files."""
    for number, style in enumerate(styles, start=1):
        files = ", ".join(f"{tier} {precision}" for tier, models in style.models.items() for precision in models)
        key = str(number) if number <= 9 else " "
        year = f" ({style.year})" if style.year else ""
        print(f"{key}  {style.name:32}  {style.label}{year}  [{files}]")
    return EXIT_DONE


def print_cameras() -> int:
    """A line for each camera that opens."""
    found = 0
    for number, size_wh, fps in list_cameras():
        found += 1
        print(f"{number}  {size_wh[0]}x{size_wh[1]}, {fps:g} fps as the driver states it")
    if not found:
        print("no camera found; try --source demo")
    return EXIT_DONE
