"""What a command line asks of each stage: the arguments turned into sources, sinks and their settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from realtime.controls import ControlState
from realtime.errors import UserError
from realtime.live.size_control import may_adapt
from realtime.networks.calibration import Goal
from realtime.networks.model_choice import ModelChoice
from realtime.painter import Painter
from realtime.pictures.sequence import NumberedPictures, PictureSequence
from realtime.pipeline import RunOptions
from realtime.program.inputs import PictureFilm, Single, is_numbered_output, is_still
from realtime.program.notes import Note
from realtime.program.settings import RunSettings
from realtime.sinks import PictureSink, Sink
from realtime.source import Source
from realtime.sources import DemoSource, PacedFile, PictureSource, choose_source
from realtime.video.excerpt import Excerpt

if TYPE_CHECKING:
    from realtime.video.job import VideoJob


def wanted_network(settings: RunSettings) -> ModelChoice:
    """Which network the user asks for."""
    return ModelChoice(settings.tier, settings.precision, settings.provider, settings.model_range)


def goal_of(settings: RunSettings) -> Goal:
    """Rate and size that "auto" chooses for."""
    return Goal(settings.target_fps, settings.processing_size or settings.size or Goal.size_wh)


def note_idle_options(settings: RunSettings, source: Source, takes_range: bool, note: Note) -> None:
    """Says which options have no effect in this run, and why: somebody expects something of them.

    Args:
        takes_range: whether --model-range means something to the network that paints.
    """
    has_window = settings.has_window
    is_mirrored = has_window and source.is_mirrored
    idle = (
        ("--fullscreen", settings.fullscreen and not has_window, "there is no window"),
        (
            "--no-mirror",
            settings.no_mirror and not is_mirrored,
            "only a camera in a window is mirrored",
        ),
        ("--painting", settings.painting is not None and not has_window, "key G needs the window"),
        ("--vgg", settings.vgg is not None and not has_window, "key G needs the window"),
        ("--snapshot-dir", settings.snapshot_dir is not None and not has_window, "key S needs the window"),
        ("--recording-dir", settings.recording_dir is not None and not (has_window or settings.record), "nothing is recorded"),
        ("--retry", settings.retry is not None and not source.can_return, "only cameras and streams are waited for"),
        ("--overwrite", settings.overwrite and settings.output is None, "there is no --output"),
        ("--live", settings.live and not isinstance(source, PacedFile | DemoSource), "only films are played as a camera"),
        ("--model-range", settings.model_range is not None and not takes_range, "only foreign networks have one"),
    )
    for option, is_idle, reason in idle:
        if is_idle:
            note(f"{option}: has no effect here, {reason}")


def source_of(settings: RunSettings, work: Single | PictureFilm, note: Note) -> Source:
    """Where the frames come from.

    Raises:
        UserError: there is no such source, or an option does not go with it.
    """
    excerpt = Excerpt(settings.start or 0.0, settings.end, settings.scale)
    if isinstance(work, Single):
        as_still = settings.output is not None and is_still(settings.output)
        keeps_shape = settings.output is not None and not is_numbered_output(settings.output) and not settings.live
        wishes = {
            "has_window": settings.has_window,
            "as_camera": settings.live,
            "as_still": as_still,
            "square_pixels": not keeps_shape,
        }
        return choose_source(work.source, size_wh=settings.size, fps=settings.fps, excerpt=excerpt, note=note, **wishes)
    if not excerpt.is_whole:
        raise UserError(f"--start, --end: only for video files, found {len(work.pictures)} pictures")
    one_size = settings.output is None or not is_numbered_output(settings.output)
    film = PictureSequence(work.pictures, settings.fps, note, one_size, settings.scale)
    return PacedFile(film) if settings.live else film


def first_state(settings: RunSettings, source: Source, style: int, style_count: int) -> ControlState:
    """The controls as they are before a key is pressed."""
    return ControlState(
        style=style,
        style_count=style_count,
        strength=settings.strength,
        colours_of_photo=settings.colours == "photo",
        split=settings.split,
        mirror=source.is_mirrored and not settings.no_mirror,
        fullscreen=settings.fullscreen,
        adapts=may_adapt(source, settings.processing_size),
        recording=settings.record,
    )


def keeps_pace(settings: RunSettings, source: Source) -> bool:
    """Whether pictures do not wait until they are painted: live ones, and a clip in the window; not a single picture."""
    if isinstance(source, PictureSource) or (settings.output is not None and is_still(settings.output)):
        return False
    return source.is_live or settings.output is None


def run_options(settings: RunSettings, source: Source, sink: Sink, job: VideoJob | None, lanes: int) -> RunOptions:
    """What ends the run and how it is paced."""
    is_one_picture = isinstance(sink, PictureSink)
    is_watched = settings.output is None and (not settings.headless or settings.is_shared)
    return RunOptions(
        max_frames=1 if is_one_picture else settings.max_frames,
        paced=is_watched and not source.is_live,
        progress=settings.output is not None and not is_one_picture and not settings.quiet,
        frames_done=job.frames_done if job is not None else 0,
        frames_repeated=job.frames_repeated if job is not None else 0,
        lanes=lanes,
    )


def picture_sink(output: Path, overwrite: bool, source: Source, note: Note) -> Sink:
    """The file or the numbered files that painted pictures go to."""
    if is_numbered_output(output):
        return NumberedPictures(output, overwrite)
    alpha = (lambda: source.alpha) if isinstance(source, PictureSource) else (lambda: None)
    return PictureSink(output, overwrite, alpha, note)


def video_job(settings: RunSettings, output: Path, source: Source, painter: Painter, note: Note) -> VideoJob:
    """The plan of a painted video file."""
    from realtime.video.job import VideoJob, VideoOptions  # PyAV takes a fifth of a second to load: only for files

    options = VideoOptions(
        codec=settings.codec,
        encoder=settings.encoder,
        crf=settings.crf,
        overwrite=settings.overwrite,
        resume=settings.resume,
        fps=settings.fps,
        is_limited=settings.max_frames is not None,
        is_steady=settings.steady and settings.strength > 0,
        has_auto_levels=settings.auto_levels and settings.strength > 0,
    )
    names = ("strength", "colours", "split", "processing_size", "model_range", "large_strokes")
    look = {name: getattr(settings, name) for name in names}
    look |= {"network": painter.stylizer.sha256, "provider": painter.stylizer.provider}
    return VideoJob(output, source, options, look, note)
