"""Snapshots: both pictures, names that are free, failures that are told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime.errors import OutputError
from realtime.frame import Image
from realtime.live.snapshots import Snapshot, SnapshotFolder, dated_path
from realtime.pictures.files import write_picture
from tests.fakes import flat_picture, noisy_picture, read_picture, wait_until

NOON = time.struct_time((2026, 7, 5, 12, 0, 0, 6, 186, 0))


@pytest.fixture
def snapshots(tmp_path: Path) -> Iterator[SnapshotFolder]:
    folder = SnapshotFolder(tmp_path / "deep" / "snapshots", now=lambda: NOON)
    yield folder
    folder.close()


def test_snapshot_holds_painting_and_photo(snapshots: SnapshotFolder, tmp_path: Path) -> None:
    snapshots.save(lambda: flat_picture(7), noisy_picture(), "night_sky")
    done = snapshots.done.get(timeout=20.0)
    folder = tmp_path / "deep" / "snapshots"
    assert done.path == folder / "2026-07-05_12-00-00_night_sky.png"
    np.testing.assert_array_equal(read_picture(done.path), flat_picture(7))
    photo = read_picture(folder / "2026-07-05_12-00-00_night_sky_original.png")
    np.testing.assert_array_equal(photo, noisy_picture())


def test_snapshots_of_one_second_do_not_replace_each_other(snapshots: SnapshotFolder, tmp_path: Path) -> None:
    for level in (1, 2, 3):
        snapshots.save(lambda level=level: flat_picture(level), noisy_picture(), "night_sky")  # type: ignore[misc]
    done = [snapshots.done.get(timeout=20.0) for _ in range(3)]
    paths = [snapshot.path for snapshot in done if snapshot.path is not None]
    assert [path.name for path in paths] == [
        "2026-07-05_12-00-00_night_sky.png",
        "2026-07-05_12-00-00_night_sky_2.png",
        "2026-07-05_12-00-00_night_sky_3.png",
    ]
    assert [int(read_picture(path)[0, 0, 0]) for path in paths] == [1, 2, 3]
    assert len(list((tmp_path / "deep" / "snapshots").iterdir())) == 6


def test_name_of_a_style_cannot_leave_the_folder(snapshots: SnapshotFolder, tmp_path: Path) -> None:
    snapshots.save(lambda: flat_picture(7), noisy_picture(), "../../étoile du nord")
    done = snapshots.done.get(timeout=20.0)
    assert done.path is not None
    assert done.path.parent == tmp_path / "deep" / "snapshots"
    assert " " not in done.path.name


def test_snapshot_that_fails_says_why_and_the_next_one_works(snapshots: SnapshotFolder) -> None:
    def fail() -> np.ndarray:
        raise RuntimeError("out of memory")

    snapshots.save(fail, noisy_picture(), "night_sky")
    snapshots.save(lambda: flat_picture(1), noisy_picture(), "night_sky")
    failed, worked = (snapshots.done.get(timeout=20.0) for _ in range(2))
    assert (failed.path, failed.problem) == (None, "out of memory")
    assert worked.path is not None


def test_snapshot_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = SnapshotFolder(tmp_path / "file" / "snapshots", now=lambda: NOON)
    folder.save(lambda: flat_picture(1), noisy_picture(), "night_sky")
    failed = folder.done.get(timeout=20.0)
    folder.close()
    assert failed.path is None
    assert "cannot be made" in failed.problem


def test_folders_of_two_programs_do_not_take_each_others_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they choose them at the same time: each has looked for a free one before the other has written anything."""
    chosen = threading.Barrier(2, timeout=20.0)
    choose, known = dated_path, threading.local()

    def choose_together(*arguments: Any) -> Path:
        path = choose(*arguments)
        if not getattr(known, "has_chosen", False):
            known.has_chosen = True
            chosen.wait()
        return path

    monkeypatch.setattr("realtime.live.snapshots.dated_path", choose_together)
    folders = [SnapshotFolder(tmp_path, now=lambda: NOON) for _ in range(2)]
    for level, folder in enumerate(folders):
        folder.save(lambda level=level: flat_picture(level), flat_picture(100 + level), "night_sky")  # type: ignore[misc]
    for folder in folders:
        folder.close()
    for level, folder in enumerate(folders):
        done = folder.done.get(timeout=20.0)
        assert done.path is not None
        assert done.original is not None
        assert not done.failure
        np.testing.assert_array_equal(read_picture(done.path), flat_picture(level))
        np.testing.assert_array_equal(read_picture(done.original), flat_picture(100 + level))
    assert len(list(tmp_path.iterdir())) == 4


