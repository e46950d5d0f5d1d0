"""Paints with a texture network: one picture, or a video that is a loop."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from models.devices import bfloat16_pays
from models.images import image_of
from models.texture_net import TextureNet, draw_noise, turned_noise
from realtime.errors import ModelError
from realtime.program.notes import print_note
from realtime.video.resume import discard_unfinished, is_unfinished
from realtime.video.writer import VideoFileSink


def paint_picture(network: TextureNet, size_wh: tuple[int, int], seed: int) -> Tensor:
    """The picture of a seed.

    Returns:
        (3, H, W) float 0..1 on the processor.
    Raises:
        ModelError: values that are not finite.
    """
    return _painted(network, draw_noise(network.settings, size_wh, torch.Generator().manual_seed(seed)))


def paint_round(network: TextureNet, size_wh: tuple[int, int], seed: int, count: int) -> Iterator[Tensor]:
    """The pictures of one round through the noise, the first of them the seed's own; the last leads back to it."""
    random = torch.Generator().manual_seed(seed)
    start, end = (draw_noise(network.settings, size_wh, random) for _ in range(2))
    for number in range(count):
        yield _painted(network, turned_noise(start, end, 2 * math.pi * number / count))


def write_film(
    path: Path,
    pictures: Iterator[Tensor],
    count: int,
    fps: float,
    *,
    overwrite: bool,
    quiet: bool,
    is_stopped: Callable[[], bool],
) -> int:
    """Writes a video; one that is stopped early ends there. With overwrite, what an earlier run left beside
    it is taken away.

    Args:
        pictures: `count` of (3, H, W) float 0..1.
    Returns:
        How many pictures it has; without any there is no file.
    Raises:
        OutputError: it cannot be written.
    """
    if overwrite and is_unfinished(path):
        discard_unfinished(path)
    sink = VideoFileSink(path, Fraction(fps).limit_denominator(1001), overwrite, note=print_note)
    bar = tqdm(total=count, unit="frame", disable=True if quiet else None, file=sys.stderr)
    try:
        for picture in pictures:
            if is_stopped():
                break
            sink.write(image_of(picture), None)
            bar.update()
    finally:
        bar.close()
        sink.close(complete=True)  # whatever happened: pictures that were made are kept, as of every film
    return sink.frames_written


@torch.inference_mode()
def _painted(network: TextureNet, noise: list[Tensor]) -> Tensor:
    """Painted wherever the network is, in the precision that it was trained in there."""
    device = network.to_rgb.weight.device
    with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16_pays(device)):
        picture = network([level.to(device) for level in noise])[0].float().cpu()
    if not bool(torch.isfinite(picture).all()):
        raise ModelError("texture network: paints values that are not finite; learn it anew, with a smaller --learning-rate")
    return picture
