"""StyleCam: a camera turned into a painting while you watch. Parses arguments, wires the stages, maps errors."""

from __future__ import annotations

import time

_STARTED_S = time.perf_counter()

import os  # noqa: E402  (the clock above starts before anything is loaded)
import signal  # noqa: E402

if __name__ == "__main__":  # while the rest is loading nothing is open yet that would have to be finished
    for _number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(_number, lambda *_: os._exit(130))

import sys  # noqa: E402
import threading  # noqa: E402
from dataclasses import replace  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import realtime.program.quiet  # noqa: E402, F401  (before cv2 is loaded)
from realtime.errors import EXIT_BUG, EXIT_DONE, EXIT_INTERRUPTED, EXIT_OUTPUT, UserError, tell_mistake  # noqa: E402
from realtime.program.packages import check_packages  # noqa: E402

if __name__ == "__main__":  # what follows loads packages
    try:
        check_packages()
    except UserError as missing:
        sys.exit(tell_mistake(missing))

from realtime.auto_levels import AutoLevels  # noqa: E402
from realtime.capture import Capture, Policy  # noqa: E402
from realtime.gallery import find_style, load_gallery, user_styles_folder  # noqa: E402
from realtime.live.errands import Errands  # noqa: E402
from realtime.live.gallery_watch import GalleryWatch  # noqa: E402
from realtime.live.messages import Messages  # noqa: E402
from realtime.live.repaint import Repainter, RepaintSettings  # noqa: E402
from realtime.live.size_control import SizeControl  # noqa: E402
from realtime.live.snapshots import SnapshotFolder  # noqa: E402
from realtime.live.view import LiveView  # noqa: E402
from realtime.networks.calibration import calibrate  # noqa: E402
from realtime.networks.model_choice import with_network  # noqa: E402
from realtime.outlets.outlet import Outlet  # noqa: E402
from realtime.outlets.recorder import Recorder  # noqa: E402
from realtime.outlets.sharing import ending_without_takers, open_outlets  # noqa: E402
from realtime.overlay import load_font  # noqa: E402
from realtime.paint_ahead import share_cores  # noqa: E402
from realtime.painter import Painter  # noqa: E402
from realtime.pipeline import Pipeline, join_all  # noqa: E402
from realtime.program import wiring  # noqa: E402
from realtime.program.batch import Existing, Report, paint_batch  # noqa: E402
from realtime.program.command_line import list_styles, parse_arguments, print_cameras  # noqa: E402
from realtime.program.folders import check_working_folder  # noqa: E402
from realtime.program.inputs import Batch, Job, PictureFilm, Single, is_still, is_video, make_folder, plan_work  # noqa: E402
from realtime.program.interruption import stop_on_signals  # noqa: E402
from realtime.program.notes import Note, no_note, print_note, said_once  # noqa: E402
from realtime.program.same_files import check_apart, results_of  # noqa: E402
from realtime.program.settings import RunSettings  # noqa: E402
from realtime.program.standard_streams import lose_unread, tell_unwritable  # noqa: E402
from realtime.program.statistics_file import collect_stats, write_stats  # noqa: E402
from realtime.sinks import NullSink, Sink, WindowSink, check_output  # noqa: E402
from realtime.source import Source  # noqa: E402
from realtime.sources import takes_size  # noqa: E402
from realtime.steadying import Steadier  # noqa: E402
from realtime.studio import Studio  # noqa: E402
from realtime.timing import RunTimes  # noqa: E402


