"""Video files as users of the program meet them: options, damage, full disks, crashes, going on."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from realtime.errors import EXIT_ARGUMENTS, EXIT_DONE, EXIT_OUTPUT, EXIT_SOURCE
from realtime.program.command_line import parse_arguments
from tests.fakes import CLIP_FRAMES, bytes_so_far, clip_index, clip_picture, noisy_picture, read_clip, wait_until
from tests.films import clicks_of, write_film
from tests.program import TIME_LIMIT_S, RunCam

SIZE_WH = (96, 64)
STILL_FRAMES = 480


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds, 25 frames a second, with sound; not to be written to."""
    pictures = [clip_picture(index % CLIP_FRAMES) for index in range(50)]
    return write_film(tmp_path_factory.mktemp("films") / "film.mp4", pictures, sound="aac", clicks_s=[1.2])


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise, which no codec makes small, so that much is on the disk soon; not to be written to."""
    pictures = [noisy_picture(SIZE_WH, seed) for seed in range(120)]
    return write_film(tmp_path_factory.mktemp("noise") / "noise.mkv", pictures, codec="ffv1", pixel_format="bgr0")


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One pale picture as a camera with little noise sees it, many times, while day breaks; not to be written to."""
    scene = np.asarray(noisy_picture(SIZE_WH, 1), np.int16) // 2 + 24
    random = np.random.default_rng(0)
    pictures = [(scene + n // 8 + random.integers(-2, 3, scene.shape)).astype(np.uint8) for n in range(STILL_FRAMES)]
    return write_film(tmp_path_factory.mktemp("still") / "still.mkv", pictures, codec="ffv1", pixel_format="bgr0")


def test_excerpt_scaled_with_its_sound(run_cam: RunCam, film: Path, work: Path) -> None:
    options = ("--start", "0:01", "--end", "1.6", "--scale", "2", "--codec", "hevc", "--crf", "20")
    run_cam("--source", film, "--output", "out.mp4", "--strength", 0, *options).succeeds()
    pictures = read_clip(work / "out.mp4")
    assert [clip_index(picture) for picture in pictures] == [index % CLIP_FRAMES for index in range(25, 40)]
    assert pictures[0].shape == (96, 128, 3)
    assert clicks_of(work / "out.mp4") == pytest.approx([0.2], abs=0.04)


def test_gif_there_and_back(run_cam: RunCam, film: Path, work: Path) -> None:
    run_cam("--source", film, "--output", "out.gif", "--strength", 0).succeeds()
    run_cam("--source", "out.gif", "--output", "back.mp4", "--strength", 0).succeeds()
    shown = [clip_index(picture) for picture in read_clip(work / "back.mp4")]
    assert shown == [index % CLIP_FRAMES for index in range(50)]


def test_quiet_is_quiet(run_cam: RunCam, work: Path) -> None:
    write_film(work / "odd.mkv", [noisy_picture((65, 47))] * 3, codec="ffv1", pixel_format="bgr0")
    loud = run_cam("--source", "odd.mkv", "--output", "loud.mp4")
    assert (loud.code, loud.errors) == (
        EXIT_DONE,
        "note: --output loud.mp4: h264 holds even sizes only; 65x47 padded to 66x48\n",
    )
    run_cam("--source", "odd.mkv", "--output", "quiet.mp4", "--quiet").succeeds()


def test_excerpt_behind_the_end(run_cam: RunCam, film: Path, work: Path) -> None:
    run_cam("--source", film, "--output", "out.mp4", "--start", "7").complains(EXIT_SOURCE, "ends before --start 7")
    assert list(work.iterdir()) == []


@pytest.mark.parametrize("source", ["demo", "rtsp://anna:s3cret@camera.example/live"])
def test_excerpt_of_what_is_no_file(run_cam: RunCam, source: str) -> None:
    outcome = run_cam("--source", source, "--output", "out.mp4", "--end", "3")
    outcome.complains(EXIT_ARGUMENTS, "only for a video file as --source")
    assert "s3cret" not in outcome.errors


@pytest.mark.parametrize(
    "options",
    [
        ("--start", "-1"),
        ("--start", "1:2:3:4"),
        ("--start", "5", "--end", "5"),
        ("--end", "0"),
        ("--scale", "0"),
        ("--scale", "8x8"),
        ("--codec", "mpeg1"),
        ("--crf", "-3"),
        ("--codec", "h264", "--headless"),
        ("--resume", "--output", "out.png"),
    ],
)
def test_wrong_options(options: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments(["--source", "clip.mp4", *options])
    assert caught.value.code == EXIT_ARGUMENTS
    assert options[0] in capsys.readouterr().err or "--end" in options


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_full_disk_keeps_what_was_made_and_goes_on(
    command: list[str], environment: dict[str, str], run_cam: RunCam, noise: Path, work: Path
) -> None:
    arguments = ["--source", str(noise), "--output", "out.mkv", "--codec", "ffv1"]
    limited = f"ulimit -f 1000; exec {shlex.join([*command, *arguments])}"
    done = subprocess.run(
        ["bash", "-c", limited], cwd=work, env=environment, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False
    )
    assert done.returncode == EXIT_OUTPUT, done.stderr
    assert len(done.stderr.splitlines()) == 1
    kept = len(read_clip(work / "out.mkv.partial"))
    assert 0 < kept < 120
    assert f"{kept} frames can be played in out.mkv.partial; add --resume to go on" in done.stderr
    run_cam(*arguments, "--resume", "--quiet").succeeds()
    check_noise(work / "out.mkv", noise)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_killed_in_the_middle_and_continued_is_the_same_to_the_bit(
    command: list[str], environment: dict[str, str], run_cam: RunCam, noise: Path, work: Path
) -> None:
    arguments = ["--source", str(noise), "--output", "out.mkv", "--codec", "ffv1"]
    with subprocess.Popen([*command, *arguments], cwd=work, env=environment, stderr=subprocess.DEVNULL) as program:
        partial = work / "out.mkv.partial"
        wait_until(lambda: bytes_so_far(partial) > 100_000, timeout_s=120.0)
        program.send_signal(signal.SIGKILL)
    assert count_whole(partial) > 0
    run_cam(*arguments).complains(EXIT_OUTPUT, "add --resume to go on, --overwrite to begin again")
    other = run_cam(*arguments, "--resume", "--strength", 0.5)
    other.complains(EXIT_OUTPUT, "strength was 1.0 and is 0.5")
    (work / "broken.mkv").write_bytes(b"no film")
    broken = run_cam("--source", "broken.mkv", "--output", "out.mkv", "--overwrite")  # nothing to put in its place
    broken.complains(EXIT_SOURCE, "broken.mkv")
    (work / "broken.mkv").unlink()
    assert count_whole(partial) > 0
    outcome = run_cam(*arguments, "--resume")
    assert (outcome.code, outcome.errors.startswith("note: --output out.mkv: going on after ")) == (EXIT_DONE, True)
    check_noise(work / "out.mkv", noise)
    assert [path.name for path in work.iterdir()] == ["out.mkv"]


def test_what_stands_still_is_averaged(run_cam: RunCam, still: Path, work: Path) -> None:
    run_cam("--source", still, "--codec", "ffv1", "--output", "steady.mkv").succeeds()
    run_cam("--source", still, "--codec", "ffv1", "--output", "flickering.mkv", "--no-steady").succeeds()
    assert _change(read_clip(work / "steady.mkv")) < 0.5 * _change(read_clip(work / "flickering.mkv"))


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
@pytest.mark.parametrize(("options", "repeated"), [([], 355), (["--no-steady"], 32), (["--no-auto-levels"], 323)])
def test_averages_and_levels_go_on_as_before(
    command: list[str],
    environment: dict[str, str],
    run_cam: RunCam,
    still: Path,
    work: Path,
    options: list[str],
    repeated: int,
) -> None:
    """A run that is broken off paints the frames before the break again, so that its film is that of one run to the bit."""
    arguments = ["--source", str(still), "--codec", "ffv1", *options]
    run_cam(*arguments, "--output", "whole.mkv").succeeds()
    blocks = (work / "whole.mkv").stat().st_size * 9 // 10 // 1024
    limited = f"ulimit -f {blocks}; exec {shlex.join([*command, *arguments, '--output', 'broken.mkv'])}"
    subprocess.run(["bash", "-c", limited], cwd=work, env=environment, capture_output=True, timeout=TIME_LIMIT_S, check=False)
    kept = len(read_clip(work / "broken.mkv.partial"))
    assert repeated < kept < STILL_FRAMES, kept
    run_cam(*arguments, "--output", "broken.mkv", "--resume", "--quiet", "--stats", "stats.json").succeeds()
    np.testing.assert_array_equal(read_clip(work / "broken.mkv"), read_clip(work / "whole.mkv"))
    stats = json.loads((work / "stats.json").read_text())
    assert stats["frames_in"] == stats["frames_styled"] <= STILL_FRAMES - kept + 2  # what is painted again does not count


def _change(pictures: Sequence[np.ndarray[Any, Any]]) -> float:
    """Mean difference of each picture from the one before, from the tenth on."""
    return float(np.abs(np.diff(np.asarray(pictures[10:], np.float32), axis=0)).mean())


def test_resuming_what_is_complete_is_refused_and_what_is_not_begun_begins(run_cam: RunCam, film: Path, work: Path) -> None:
    run_cam("--source", film, "--output", "out.mp4", "--resume").succeeds()
    run_cam("--source", film, "--output", "out.mp4", "--resume").complains(EXIT_OUTPUT, "exists already")
    assert len(read_clip(work / "out.mp4")) == 50


def test_going_on_with_what_is_no_film_of_files(run_cam: RunCam, work: Path) -> None:
    outcome = run_cam("--source", "demo", "--output", "out.mp4", "--max-frames", 3, "--resume")
    outcome.complains(EXIT_ARGUMENTS, "--resume: only for films read from files", "not for demo")
    assert list(work.iterdir()) == []


def test_folder_played_as_a_camera_is_gone_on_with_file_by_file(run_cam: RunCam, work: Path) -> None:
    (work / "films").mkdir()
    for name in ("one.mp4", "two.mp4"):
        write_film(work / "films" / name, [clip_picture(index) for index in range(5)])
    arguments = ["--source", "films", "--output", "painted", "--live", "--resume"]
    run_cam(*arguments).succeeds()
    before = (work / "painted" / "one.mp4").stat().st_mtime_ns
    (work / "painted" / "two.mp4").unlink()
    run_cam(*arguments).succeeds()
    assert (work / "painted" / "one.mp4").stat().st_mtime_ns == before
    assert (work / "painted" / "two.mp4").exists()


def test_limit_counts_frames_of_all_runs(run_cam: RunCam, film: Path, work: Path) -> None:
    run_cam("--source", film, "--output", "out.mp4", "--max-frames", 7).succeeds()
    assert len(read_clip(work / "out.mp4")) == 7
    assert clicks_of(work / "out.mp4") == []


def count_whole(path: Path) -> int:
    """Frames that decode before the broken-off end."""
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        for number in count():
            try:
                next(frames)
            except (StopIteration, av.error.FFmpegError):
                return number
    return 0


def check_noise(path: Path, noise: Path) -> None:
    """Every frame of the noise is there once, at its time, inverted to the bit."""
    with av.open(str(path)) as container, av.open(str(noise)) as source:
        pairs = list(zip(container.decode(video=0), source.decode(video=0), strict=True))
        assert len(pairs) == 120
        for frame, photo in pairs:
            assert frame.time == pytest.approx(photo.time, abs=0.001)
            np.testing.assert_array_equal(frame.to_ndarray(format="bgr24"), 255 - photo.to_ndarray(format="bgr24"))


def test_encoder_of_av1_is_quiet(run_cam: RunCam, film: Path) -> None:
    run_cam("--source", film, "--output", "out.mkv", "--codec", "av1", "--max-frames", "3").succeeds()
