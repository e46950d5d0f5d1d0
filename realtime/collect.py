"""Photographs for training from one's own camera or clip: python -m realtime.collect --out DIR."""

from __future__ import annotations

import argparse
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

import realtime.program.quiet  # noqa: F401  (before cv2 is loaded)
from realtime.capture import Capture, Policy
from realtime.errors import EXIT_DONE, EXIT_INTERRUPTED, SourceError, UserError
from realtime.frame import Frame
from realtime.pictures.files import encode_picture, write_picture
from realtime.pictures.photo_choice import Candidate, PhotoChooser, fit_for_training
from realtime.program import argument_types
from realtime.program.inputs import make_folder
from realtime.program.interruption import entry_point, stop_on_signals
from realtime.program.standard_streams import lose_unread
from realtime.source import Source
from realtime.sources import choose_source

_USUAL_SECONDS = 30.0
_USUAL_COUNT = 100
_RETRY_S = 5.0
_POLL_S = 0.1


@dataclass(frozen=True)
class Limits:
    """How long and how much to collect.

    seconds: of the camera's or the clip's time; None for the whole clip.
    count: photographs at most, spread over that time.
    """

    seconds: float | None
    count: int

    def interval_s(self, length_s: float | None) -> float:
        """Time from which one photograph may be kept.

        Args:
            length_s: of a clip as its header states it.
        """
        lengths = [length for length in (self.seconds, length_s) if length]
        return min(lengths, default=_USUAL_SECONDS) / self.count


class PhotoFolder:
    """Photographs named by their time; no file is ever replaced, and none is written twice.

    written, there_already: photographs of this run, and those among its choice that an earlier run wrote.

    Args:
        folder: made if need be.
        suffix: .jpg or .png.
        name_of: the name, without suffix, of a photograph taken at so many seconds.
    Raises:
        OutputError: the folder cannot be made or written.
    """

    def __init__(self, folder: Path, suffix: str, name_of: Callable[[float], str]) -> None:
        self.written = self.there_already = 0
        self._folder, self._suffix, self._name_of = folder, suffix, name_of
        make_folder(folder, "--out")

    @property
    def chosen(self) -> int:
        """Photographs of this run that are in the folder, whoever wrote them."""
        return self.written + self.there_already

    def write(self, photo: Candidate) -> None:
        """Writes a photograph under the first free name of its time, unless the same one lies there under a name before.

        Raises:
            OutputError: it cannot be written.
        """
        picture = fit_for_training(photo.image_bgr)
        stem = self._name_of(photo.at_s)
        taken: list[Path] = []
        path = self._folder / f"{stem}{self._suffix}"
        while os.path.exists(path):  # Path.exists raises where a folder is closed
            taken.append(path)
            path = self._folder / f"{stem}_{len(taken) + 1}{self._suffix}"
        # Compared as files: other clips have such names too, and the same photograph is the same to the byte. Before it is
        # written: what is there already needs no room on the disk.
        if taken and _is_among(taken, encode_picture(path, picture)):
            self.there_already += 1
        else:
            write_picture(path, picture)
            self.written += 1


def _is_among(files: list[Path], data: bytes) -> bool:
    """Whether one of the files holds exactly this; one that cannot be read holds something else."""
    for path in files:
        with suppress(OSError):
            if path.stat().st_size == len(data) and path.read_bytes() == data:  # a pipe, never read, has no size
                return True
    return False


def frames_of(capture: Capture, is_live: bool, stop: threading.Event) -> Iterator[tuple[Frame, float]]:
    """Every frame with its seconds from the start, until the source ends or `stop` is set."""
    first_s: float | None = None
    while not stop.is_set() and not capture.is_exhausted:
        frame = capture.get(_POLL_S)
        if frame is None:
            continue
        now_s = frame.captured_at_s if is_live or frame.presented_at_s is None else frame.presented_at_s
        first_s = now_s if first_s is None else first_s
        yield frame, now_s - first_s


