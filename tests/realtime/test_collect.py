"""Photographs collected from cameras and clips: named by time, nothing replaced, kept whatever happens."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime.collect import Limits, PhotoFolder, collect, main
from realtime.errors import EXIT_ARGUMENTS, EXIT_DONE, EXIT_INTERRUPTED, EXIT_OUTPUT, EXIT_SOURCE, OutputError, SourceError
from realtime.pictures.files import encode_picture, read_picture
from realtime.pictures.photo_choice import Candidate, fit_for_training
from tests.fakes import MjpegServer, ScriptedSource, Step, noisy_picture, wait_until, write_clip
from tests.program import pipe_without_reader
from tests.realtime.pictures.test_photo_choice import scene

ROOT = Path(__file__).resolve().parent.parent.parent


def clip_of_scenes(path: Path, count: int) -> Path:
    """A clip of ten frames a second in which each scene stays for a second."""
    return write_clip(path, pictures=[scene(number // 10) for number in range(count * 10)])


def collected(folder: Path) -> list[str]:
    """Names of the photographs."""
    return sorted(path.name for path in folder.iterdir())


# ---------------------------------------------------------------------------------------------- the program


def test_clip_gives_a_photograph_of_each_scene(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = clip_of_scenes(tmp_path / "my clip.mp4", 4)
    assert main(["--source", str(clip), "--out", str(tmp_path / "photos" / "mine"), "--count", "8"]) == EXIT_DONE
    names = collected(tmp_path / "photos" / "mine")
    assert len(names) == 4
    assert [float(name.removeprefix("my_clip_").removesuffix("s.jpg")) // 1 for name in names] == [0, 1, 2, 3]
    assert read_picture(tmp_path / "photos" / "mine" / names[0]).image_bgr.shape == scene(0).shape
    output = capsys.readouterr().out
    assert output.splitlines()[0].endswith("4 photographs (left out: 0 blurred, 0 blank, 4 like others)")


def test_folder_whose_name_stdout_cannot_show_is_told_escaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(taken, encoding="ascii"))
    arguments = ["--source", str(clip_of_scenes(tmp_path / "clip.mp4", 1)), "--out", str(tmp_path / "Léger")]
    assert main(arguments) == EXIT_DONE
    sys.stdout.flush()
    assert rb"L\xe9ger: 1 photographs" in taken.getvalue()


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_photographs_that_are_there_already_are_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    clip, photos = clip_of_scenes(tmp_path / "clip.mp4", 4), tmp_path / "photos"
    arguments = ["--source", str(clip), "--out", str(photos), "--format", suffix, "--count", "4"]
    assert main(arguments) == EXIT_DONE
    before = {path: path.stat().st_mtime_ns for path in photos.iterdir()}
    lost = min(before)
    lost.unlink()
    assert main(arguments) == EXIT_DONE
    assert set(photos.iterdir()) == set(before)
    assert main(arguments) == EXIT_DONE
    told = [line.partition(": ")[2].partition(" (")[0] for line in capsys.readouterr().out.splitlines()]
    assert told == ["4 photographs", "1 photographs, 3 there already", "0 photographs, 4 there already"]
    assert {path: path.stat().st_mtime_ns for path in photos.iterdir() if path != lost} == {
        path: when for path, when in before.items() if path != lost
    }


def test_another_clip_of_the_same_name_replaces_nothing(tmp_path: Path) -> None:
    clips = []
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        clips.append(write_clip(tmp_path / str(number) / "clip.mp4", pictures=[scene(number)]))
    for clip in (*clips, *clips):
        assert main(["--source", str(clip), "--out", str(tmp_path / "photos"), "--count", "1", "--format", "png"]) == EXIT_DONE
    names = collected(tmp_path / "photos")
    assert len(names) == 2
    assert names[1] == names[0].replace(".png", "_2.png")
    first, second = (read_picture(tmp_path / "photos" / name).image_bgr.astype(int) for name in names)
    assert np.abs(first - second).mean() > 10


def test_count_and_seconds_bound_what_is_collected(tmp_path: Path) -> None:
    clip = clip_of_scenes(tmp_path / "clip.mp4", 6)
    assert main(["--source", str(clip), "--out", str(tmp_path / "a"), "--count", "3"]) == EXIT_DONE
    assert len(collected(tmp_path / "a")) == 3
    assert main(["--source", str(clip), "--out", str(tmp_path / "b"), "--seconds", "2"]) == EXIT_DONE
    assert len(collected(tmp_path / "b")) == 2


def test_demo_is_a_source_as_well(tmp_path: Path) -> None:
    arguments = ["--source", "demo", "--size", "160x120", "--seconds", "4", "--count", "4"]
    assert main([*arguments, "--out", str(tmp_path / "photos")]) == EXIT_DONE
    assert collected(tmp_path / "photos")


def test_photographs_of_a_stream_are_named_by_the_clock(tmp_path: Path) -> None:
    jpegs = [cv2.imencode(".jpg", scene(number))[1].tobytes() for number in range(8)]
    with MjpegServer(jpegs) as server:
        assert (
            main(["--source", server.url, "--out", str(tmp_path / "photos"), "--count", "2", "--seconds", "1.5"]) == EXIT_DONE
        )
    names = collected(tmp_path / "photos")
    assert 1 <= len(names) <= 2
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d-\d{3}\.jpg", name) for name in names)


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["--source", "gone.mp4", "--out", "photos"], EXIT_SOURCE, "no such file"),
        (["--source", "dark.mp4", "--out", "photos"], EXIT_SOURCE, "no photograph in 5 frames (left out: 0 blurred, 5 blank"),
        (["--source", "dark.mp4", "--out", "dark.mp4/photos"], EXIT_OUTPUT, "cannot be made"),
    ],
)
def test_mistakes_take_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    reason: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "dark.mp4", pictures=[np.zeros((48, 64, 3), np.uint8)] * 5)
    assert main(arguments) == code
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1
    assert errors[0].startswith("error: ")
    assert reason in errors[0]


@pytest.mark.parametrize("arguments", [[], ["--out", "photos", "--count", "0"], ["--out", "photos", "--seconds", "-1"]])
def test_wrong_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == EXIT_ARGUMENTS


def test_ctrl_c_keeps_what_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    command = [sys.executable, "-m", "realtime.collect", "--source", "demo", "--size", "1920x1080", "--seconds", "100000"]
    process = subprocess.Popen(
        [*command, "--count", "100000", "--out", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: folder.is_dir() and any(path.suffix == ".jpg" for path in folder.iterdir()), 60)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == EXIT_INTERRUPTED
    assert "photographs" in output
    assert errors == ""
    assert not [name for name in collected(folder) if not name.endswith(".jpg")]
    assert all(read_picture(folder / name).image_bgr.size for name in collected(folder))


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_photographs_are_kept_though_nobody_reads_of_them(tmp_path: Path) -> None:
    clip, folder = clip_of_scenes(tmp_path / "clip.mp4", 2), tmp_path / "photos"
    command = [sys.executable, "-m", "realtime.collect", "--source", str(clip), "--out", str(folder)]
    with pipe_without_reader() as pipe:
        done = subprocess.run(command, cwd=ROOT, stdout=pipe, stderr=pipe, timeout=60, check=False)
    assert done.returncode == EXIT_DONE
    assert len(collected(folder)) == 2


# ------------------------------------------------------------------------------------------------ the parts


def test_source_that_ends_damaged_leaves_its_photographs(tmp_path: Path) -> None:
    steps: list[Step] = [*(scene(number) for number in range(3)), SourceError("ends damaged")]
    folder = PhotoFolder(tmp_path / "photos", ".jpg", lambda at_s: f"{at_s:.1f}")
    with pytest.raises(SourceError, match="ends damaged"):
        collect(ScriptedSource([steps]), folder, Limits(1.0, 10), threading.Event())
    assert collected(tmp_path / "photos") == ["0.0.jpg", "0.1.jpg", "0.2.jpg"]


def test_stop_ends_the_collection(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    folder = PhotoFolder(tmp_path / "photos", ".jpg", str)
    source = ScriptedSource([[scene(1)] * 3])
    assert collect(source, folder, Limits(None, 10), stop).seen == 0
    assert source.closed


def test_interval_is_the_time_over_the_count() -> None:
    assert Limits(30.0, 100).interval_s(None) == pytest.approx(0.3)
    assert Limits(None, 100).interval_s(None) == pytest.approx(0.3)
    assert Limits(None, 10).interval_s(20.0) == pytest.approx(2.0)
    assert Limits(30.0, 10).interval_s(20.0) == pytest.approx(2.0)


def test_count_holds_for_photographs_that_are_there_already(tmp_path: Path) -> None:
    seen = []
    for written in (2, 0):
        source = ScriptedSource([[scene(number) for number in range(6)]])
        source.frame_count = 2  # a header that lies: more intervals come than it promises
        folder = PhotoFolder(tmp_path / "photos", ".jpg", lambda at_s: f"{at_s:.1f}")
        seen.append(collect(source, folder, Limits(None, 2), threading.Event()).seen)
        assert (folder.written, folder.there_already) == (written, 2 - written)
    assert seen == [3, 3]  # and not to the clip's end
    assert collected(tmp_path / "photos") == ["0.0.jpg", "0.1.jpg"]


def photo_of(number: int) -> Candidate:
    """What the chooser gives of a scene."""
    return Candidate(scene(number), 1.0, 1.0, 1.0)


def test_a_full_disk_is_no_matter_where_all_is_there_already(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = PhotoFolder(tmp_path, ".jpg", lambda _: "a")
    folder.write(photo_of(1))
    monkeypatch.setattr("realtime.collect.write_picture", None)  # nothing is written and taken away again
    folder.write(photo_of(1))
    assert (folder.written, folder.there_already) == (1, 1)


def test_a_file_that_cannot_be_read_is_another_photograph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = PhotoFolder(tmp_path, ".jpg", lambda _: "a")
    folder.write(photo_of(1))
    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", lambda _: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
        folder.write(photo_of(1))
    assert (folder.written, folder.there_already) == (2, 0)
    assert (tmp_path / "a.jpg").read_bytes() == (tmp_path / "a_2.jpg").read_bytes()


@pytest.mark.parametrize("kind", ["folder", "pipe", "part of it", "other bytes"])
def test_what_is_no_such_photograph_is_left_alone_under_its_name(tmp_path: Path, kind: str) -> None:
    path, data = tmp_path / "a.jpg", encode_picture(Path("a.jpg"), fit_for_training(scene(1)))
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        if not hasattr(os, "mkfifo"):
            pytest.skip("a pipe of POSIX")
        os.mkfifo(path)
    else:
        path.write_bytes(data[:-1] if kind == "part of it" else bytes(len(data)))
    folder = PhotoFolder(tmp_path, ".jpg", lambda _: "a")
    for _ in range(2):
        folder.write(photo_of(1))
    assert (folder.written, folder.there_already) == (1, 1)
    assert collected(tmp_path) == ["a.jpg", "a_2.jpg"]
    assert (tmp_path / "a_2.jpg").read_bytes() == data


@pytest.mark.skipif(not os.path.exists("/proc/self"), reason="needs a folder that nobody can write into")
def test_folder_that_cannot_be_written() -> None:
    with pytest.raises(OutputError):
        PhotoFolder(Path("/proc/self"), ".jpg", str).write(Candidate(noisy_picture(), 1.0, 1.0, 1.0))
