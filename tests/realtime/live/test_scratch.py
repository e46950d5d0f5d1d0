"""Temporary folders, and what killed programs leave of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from realtime.live.scratch import remove_abandoned, scratch_folder

ROOT = Path(__file__).resolve().parents[3]

posix = pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files of this test alone."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@contextmanager
def program_with_a_folder(temporary: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A program that has a scratch folder, with a picture in it, until it is killed."""
    code = (
        "import time\nfrom realtime.live.scratch import scratch_folder\n"
        "with scratch_folder() as folder:\n"
        "    (folder / 'progress.png').touch()\n    print(folder, flush=True)\n    time.sleep(60)"
    )
    environment = os.environ | {"TMPDIR": str(temporary)}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as program:
        try:
            assert program.stdout is not None
            yield program, Path(program.stdout.readline().rstrip("\n"))
        finally:
            program.kill()


def test_folder_is_gone_at_the_end(temporary: Path) -> None:
    with scratch_folder() as folder:
        (folder / "progress.png").touch()
        assert folder.parent == temporary
    assert list(temporary.iterdir()) == []


@posix
def test_folder_of_a_killed_program_is_removed_and_that_of_a_running_one_is_not(temporary: Path) -> None:
    with program_with_a_folder(temporary) as (program, folder), scratch_folder() as own:
        remove_abandoned()
        assert (folder / "progress.png").exists()
        program.kill()
        program.wait()
        assert folder.exists()
        remove_abandoned()
        assert list(temporary.iterdir()) == [own]


@posix
def test_nothing_of_others_is_removed(temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with program_with_a_folder(temporary) as (_, folder):
        pass
    pictures, far = temporary / "stylecam_pictures", tmp_path / "stylecam_abcdefgh"  # like ours by name; ours, elsewhere
    pictures.mkdir()
    shutil.copytree(folder, far)
    shutil.copytree(folder, temporary / "stylecam_mine")  # a name that tempfile never gives
    (temporary / "stylecam_12345678").symlink_to(far)
    (folder / "link").symlink_to(tmp_path)
    before = set(temporary.iterdir())
    remove_abandoned()
    assert set(temporary.iterdir()) == before - {folder}
    assert (far / "progress.png").exists()
    shutil.copytree(far, folder)
    monkeypatch.setattr(os, "getuid", lambda: -1)
    remove_abandoned()
    assert (folder / "progress.png").exists()


@posix
def test_folder_without_locks_is_had_all_the_same(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def no_locks(*_: object) -> None:
        raise OSError("no locks on this disk")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with scratch_folder() as folder:
        remove_abandoned()
        assert folder.is_dir()
    assert list(temporary.iterdir()) == []


def test_no_place_for_temporary_files_keeps_nothing_from_starting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    remove_abandoned()