def collect(source: Source, folder: PhotoFolder, limits: Limits, stop: threading.Event) -> PhotoChooser:
    """Collects photographs until the time or the count is reached, the source ends, or `stop` is set.

    Returns:
        The chooser, which has counted what was left out.
    Raises:
        SourceError: the source cannot be opened, or ended damaged; what was collected stays.
        OutputError: a photograph cannot be written.
    """
    capture = Capture(source, Policy.NEWEST if source.is_live else Policy.EVERY, retry_s=_RETRY_S)
    bar = tqdm(total=limits.count, unit="photo", disable=None, leave=False)

    def keep(photo: Candidate | None) -> None:
        if photo is not None and folder.chosen < limits.count:
            folder.write(photo)
            bar.update()

    try:
        capture.start()
        length_s = source.frame_count / source.fps if source.frame_count and source.fps else None
        chooser = PhotoChooser(limits.interval_s(length_s))
        try:
            for frame, at_s in frames_of(capture, source.is_live, stop):
                if limits.seconds is not None and at_s >= limits.seconds:
                    break
                keep(chooser.offer(frame.image_bgr, at_s))
                if folder.chosen >= limits.count:
                    break
        finally:
            keep(chooser.finish())
    finally:
        capture.stop()
        bar.close()
    return chooser


def run(args: argparse.Namespace) -> int:
    """Collects as the command line asks for it and says what was found."""
    source = choose_source(args.source, size_wh=args.size, has_window=False, as_still=True)
    is_file = not source.is_live and args.source != "demo"
    limits = Limits(args.seconds or (None if is_file else _USUAL_SECONDS), args.count)
    stop = threading.Event()
    stop_on_signals(stop)
    folder = PhotoFolder(args.out, f".{args.format}", _names(Path(args.source).stem if is_file else None))
    if source.is_hardware:
        print("move the camera slowly over what you will film; Ctrl-C ends early and keeps what is there", file=sys.stderr)
    try:
        chooser = collect(source, folder, limits, stop)
    except UserError as error:
        kept = f"; {folder.written} photographs before that were kept" if folder.written else ""
        raise type(error)(f"{error}{kept}") from None
    left_out = f"left out: {chooser.blurred} blurred, {chooser.blank} blank, {chooser.repeated} like others"
    if not folder.chosen:
        if stop.is_set():
            return EXIT_INTERRUPTED
        raise SourceError(
            f"{source.description}: no photograph in {chooser.seen} frames ({left_out}); more light, more motion?"
        )
    there_already = f", {folder.there_already} there already" if folder.there_already else ""
    print(f"{args.out}: {folder.written} photographs{there_already} ({left_out})")
    return EXIT_INTERRUPTED if stop.is_set() else EXIT_DONE


def _names(clip: str | None) -> Callable[[float], str]:
    """Names by the time in a clip, or by the clock."""
    if clip is not None:
        safe = re.sub(r"[^\w.-]", "_", clip)
        return lambda at_s: f"{safe}_{at_s:09.3f}s"
    started_s = time.time()

    def by_clock(at_s: float) -> str:
        now_s = started_s + at_s
        return f"{time.strftime('%Y-%m-%d_%H-%M-%S', time.localtime(now_s))}-{int(now_s * 1000) % 1000:03d}"

    return by_clock


def build_parser() -> argparse.ArgumentParser:
    """The command line of python -m realtime.collect."""
    parser = argument_types.Parser(prog="python -m realtime.collect", description=__doc__)
    number, length, size = argument_types.count, argument_types.positive, argument_types.size
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the photographs")
    parser.add_argument("--source", default="0", help="camera's number, address, or clip (default 0)")
    parser.add_argument("--seconds", type=length, help="default: half a minute of a camera, the whole of a clip")
    parser.add_argument("--count", type=number, default=_USUAL_COUNT, metavar="N", help="at most (default %(default)s)")
    parser.add_argument("--size", type=size, metavar="WxH", help="asked of the camera")
    parser.add_argument("--format", choices=("jpg", "png"), default="jpg")
    return parser


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    lose_unread("stdout", "stderr")
    return run(build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