def run(settings: RunSettings) -> int:
    """Runs one source, or one after the other.

    Raises:
        UserError: something the user can mend.
    """
    lose_unread("stdout")  # which has an address at most: pictures and films go on without a reader
    check_working_folder()
    styles, first_style = find_style(load_gallery(settings.styles), settings.style)
    work = plan_work(settings.source, settings.output)
    check_apart(work, settings.output, settings.stats)
    if settings.stats is not None:
        check_output(settings.stats, overwrite=True, option="--stats", in_place=True)

    stop = threading.Event()

    def report(stats: dict[str, Any]) -> None:
        if settings.stats is not None:
            write_stats(settings.stats, stats, stop=stop)

    note = no_note if settings.quiet else said_once(print_note)
    choice = wiring.wanted_network(settings)
    if settings.resume:  # whatever "auto" would take today
        from realtime.video.resume import network_before  # PyAV takes a fifth of a second to load

        choice = with_network(styles[first_style], choice, network_before(results_of(work, settings.output)))
    # Until here nothing is open, and a signal ends the program at once: measuring may take seconds.
    studio = Studio(styles, calibrate(styles, first_style, choice, wiring.goal_of(settings), again=settings.recalibrate))
    stop_on_signals(stop)
    try:
        if not isinstance(work, Batch):
            return run_one(settings, work, studio, first_style, report, stop, note)
        studio.require(first_style)  # one line where it is unusable, not one for each file
        assert settings.output is not None  # or it were no batch
        make_folder(settings.output)

        def paint(job: Job, report_one: Report) -> int:
            # What is complete was left alone already; of a file played as a camera there is nothing else to go on with.
            its_settings = replace(settings, output=job.output, resume=settings.resume and not settings.live)
            return run_one(its_settings, Single(str(job.source)), studio, first_style, report_one, stop, note, tells_idle=False)

        return paint_batch(work, Existing(settings.overwrite, settings.resume), paint, report, stop, settings.quiet)
    finally:
        studio.close()


def run_one(
    settings: RunSettings,
    work: Single | PictureFilm,
    studio: Studio,
    first_style: int,
    report: Report,
    stop: threading.Event,
    note: Note,
    tells_idle: bool = True,
) -> int:
    """Wires source, capture, painter and sink, runs them and reports.

    Args:
        tells_idle: says which options have no effect; of many files each takes other ones.
    Raises:
        UserError: something the user can mend.
    """
    styles, output, has_window = studio.styles, settings.output, settings.has_window
    source = wiring.source_of(settings, work, note)
    sink: Sink = WindowSink() if has_window else NullSink()
    times = RunTimes()
    state = wiring.first_state(settings, source, first_style, len(styles))
    capture = Capture(source, Policy.NEWEST if source.is_live else Policy.EVERY, retry_s=settings.retry)
    snapshots = SnapshotFolder(settings.snapshot_dir or Path("snapshots"))
    messages = Messages(on_terminal=not has_window)
    outlets: list[Outlet] = []
    on_failure = ending_without_takers(settings, outlets, stop.set)
    recorder = Recorder(settings.recording_dir or Path("recordings"), messages.say, on_failure=on_failure)
    outlets.append(recorder)
    repainter = Repainter(RepaintSettings(settings.painting, settings.vgg), messages.say)
    watch = GalleryWatch(filter(None, (user_styles_folder(), settings.styles)), (style.name for style in styles))
    closing = [capture.stop, watch.close, snapshots.close, repainter.close]
    try:
        outlets.extend(open_outlets(settings, source.fps, messages.say, on_failure))
        paints_film = output is not None and not source.is_live and not is_still(output)
        its_studio, lanes = share_cores(studio, settings.provider) if paints_film else (studio, 1)
        steadier = Steadier() if settings.steady else None
        auto_levels = AutoLevels() if settings.auto_levels else None
        painter = Painter(
            its_studio,
            first_style,
            settings.processing_size,
            times,
            warms_neighbours=has_window,
            steadier=steadier,
            auto_levels=auto_levels,
            large_strokes=settings.large_strokes,
            keeps_pace=wiring.keeps_pace(settings, source),
        )
        if tells_idle:
            wiring.note_idle_options(settings, source, painter.stylizer.takes_range, note)
        job = wiring.video_job(settings, output, source, painter, note) if output is not None and is_video(output) else None
        if not _start(settings, source, capture, painter, recorder, styles[first_style].name, stop):
            return EXIT_INTERRUPTED
        if output is not None:
            sink = job.open_sink() if job is not None else wiring.picture_sink(output, settings.overwrite, source, note)
        view = None
        if isinstance(sink, WindowSink):
            sink.set_fullscreen(settings.fullscreen)
            watch.start()
            errands = Errands(state, studio, painter, snapshots, recorder, repainter, messages, watch)
            view = LiveView(sink, state, studio, painter, errands, messages, times, source.description)
        options = wiring.run_options(settings, source, sink, job, lanes)
        rate = SizeControl(settings.target_fps)
        tell = no_note if settings.quiet else print_note  # each time: a source may be lost more than once
        pipeline = Pipeline(capture, painter, sink, view, state, times, options, stop, rate, outlets, tell)

        def run_to_the_end() -> None:
            try:
                pipeline.run()
            finally:
                messages.on_terminal = True  # the window is gone

        def report_figures() -> None:
            report(collect_stats(pipeline, capture, painter, times, styles[painter.style].name, _STARTED_S))

        join_all(run_to_the_end, *(outlet.close for outlet in outlets), report_figures)
    finally:
        join_all(*closing, *(outlet.close for outlet in outlets))
    for problem in snapshots.problems():  # of those asked for just before the end
        messages.say(problem)
    interrupted = stop.is_set() and not pipeline.is_complete  # one that comes after the last frame ends the batch alone
    if job is not None and interrupted:
        print(f"interrupted: {job.describe_kept()}", file=sys.stderr)
    _tell_losses(source, capture, note)
    if not has_window and any(outlet.has_failed for outlet in outlets):  # nobody saw the message
        return EXIT_OUTPUT
    return EXIT_INTERRUPTED if interrupted else EXIT_DONE


