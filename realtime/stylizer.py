"""One network, ready to paint: a frame in, a painted frame out, whatever contract the ONNX file follows."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from realtime.errors import ModelError, first_line
from realtime.frame import Image
from realtime.gallery import PRECISIONS, TIERS, Style, verify
from realtime.networks.arena import ARENA
from realtime.networks.gpu_session import GPU, GpuSession, Shape
from realtime.networks.layouts import CONTRACT_VERSION, KNOWN, Layout, fixed_size, recognise, to_batch, to_picture
from realtime.networks.memory import half_of_memory, share_of_memory
from realtime.networks.model_choice import ModelChoice, choose_file
from realtime.networks.outside_weights import outside_weights
from realtime.networks.placement import Placement
from realtime.networks.providers import NVIDIA_PROVIDERS, SessionSettings, create_session, expected_provider, placement_of
from realtime.networks.tiles import measure_reach, paint_in_tiles, paint_smaller

_LARGEST_STRIDE = 32
# What a network may take for itself at once, pictures painted at the same time included while memory is short; a larger
# picture is painted in tiles.
_WORKING_BYTES_ON_CPU = 704 * 2**20  # a picture of 3840x2160 in the tier fast
_WORKING_BYTES_ON_GPU = 4 * 2**30
# Bytes that onnxruntime takes for each pixel at the first run of a size, as measured: fast 84, fine 169, the network of
# Johnson et al. 835; at later ones it takes less (see arena.py).
_BYTES_PER_PIXEL = {"fast": 88, "fine": 200}
_BYTES_PER_PIXEL_OF_FOREIGN = 900
_TINY_SIDE = 64  # pixels; a multiple of every stride


class _Limits(NamedTuple):
    """What decides how a picture is painted that is too large to be painted at once.

    reach: how far the network sees in pixels; None where that is the whole picture.
    untiled_pixels: of the largest picture that is painted whole where it cannot be tiled.
    """

    reach: int | None
    untiled_pixels: int


class Stylizer:
    """A session of one style.

    provider: the one that executes. tier, precision, sha256: of the file in use.

    Args:
        style: with at least one model file.
        choice: what the user asked for.
    Raises:
        ModelError: the file is missing, damaged, or takes a shape that is not known.
    """

    _gpu: GpuSession | None = None
    _measured: _Limits | None = None

    def __init__(self, style: Style, choice: ModelChoice) -> None:
        self.tier, self.precision = choose_file(style, choice)
        data, outside, wanted, name = self._load(style, choice)
        with GPU.shared():  # without a GPU nobody ever waits there
            self._session, self.provider = create_session(data, wanted, name)
        if self.provider == "cpu" and expected_provider(choice.provider) != "cpu":  # the GPU's file is not the processor's
            self.tier, self.precision = choose_file(style, replace(choice, provider="cpu"))
            data, outside, wanted, name = self._load(style, choice)
            self._session, self.provider = create_session(data, replace(wanted, provider="cpu"), name)
        self.sha256 = _sha256(data, outside)
        self._input = self._one(self._session.get_inputs(), "inputs", name)
        self._output_name = self._one(self._session.get_outputs(), "outputs", name).name
        self._layout = recognise(self._input, name)
        self._range = choice.value_range or ((-1.0, 1.0) if self._layout is Layout.PIXELS else (0.0, 255.0))
        metadata = self._session.get_modelmeta().custom_metadata_map
        self.stride = self._read_stride(metadata, name)
        if style.is_one_file and self._layout is Layout.FRAME:  # its name says nothing, its metadata do
            self.tier = _one_of(TIERS, metadata.get("tier"), self.tier)
            self.precision = _one_of(PRECISIONS, metadata.get("precision"), self.precision)
        self._fixed_hw = fixed_size(self._input.shape, self._layout)
        self._bytes_per_pixel = _BYTES_PER_PIXEL[self.tier] if self._layout is Layout.FRAME else _BYTES_PER_PIXEL_OF_FOREIGN
        working_bytes = _WORKING_BYTES_ON_CPU if self.provider == "cpu" else _WORKING_BYTES_ON_GPU
        self._lanes = choice.lanes
        self.whole_pixels = share_of_memory(working_bytes, self._lanes) // self._bytes_per_pixel
        self._measuring = threading.Lock()
        if self.provider in NVIDIA_PROVIDERS and self._layout is Layout.FRAME:
            self._gpu = self._gpu_session(data, replace(wanted, provider=self.provider), name)

    def style(self, image_bgr: Image) -> Image:
        """Paints one picture, in tiles where the network would need too much memory for the whole.

        As many threads as the choice has lanes may do so at the same time.

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
        limits = self._limits()
        if limits.reach is not None:
            return paint_in_tiles(self._style_whole, image_bgr, self.whole_pixels, limits.reach)
        if pixels <= limits.untiled_pixels:
            return self._style_whole(image_bgr)
        return paint_smaller(self._style_whole, image_bgr, limits.untiled_pixels)

    @property
    def takes_range(self) -> bool:
        """Whether the network computes in floats of a range that has to be known: other people's do."""
        return self._layout is not Layout.FRAME

    @property
    def reach(self) -> int | None:
        """How far in pixels the network sees, measured when first asked for; None where that is the whole picture."""
        return self._limits().reach

    def _limits(self) -> _Limits:
        """Found out once, by one lane while the others wait: what a network takes for the first frame of a film must not
        make the second one smaller."""
        with self._measuring:
            if self._measured is None:
                room = half_of_memory() // self._lanes // self._bytes_per_pixel
                self._measured = _Limits(measure_reach(self._style_whole), max(self.whole_pixels, room))
            return self._measured

    def _style_whole(self, image_bgr: Image) -> Image:
        height, width = image_bgr.shape[:2]
        if self._fixed_hw is not None:
            fitted = cv2.resize(image_bgr, self._fixed_hw[::-1], interpolation=cv2.INTER_AREA)
        else:
            fitted = _pad(image_bgr, self.stride)
        painted = to_picture(
            self._run(to_batch(np.asarray(fitted, np.uint8), self._layout, self._range)), self._layout, self._range
        )
        if self._fixed_hw is not None:
            return np.asarray(cv2.resize(painted, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
        if painted.shape[0] < height or painted.shape[1] < width:
            raise ModelError(f"model: returned {painted.shape[1]}x{painted.shape[0]} for {width}x{height}; not a style network")
        if painted.shape[0] >= fitted.shape[0] + _LARGEST_STRIDE:  # a network that enlarges; less is a border, cut off below
            painted = np.asarray(cv2.resize(painted, fitted.shape[1::-1], interpolation=cv2.INTER_AREA), np.uint8)
        return painted[:height, :width]

    def is_ready_at(self, size_wh: tuple[int, int]) -> bool:
        """Whether a picture of this size is painted without preparation; a GPU records a run for each size first."""
        return self._gpu is None or self._gpu.is_prepared(self._shape_of(size_wh))

    def warm_up(self, size_wh: tuple[int, int]) -> None:
        """Runs once at a size, so that the first frame shown does not pay for memory and kernels."""
        if self._gpu is not None:
            with _named_errors():
                self._gpu.prepare(self._shape_of(size_wh))
            return
        self.style(np.zeros((size_wh[1], size_wh[0], 3), np.uint8))

    def make_ready(self, size_wh: tuple[int, int]) -> None:
        """What a style needs that is not on show yet, with as little as possible taken from the one that is.

        On a processor that is a run on a tiny picture, which finds a network that fails: memory is shared and laid out for
        the style on show, and a whole frame beside it would cost it one of its own.
        """
        if self.provider != "cpu" or self._layout is not Layout.FRAME or self._fixed_hw is not None:
            self.warm_up(size_wh)
            return
        tiny = np.zeros((1, _TINY_SIDE, _TINY_SIDE, 3), np.uint8)
        with _named_errors():  # without the arena's options: another shape would give back what the style on show computes in
            self._session.run([self._output_name], {self._input.name: tiny})

    def _load(self, style: Style, choice: ModelChoice) -> tuple[bytes, list[Path], SessionSettings, str]:
        """Bytes of the chosen file, what it keeps outside, what its session shall run on, and its name for messages."""
        model = style.models[self.tier][self.precision]
        data = verify(model)
        outside = outside_weights(data, model.path)
        if outside and model.sha256 is not None:  # which vouches for one file alone
            raise ModelError(f"model {model.path}: keeps weights in other files; expected all in one")
        folder = str(model.path.parent) if outside else ""
        wanted = SessionSettings(choice.provider, choice.threads, precision=self.precision, weights_folder=folder)
        return data, outside, wanted, model.path.name

    def placement(self, size_wh: tuple[int, int]) -> Placement | None:
        """Which nodes the provider runs at a size; None on the processor, which runs all, and where it cannot be told."""
        if self._gpu is None:
            return None if self.provider == "cpu" else placement_of(self._session, self.provider)
        with _named_errors():
            return self._gpu.prepare(self._shape_of(size_wh)).placement

    def describe_run(self, size_wh: tuple[int, int]) -> str:
        """How a GPU runs a size that it is ready for: recorded or not, and nodes left elsewhere; "" on a processor."""
        if self._gpu is None or not self._gpu.is_prepared(shape := self._shape_of(size_wh)):
            return ""
        prepared = self._gpu.prepare(shape)
        graph = "CUDA graph" if prepared.uses_graph else "no CUDA graph"
        return f"{graph}, {prepared.placement.describe()}" if prepared.placement else graph

    def _shape_of(self, size_wh: tuple[int, int]) -> Shape:
        height, width = (-(-side // self.stride) * self.stride for side in size_wh[::-1])
        return (1, height, width, 3)

    def _gpu_session(self, data: bytes, wanted: SessionSettings, name: str) -> GpuSession:
        dimensions = self._input.shape[:3]

        def make(shape: Shape, uses_graph: bool) -> Any:
            sizes = {free: size for free, size in zip(dimensions, shape, strict=False) if isinstance(free, str)}
            return create_session(data, replace(wanted, sizes=sizes, cuda_graph=uses_graph), name)[0]

        return GpuSession(make, lambda session: placement_of(session, self.provider), lanes=self._lanes)

    def _run(self, batch: Any) -> Any:
        with _named_errors():
            if self._gpu is not None and self._gpu.is_worth_preparing(batch.shape):
                return self._gpu.run(batch)
            with GPU.shared():
                options = ARENA.options_for(batch.shape) if self.provider == "cpu" else None
                return self._session.run([self._output_name], {self._input.name: batch}, options)[0]

    def _read_stride(self, metadata: dict[str, str], name: str) -> int:
        if self._layout is not Layout.FRAME:  # which does not tell how often it halves the picture
            return _LARGEST_STRIDE
        if metadata.get("contract", CONTRACT_VERSION) != CONTRACT_VERSION:
            raise ModelError(
                f"model {name}: contract {metadata['contract']!r}, this program knows {CONTRACT_VERSION!r}; update it"
            )
        text = metadata.get("stride", str(_LARGEST_STRIDE))
        if not re.fullmatch("[1-9][0-9]?", text) or _LARGEST_STRIDE % int(text):
            raise ModelError(f"model {name}: stride {text[:20]!r}, expected a divisor of {_LARGEST_STRIDE}")
        return int(text)

    @staticmethod
    def _one(found: list[Any], what: str, name: str) -> Any:
        if len(found) != 1:
            raise ModelError(f"model {name}: has {len(found)} {what}, expected one; known are {KNOWN}")
        return found[0]


def _sha256(data: bytes, outside: Sequence[Path]) -> str:
    """Of a model with all its weights."""
    digest = hashlib.sha256(data)
    for path in outside:
        try:
            digest.update(path.read_bytes())
        except OSError as error:
            raise ModelError(f"model {path}: cannot be read ({error.strerror})") from None
    return digest.hexdigest()


def _one_of(known: Sequence[str], found: str | None, otherwise: str) -> str:
    return found if found in known and found is not None else otherwise


@contextmanager
def _named_errors() -> Iterator[None]:
    """What onnxruntime raises as a ModelError of one line; its own exception types have no common base but Exception."""
    try:
        yield
    except Exception as error:
        raise ModelError(f"model: the network failed ({first_line(error)})") from None


def _pad(image_bgr: Image, stride: int) -> Image:
    """Extends bottom and right by reflection to multiples of stride; the picture itself where it fits."""
    height, width = image_bgr.shape[:2]
    down, right = -height % stride, -width % stride
    if not down and not right:
        return np.ascontiguousarray(image_bgr)
    # A picture smaller than what is added cannot be mirrored often enough: its edge is repeated.
    border = cv2.BORDER_REFLECT_101 if down < height and right < width else cv2.BORDER_REPLICATE
    return np.asarray(cv2.copyMakeBorder(image_bgr, 0, down, 0, right, border), np.uint8)