def test_link_that_leads_nowhere_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "2026-07-05_12-00-00_night_sky.png").symlink_to(tmp_path / "gone")
    assert dated_path(tmp_path, "night_sky", ".png", lambda: NOON).name == "2026-07-05_12-00-00_night_sky_2.png"


def test_painting_is_kept_and_told_where_its_original_cannot_be_written(
    snapshots: SnapshotFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_originals(path: Path, picture: Image) -> None:
        if path.stem.endswith("_original"):
            raise OutputError("the disk is full")
        write_picture(path, picture)

    monkeypatch.setattr("realtime.live.snapshots.write_picture", refuse_originals)
    handed_on: list[Snapshot] = []
    snapshots.save(lambda: flat_picture(7), noisy_picture(), "night_sky", handed_on.append)
    snapshots.close()
    path = tmp_path / "deep" / "snapshots" / "2026-07-05_12-00-00_night_sky.png"
    assert snapshots.problems() == [f"snapshot {path.name}: kept without its original: the disk is full"]
    np.testing.assert_array_equal(read_picture(path), flat_picture(7))
    assert handed_on == []


def test_name_of_a_painting_that_cannot_be_written_is_free_again(
    snapshots: SnapshotFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, picture: Image) -> None:
        raise OutputError("the disk is full")

    monkeypatch.setattr("realtime.live.snapshots.write_picture", refuse)
    snapshots.save(lambda: flat_picture(7), noisy_picture(), "night_sky")
    snapshots.close()
    assert snapshots.problems() == ["no snapshot: the disk is full"]
    assert list((tmp_path / "deep" / "snapshots").iterdir()) == []


def test_closing_waits_for_the_snapshots_that_were_asked_for(tmp_path: Path) -> None:
    folder = SnapshotFolder(tmp_path, now=lambda: NOON)
    for _ in range(3):
        folder.save(lambda: flat_picture(1), noisy_picture(), "night_sky")
    folder.close()
    assert len(list(tmp_path.glob("*.png"))) == 6
    wait_until(lambda: not any(thread.name == "snapshots" for thread in threading.enumerate()))


class SlowDisk:
    """A painting that is ready only when it is told to be."""

    def __init__(self) -> None:
        self.began, self.is_ready = threading.Event(), threading.Event()

    def paint(self) -> np.ndarray:
        """Waits."""
        self.began.set()
        assert self.is_ready.wait(20.0)
        return flat_picture(1)


def test_snapshots_beyond_eight_that_wait_are_not_taken(tmp_path: Path) -> None:
    folder, disk = SnapshotFolder(tmp_path, now=lambda: NOON), SlowDisk()
    folder.save(disk.paint, noisy_picture(), "night_sky")
    assert disk.began.wait(20.0)
    for _ in range(11):
        folder.save(lambda: flat_picture(1), noisy_picture(), "night_sky")
    assert folder.problems() == ["no snapshot: 8 are already waiting to be written"] * 3
    disk.is_ready.set()
    folder.close()
    assert len(list(tmp_path.glob("*.png"))) == 2 * 9
    assert folder.problems() == []


def test_snapshots_that_cannot_be_written_before_the_end_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.live.snapshots._CLOSE_S", 0.05)
    folder, disk = SnapshotFolder(tmp_path, now=lambda: NOON), SlowDisk()
    folder.save(disk.paint, noisy_picture(), "night_sky")
    assert disk.began.wait(20.0)
    for _ in range(3):
        folder.save(lambda: flat_picture(1), noisy_picture(), "night_sky")
    folder.close()
    assert folder.problems() == ["no snapshot: 4 could not be written within 0.05 seconds"]
    disk.is_ready.set()
    wait_until(lambda: not any(thread.name == "snapshots" for thread in threading.enumerate()))
    assert len(list(tmp_path.glob("*.png"))) == 2  # the one under way; the others are not begun behind the report's back


def test_no_snapshot_no_folder(tmp_path: Path) -> None:
    SnapshotFolder(tmp_path / "snapshots").close()
    assert list(tmp_path.iterdir()) == []
