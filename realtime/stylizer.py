"""One network, ready to paint: a frame in, a painted frame out, whatever contract the ONNX file follows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from realtime.errors import ModelError, UserError
from realtime.frame import Image
from realtime.gallery import PRECISIONS, TIERS, Style, verify
from realtime.memory import available_bytes
from realtime.providers import Choice, create_session, has_fast_int8, nvidia_driver_loads
from realtime.tiles import measure_reach, paint_in_tiles, paint_smaller

_CONTRACT_VERSION = "1"
_LARGEST_STRIDE = 32
_KNOWN = (
    "uint8 [batch, height, width, 3] (StyleCam), float32 [batch, 3, height, width] (fast-neural-style) "
    "or float32 [batch, height, width, 3] (AnimeGAN)"
)
# What a network may take for itself at once; a larger picture is painted in tiles.
_WORKING_BYTES_ON_CPU = 512 * 2**20
_WORKING_BYTES_ON_GPU = 4 * 2**30
# Bytes that onnxruntime takes for each pixel, as measured: fast 52, the network of Johnson et al. 835.
_BYTES_PER_PIXEL = {"fast": 64, "fine": 400}
_BYTES_PER_PIXEL_OF_FOREIGN = 900


class Layout(Enum):
    """How a network wants its picture."""

    FRAME = "uint8 NHWC BGR"
    PLANES = "float NCHW RGB"
    PIXELS = "float NHWC RGB"


@dataclass(frozen=True)
class ModelChoice:
    """What the user asks for: tier, precision, provider, and the value range of a foreign model."""

    tier: str = "auto"
    precision: str = "auto"
    provider: str = "auto"
    value_range: tuple[float, float] | None = None
    threads: int = 0


class Stylizer:
    """A session of one style.

    provider: the one that executes. tier, precision: of the file in use.

    Args:
        style: with at least one model file.
        choice: what the user asked for.
    Raises:
        ModelError: the file is missing, damaged, or takes a shape that is not known.
    """

    def __init__(self, style: Style, choice: ModelChoice) -> None:
        self.tier, self.precision = _choose_file(style, choice)
        model = style.models[self.tier][self.precision]
        data = verify(model)
        self._session, self.provider = create_session(data, Choice(choice.provider, choice.threads), model.path.name)
        self._input = self._one(self._session.get_inputs(), "inputs", model.path.name)
        self._output_name = self._one(self._session.get_outputs(), "outputs", model.path.name).name
        self._layout = _recognise(self._input, model.path.name)
        self._range = choice.value_range or ((-1.0, 1.0) if self._layout is Layout.PIXELS else (0.0, 255.0))
        metadata = self._session.get_modelmeta().custom_metadata_map
        self.stride = self._read_stride(metadata, model.path.name)
        self._fixed_hw = _fixed_size(self._input.shape, self._layout)
        self._bytes_per_pixel = _BYTES_PER_PIXEL[self.tier] if self._layout is Layout.FRAME else _BYTES_PER_PIXEL_OF_FOREIGN
        working_bytes = _WORKING_BYTES_ON_CPU if self.provider == "cpu" else _WORKING_BYTES_ON_GPU
        self.whole_pixels = working_bytes // self._bytes_per_pixel

    def style(self, image_bgr: Image) -> Image:
        """Paints one picture, in tiles where the network would need too much memory for the whole.

        Args:
            image_bgr: (H, W, 3) uint8, of any size.
        Returns:
            The same shape and type.
        Raises:
            ModelError: the network failed or returned something else than a picture.
        """
        pixels = image_bgr.shape[0] * image_bgr.shape[1]
        if self._fixed_hw is not None or pixels <= self.whole_pixels:
            return self._style_whole(image_bgr)
        if self.reach is not None:
            return paint_in_tiles(self._style_whole, image_bgr, self.whole_pixels, self.reach)
        room = max(self.whole_pixels, (available_bytes() or 0) // 2 // self._bytes_per_pixel)
        return self._style_whole(image_bgr) if pixels <= room else paint_smaller(self._style_whole, image_bgr, room)

    @cached_property
    def reach(self) -> int | None:
        """How far in pixels the network sees, measured when first asked for; None where that is the whole picture."""
        return measure_reach(self._style_whole)

    def _style_whole(self, image_bgr: Image) -> Image:
        height, width = image_bgr.shape[:2]
        if self._fixed_hw is not None:
            fitted = cv2.resize(image_bgr, self._fixed_hw[::-1], interpolation=cv2.INTER_AREA)
        else:
            fitted = _pad(image_bgr, self.stride)
        painted = self._from_output(self._run(self._to_input(np.asarray(fitted, np.uint8))))
        if self._fixed_hw is not None:
            return np.asarray(cv2.resize(painted, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
        if painted.shape[0] < height or painted.shape[1] < width:
            raise ModelError(f"model: returned {painted.shape[1]}x{painted.shape[0]} for {width}x{height}; not a style network")
        if painted.shape != fitted.shape:  # a network that enlarges
            painted = np.asarray(cv2.resize(painted, fitted.shape[1::-1], interpolation=cv2.INTER_AREA), np.uint8)
        return painted[:height, :width]

    def warm_up(self, size_wh: tuple[int, int]) -> None:
        """Runs once at a size, so that the first frame shown does not pay for memory and kernels."""
        self.style(np.zeros((size_wh[1], size_wh[0], 3), np.uint8))

    def _run(self, batch: Any) -> Any:
        try:
            return self._session.run([self._output_name], {self._input.name: batch})[0]
        except Exception as error:  # onnxruntime's own exception types have no common base but Exception
            raise ModelError(f"model: the network failed ({str(error).splitlines()[0][:160]})") from None

    def _to_input(self, image_bgr: Image) -> Any:
        if self._layout is Layout.FRAME:
            return image_bgr[np.newaxis]
        low, high = self._range
        pixels = image_bgr[:, :, ::-1].astype(np.float32) * np.float32((high - low) / 255) + np.float32(low)
        if self._layout is Layout.PIXELS:
            return pixels[np.newaxis]
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))[np.newaxis]

    def _from_output(self, batch: Any) -> Image:
        channels_at = 1 if self._layout is Layout.PLANES else 3
        if batch.ndim != 4 or len(batch) != 1 or batch.shape[channels_at] != 3:
            raise ModelError(f"model: returned the shape {batch.shape}, expected one picture of three channels")
        if self._layout is Layout.FRAME and batch.dtype != np.uint8:
            raise ModelError(f"model: returned {batch.dtype} for uint8, expected the same type")
        picture = batch[0]
        if self._layout is Layout.FRAME:
            return np.asarray(picture)
        if self._layout is Layout.PLANES:
            picture = picture.transpose(1, 2, 0)
        low, high = self._range
        grey_levels = np.clip(np.rint((picture - low) * (255 / (high - low))), 0, 255).astype(np.uint8)
        return np.ascontiguousarray(grey_levels[:, :, ::-1])

    def _read_stride(self, metadata: dict[str, str], name: str) -> int:
        if self._layout is not Layout.FRAME:
            return 4
        if metadata.get("contract", _CONTRACT_VERSION) != _CONTRACT_VERSION:
            raise ModelError(
                f"model {name}: contract {metadata['contract']!r}, this program knows {_CONTRACT_VERSION!r}; update it"
            )
        text = metadata.get("stride", str(_LARGEST_STRIDE))
        if not text.isdigit() or int(text) < 1 or _LARGEST_STRIDE % int(text):
            raise ModelError(f"model {name}: stride {text!r}, expected a divisor of {_LARGEST_STRIDE}")
        return int(text)

    @staticmethod
    def _one(found: list[Any], what: str, name: str) -> Any:
        if len(found) != 1:
            raise ModelError(f"model {name}: has {len(found)} {what}, expected one; known are {_KNOWN}")
        return found[0]


def parse_range(text: str) -> tuple[float, float]:
    """ "0..1" as two numbers.

    Raises:
        UserError: not of that form, or empty.
    """
    low, separator, high = text.partition("..")
    try:
        values = (float(low), float(high))
    except ValueError:
        separator, values = "", (0.0, 0.0)
    if not separator or not values[0] < values[1] or not np.isfinite(values).all():
        raise UserError(f"--model-range {text}: expected LOW..HIGH, as in 0..255, 0..1 or -1..1")
    return values


def _choose_file(style: Style, choice: ModelChoice) -> tuple[str, str]:
    """Tier and precision among the files that a style has."""
    tiers = [tier for tier in TIERS if style.models.get(tier)]
    tier = tiers[0] if choice.tier == "auto" else choice.tier
    if tier not in tiers:
        raise ModelError(f"--tier {tier}: the style {style.name} has {', '.join(tiers)}")
    precisions = [precision for precision in PRECISIONS if precision in style.models[tier]]
    if choice.precision != "auto":
        if choice.precision not in precisions:
            raise ModelError(f"--precision {choice.precision}: {style.name} ({tier}) has {', '.join(precisions)}")
        return tier, choice.precision
    on_processor = choice.provider == "cpu" or (choice.provider == "auto" and not nvidia_driver_loads())
    if "int8" in precisions and on_processor and has_fast_int8():
        return tier, "int8"
    return tier, precisions[0]


def _recognise(found: Any, name: str) -> Layout:
    shape = found.shape
    if len(shape) == 4:
        if found.type == "tensor(uint8)" and shape[3] == 3:
            return Layout.FRAME
        if found.type == "tensor(float)" and shape[1] == 3:
            return Layout.PLANES
        if found.type == "tensor(float)" and shape[3] == 3:
            return Layout.PIXELS
    raise ModelError(f"model {name}: takes {found.type} {shape}; known are {_KNOWN}")


def _fixed_size(shape: list[Any], layout: Layout) -> tuple[int, int] | None:
    height, width = (shape[2], shape[3]) if layout is Layout.PLANES else (shape[1], shape[2])
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None


def _pad(image_bgr: Image, stride: int) -> Image:
    """Extends bottom and right by reflection to multiples of stride; the picture itself where it fits."""
    height, width = image_bgr.shape[:2]
    down, right = -height % stride, -width % stride
    if not down and not right:
        return np.ascontiguousarray(image_bgr)
    # A picture smaller than what is added cannot be mirrored often enough: its edge is repeated.
    border = cv2.BORDER_REFLECT_101 if down < height and right < width else cv2.BORDER_REPLICATE
    return np.asarray(cv2.copyMakeBorder(image_bgr, 0, down, 0, right, border), np.uint8)
