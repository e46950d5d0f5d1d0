"""Colours of video: which matrix and range a file means, YUV to BGR and back by exactly those, tags for the output."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

# isort: split
import av
from av.video.reformatter import Interpolation, VideoReformatter

from realtime.frame import Image

# The numbers are those of ITU-T H.273, which FFmpeg uses too.
BT709, UNSPECIFIED, BT470BG, BT601, BT2020 = 1, 2, 5, 6, 9
LIMITED, FULL = 1, 2
_KNOWN_MATRICES = frozenset({1, 4, 5, 6, 7, 9})  # those that swscale can compute
# Shares of red and blue in luma; of green it is the rest.
_LUMA_SHARES = {BT709: (0.2126, 0.0722), BT470BG: (0.299, 0.114), BT601: (0.299, 0.114), BT2020: (0.2627, 0.0593)}
_QUARTER_CHROMA = frozenset({"yuv420p", "yuvj420p"})
_HD_SIZE = (1280, 577)  # from this width or height on, players take an untagged video for BT.709
# swscale's quick paths are wrong by up to five grey levels.
_EXACT = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP


@dataclass(frozen=True)
class ColourTags:
    """What the numbers of a video mean, and what its output is told about them.

    matrix: YUV coefficients by which pictures are converted; always one that is known.
    range: LIMITED (16..235) or FULL (0..255).
    transfer, primaries: passed on as they are.
    tagged_matrix: what the output states; UNSPECIFIED where the source leaves it open and players disagree.
    """

    matrix: int = BT709
    range: int = LIMITED
    transfer: int = BT709
    primaries: int = BT709
    tagged_matrix: int = BT709

    @property
    def stated(self) -> ColourTags:
        """The same with the matrix stated: for a picture whose size no longer tells it."""
        return replace(self, tagged_matrix=self.matrix)


def read_tags(frame: Any) -> ColourTags:
    """The tags of a decoded frame, what is missing filled in as players do.

    An untagged video of a small size is BT.601 for everybody and gets that tag. An untagged large one is BT.709 for
    players and BT.601 for FFmpeg: it is painted as BT.709 and stays untagged, so that whatever shows it treats source
    and output alike.
    """
    if not _is_yuv(frame):
        return ColourTags()
    matrix = int(frame.colorspace)
    full = frame.color_range == FULL or frame.format.name.startswith("yuvj")
    found = ColourTags(matrix, FULL if full else LIMITED, int(frame.color_trc), int(frame.color_primaries), matrix)
    if matrix in _KNOWN_MATRICES:
        return found
    is_hd = frame.width >= _HD_SIZE[0] or frame.height >= _HD_SIZE[1]
    return replace(found, matrix=BT709 if is_hd else BT601, tagged_matrix=UNSPECIFIED if is_hd else BT601)


def convert(frame: Any, tags: ColourTags, pixel_format: str, size_wh: tuple[int, int], reformatter: VideoReformatter) -> Any:
    """A decoded frame as an array of full range.

    Args:
        pixel_format: "bgr24", "bgra" or "gbrp16le"; the last comes back as R, G, B (rgb48le wraps around in dark colours).
        size_wh: of the result.
    Returns:
        (H, W, 3 or 4) uint8 or uint16.
    """
    same = size_wh == (frame.width, frame.height)
    if pixel_format == "bgr24" and same and _is_plain(frame, tags):
        return _convert_plain(frame, tags)
    shrinks = size_wh[0] < frame.width
    scaling = Interpolation.BILINEAR if same else Interpolation.AREA if shrinks else Interpolation.BICUBIC
    is_yuv = _is_yuv(frame)
    converted = reformatter.reformat(
        frame,
        width=size_wh[0],
        height=size_wh[1],
        format=pixel_format,
        src_colorspace=_for_swscale(tags.matrix) if is_yuv else None,
        src_color_range=tags.range if is_yuv else FULL,
        dst_color_range=FULL,
        interpolation=scaling | _EXACT,
        threads=1,
    )
    return converted.to_ndarray()


def _is_plain(frame: Any, tags: ColourTags) -> bool:
    """Whether a frame is what most films are made of: 8 bits, one value of chroma for each 2x2 pixels, an even size."""
    even = frame.width % 2 == 0 and frame.height % 2 == 0
    return even and frame.format.name in _QUARTER_CHROMA and tags.matrix in _LUMA_SHARES


def _convert_plain(frame: Any, tags: ColourTags) -> Any:
    """The same as swscale's exact path (to which it is nearer than one grey level in the mean), in a quarter of the time."""
    size_wh = (frame.width, frame.height)
    luma, *chroma = (
        np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width] for plane in frame.planes
    )
    blue, red = (cv2.resize(plane, size_wh, interpolation=cv2.INTER_LINEAR) for plane in chroma)
    return cv2.transform(cv2.merge([luma, blue, red]), _yuv_to_bgr(tags.matrix, tags.range))


