"""Pictures in and out of PyTorch: load, save, resize. The one place in models/ that uses OpenCV."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from realtime.errors import OutputError
from realtime.pictures.files import read_picture
from realtime.program.quiet import silent_libraries
from realtime.program.written_paths import whole_file

_LARGEST_ASPECT = 4  # of a picture that is enlarged: its long side by its short one


def load_image(path: Path) -> Tensor:
    """Reads a picture as a viewer shows it: upright, its colours brought to sRGB by its profile, on white.

    Returns:
        (3, H, W) uint8, RGB.
    Raises:
        SourceError: not there, not a picture, cut short, or too large.
    """
    return picture_of(read_picture(path).opaque_bgr)


def save_image(path: Path, picture_rgb: Tensor) -> None:
    """Writes a picture whole or not at all.

    Args:
        picture_rgb: (3, H, W) float 0..1 (values outside are clamped) or uint8.
    Raises:
        OutputError: the file cannot be written.
    """
    image_bgr = image_of(picture_rgb)
    try:
        # OpenCV warns on stderr of a quality given for any other format.
        quality = [cv2.IMWRITE_JPEG_QUALITY, 92] if path.suffix.lower() in (".jpg", ".jpeg") else []
        done, data = cv2.imencode(path.suffix, image_bgr, quality)
        if not done:
            raise OutputError(f"picture {path}: OpenCV cannot write {path.suffix or 'a file without suffix'}; try .png")
        with whole_file(path) as partial:
            partial.write_bytes(data.tobytes())
    except cv2.error:
        raise OutputError(f"picture {path}: OpenCV cannot write {path.suffix or 'a file without suffix'}; try .png") from None
    except OSError as error:
        raise OutputError(f"picture {path}: cannot be written ({error.strerror})") from None


def decode_deep_image(data: bytes) -> Tensor | None:
    """A picture of 16 bits a channel, its EXIF orientation applied.

    Returns:
        (3, H, W) float32, 0..1, RGB; None where the picture has another depth or cannot be decoded.
    """
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
    try:
        with silent_libraries():
            image_bgr = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except cv2.error:
        return None
    if image_bgr is None or image_bgr.dtype != np.uint16:
        return None
    levels = np.ascontiguousarray(image_bgr[:, :, ::-1].transpose(2, 0, 1)).astype(np.float32)
    return torch.from_numpy(levels / 65535)


def encode_image(suffix: str, picture_rgb: Tensor, bits: int = 8, quality: int = 95) -> bytes:
    """The bytes of a picture file.

    Args:
        suffix: of the format, such as ".png".
        picture_rgb: (3, H, W) float 0..1; values outside are clamped.
        bits: 8 or 16 a channel.
        quality: of a JPEG, up to 100.
    Raises:
        OutputError: OpenCV cannot write the format.
    """
    highest, kind = (65535, np.uint16) if bits == 16 else (255, np.uint8)
    levels = (picture_rgb.detach().cpu().double() * highest).round().clamp(0, highest).numpy().astype(kind)
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if suffix in (".jpg", ".jpeg") else []
    try:
        done, data = cv2.imencode(suffix, np.ascontiguousarray(levels.transpose(1, 2, 0)[:, :, ::-1]), options)
    except cv2.error:
        done = False
    if not done:
        raise OutputError(f"OpenCV cannot write {suffix or 'a file without suffix'}; try .png")
    return data.tobytes()


def resize_short_side(picture_rgb: Tensor, short_side: int) -> Tensor:
    """Resizes so that the shorter side has the given number of pixels, areas averaged when shrinking.

    Args:
        picture_rgb: (3, H, W) uint8.
    Returns:
        (3, H', W') uint8, the aspect kept.
    """
    _, height, width = picture_rgb.shape
    scale = short_side / min(height, width)
    if scale == 1:
        return picture_rgb
    size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    resized = cv2.resize(picture_rgb.permute(1, 2, 0).numpy(), size_wh, interpolation=method)
    return torch.from_numpy(np.ascontiguousarray(resized.transpose(2, 0, 1)))


def cut_long_side(picture_rgb: Tensor, choose: Callable[[int], int] = lambda excess: excess // 2) -> Tensor:
    """A part of a picture whose long side is many times the short one, the whole of any other: what is enlarged stays small.

    Args:
        picture_rgb: (3, H, W).
        choose: of so many pixels too many, how many lie before the part; the middle by default.
    Returns:
        (3, H', W'), the long side at most four times the short one.
    """
    _, height, width = picture_rgb.shape
    longest = _LARGEST_ASPECT * min(height, width)
    axis = 1 if height > width else 2
    excess = max(height, width) - longest
    return picture_rgb.narrow(axis, choose(excess), longest) if excess > 0 else picture_rgb


def as_batch(picture_rgb: Tensor) -> Tensor:
    """(3, H, W) uint8 -> (1, 3, H, W) float32, 0..1."""
    return picture_rgb.unsqueeze(0).float() / 255


def crop_to_multiple(picture_rgb: Tensor, stride: int) -> Tensor:
    """Cuts the bottom and right so that (..., H, W) are multiples of stride."""
    height, width = picture_rgb.shape[-2:]
    return picture_rgb[..., : height // stride * stride, : width // stride * stride]


def picture_of(image_bgr: npt.NDArray[np.uint8]) -> Tensor:
    """(H, W, 3) uint8 BGR, as OpenCV gives it -> (3, H, W) uint8 RGB."""
    return torch.from_numpy(np.ascontiguousarray(image_bgr[:, :, ::-1].transpose(2, 0, 1)))


def image_of(picture_rgb: Tensor) -> npt.NDArray[np.uint8]:
    """(3, H, W) float 0..1 (values outside are clamped) or uint8, RGB -> (H, W, 3) uint8 BGR, as OpenCV takes it."""
    picture = picture_rgb.detach().cpu()
    if picture.dtype != torch.uint8:
        picture = (picture.float() * 255).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(picture.numpy().transpose(1, 2, 0)[:, :, ::-1])
