"""One run of python -m models.gatys: pictures in, search, picture out."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from models.devices import choose_device, enough_memory
from models.painting import style_picture
from models.stills.arguments import settings_of
from models.stills.files import check_format, check_place, encode_still, read_mask, read_still, write_somewhere, write_whole
from models.stills.objective import StylePicture
from models.stills.paint import Painting, Progress, paint
from models.stills.progress import ProgressBar, ProgressLines, write_line
from models.stills.settings import INITS, GatysSettings
from models.vgg import LossNetwork, load_loss_network
from realtime.errors import EXIT_DONE, EXIT_OUTPUT, OutputError, UserError
from realtime.program.same_files import Identities, check_not_source, identities
from realtime.program.standard_streams import lose_unread

EVERYWHERE = "none"  # in place of a mask


def run(args: argparse.Namespace) -> int:
    """Paints as the command line asks for.

    Returns:
        An exit code: 0 done, 5 the picture lies in another place than the one asked for.
    Raises:
        UserError: something the user can mend.
    """
    settings = settings_of(args)
    output = Path(args.output)
    check_format(output, args.bits)
    extra = Path(args.styles) if args.styles else None
    pictures = [style_picture(style, extra) for style in args.style]
    read = _files_read(args, pictures)
    check_not_source(output, read)
    check_place(output, args.overwrite)
    if args.progress_picture is not None:
        _check_progress_picture(Path(args.progress_picture), output, read, args.overwrite)
    if args.save_every is not None:
        _check_steps(output, args.save_every, read, args.overwrite)
    content = read_still(Path(args.content))
    styles = _styles(args, pictures)
    start = read_still(Path(args.init)) if args.init not in (None, *INITS) else None
    device = _device(args)
    network = load_loss_network(settings.layers(), Path(args.vgg) if args.vgg else None, settings.pooling)
    watch, close = _watchers(args, output)
    try:
        with enough_memory(f"for {settings.size} pixels; try a smaller --size, --tile or --history"):
            painting = paint(content, styles, settings, network.features.to(device), start, watch)
    finally:
        close()
    text = {"Software": "StyleCam", "StyleCam": _description(args, settings, network, painting)}
    place, reason = write_somewhere(output, encode_still(output, painting.picture, args.bits, text))
    if painting.fallbacks:
        count = painting.fallbacks
        print(f"note: {count} steps ended in values that are not finite and were taken back", file=sys.stderr)
    if reason is not None:
        print(f"error: {output}: cannot be written ({reason}); the picture lies in {place}", file=sys.stderr)
    if args.progress_lines:
        lose_unread("stdout")  # there is nothing left that a reader who leaves could end
        write_line(event="done", output=str(place), seconds=round(painting.seconds, 2), loss=painting.loss)
    elif not args.quiet:
        print(f"{place}: loss {painting.loss:.4g} after {painting.evaluations} evaluations, {painting.seconds:.1f} s")
    return EXIT_DONE if reason is None else EXIT_OUTPUT


def _styles(args: argparse.Namespace, pictures: Sequence[Path]) -> list[StylePicture]:
    masks = args.masks or [EVERYWHERE] * len(args.style)
    if len(masks) != len(args.style):
        raise UserError(f"--masks: {len(masks)} given for {len(args.style)} styles; give one for each, or {EVERYWHERE}")
    return [
        StylePicture(read_still(picture), None if mask.lower() == EVERYWHERE else read_mask(Path(mask)))
        for picture, mask in zip(pictures, masks, strict=True)
    ]


def _device(args: argparse.Namespace) -> torch.device:
    if args.threads is not None:
        if args.threads < 1:
            raise UserError(f"--threads {args.threads}: expected at least 1")
        torch.set_num_threads(args.threads)
    return choose_device(args.device)


def _watchers(args: argparse.Namespace, output: Path) -> tuple[Callable[[Progress], None], Callable[[], None]]:
    """What is called at each step, and at the end."""
    bar = ProgressBar(args.quiet or args.progress_lines)
    picture = None if args.progress_picture is None else Path(args.progress_picture)
    lines = ProgressLines(args.progress_lines, picture) if args.progress_lines or picture is not None else None

    def watch(progress: Progress) -> None:
        bar(progress)
        if lines is not None:
            lines(progress)
        if args.save_every is not None and progress.step % args.save_every == 0:
            _save_step(output, progress, args)

    return watch, bar.close


def _files_read(args: argparse.Namespace, pictures: Sequence[Path]) -> Identities:
    """The files that are read, those of the styles among them, none of which may be written over."""
    paths = [args.content, *(mask for mask in args.masks or [] if mask.lower() != EVERYWHERE)]
    paths += [args.init] if args.init not in (None, *INITS) else []
    return identities([*map(Path, paths), *pictures])


def _check_progress_picture(path: Path, output: Path, read: Identities, overwrite: bool) -> None:
    """Refuses a picture of the progress that would be written over what is read, the result, or a file of somebody's.

    Raises:
        OutputError: with the reason.
    """
    check_format(path, 8)
    check_not_source(path, read, "--progress-picture")
    if os.path.realpath(path) == os.path.realpath(output):
        raise OutputError(f"--progress-picture {path}: is the output itself; name another file")
    check_place(path, overwrite, "--progress-picture")


def _check_steps(output: Path, save_every: int, read: Identities, overwrite: bool) -> None:
    """Refuses pictures of steps that lie there already, before the work is done."""
    if save_every < 1:
        raise UserError(f"--save-every {save_every}: expected at least 1")
    name = re.compile(rf"{re.escape(output.stem)}_\d{{6,}}{re.escape(output.suffix)}")
    taken = sorted(path.name for path in output.parent.glob("*") if name.fullmatch(path.name))
    if taken and not overwrite:
        raise OutputError(f"{output.with_name(taken[0])}: exists already; add --overwrite to replace it")
    for name_taken in taken:
        check_not_source(output.with_name(name_taken), read, "--save-every")


def _save_step(output: Path, progress: Progress, args: argparse.Namespace) -> None:
    path = output.with_name(f"{output.stem}_{progress.step:06d}{output.suffix}")
    try:
        write_whole(path, encode_still(path, progress.picture(), args.bits, {}))
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); leave out --save-every or make room") from None


def _description(args: argparse.Namespace, settings: GatysSettings, network: LossNetwork, painting: Painting) -> str:
    """How the picture was made, as JSON: settings and names, never folders, which are the user's own affair."""
    return json.dumps(
        settings.as_plain()
        | {
            "preset": args.preset,
            "content": Path(args.content).name,
            "styles": [Path(style).name for style in args.style],
            "masks": [Path(mask).name for mask in args.masks or []],
            "started_from": settings.init if args.init is None else Path(args.init).name,
            "vgg": network.source,
            "vgg_sha256": network.sha256,
            "computed_in": painting.precision,
            "loss": painting.loss,
            "evaluations": painting.evaluations,
            "took_s": round(painting.seconds, 1),
        }
    )
