"""The file of --stats: whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from realtime.errors import EXIT_INTERRUPTED, OutputError
from realtime.program.statistics_file import write_stats
from realtime.program.written_paths import put_in_place
from realtime.sinks import check_output
from tests.fakes import SIGNS_OF_LIFE_S


def test_figures_replace_those_before(tmp_path: Path) -> None:
    path = tmp_path / "stats.json"
    for fps in (25.0, 30.0):
        write_stats(path, {"fps": fps})
        assert json.loads(path.read_text()) == {"fps": fps}
    assert list(tmp_path.iterdir()) == [path]


def test_full_disk_leaves_the_figures_before_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "stats.json"
    write_stats(path, {"fps": 25.0})

    def begin_and_fail(self: Path, text: str, encoding: str) -> int:
        self.write_bytes(text[:5].encode(encoding))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", begin_and_fail)
    with pytest.raises(OutputError, match=r"cannot be written \(No space left on device\)"):
        write_stats(path, {"fps": 30.0})
    assert list(tmp_path.iterdir()) == [path]
    assert json.loads(path.read_text()) == {"fps": 25.0}


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "stats.json", tmp_path / "stats.json"
    target.write_text("{}", encoding="utf-8")
    link.symlink_to(target)
    check_output(link, overwrite=True, option="--stats", in_place=True)
    write_stats(link, {"fps": 30})
    assert link.is_symlink()
    assert json.loads(target.read_text(encoding="utf-8")) == {"fps": 30}
    assert [path.name for path in (tmp_path / "far").iterdir()] == ["stats.json"]


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="a device of POSIX")
@pytest.mark.parametrize("device", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_what_goes_to_stdout_replaces_nothing(tmp_path: Path, device: str) -> None:
    """In a process of its own: stdout is a file there, which /dev/stdout leads to."""
    if not os.path.exists(device):
        pytest.skip(f"no {device}")
    code = (
        "import sys\nfrom pathlib import Path\nfrom realtime.program.statistics_file import write_stats\n"
        "from realtime.sinks import check_output\npath = Path(sys.argv[1])\n"
        "check_output(path, overwrite=True, option='--stats', in_place=True)\nwrite_stats(path, {'fps': 30})\n"
    )
    before = os.lstat("/dev/stdout").st_ino
    with open(tmp_path / "out", "w+", encoding="utf-8") as out:
        subprocess.run([sys.executable, "-c", code, device], stdout=out, check=True, timeout=60)
    assert json.loads((tmp_path / "out").read_text(encoding="utf-8")) == {"fps": 30}
    assert os.lstat("/dev/stdout").st_ino == before


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="a device of POSIX")
def test_a_device_needs_no_room_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "open", MagicMock(side_effect=PermissionError))
    check_output(Path("/dev/null"), overwrite=True, option="--stats", in_place=True)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="/dev/null: cannot be written"):
        check_output(Path("/dev/null"), overwrite=True, option="--stats", in_place=True)


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="memory as a disk, of Linux")
def test_files_in_shared_memory_are_files_like_any_other() -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        path = Path(folder) / "stats.json"
        for fps in (30, 60):
            check_output(path, overwrite=True, option="--stats", in_place=True)
            write_stats(path, {"fps": fps})
        assert json.loads(path.read_text(encoding="utf-8")) == {"fps": 60}
        assert [entry.name for entry in Path(folder).iterdir()] == ["stats.json"]


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Path]:
    """A pipe with a name."""
    if not hasattr(os, "mkfifo"):
        pytest.skip("a pipe of POSIX")
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def let_go() -> None:  # of whoever still waits for a reader
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))

    rescue = threading.Timer(SIGNS_OF_LIFE_S, let_go)
    rescue.start()
    yield path
    rescue.cancel()
    let_go()


@pytest.mark.parametrize("is_stopped_before", [True, False])
def test_after_a_signal_nobody_waits_for_the_reader_of_a_pipe(
    pipe: Path, is_stopped_before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime.program.statistics_file._TAKE_S", 0.05)
    stop = threading.Event()
    signal = threading.Timer(0.0 if is_stopped_before else 0.2, stop.set)
    signal.start()
    if is_stopped_before:
        signal.join()
    with pytest.raises(OutputError, match=r"--stats .*pipe: not written, as nobody read it") as caught:
        write_stats(pipe, {"fps": 30}, stop=stop)
    assert caught.value.exit_code == EXIT_INTERRUPTED


@pytest.mark.parametrize("is_stopped", [True, False])
def test_who_reads_a_pipe_gets_the_figures_after_a_signal_too(
    pipe: Path, is_stopped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime.program.statistics_file._TAKE_S", 20.0)
    stop, found = threading.Event(), {f"figure {number}": number for number in range(20_000)}  # more than fits in at once
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    if is_stopped:
        stop.set()
        reader.start()
    else:
        threading.Timer(0.2, reader.start).start()
    write_stats(pipe, found, stop=stop)
    reader.join()
    assert json.loads(read[0]) == found


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a pipe of POSIX")
def test_a_picture_or_film_goes_into_no_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "out.png")
    with pytest.raises(OutputError, match=r"out\.png: is a device or a pipe; expected the name of a file"):
        check_output(tmp_path / "out.png", overwrite=True)
    with pytest.raises(OutputError, match=r"--out .*out\.png: is a device or a pipe"):  # whatever the option is called
        check_output(tmp_path / "out.png", overwrite=True, option="--out")


def test_a_finished_file_goes_to_another_disk_where_a_link_leads_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "far").mkdir()
    made, link = tmp_path / "film.mp4.partial", tmp_path / "film.mp4"
    made.write_bytes(b"film")
    link.symlink_to(tmp_path / "far" / "film.mp4")
    replace = os.replace

    def refuse_other_disks(source: Path, target: Path) -> None:
        if Path(source).parent != Path(target).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse_other_disks)
    put_in_place(made, link)
    assert link.is_symlink()
    assert link.read_bytes() == b"film"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["far", "film.mp4", "film.mp4"]