def _start(
    settings: RunSettings,
    source: Source,
    capture: Capture,
    painter: Painter,
    recorder: Recorder,
    style_name: str,
    stop: threading.Event,
) -> bool:
    """Opens the source once what the first frames need is ready, and begins a recording that was asked for.

    Returns:
        False where the program was interrupted meanwhile.
    """
    if settings.has_window:
        load_font()
    if takes_size(source) and source.is_live and settings.size is not None:
        painter.prepare(settings.size)
    if settings.record:
        recorder.load()
    if not capture.start(stop):
        return False
    if settings.record:
        recorder.begin(style_name)
        recorder.wait_until_ready()
    return True


def _tell_losses(source: Source, capture: Capture, note: Note) -> None:
    if source.damaged_packets:
        note(f"{source.description}: damaged packets skipped: {source.damaged_packets}")
    if capture.abandoned:
        print(f"warning: {source.description}: the driver does not respond; its reader thread was abandoned", file=sys.stderr)


def _carry_out(settings: RunSettings) -> int:
    if settings.list_styles:
        return list_styles(load_gallery(settings.styles))
    if settings.list_cameras:
        return print_cameras()
    if settings.doctor:
        from realtime.program.doctor import report

        return report(load_gallery(settings.styles), wiring.wanted_network(settings), wiring.goal_of(settings))
    return run(settings)


def main(argv: list[str] | None = None) -> int:
    """Entry point; a user's mistake becomes one line and an exit code."""
    lose_unread("stderr")
    is_debugged = False
    try:
        settings = parse_arguments(argv)
        is_debugged = settings.debug
        code = _carry_out(settings)
        sys.stdout.flush()
        return code
    except UserError as error:
        return tell_mistake(error)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception as error:  # a bug of ours: named, so that it can be reported
        if isinstance(error, OSError) and (told := tell_unwritable(error)) is not None:
            return told
        if is_debugged:
            raise
        where = f"{type(error).__name__}: {error}".splitlines()[0]
        print(f"error: a bug in StyleCam ({where}); run again with --debug and report what it prints", file=sys.stderr)
        return EXIT_BUG


if __name__ == "__main__":
    sys.exit(main())
