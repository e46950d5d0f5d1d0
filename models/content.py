"""Content photographs as training crops: two overlapping views of each, as two frames of a camera would be."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from models.images import cut_long_side, load_image, resize_short_side
from models.photos import list_photos, training_photos
from realtime.errors import SourceError

_CACHE_BYTES = 2 * 2**30
CONTEXT = 48  # pixels of surroundings on each side of the first view: further in than borders are seen by the network
# A photo is enlarged by up to this much, since live frames are smoother than small photos; not at all half of the time.
_SMALLEST_SCALE, _LARGEST_SCALE = 0.7, 1.3


@dataclass(frozen=True)
class Views:
    """Two views of each photo of a batch and how far the second one is shifted.

    first: (B, 3, size + 96, size + 96) float, 0..1: with 48 pixels of the photo's surroundings on each side.
    second: (B, 3, size, size), noisy. A pixel (y, x) of it is (y + down, x + right) of the first's middle.
    """

    first: Tensor
    second: Tensor
    down: int
    right: int
    noise_std: Tensor  # (B,) of the second view

    @staticmethod
    def middle(wide: Tensor) -> Tensor:
        """A wide view without its surroundings."""
        return wide[..., CONTEXT:-CONTEXT, CONTEXT:-CONTEXT]

    def overlap(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """The parts of two batches, one for each view, that show the same."""
        height, width = first.shape[-2:]
        return (
            first[..., self.down :, self.right :],
            second[..., : height - self.down, : width - self.right],
        )


class ContentPhotos:
    """Random crops of the training photos of a folder, decoded photos kept in memory as far as they fit.

    Args:
        folder: a folder with photographs; every 50th is left out, for measuring.
        size: side of a crop in pixels.
        largest_shift: of the second view against the first, in pixels.
    Raises:
        SourceError: no usable photo in the folder.
    """

    def __init__(self, folder: Path, size: int, generator: torch.Generator, largest_shift: int = 8) -> None:
        self._paths = training_photos(list_photos(folder))
        self._size = size
        self._side = size + 2 * CONTEXT + largest_shift
        self._random = generator
        self._largest_shift = largest_shift
        self._cache: dict[Path, Tensor] = {}
        self._cached_bytes = 0
        self._queue: list[int] = []
        self._unreadable: set[Path] = set()

    def __len__(self) -> int:
        return len(self._paths)

    @property
    def unreadable(self) -> int:
        """How many of the pictures that were wanted so far could not be read."""
        return len(self._unreadable)

    def state(self) -> dict[str, Any]:
        """Where the round of photos stands, in plain numbers: for a checkpoint, beside the generator's state."""
        return {"count": len(self._paths), "queue": list(self._queue)}

    def restore(self, state: Any) -> None:
        """Goes on with a round that was broken off; of other photos, or of a state that is none, a new round begins."""
        queue = state.get("queue") if isinstance(state, dict) and state.get("count") == len(self._paths) else None
        if isinstance(queue, list) and all(type(number) is int and 0 <= number < len(self._paths) for number in queue):
            self._queue = list(queue)

    def next_views(self, batch: int) -> Views:
        """Two views of the next photos in random order."""
        down, right = (self._integer(0, self._largest_shift) for _ in range(2))
        crops = torch.stack([self._next_crop() for _ in range(batch)]).float() / 255
        size = self._size
        first = crops[..., : size + 2 * CONTEXT, : size + 2 * CONTEXT]
        top, left = CONTEXT + down, CONTEXT + right
        second = crops[..., top : top + size, left : left + size]
        noise_std = torch.exp(torch.empty(batch).uniform_(-5.8, -3.2, generator=self._random))  # 0.003 .. 0.04
        second = second + noise_std.reshape(-1, 1, 1, 1) * self._camera_noise(second.shape)
        return Views(first, second.clamp(0, 1), down, right, noise_std)

    def _camera_noise(self, shape: torch.Size) -> Tensor:
        """Sensor noise, and the coarser noise that a camera's compression makes of it; about unit variance."""
        batch, channels, height, width = shape
        fine = torch.randn(shape, generator=self._random)
        coarse_shape = (batch, channels, -(-height // 8), -(-width // 8))
        coarse = torch.randn(coarse_shape, generator=self._random)
        coarse = F.interpolate(coarse, scale_factor=8, mode="bilinear")[..., :height, :width]
        return 0.7 * fine + 0.9 * coarse

    def _next_crop(self) -> Tensor:
        picture = cut_long_side(self._next_photo(), lambda excess: self._integer(0, excess))
        side = self._side
        scale = max(1.0, float(torch.empty(()).uniform_(_SMALLEST_SCALE, _LARGEST_SCALE, generator=self._random)))
        short = min(picture.shape[1:])
        needed = round(max(short, self._size) * scale)
        picture = resize_short_side(picture, needed)
        missing = (side - self._size) // 2  # surroundings of a photo hardly larger than a crop: its reflection
        picture = F.pad(picture[None].float(), (missing,) * 4, mode="reflect")[0].to(picture.dtype)
        top = self._integer(0, picture.shape[1] - side)
        left = self._integer(0, picture.shape[2] - side)
        crop = picture[:, top : top + side, left : left + side]
        return crop.flip(2) if self._integer(0, 1) else crop

    def _next_photo(self) -> Tensor:
        while True:
            if not self._queue:
                if len(self._unreadable) == len(self._paths):
                    raise SourceError("content folder: none of its pictures can be read; give one with JPEG or PNG photographs")
                self._queue = torch.randperm(len(self._paths), generator=self._random).tolist()
            path = self._paths[self._queue.pop()]
            if path in self._unreadable:  # stays in its place, so that a training that goes on draws the same ones
                continue
            if path in self._cache:
                return self._cache[path]
            try:
                picture = load_image(path)
            except SourceError as error:
                self._unreadable.add(path)
                print(f"skipped: {error}", file=sys.stderr)
                continue
            if min(picture.shape[1:]) > self._side:  # seen as a whole, not through a keyhole
                picture = resize_short_side(picture, self._side)
            if self._cached_bytes + picture.numel() <= _CACHE_BYTES:
                self._cache[path] = picture
                self._cached_bytes += picture.numel()
            return picture

    def _integer(self, low: int, high: int) -> int:
        """A random whole number, both ends included."""
        return int(torch.randint(low, high + 1, (), generator=self._random))
