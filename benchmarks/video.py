"""Video files through the whole program: python -m benchmarks.video.

Copies every clip of the shared data folder at strength 0 and compares the copy with the clip; measures how much longer a
painting takes than the slowest of decoding, styling and encoding alone (--rates); and watches the memory of a long film
(--frames N).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2  # noqa: F401  (before PyAV)
import numpy as np

from benchmarks.processes import check_ended, memory_of, own_memory, running
from benchmarks.report import DATA_VARIABLE, check_json, data_folder, print_table, write_json
from realtime.capture import Capture, Policy
from realtime.controls import ControlState
from realtime.errors import EXIT_DONE, SourceError, UserError
from realtime.frame import Image
from realtime.gallery import find_style, load_gallery
from realtime.networks.model_choice import ModelChoice
from realtime.paint_ahead import share_cores
from realtime.painter import Painter
from realtime.pipeline import Pipeline, RunOptions
from realtime.program import argument_types
from realtime.program.inputs import make_folder
from realtime.program.interruption import entry_point
from realtime.program.standard_streams import lose_unread
from realtime.studio import Studio
from realtime.timing import RunTimes
from realtime.video.encoder import VideoForm
from realtime.video.local_files import ffmpeg_name
from realtime.video.reader import VideoFileSource
from realtime.video.writer import VideoFileSink

# isort: split
import av

_PROGRAM = Path(__file__).resolve().parent.parent / "run_cam.py"
_FOLDERS = ("people", "moving", "edge_cases")
_RATE_CLIP = Path("moving/bigbuckbunny.mp4")


def clips_of(folder: Path) -> list[Path]:
    """Every clip of the data folder's videos.

    Raises:
        SourceError: a folder of it is not there, or may not be read.
    """
    try:
        return [clip for name in _FOLDERS for clip in sorted((folder / name).iterdir())]
    except OSError as error:
        raise SourceError(
            f"clips {error.filename}: cannot be read ({error.strerror}); name the data folder in {DATA_VARIABLE}"
        ) from None


def compare(clip: Path, folder: Path, suffix: str) -> dict[str, Any]:
    """A clip copied by the program at strength 0, measured against the clip.

    Raises:
        UserError: the program failed.
    """
    made = folder / f"{clip.stem}{suffix}"
    command = [sys.executable, str(_PROGRAM), "--source", str(clip), "--strength", "0", "--output", str(made), "--overwrite"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"{clip.name}: the program ended with {done.returncode}: {done.stderr.strip()}")
    source, result = describe(clip), describe(made)
    return {
        "clip": clip.name,
        "frames": [source["frames"], result["frames"], frames_by_ffprobe(made)],
        "seconds": [source["seconds"], result["seconds"]],
        "start_s": [source["start_s"], result["start_s"]],
        "largest_time_error_ms": 1000 * largest_difference(source["times_s"], result["times_s"]),
        "sound": [source["sound"], result["sound"]],
        "step_ms": sound_step_ms(source, result),
        "size": [source["size"], result["size"]],
        "turned": source["turned"],
        "colours": [source["colours"], result["colours"]],
        "colour_error": colour_error(clip, made),
        "notes": done.stderr.splitlines(),
    }


def describe(path: Path) -> dict[str, Any]:
    """What PyAV finds in a file, every frame decoded."""
    with av.open(ffmpeg_name(path)) as container:
        stream = container.streams.video[0]
        frames = [(frame.time, frame.rotation, (frame.colorspace, frame.color_range)) for frame in container.decode(stream)]
        sounds = len(container.streams.audio)
        size, rate = (stream.width, stream.height), float(stream.average_rate or 30)
    first_sound_s = _first_sound_s(path) if sounds else None
    times_s = [float(time or 0) for time, _, _ in frames]
    turned = abs(frames[0][1]) == 90
    return {
        "frames": len(frames),
        "times_s": times_s,
        "start_s": times_s[0],
        "seconds": times_s[-1] - times_s[0] + 1 / rate,
        "sound": sounds,
        "first_sound_s": first_sound_s,
        "size": size[::-1] if turned else size,
        "turned": frames[0][1],
        "colours": frames[0][2],
    }


def _first_sound_s(path: Path) -> float | None:
    with av.open(ffmpeg_name(path)) as container:
        return next((float(frame.time) for frame in container.decode(audio=0) if frame.time is not None), None)


def frames_by_ffprobe(path: Path) -> int | None:
    """Frames that ffprobe decodes; None where it is not installed."""
    if shutil.which("ffprobe") is None:
        return None
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-count_frames", "-show_entries", "stream=nb_read_frames"]
    done = subprocess.run([*command, "-of", "csv=p=0", ffmpeg_name(path)], capture_output=True, text=True, check=False)
    return int(done.stdout.strip().split(",")[0]) if done.returncode == 0 else -1


def largest_difference(times_s: list[float], others_s: list[float]) -> float:
    """Of the times of frames; they are given for as many as both have."""
    return max((abs(a - b) for a, b in zip(times_s, others_s, strict=False)), default=0.0)


def sound_step_ms(source: dict[str, Any], result: dict[str, Any]) -> float | None:
    """How far the first sound moved against the first picture."""
    if source["first_sound_s"] is None or result["first_sound_s"] is None:
        return None
    before, after = (found["first_sound_s"] - found["start_s"] for found in (source, result))
    return float(1000 * (after - before))


def colour_error(clip: Path, made: Path) -> float:
    """Mean difference in grey levels between a clip's pictures and its copy's, every tenth frame, padding left out."""
    errors = []
    for number, (before, after) in enumerate(zip(pictures_of(clip), pictures_of(made), strict=False)):
        if number % 10 == 0:
            height, width = before.shape[:2]
            errors.append(float(np.abs(before.astype(np.int16) - after[:height, :width]).mean()))
    return float(np.mean(errors))


def pictures_of(path: Path) -> Iterator[Image]:
    """All pictures of a file as the program reads them."""
    source = VideoFileSource(path)
    source.open()
    while (found := source.read()) is not None:
        yield found[0]
    source.close()


def measure_rates(clip: Path, folder: Path, most_frames: int) -> dict[str, float]:
    """Seconds for decoding, styling and encoding alone, and for all of them at once.

    Styling alone is one picture after the other on all cores, as live, and several at a time, as in a film.
    """
    styles, first = find_style(load_gallery(), None)
    studio = Studio(styles, ModelChoice())
    stylizer = studio.require(first)
    began = time.perf_counter()
    pictures = [picture for picture, _ in zip(pictures_of(clip), range(most_frames), strict=False)]
    decode_s = time.perf_counter() - began
    stylizer.warm_up((pictures[0].shape[1], pictures[0].shape[0]))
    began = time.perf_counter()
    painted = [stylizer.style(picture) for picture in pictures]
    style_s = time.perf_counter() - began
    sharing, lanes = share_cores(studio, "auto")
    in_lanes = sharing.require(first)
    in_lanes.warm_up((pictures[0].shape[1], pictures[0].shape[0]))
    began = time.perf_counter()
    with ThreadPoolExecutor(lanes) as pool:
        list(pool.map(lambda picture: in_lanes.style(picture).shape, pictures))
    lanes_s = time.perf_counter() - began
    began = time.perf_counter()
    sink = VideoFileSink(folder / "encoded.mp4", Fraction(25), overwrite=True)
    for picture in painted:
        sink.write(picture, None)
    sink.close(True)
    encode_s = time.perf_counter() - began
    del pictures, painted
    together_s = _paint_clip(clip, folder / "painted.mp4", sharing, first, lanes, most_frames)
    studio.close()
    slowest_s = max(decode_s, style_s, encode_s)
    return {
        "decode_s": decode_s,
        "style_s": style_s,
        "style_in_lanes_s": lanes_s,
        "encode_s": encode_s,
        "together_s": together_s,
        "together_over_slowest": together_s / slowest_s,
        "share_of_stylizer_rate": style_s / together_s,
        "share_of_rate_in_lanes": lanes_s / together_s,
    }


def _paint_clip(clip: Path, made: Path, studio: Studio, style: int, lanes: int, most_frames: int) -> float:
    """Seconds from opening the source to the finished file."""
    times, source = RunTimes(), VideoFileSource(clip)
    began = time.perf_counter()
    capture = Capture(source, Policy.EVERY)
    painter = Painter(studio, style, None, times, warms_neighbours=False)
    capture.start()
    form = VideoForm(source.average_rate, source.time_base, source.start_s, source.colours)
    sink = VideoFileSink(made, form, overwrite=True)
    state = ControlState(style=style, style_count=len(studio.styles))
    Pipeline(capture, painter, sink, None, state, times, RunOptions(most_frames, lanes=lanes), threading.Event()).run()
    return time.perf_counter() - began


def watch_memory(frames: int, folder: Path) -> dict[str, Any]:
    """Resident memory of the program in MiB while it paints a film of generated frames, ten times on the way.

    Raises:
        UserError: the program failed, or this system has no /proc.
    """
    own_memory("--frames")
    made = folder / "long.mp4"
    command = [sys.executable, str(_PROGRAM), "--source", "demo", "--size", "64x64", "--max-frames", str(frames), "--quiet"]
    samples = []
    with running([*command, "--output", str(made), "--overwrite"]) as program:
        while program.poll() is None:
            found = memory_of(program.pid)
            samples += [found.now_mib] if found is not None else []
            time.sleep(0.2)
        check_ended(program, "--frames: the program")
    settled = samples[len(samples) // 10 :] or samples
    return {
        "frames": frames,
        "frames_in_file": frames_by_ffprobe(made),
        "resident_mib": [round(settled[min(len(settled) - 1, k * len(settled) // 10)], 1) for k in range(11)],
        "highest_mib": round(max(samples), 1),
    }


def _row(found: dict[str, Any]) -> tuple[str, ...]:
    step = "" if found["step_ms"] is None else f"{found['step_ms']:+.1f}"
    return (
        found["clip"],
        "/".join(str(count) for count in found["frames"]),
        "/".join(f"{seconds:.3f}" for seconds in found["seconds"]),
        "/".join(f"{start_s:.3f}" for start_s in found["start_s"]),
        f"{found['largest_time_error_ms']:.2f}",
        "/".join(str(count) for count in found["sound"]),
        step,
        " ".join(f"{width}x{height}" for width, height in found["size"]),
        str(found["turned"]),
        " ".join(f"{matrix},{range_}" for matrix, range_ in found["colours"]),
        f"{found['colour_error']:.2f}",
    )


_HEADER = (
    "clip",
    "frames in/out/ffprobe",
    "seconds",
    "start",
    "time ms",
    "sound",
    "step ms",
    "size",
    "turned",
    "tags",
    "colour",
)


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    lose_unread("stdout")
    parser = argument_types.Parser(prog="python -m benchmarks.video", description=__doc__)
    parser.add_argument("--suffix", default=".mp4", help="kind of file to write (default %(default)s)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the files there")
    parser.add_argument("--rates", action="store_true", help="only: painting against decoding, styling, encoding alone")
    parser.add_argument("--frames", type=argument_types.count, metavar="N", help="only: memory over so many generated frames")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        check_json(args.json)
        make_folder(folder, "--keep")
        if args.frames is not None:
            found: Any = {"memory": watch_memory(args.frames, folder)}
            print(json.dumps(found, indent=2))
        elif args.rates:
            found = {"rates": measure_rates(data_folder() / "video" / _RATE_CLIP, folder, 132)}
            print_table(tuple(found["rates"]), [[f"{value:.2f}" for value in found["rates"].values()]])
        else:
            found = {"clips": [compare(clip, folder, args.suffix) for clip in clips_of(data_folder() / "video")]}
            print_table(_HEADER, [_row(row) for row in found["clips"]])
            print(*(note for row in found["clips"] for note in row["notes"]), sep="\n")
        write_json(args.json, found)
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
