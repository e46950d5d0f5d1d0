"""One run of python -m models.textures: a painting or a network in, pictures, a video or a network out."""

from __future__ import annotations

import argparse
import json
import math
import sys
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from models.devices import bfloat16_pays, choose_device, enough_memory
from models.losses import STYLE_LAYERS
from models.names import say
from models.schedule import Progress
from models.stills.files import OUTPUT_SUFFIXES, encode_still, write_whole
from models.stills.run import style_picture
from models.texture_net import SMALLEST_SIDE, TextureNet, TextureSettings, draw_noise, turned_noise
from models.textures.arguments import USUAL_FPS, USUAL_SECONDS, USUAL_STEPS, USUAL_STYLE_SIZE
from models.textures.files import SUFFIX, load_texture, save_texture
from models.textures.training import TextureRecipe, TextureTraining, train_texture
from models.train import load_painting
from models.vgg import load_loss_network
from realtime.errors import EXIT_DONE, EXIT_INTERRUPTED, OutputError, UserError, reason_of
from realtime.program.interruption import StopRequest
from realtime.program.notes import print_note
from realtime.program.same_files import check_not_source, identities
from realtime.program.written_paths import check_writable
from realtime.video.codecs import choose_encoding
from realtime.video.names import WRITTEN_SUFFIXES
from realtime.video.writer import VideoFileSink

_MOST_PIXELS = 4096 * 2304  # takes 6 GB of memory in bfloat16, 10 in float32
_LONGEST_S = 600.0
_FPS = (1.0, 120.0)
_TRAINING_OPTIONS = ("steps", "minutes", "save", "style_size", "learning_rate", "vgg")
_VIDEO_OPTIONS = ("seconds", "fps")


def run(args: argparse.Namespace) -> int:
    """Learns and paints as the command line asks for.

    Returns:
        An exit code: 0 done, 130 where a signal ended the training or the video early; what was made is written first.
    Raises:
        UserError: something the user can mend.
    """
    source = Path(args.source)
    is_network = source.suffix == SUFFIX
    picture = source if is_network else style_picture(args.source)
    output = Path(args.output) if args.output else None
    _check(args, picture, output, is_network)
    device = choose_device(args.device)
    stop = StopRequest()
    try:
        network = load_texture(picture) if is_network else _learn(args, picture, device, stop)
        if output is not None:
            with torch.inference_mode(), enough_memory("for this --size; try a smaller one"):
                _paint(network.to(device), output, args, picture.name, stop)
    finally:
        stop.restore()
    return EXIT_INTERRUPTED if stop.requested else EXIT_DONE


def _learn(args: argparse.Namespace, picture: Path, device: torch.device, stop: StopRequest) -> TextureNet:
    painting = load_painting(picture, args.style_size or USUAL_STYLE_SIZE)
    loss_network = load_loss_network(STYLE_LAYERS, Path(args.vgg) if args.vgg else None)
    recipe = TextureRecipe(seed=args.seed, learning_rate=args.learning_rate or TextureRecipe.learning_rate)
    progress = Progress(None if args.minutes else args.steps or USUAL_STEPS, args.minutes)
    bar = tqdm(total=progress.steps_wanted, unit="step", disable=True if args.quiet else None, file=sys.stderr)
    last_loss = math.nan

    def tell(_progress: Progress, loss: float) -> None:
        nonlocal last_loss
        last_loss = loss
        bar.set_postfix(style=f"{loss:.3f}", refresh=False)
        bar.update()

    try:
        with enough_memory("to train; try a smaller --style-size"):
            training = TextureTraining(loss_network.features, painting, TextureSettings(), recipe, device)
            network = train_texture(training, progress, tell, lambda: stop.requested)
    finally:
        bar.close()
    if stop.requested:
        print_note(f"interrupted after {progress.step} steps; what was learnt until then is used")
    if args.save:
        save_texture(network, Path(args.save), picture.name)
    if not args.quiet:
        say(f"{picture.name}: {progress.step} steps, {progress.seconds:.0f} s, style loss {last_loss:.3f}")
    return network


