"""Colours of video: which matrix and range a file means, YUV to BGR and back by exactly those, tags for the output."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from realtime.frame import Image

# The numbers are those of ITU-T H.273, which FFmpeg uses too.
BT709, UNSPECIFIED, BT470BG, BT601, BT2020 = 1, 2, 5, 6, 9
LIMITED, FULL = 1, 2
_KNOWN_MATRICES = frozenset({1, 4, 5, 6, 7, 9})  # those that swscale can compute
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
    shrinks = size_wh[0] < frame.width
    same = size_wh == (frame.width, frame.height)
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


def to_codec_frame(image_bgr: Image, tags: ColourTags, pixel_format: str, reformatter: VideoReformatter) -> Any:
    """A picture (H, W, 3) uint8 as a frame for an encoder: YUV by the tags' matrix and range, or RGB as it is."""
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