def _to_plain(image_bgr: Image, tags: ColourTags) -> Any:
    """The way back: a yuv420p frame whose chroma is the mean of 2x2 pixels."""
    height, width = image_bgr.shape[:2]
    frame: Any = av.VideoFrame(width, height, "yuv420p")
    luma, *chroma = cv2.split(cv2.transform(image_bgr, _bgr_to_yuv(tags.matrix, tags.range)))
    halves = (cv2.resize(plane, (width // 2, height // 2), interpolation=cv2.INTER_AREA) for plane in chroma)
    for plane, values in zip(frame.planes, (luma, *halves), strict=True):
        np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width] = values
    return frame


@lru_cache(maxsize=16)
def _yuv_to_bgr(matrix: int, range_: int) -> Any:
    """(3, 4) float32: B, G, R of full range out of Y, U, V and 1 (ITU-T H.273, 8.3)."""
    linear, offset = _bgr_to_yuv_exactly(matrix, range_)
    inverse = np.linalg.inv(linear)
    return np.hstack([inverse, -inverse @ offset]).astype(np.float32)


@lru_cache(maxsize=16)
def _bgr_to_yuv(matrix: int, range_: int) -> Any:
    """(3, 4) float32: Y, U, V out of B, G, R of full range and 1."""
    return np.hstack(_bgr_to_yuv_exactly(matrix, range_)).astype(np.float32)


def _bgr_to_yuv_exactly(matrix: int, range_: int) -> tuple[Any, Any]:
    """The linear part (3, 3) and the offset (3, 1)."""
    red, blue = _LUMA_SHARES[matrix]
    luma = np.array([blue, 1 - red - blue, red])
    of_blue = (np.array([1, 0, 0]) - luma) / (2 * (1 - blue))
    of_red = (np.array([0, 0, 1]) - luma) / (2 * (1 - red))
    limited = range_ != FULL
    scales = np.array([[219 / 255], [224 / 255], [224 / 255]]) if limited else np.ones((3, 1))
    return np.stack([luma, of_blue, of_red]) * scales, np.array([[16.0 if limited else 0.0], [128.0], [128.0]])


def to_codec_frame(image_bgr: Image, tags: ColourTags, pixel_format: str, reformatter: VideoReformatter) -> Any:
    """A picture (H, W, 3) uint8 as a frame for an encoder: YUV by the tags' matrix and range, or RGB as it is."""
    if pixel_format == "yuv420p" and not any(side % 2 for side in image_bgr.shape[:2]) and tags.matrix in _LUMA_SHARES:
        return _to_plain(image_bgr, tags)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image_bgr), format="bgr24")
    if pixel_format == "bgr24":
        return frame
    if pixel_format.startswith("bgr"):
        return reformatter.reformat(frame, format=pixel_format, threads=1)
    return reformatter.reformat(
        frame,
        format=pixel_format,
        src_color_range=FULL,
        dst_colorspace=_for_swscale(tags.matrix),
        dst_color_range=tags.range,
        interpolation=Interpolation.BILINEAR | _EXACT,
        threads=1,
    )


def tag_encoder(encoder: Any, tags: ColourTags) -> None:
    """States the colours in the stream that an encoder will write."""
    encoder.colorspace, encoder.color_range = tags.tagged_matrix, tags.range
    encoder.color_trc, encoder.color_primaries = tags.transfer, tags.primaries


def has_alpha(frame: Any) -> bool:
    """Whether a frame's format has transparency."""
    return bool(len(frame.format.components)) and any(component.is_alpha for component in frame.format.components)


def bit_depth(frame: Any) -> int:
    """Bits of a frame's deepest component."""
    return max((component.bits for component in frame.format.components), default=8)


def _is_yuv(frame: Any) -> bool:
    return not frame.format.is_rgb and not frame.format.has_palette


def _for_swscale(matrix: int) -> int:
    return BT470BG if matrix == BT601 else matrix  # the same coefficients; swscale knows them by one number
