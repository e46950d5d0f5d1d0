"""The codecs of --codec: which files hold them, which encoders make them, how quality is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import av
import av.error

from realtime.errors import OutputError, UserError, reason_of
from realtime.pictures.files import PICTURE_SUFFIXES
from realtime.video.names import CODEC_NAMES, ENCODER_NAMES, SOFTWARE, WRITTEN_SUFFIXES

_MP4, _MATROSKA = "mp4", "matroska"
# What a name's ending means to FFmpeg. Each is written so that a file that breaks off can be played.
FORMATS = {".mp4": _MP4, ".m4v": _MP4, ".mov": "mov", ".mkv": _MATROSKA, ".webm": "webm", ".gif": "gif"}
FRAGMENTED = frozenset({_MP4, "mov"})
_DEFAULT_CODECS = {".webm": "vp9", ".gif": "gif"}
_PROBE_SIDE = 256


@dataclass(frozen=True)
class Codec:
    """A kind of video stream.

    suffixes: names of files that may hold it.
    encoders: FFmpeg's encoder by the name that --encoder takes.
    pixel_format: what the software encoder is given.
    is_subsampled: colour is stored for two by two pixels and sizes are even.
    crf: the default quality of the software encoder, and the highest number it takes; None where there is nothing to set.
    options: of the software encoder.
    """

    suffixes: tuple[str, ...]
    encoders: Mapping[str, str]
    pixel_format: str = "yuv420p"
    is_subsampled: bool = True
    crf: tuple[int, int] | None = None
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


_HARDWARE = ("nvenc", "qsv", "amf", "videotoolbox", "v4l2m2m")


def _encoders(codec: str, software: str) -> Mapping[str, str]:
    return {SOFTWARE: software} | {name: f"{codec}_{name}" for name in _HARDWARE}


# Groups of pictures are closed everywhere, so that a file can be continued from any keyframe.
CODECS: Mapping[str, Codec] = {
    "h264": Codec(
        (".mp4", ".m4v", ".mov", ".mkv"),
        _encoders("h264", "libx264"),
        crf=(19, 51),
        # No pictures between pictures: at the same error a file is a tenth larger, and a sixth of the time is free to paint.
        options={"preset": "superfast", "bf": "0"},
    ),
    "hevc": Codec(
        (".mp4", ".m4v", ".mov", ".mkv"),
        _encoders("hevc", "libx265"),
        crf=(22, 51),
        options={"preset": "superfast", "x265-params": "log-level=none:open-gop=0"},
    ),
    "vp9": Codec(
        (".webm", ".mkv", ".mp4"),
        _encoders("vp9", "libvpx-vp9"),
        is_subsampled=False,
        crf=(24, 63),
        options={"deadline": "good", "cpu-used": "5", "row-mt": "1", "b": "0"},
    ),
    "av1": Codec((".mp4", ".webm", ".mkv"), _encoders("av1", "libsvtav1"), crf=(26, 63), options={"preset": "10"}),
    "ffv1": Codec(
        (".mkv",), {SOFTWARE: "ffv1"}, "bgr0", is_subsampled=False, options={"level": "3", "slices": "4", "slicecrc": "1"}
    ),
    "gif": Codec(
        (".gif",),
        {SOFTWARE: "gif"},
        "pal8",
        is_subsampled=False,
        # Every picture whole, with its own colours: leaving out what did not change loses a picture whose palette is the
        # first one's, and a part would lean on the one before.
        options={"global_palette": "0", "gifflags": "-offsetting-transdiff"},
    ),
}
assert tuple(FORMATS) == WRITTEN_SUFFIXES and tuple(CODECS) == CODEC_NAMES and (SOFTWARE, *_HARDWARE) == ENCODER_NAMES


@dataclass(frozen=True)
class Encoding:
    """How a file is encoded.

    codec: name in CODECS.
    encoder: name in ENCODER_NAMES.
    crf: constant quality, lower is better; None for the codec's default.
    """

    codec: str
    encoder: str = SOFTWARE
    crf: int | None = None

    @property
    def ffmpeg_name(self) -> str:
        """FFmpeg's name of the encoder."""
        return CODECS[self.codec].encoders[self.encoder]

    @property
    def pixel_format(self) -> str:
        """What the encoder is given."""
        return "nv12" if self.encoder in ("qsv", "amf") else CODECS[self.codec].pixel_format

    def options(self) -> dict[str, str]:
        """FFmpeg's options for the quality asked for."""
        codec = CODECS[self.codec]
        if self.encoder == SOFTWARE:
            quality = {} if codec.crf is None else {"crf": str(self._crf)}
            return {**codec.options, **quality}
        crf = str(self._crf)
        return {
            "nvenc": {"rc": "vbr", "cq": crf, "b": "0", "forced-idr": "1"},
            "qsv": {"global_quality": crf},
            "amf": {"rc": "cqp", "qp_i": crf, "qp_p": crf},
        }.get(self.encoder, {})

    def bit_rate(self, size_wh: tuple[int, int], fps: float) -> int | None:
        """Bits a second for the encoders that know no constant quality; None for the others."""
        if self.encoder not in _WITHOUT_QUALITY:
            return None
        return round(0.15 * size_wh[0] * size_wh[1] * min(fps, 60.0))

    @property
    def _crf(self) -> int:
        default = CODECS[self.codec].crf
        return self.crf if self.crf is not None else default[0] if default else 0