def _paint(network: TextureNet, output: Path, args: argparse.Namespace, name: str, stop: StopRequest) -> None:
    random = torch.Generator().manual_seed(args.seed)
    start = draw_noise(network.settings, args.size, random)
    if output.suffix.lower() not in OUTPUT_SUFFIXES:
        _film(network, output, args, (start, draw_noise(network.settings, args.size, random)), stop)
    else:
        made = json.dumps({"texture_of": name, "seed": args.seed, "size_wh": args.size})
        data = encode_still(output, painted(network, start), 8, {"Software": "StyleCam", "StyleCam": made})
        try:
            write_whole(output, data)
        except OSError as error:
            raise OutputError(f"{output}: cannot be written ({reason_of(error)}); give another place") from None
    if not args.quiet:
        say(f"{output}: {args.size[0]}x{args.size[1]}")


def painted(network: TextureNet, noise: list[Tensor]) -> Tensor:
    """(3, H, W) float 0..1 on the processor, painted wherever the network is, in the precision it was trained in there."""
    device = network.to_rgb.weight.device
    with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16_pays(device)):
        return network([level.to(device) for level in noise])[0].float().cpu()


def _film(
    network: TextureNet, output: Path, args: argparse.Namespace, ends: tuple[list[Tensor], list[Tensor]], stop: StopRequest
) -> None:
    """One round through the noise: the last picture is followed by the first."""
    fps = args.fps or USUAL_FPS
    count = max(1, round((args.seconds or USUAL_SECONDS) * fps))
    sink = VideoFileSink(output, Fraction(fps).limit_denominator(1001), args.overwrite, note=print_note)
    bar = tqdm(total=count, unit="frame", disable=True if args.quiet else None, file=sys.stderr)
    try:
        for number in range(count):
            if stop.requested:
                break
            picture = painted(network, turned_noise(*ends, 2 * math.pi * number / count))
            image_bgr = (picture * 255).round().to(torch.uint8).permute(1, 2, 0).flip(2).contiguous().numpy()
            sink.write(image_bgr, None)
            bar.update()
    finally:
        bar.close()
        sink.close(complete=True)


def _check(args: argparse.Namespace, picture: Path, output: Path | None, is_network: bool) -> None:
    """Refuses what cannot be done before anything is learnt; notes options without effect.

    Raises:
        UserError: with the reason.
    """
    if is_network:
        _note_idle(args, _TRAINING_OPTIONS, f"{picture.name} is trained already")
    save = None if is_network or args.save is None else Path(args.save)
    if output is None and save is None:
        raise UserError("nothing to make: give -o OUT.png" + ("" if is_network else ", or --save FILE" + SUFFIX))
    if save is not None and save.suffix != SUFFIX:
        raise OutputError(f"--save {save}: a network's name ends in {SUFFIX}")
    read = identities([picture])
    for path, option in ((output, "--output"), (save, "--save")):
        if path is not None:
            check_not_source(path, read, option)
            check_writable(path, f"{option} {path}", args.overwrite)
    _check_size(args.size)
    if output is None or output.suffix.lower() in OUTPUT_SUFFIXES:
        _note_idle(args, _VIDEO_OPTIONS, "no video is made")
    else:
        _check_video(args, output)


def _check_size(size_wh: tuple[int, int]) -> None:
    width, height = size_wh
    if min(size_wh) < SMALLEST_SIDE:
        raise UserError(f"--size {width}x{height}: expected at least {SMALLEST_SIDE}x{SMALLEST_SIDE}")
    if width * height > _MOST_PIXELS:
        raise UserError(f"--size {width}x{height}: expected at most {_MOST_PIXELS:,} pixels; it can be laid side by side")


def _check_video(args: argparse.Namespace, output: Path) -> None:
    if output.suffix.lower() not in WRITTEN_SUFFIXES:
        raise OutputError(
            f"--output {output}: expected a name ending in {' '.join(OUTPUT_SUFFIXES)} for a picture, or in "
            f"{' '.join(WRITTEN_SUFFIXES)} for a video"
        )
    choose_encoding(output, None, None, None)
    if args.fps is not None and not _FPS[0] <= args.fps <= _FPS[1]:
        raise UserError(f"--fps {args.fps:g}: expected {_FPS[0]:g} to {_FPS[1]:g}")
    if args.seconds is not None and args.seconds > _LONGEST_S:
        raise UserError(f"--seconds {args.seconds:g}: expected at most {_LONGEST_S:g}; a round can be played again")


def _note_idle(args: argparse.Namespace, names: tuple[str, ...], reason: str) -> None:
    for name in names:
        if getattr(args, name) is not None:
            print_note(f"--{name.replace('_', '-')}: has no effect here, {reason}")
