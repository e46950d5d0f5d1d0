"""Names of local files as FFmpeg has to get them."""

from __future__ import annotations

from pathlib import Path


def ffmpeg_name(path: Path) -> str:
    """A local file's name for PyAV and OpenCV's videos: by itself FFmpeg takes 12 in "12:30.mp4" for a protocol."""
    return f"file:{path}"
