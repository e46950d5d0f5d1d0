"""Opens a video file and finds the stream that is shown, or says in a line why there is none."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import av
import av.error
from av.stream import Disposition

from realtime.errors import SourceError, reason_of
from realtime.video.local_files import ffmpeg_name

av.logging.set_level(None)

LARGEST_SIDE = 16384
# PyAV reads tags that are not UTF-8 by itself from version 19 on, which no longer knows the argument.
_LENIENT: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
# FFmpeg's own decoders pass over the transparency that WebM keeps beside the pictures.
_DECODERS_OF_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


def open_video(path: Path) -> tuple[Any, Any]:
    """The opened container and its video stream: the first that is no cover picture.

    Raises:
        SourceError: with the reason.
    """
    description = f"video {path}"
    if not os.access(path, os.R_OK):
        raise SourceError(f"{description}: cannot be read ({'permission denied' if os.path.exists(path) else 'no such file'})")
    if path.stat().st_size == 0:
        raise SourceError(f"{description}: the file is empty")
    try:
        container = open_container(path)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise SourceError(f"{description}: not a video that can be read ({reason_of(error)})") from None
    shown = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    problem = _problem_of(shown[0]) if shown else "holds no video stream"
    if problem:
        container.close()
        raise SourceError(f"{description}: {problem}")
    shown[0].thread_type = "AUTO"
    return container, shown[0]


def open_container(path: Path) -> Any:
    """A file of somebody else's, whose tags may hold anything.

    Raises:
        av.error.FFmpegError, OSError, ValueError: it cannot be opened.
    """
    return av.open(ffmpeg_name(path), **_LENIENT)


def decoder_of(stream: Any) -> Any:
    """The decoder for a stream's packets: one that knows transparency where the stream has it."""
    name = _DECODERS_OF_ALPHA.get(stream.codec_context.codec.canonical_name)
    if name is not None and stream.metadata.get("alpha_mode") == "1":
        with contextlib.suppress(ValueError):  # a PyAV built without it
            return av.CodecContext.create(name, "r")
    return stream.codec_context


def _problem_of(stream: Any) -> str:
    """Why a video stream cannot be decoded; empty where it can."""
    context = stream.codec_context
    if context is None:
        return "its video is in a format that is not known here"
    if not 0 < max(context.width, context.height) <= LARGEST_SIDE:
        return f"its pictures are {context.width}x{context.height}; expected 1 to {LARGEST_SIDE} pixels on a side"
    return ""
