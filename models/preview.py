"""Previews of a training: held-out photographs, painted as they would be after export."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from models.generator import Generator
from models.images import as_batch, crop_to_multiple, load_image, resize_short_side
from models.photos import evaluation_photos
from realtime.errors import SourceError

_MOST_PHOTOS = 8
_IN_A_ROW = 4
_LARGEST_SHORT_SIDE = 480  # a camera's photograph at its full size would take gigabytes to paint
_STRIDE = 8


def preview_photos(photos: list[Path]) -> list[Tensor]:
    """Up to eight of the held-out photographs, (3, H, W) uint8 each; those that cannot be used are left out."""
    pictures: list[Tensor] = []
    for path in evaluation_photos(photos):
        try:
            picture = load_image(path)
        except SourceError:
            continue
        if min(picture.shape[1:]) > _LARGEST_SHORT_SIDE:
            picture = resize_short_side(picture, _LARGEST_SHORT_SIDE)
        picture = crop_to_multiple(picture, _STRIDE)
        if picture.numel():  # nothing is left of a tiny one
            pictures.append(picture)
        if len(pictures) == _MOST_PHOTOS:
            break
    return pictures


def paint_preview(generator: Generator, photos: list[Tensor], device: torch.device) -> Tensor:
    """The photographs as the generator paints them now, in rows of four, cut to the smallest: (3, H, W) float, 0..1."""
    with torch.no_grad():
        painted = [generator(as_batch(photo).to(device))[0].cpu().clamp(0, 1) for photo in photos]
    height = min(picture.shape[1] for picture in painted)
    width = min(picture.shape[2] for picture in painted)
    cut = [picture[:, :height, :width] for picture in painted]
    rows = [torch.cat(cut[k : k + _IN_A_ROW], 2) for k in range(0, len(cut) // _IN_A_ROW * _IN_A_ROW, _IN_A_ROW)]
    return torch.cat(rows, 1) if rows else painted[0]
