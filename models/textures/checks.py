"""What is refused or noted before anything is learnt: minutes of work shall not end in a mistake seen too late."""

from __future__ import annotations

import argparse
from pathlib import Path

from models.stills.files import OUTPUT_SUFFIXES
from models.texture_net import SMALLEST_SIDE
from models.textures.files import SUFFIX
from realtime.errors import OutputError, UserError
from realtime.program.notes import print_note
from realtime.program.same_files import check_not_source, identities
from realtime.program.written_paths import check_writable
from realtime.video.codecs import choose_encoding
from realtime.video.names import WRITTEN_SUFFIXES
from realtime.video.resume import check_nothing_left

_LONGEST_SIDE = 16_384  # which every kind of file holds
_MOST_PIXELS = 4096 * 2304  # takes 6 GiB of memory in bfloat16, 11 in float32
_LONGEST_S = 600.0
_FPS = (1.0, 120.0)
_TRAINING_OPTIONS = ("steps", "minutes", "save", "style_size", "learning_rate", "vgg")
_VIDEO_OPTIONS = ("seconds", "fps")


def is_video(output: Path) -> bool:
    """Whether an output that was checked is a video; else it is a picture."""
    return output.suffix.lower() not in OUTPUT_SUFFIXES


def check_arguments(args: argparse.Namespace, source: Path, is_network: bool) -> None:
    """Refuses what cannot be done; notes options without effect.

    Args:
        source: the picture or the network that is read.
    Raises:
        UserError: with the reason.
    """
    if is_network:
        _note_idle(args, _TRAINING_OPTIONS, f"{source.name} is trained already")
    save = None if is_network or args.save is None else Path(args.save)
    output = None if args.output is None else Path(args.output)
    if output is None and save is None:
        raise UserError("nothing to make: give -o OUT.png" + ("" if is_network else f", or --save FILE{SUFFIX}"))
    if save is not None and save.suffix != SUFFIX:
        raise OutputError(f"--save {save}: a network's name ends in {SUFFIX}")
    read = identities([source])
    for path, option in ((output, "--output"), (save, "--save")):
        if path is not None:
            check_not_source(path, read, option)
            check_writable(path, f"{option} {path}", args.overwrite)
    _check_size(args.size)
    if output is not None and is_video(output):
        _check_video(args, output)
    else:
        _note_idle(args, _VIDEO_OPTIONS, "no video is made")


def _check_size(size_wh: tuple[int, int]) -> None:
    width, height = size_wh
    if not SMALLEST_SIDE <= min(size_wh) <= max(size_wh) <= _LONGEST_SIDE:
        raise UserError(f"--size {width}x{height}: expected {SMALLEST_SIDE} to {_LONGEST_SIDE} pixels a side")
    if width * height > _MOST_PIXELS:
        raise UserError(f"--size {width}x{height}: expected at most {_MOST_PIXELS:,} pixels; it can be laid beside itself")


def _check_video(args: argparse.Namespace, output: Path) -> None:
    if output.suffix.lower() not in WRITTEN_SUFFIXES:
        raise OutputError(
            f"--output {output}: expected a name ending in {' '.join(OUTPUT_SUFFIXES)} for a picture, or in "
            f"{' '.join(WRITTEN_SUFFIXES)} for a video"
        )
    choose_encoding(output, None, None, None)
    if not args.overwrite:
        check_nothing_left(output)
    if args.fps is not None and not _FPS[0] <= args.fps <= _FPS[1]:
        raise UserError(f"--fps {args.fps:g}: expected {_FPS[0]:g} to {_FPS[1]:g}")
    if args.seconds is not None and args.seconds > _LONGEST_S:
        raise UserError(f"--seconds {args.seconds:g}: expected at most {_LONGEST_S:g}; a loop can be played again")


def _note_idle(args: argparse.Namespace, names: tuple[str, ...], reason: str) -> None:
    for name in names:
        if getattr(args, name) is not None:
            print_note(f"--{name.replace('_', '-')}: has no effect here, {reason}")
