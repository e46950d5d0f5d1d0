"""Places where results may be written, and those that are refused before any work is done."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from realtime.errors import OutputError
from realtime.program.written_paths import check_writable

posix = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes of POSIX")


def refusal(path: Path, overwrite: bool = True, in_place: bool = False) -> str:
    """Why a place is refused."""
    with pytest.raises(OutputError) as caught:
        check_writable(path, "--plot here", overwrite, in_place)
    return str(caught.value)


def test_place_that_is_fine_leaves_no_trace(tmp_path: Path) -> None:
    check_writable(tmp_path / "out.png", "out.png", overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_what_an_earlier_run_left_on_the_way_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "out.png.partial").write_bytes(b"left")
    check_writable(tmp_path / "out.png", "out.png", overwrite=False)
    assert (tmp_path / "out.png.partial").read_bytes() == b"left"


def test_reason_begins_with_the_name_that_was_given(tmp_path: Path) -> None:
    (tmp_path / "there.png").touch()
    assert refusal(tmp_path) == "--plot here: is a folder; expected the name of a file"
    assert refusal(tmp_path / "there.png", overwrite=False) == "--plot here: exists already; add --overwrite to replace it"
    gone = tmp_path / "gone"
    assert refusal(gone / "a.png") == f"--plot here: the folder {gone} does not exist; make it first, or give another place"
    assert refusal(tmp_path / ("x" * 250 + ".png")).startswith(f"--plot here: cannot be written in {tmp_path} (")


@posix
def test_link_is_followed_to_where_the_file_will_be(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "good.png").symlink_to(tmp_path / "far" / "a.png")
    (tmp_path / "bad.png").symlink_to(tmp_path / "gone" / "a.png")
    check_writable(tmp_path / "good.png", "good.png", overwrite=False)
    assert f"the folder {tmp_path / 'gone'} does not exist" in refusal(tmp_path / "bad.png")


@posix
def test_pipe_is_replaced_by_no_file_and_written_to_where_that_will_do(tmp_path: Path) -> None:
    pipe = tmp_path / "out.png"
    os.mkfifo(pipe)
    assert "is a device or a pipe" in refusal(pipe, overwrite=True)
    assert "is a device or a pipe" in refusal(pipe, overwrite=False)  # where --overwrite would not help, it is not advised
    check_writable(pipe, "--stats", overwrite=False, in_place=True)
    assert pipe.is_fifo()


@posix
def test_pipe_where_the_file_is_to_be_begun_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "out.png.partial"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)  # or the test would wait for ever where the program does
    assert refusal(tmp_path / "out.png") == (
        "--plot here: out.png.partial beside it is a device or a pipe; remove it, or give another name"
    )
    assert pipe.is_fifo()
    os.close(reader)
