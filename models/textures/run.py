"""One run of python -m models.textures: a painting or a network in; a picture, a video or a network out."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

import torch
from tqdm import tqdm

from models.devices import choose_device, enough_memory
from models.losses import STYLE_LAYERS
from models.painting import load_painting, style_picture
from models.schedule import Progress
from models.stills.files import encode_still, keep_somewhere, write_somewhere
from models.texture_net import TextureNet, TextureSettings
from models.textures.arguments import USUAL_FPS, USUAL_SECONDS, USUAL_STEPS, USUAL_STYLE_SIZE
from models.textures.checks import check_arguments, is_video
from models.textures.files import SUFFIX, encode_texture, load_texture
from models.textures.paint import paint_picture, paint_round, write_film
from models.textures.training import TextureRecipe, TextureTraining, train_texture
from models.vgg import load_loss_network
from realtime.errors import EXIT_DONE, EXIT_INTERRUPTED, EXIT_OUTPUT, UserError
from realtime.program.interruption import StopRequest
from realtime.program.notes import print_note


def run(args: argparse.Namespace) -> int:
    """Learns and paints as the command line asks for.

    Returns:
        An exit code: 0 done, 5 a file lies in another place than the one asked for, 130 where a signal ended the training
        or the video early; what was made is written first.
    Raises:
        UserError: something the user can mend; a network that was learnt is kept.
        KeyboardInterrupt: interrupted where nothing was made yet; a network that was learnt is kept.
    """
    is_network = Path(args.source).suffix == SUFFIX
    source = Path(args.source) if is_network else style_picture(args.source)
    check_arguments(args, source, is_network)
    device = choose_device(args.device)
    if is_network:
        network, codes = load_texture(source).to(device), set()
    else:
        network, is_interrupted = _learn(args, source, device)
        codes = {EXIT_INTERRUPTED} if is_interrupted else set()
        if args.save is not None:
            codes.add(_write(Path(args.save), encode_texture(network, source.name), args.quiet))
    if args.output is not None:
        try:
            codes.add(_paint(network, Path(args.output), args, source.name))
        except UserError as error:
            if is_network or args.save is not None:
                raise
            raise type(error)(f"{error}; {_keep(network, source)}") from None
        except KeyboardInterrupt:
            if not (is_network or args.save is not None):
                print_note(_keep(network, source))
            raise
    return next((code for code in (EXIT_OUTPUT, EXIT_INTERRUPTED) if code in codes), EXIT_DONE)


def _learn(args: argparse.Namespace, picture: Path, device: torch.device) -> tuple[TextureNet, bool]:
    """The network, and whether its training was interrupted."""
    painting = load_painting(picture, args.style_size or USUAL_STYLE_SIZE)
    loss_network = load_loss_network(STYLE_LAYERS, Path(args.vgg) if args.vgg else None)
    recipe = TextureRecipe(seed=args.seed, learning_rate=args.learning_rate or TextureRecipe.learning_rate)
    progress = Progress(None if args.minutes else args.steps or USUAL_STEPS, args.minutes)
    bar = tqdm(total=progress.steps_wanted, unit="step", disable=True if args.quiet else None, file=sys.stderr)
    last_loss = math.nan

    def tell(loss: float) -> None:
        nonlocal last_loss
        last_loss = loss
        bar.set_postfix(style=f"{loss:.3f}", refresh=False)
        bar.update()

    stop = StopRequest()
    try:
        with enough_memory("to train; try a smaller --style-size"):
            training = TextureTraining(loss_network.features, painting, TextureSettings(), recipe, device)
            network = train_texture(training, progress, tell, lambda: stop.requested)
    finally:
        bar.close()
        stop.restore()
    if not progress.step:
        raise KeyboardInterrupt
    if stop.requested:
        print_note(f"interrupted after {progress.step} steps; what was learnt until then is used")
    if not args.quiet:
        print(f"{picture.name}: {progress.step} steps, {progress.seconds:.0f} s, style loss {last_loss:.3f}")
    return network, stop.requested


def _keep(network: TextureNet, source: Path) -> str:
    """Keeps a network that nothing came of, so that it need not be learnt again; returns where it lies, in words."""
    place = keep_somewhere(source.stem + SUFFIX, encode_texture(network, source.name))
    return "what was learnt is lost: no folder takes it" if place is None else f"what was learnt lies in {place}"


def _paint(network: TextureNet, output: Path, args: argparse.Namespace, name: str) -> int:
    """Writes the picture or the video; returns an exit code.

    Raises:
        KeyboardInterrupt: interrupted before there was a picture.
    """
    with enough_memory("for this --size; try a smaller one"):
        if is_video(output):
            return _film(network, output, args)
        made = json.dumps({"texture_of": name, "seed": args.seed, "size_wh": args.size})
        picture = paint_picture(network, args.size, args.seed)
        return _write(output, encode_still(output, picture, 8, {"Software": "StyleCam", "StyleCam": made}), args.quiet)


def _film(network: TextureNet, output: Path, args: argparse.Namespace) -> int:
    fps = args.fps or USUAL_FPS
    count = max(1, round((args.seconds or USUAL_SECONDS) * fps))
    stop = StopRequest()  # another one: what ended a training early does not end the video that shows it
    try:
        pictures = paint_round(network, args.size, args.seed, count)
        made = write_film(
            output, pictures, count, fps, overwrite=args.overwrite, quiet=args.quiet, is_stopped=lambda: stop.requested
        )
    finally:
        stop.restore()
    if not made:
        raise KeyboardInterrupt
    if made < count:
        print_note(f"interrupted after {made} of {count} pictures; what there is of the loop is kept")
        return EXIT_INTERRUPTED
    if not args.quiet:
        print(f"{output}: {count} pictures")
    return EXIT_DONE


def _write(path: Path, data: bytes, quiet: bool) -> int:
    """Writes a file to its place, or to another one where that cannot be written; returns an exit code."""
    place, reason = write_somewhere(path, data)
    if reason is not None:
        print(f"error: {path}: cannot be written ({reason}); it lies in {place}", file=sys.stderr)
        return EXIT_OUTPUT
    if not quiet:
        print(f"{place}: {len(data):,} bytes")
    return EXIT_DONE
