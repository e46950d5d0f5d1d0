"""What a user asks run_cam.py for, as its command line says it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunSettings:
    """The options of run_cam.py by their names, whose help tells what they mean; the defaults stand with the options.

    source: as given, at least one. None stands for what was not given.
    size, processing_size: width and height in pixels. scale: a factor, or a box of width and height.
    start, end, retry: seconds.
    """

    source: list[str]
    size: tuple[int, int] | None
    fps: float | None
    live: bool
    retry: float | None
    max_frames: int | None
    style: str | None
    styles: Path | None
    steady: bool
    auto_levels: bool
    large_strokes: bool
    strength: float
    colours: str
    split: bool
    tier: str
    provider: str
    precision: str
    target_fps: float
    recalibrate: bool
    model_range: tuple[float, float] | None
    processing_size: tuple[int, int] | None
    no_mirror: bool
    fullscreen: bool
    snapshot_dir: Path | None
    record: bool
    recording_dir: Path | None
    painting: Path | None
    vgg: Path | None
    output: Path | None
    overwrite: bool
    headless: bool
    stats: Path | None
    serve: int | None
    serve_address: str | None
    virtual_camera: str | None
    quiet: bool
    start: float | None
    end: float | None
    scale: float | tuple[int, int] | None
    codec: str | None
    crf: int | None
    encoder: str | None
    resume: bool
    list_styles: bool
    list_cameras: bool
    doctor: bool
    debug: bool

    @property
    def has_window(self) -> bool:
        """Whether the painting is shown."""
        return self.output is None and not self.headless

    @property
    def is_shared(self) -> bool:
        """Whether other programs or a recording get the picture, at the pace of its source."""
        return self.serve is not None or self.virtual_camera is not None or self.record