_WITHOUT_QUALITY = frozenset({"videotoolbox", "v4l2m2m"})


def choose_encoding(path: Path, codec: str | None, encoder: str | None, crf: int | None) -> Encoding:
    """What --codec, --encoder and --crf mean for a file of this name.

    Raises:
        OutputError: a name that is no video's, or an encoder that does not work here.
        UserError: options that do not go together.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise OutputError(
            f"--output {path}: expected a name ending in {', '.join(FORMATS)} for a video, "
            f"or in {', '.join(sorted(PICTURE_SUFFIXES))} for a picture"
        )
    chosen = codec or _DEFAULT_CODECS.get(suffix, "h264")
    kind = CODECS[chosen]
    if suffix not in kind.suffixes:
        held = ", ".join(name for name, other in CODECS.items() if suffix in other.suffixes)
        raise UserError(f"--codec {chosen}: a {suffix} file holds {held}; name the output *{' or *'.join(kind.suffixes)}")
    if encoder not in (None, SOFTWARE) and encoder not in kind.encoders:
        raise UserError(f"--encoder {encoder}: cannot encode {chosen}; omit it")
    encoding = Encoding(chosen, encoder or SOFTWARE, crf)
    if crf is not None:
        _check_crf(encoding, crf)
    problem = encoder_problem(encoding)
    if problem:
        raise OutputError(f"--encoder {encoding.encoder}: no working {chosen} encoder found ({problem}); omit --encoder")
    return encoding


def _check_crf(encoding: Encoding, crf: int) -> None:
    kind = CODECS[encoding.codec]
    if kind.crf is None or encoding.encoder in _WITHOUT_QUALITY:
        what = f"{encoding.codec} by {encoding.encoder}" if kind.crf else encoding.codec
        raise UserError(f"--crf {crf}: {what} has no such setting; leave it away")
    if not 0 <= crf <= kind.crf[1]:
        raise UserError(f"--crf {crf}: {encoding.codec} takes 0 (best) to {kind.crf[1]}, {kind.crf[0]} if nothing is said")


def encoder_problem(encoding: Encoding) -> str:
    """Why an encoder cannot be used on this machine; empty where one frame went through it."""
    try:
        av.Codec(encoding.ffmpeg_name, "w")
    except ValueError:
        return f"this PyAV has no {encoding.ffmpeg_name}"
    if encoding.encoder == SOFTWARE:
        return ""
    try:
        context: Any = av.CodecContext.create(encoding.ffmpeg_name, "w")
        context.width = context.height = _PROBE_SIDE
        context.pix_fmt, context.framerate, context.time_base = encoding.pixel_format, Fraction(30), Fraction(1, 30)
        context.encode(av.VideoFrame(_PROBE_SIDE, _PROBE_SIDE, encoding.pixel_format))
        context.encode(None)
    except (av.error.FFmpegError, OSError, ValueError, TypeError) as error:
        return f"no such hardware or driver: {reason_of(error)}"
    return ""
