"""What a command line asks of each stage: the arguments turned into sources, sinks and their settings."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from realtime.controls import ControlState
from realtime.errors import UserError
from realtime.live.size_control import may_adapt
from realtime.networks.calibration import Goal
from realtime.networks.model_choice import ModelChoice
from realtime.outlets.sharing import wants_to_share
from realtime.painter import Painter
from realtime.pictures.sequence import NumberedPictures, PictureSequence
from realtime.pipeline import RunOptions
from realtime.program.inputs import PictureFilm, Single, is_numbered_output, is_still
from realtime.program.notes import Note
from realtime.sinks import PictureSink, Sink
from realtime.source import Source
from realtime.sources import DemoSource, PacedFile, PictureSource, choose_source
from realtime.video.excerpt import Excerpt

if TYPE_CHECKING:
    from realtime.video.job import VideoJob


def wanted_network(args: argparse.Namespace) -> ModelChoice:
    """Which network the user asks for."""
    return ModelChoice(args.tier, args.precision, args.provider, args.model_range)


def goal_of(args: argparse.Namespace) -> Goal:
    """Rate and size that "auto" chooses for."""
    return Goal(args.target_fps, args.processing_size or args.size or Goal.size_wh)


def note_idle_options(args: argparse.Namespace, source: Source, takes_range: bool, note: Note) -> None:
    """Says which options have no effect in this run, and why: somebody expects something of them.

    Of many files each takes other ones, and nothing is said.

    Args:
        takes_range: whether --model-range means something to the network that paints.
    """
    if args.is_batch:
        return
    has_window = args.output is None and not args.headless
    idle = (
        ("--fullscreen", args.fullscreen and not has_window, "there is no window"),
        ("--no-mirror", args.no_mirror and not (has_window and source.is_mirrored), "only a camera in a window is mirrored"),
        ("--painting", args.painting is not None and not has_window, "key G needs the window"),
        ("--vgg", args.vgg is not None and not has_window, "key G needs the window"),
        ("--snapshot-dir", args.snapshot_dir is not None and not has_window, "key S needs the window"),
        ("--recording-dir", args.recording_dir is not None and not (has_window or args.record), "nothing is recorded"),
        ("--retry", args.retry is not None and not source.can_return, "only cameras and streams are waited for"),
        ("--overwrite", args.overwrite and args.output is None, "there is no --output"),
        ("--live", args.live and not isinstance(source, PacedFile | DemoSource), "only films are played as a camera"),
        ("--model-range", args.model_range is not None and not takes_range, "only foreign networks have one"),
    )
    for option, is_idle, reason in idle:
        if is_idle:
            note(f"{option}: has no effect here, {reason}")


def source_of(args: argparse.Namespace, work: Single | PictureFilm, has_window: bool, note: Note) -> Source:
    """Where the frames come from.

    Raises:
        UserError: there is no such source, or an option does not go with it.
    """
    excerpt = Excerpt(args.start or 0.0, args.end, args.scale)
    if isinstance(work, Single):
        as_still = args.output is not None and is_still(args.output)
        squares = args.output is None or args.live  # what is written frame by frame from a file keeps its pixels' shape
        wishes = {"has_window": has_window, "as_camera": args.live, "as_still": as_still, "square_pixels": squares}
        return choose_source(work.source, size_wh=args.size, fps=args.fps, excerpt=excerpt, note=note, **wishes)
    if not excerpt.is_whole:
        raise UserError(f"--start, --end: only for video files, found {len(work.pictures)} pictures")
    one_size = args.output is None or not is_numbered_output(args.output)
    film = PictureSequence(work.pictures, args.fps, note, one_size, args.scale)
    return PacedFile(film) if args.live else film


def first_state(args: argparse.Namespace, source: Source, style: int, style_count: int) -> ControlState:
    """The controls as they are before a key is pressed."""
    return ControlState(
        style=style,
        style_count=style_count,
        strength=args.strength,
        colours_of_photo=args.colours == "photo",
        split=args.split,
        mirror=source.is_mirrored and not args.no_mirror,
        fullscreen=args.fullscreen,
        adapts=may_adapt(source, args.processing_size),
        recording=args.record,
    )


def run_options(args: argparse.Namespace, source: Source, sink: Sink, job: VideoJob | None, lanes: int) -> RunOptions:
    """What ends the run and how it is paced."""
    is_one_picture = isinstance(sink, PictureSink)
    is_watched = args.output is None and (not args.headless or wants_to_share(args))
    return RunOptions(
        max_frames=1 if is_one_picture else args.max_frames,
        paced=is_watched and not source.is_live,
        progress=args.output is not None and not is_one_picture and not args.quiet,
        frames_done=job.frames_done if job is not None else 0,
        frames_repeated=job.frames_repeated if job is not None else 0,
        lanes=lanes,
    )


def picture_sink(args: argparse.Namespace, source: Source, note: Note) -> Sink:
    """The file or the numbered files that painted pictures go to."""
    if is_numbered_output(args.output):
        return NumberedPictures(args.output, args.overwrite)
    alpha = (lambda: source.alpha) if isinstance(source, PictureSource) else (lambda: None)
    return PictureSink(args.output, args.overwrite, alpha, note)


def video_job(args: argparse.Namespace, source: Source, painter: Painter, note: Note) -> VideoJob:
    """The plan of a painted video file."""
    from realtime.video.job import VideoJob, VideoOptions  # PyAV takes a fifth of a second to load: only for files

    is_limited, is_steady = args.max_frames is not None, args.steady and args.strength > 0
    options = VideoOptions(args.codec, args.encoder, args.crf, args.overwrite, args.resume, args.fps, is_limited, is_steady)
    look = {name: getattr(args, name) for name in ("strength", "colours", "split", "processing_size", "model_range")}
    look |= {"network": painter.stylizer.sha256, "provider": painter.stylizer.provider}
    return VideoJob(args.output, source, options, look, note)
