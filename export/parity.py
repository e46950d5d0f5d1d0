"""PyTorch against onnxruntime: how far their paintings of the same pictures differ, in grey levels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort
import torch
from torch import Tensor

from models.generator import Generator
from realtime.networks.providers import SessionSettings, create_session

Frames = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

LARGEST_DIFFERENCE = 2
MEAN_DIFFERENCE = 0.1


@dataclass(frozen=True)
class Parity:
    """The largest and the mean difference over all pictures, in grey levels."""

    largest: int
    mean: float

    @property
    def is_good(self) -> bool:
        """Within what rounding explains."""
        return self.largest <= LARGEST_DIFFERENCE and self.mean <= MEAN_DIFFERENCE


def measure_parity(generator: Generator, path: Path, sizes_hw: Sequence[tuple[int, int]]) -> Parity:
    """Paints pictures of noise at several scales with both.

    Args:
        generator: in evaluation mode; run as it was trained, nothing folded, on floats and RGB.
        path: its ONNX file.
        sizes_hw: multiples of the generator's stride.
    """
    session = _session(path)
    differences = []
    for number, (height, width) in enumerate(sizes_hw):
        frame = soft_noise(height, width, number)
        exported = session.run(None, {"frame": frame[np.newaxis]})[0][0]
        batch_rgb = torch.from_numpy(frame[:, :, ::-1].transpose(2, 0, 1).copy()).unsqueeze(0).float() / 255
        with torch.no_grad():
            painted = _to_frame(generator(batch_rgb))
        differences.append(np.abs(exported.astype(np.int16) - painted.numpy().astype(np.int16)).reshape(-1))
    joined = np.concatenate(differences)
    return Parity(int(joined.max()), float(joined.mean()))


def _session(path: Path) -> ort.InferenceSession:
    return create_session(path.read_bytes(), SessionSettings("cpu"), path.name)[0]


def _to_frame(painted: Tensor) -> Tensor:
    """(1, 3, H, W) RGB 0..1 to (H, W, 3) uint8 BGR."""
    return (painted[0] * 255).round().clamp(0, 255).to(torch.uint8).flip(0).permute(1, 2, 0)


def measure_precision(exact: Path, coarse: Path, frames: Iterable[Frames]) -> Parity:
    """How far a network of a coarser precision is from its float32 original, both in onnxruntime on the processor.

    Args:
        exact, coarse: ONNX files by the contract.
        frames: (1, H, W, 3) uint8 each, sides multiples of the networks' stride.
    """
    sessions = [_session(path) for path in (exact, coarse)]
    differences = []
    for frame in frames:
        first, second = (session.run(None, {"frame": frame})[0].astype(np.int16) for session in sessions)
        differences.append(np.abs(first - second).reshape(-1))
    joined = np.concatenate(differences)
    return Parity(int(joined.max()), float(joined.mean()))


def soft_frames(sizes_hw: Sequence[tuple[int, int]]) -> Iterator[Frames]:
    """Noise at several scales in each of the sizes: (1, H, W, 3) uint8."""
    return (soft_noise(height, width, number)[np.newaxis] for number, (height, width) in enumerate(sizes_hw))


def soft_noise(height: int, width: int, seed: int) -> Frames:
    """A picture (H, W, 3) uint8 of noise at several scales."""
    random = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    for size in (3, 12, 48, 192):
        coarse = random.random((size, size, 3), dtype=np.float32)
        picture += np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR))
    picture -= picture.min()
    return (picture / picture.max() * 255).astype(np.uint8)
