"""Decoded frames made into the pictures that are painted: right colours, upright, eight bits, opaque, of one size."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from av.video.reformatter import VideoReformatter

from realtime.errors import UserError
from realtime.frame import Image
from realtime.program.notes import Note, said_once
from realtime.video.colour import ColourTags, bit_depth, convert, has_alpha, read_tags
from realtime.video.excerpt import Scale, scaled_size
from realtime.video.opening import LARGEST_SIDE
from realtime.video.tone_mapping import DEFAULT_PEAK_NITS, HLG, PQ, ToneMapper

_MOST_PIXELS = 140_000_000  # FFmpeg holds no picture that is much larger
_HDR_NAMES = {PQ: "PQ", HLG: "HLG"}


class PictureMaker:
    """Turns the frames of one video into upright BGR pictures, all of the first one's size.

    source_wh: of the upright first frame before scaling; None before it.
    colours: how the output is to be encoded so that it looks as the source; of the first frame.
    is_turned: whether the last frame was stored a quarter turn away from how it is shown.

    Args:
        scale: factor, or box (width, height) that the picture is fitted into; None leaves the size.
        note: told, once each, what was changed.
    """

    def __init__(self, description: str, scale: Scale, note: Note) -> None:
        self.source_wh: tuple[int, int] | None = None
        self.colours = ColourTags()
        self._description, self._scale = description, scale
        self._note_once = said_once(lambda text: note(f"{description}: {text}"))
        self._size_wh = (0, 0)
        self._reformatter = VideoReformatter()
        self._tone_mapper: ToneMapper | None = None
        self.is_turned = False

    def make(self, frame: Any) -> Image:
        """The picture (H, W, 3) uint8 BGR of a decoded frame."""
        orientation = _orientation(frame)
        self.is_turned = orientation[0]
        stored_wh = (frame.width, frame.height)
        upright_wh = stored_wh[::-1] if orientation[0] else stored_wh
        tags = read_tags(frame)
        if self.source_wh is None:
            self._begin(upright_wh, tags)
        elif upright_wh != self.source_wh:
            self._note_once(f"the picture's size changes from {_by(self.source_wh)} to {_by(upright_wh)}; brought to the first")
        wanted_wh = self._size_wh[::-1] if orientation[0] else self._size_wh
        if tags.transfer in _HDR_NAMES:
            picture = self._tone_map(frame, tags, wanted_wh)
        elif has_alpha(frame):
            picture = self._flatten(convert(frame, tags, "bgra", wanted_wh, self._reformatter))
        else:
            if bit_depth(frame) > 8:
                self._note_once(f"{bit_depth(frame)} bits a colour reduced to 8")
            picture = convert(frame, tags, "bgr24", wanted_wh, self._reformatter)
        return _turn_upright(picture, orientation)

    def _begin(self, upright_wh: tuple[int, int], tags: ColourTags) -> None:
        self.source_wh, self._size_wh = upright_wh, scaled_size(upright_wh, self._scale)
        is_too_large = max(self._size_wh) > LARGEST_SIDE or math.prod(self._size_wh) > _MOST_PIXELS
        if is_too_large and self._size_wh != upright_wh:
            raise UserError(
                f"{self._description}: --scale: {_by(upright_wh)} enlarged to {_by(self._size_wh)}, expected at most "
                f"{LARGEST_SIDE} pixels on a side and {_MOST_PIXELS // 1_000_000} megapixels; give a smaller scale"
            )
        if tags.transfer in _HDR_NAMES:
            self.colours = ColourTags()
        else:
            self.colours = tags if self._size_wh == upright_wh else tags.stated

    def _tone_map(self, frame: Any, tags: ColourTags, size_wh: tuple[int, int]) -> Image:
        if self._tone_mapper is None:
            self._tone_mapper = ToneMapper(tags.transfer, _peak_nits(frame))
        self._note_once(f"HDR ({_HDR_NAMES[tags.transfer]}) tone-mapped to BT.709, 8 bits")
        return self._tone_mapper.to_bgr(convert(frame, tags, "gbrp16le", size_wh, self._reformatter))

    def _flatten(self, picture_bgra: Image) -> Image:
        alpha = picture_bgra[..., 3]
        opaque = np.ascontiguousarray(picture_bgra[..., :3])
        if int(alpha.min()) == 255:
            return opaque
        self._note_once("transparency laid over white")
        share = alpha[..., None].astype(np.float32) / 255
        return np.rint(opaque * share + 255 * (1 - share)).astype(np.uint8)


def _orientation(frame: Any) -> tuple[bool, bool, bool]:
    """(transposed, then mirrored left-right, then mirrored up-down) from the display matrix, to the nearest quarter turn.

    The matrix [a b; c d] in 16.16 sends a stored place (x, y) to the shown place (a x + c y, b x + d y).
    """
    side_data = frame.side_data.get("DISPLAYMATRIX")
    if side_data is None:
        return False, False, False
    a, b, _, c, d = np.frombuffer(bytes(side_data), np.int32)[:5].tolist()
    return (True, c < 0, b < 0) if abs(b) > abs(a) else (False, a < 0, d < 0)


def _turn_upright(picture: Image, orientation: tuple[bool, bool, bool]) -> Image:
    transposed, mirrored, upside_down = orientation
    if not any(orientation):
        return picture
    turned = picture.transpose(1, 0, 2) if transposed else picture
    return np.ascontiguousarray(turned[:: -1 if upside_down else 1, :: -1 if mirrored else 1])


def _peak_nits(frame: Any) -> float:
    """Brightest light that the file's content light level states, where it makes sense."""
    side_data = frame.side_data.get("CONTENT_LIGHT_LEVEL")
    stated = int(np.frombuffer(bytes(side_data), np.uint32)[0]) if side_data is not None else 0
    return float(stated) if 100 <= stated <= 10000 else DEFAULT_PEAK_NITS


def _by(size_wh: tuple[int, int]) -> str:
    return f"{size_wh[0]}x{size_wh[1]}"
