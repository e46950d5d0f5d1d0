"""Recordings: true times, whole files however they end, drops that are counted, failures that are told."""

from __future__ import annotations

import errno
import gc
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from realtime.errors import OutputError
from realtime.outlets import recording_file
from realtime.outlets.recorder import Recorder
from realtime.outlets.recording_file import RecordingFile
from tests.fakes import SMALL_WH, flat_picture, read_clip, wait_until

NOON = time.struct_time((2026, 7, 5, 12, 0, 0, 6, 186, 0))
ROOT = Path(__file__).resolve().parents[3]


def times_s(path: Path) -> list[float]:
    """When each frame of a file is to be seen."""
    with av.open(str(path)) as container:
        return [float(frame.time or 0.0) for frame in container.decode(video=0)]


def write_frames(file: RecordingFile, numbers: range) -> None:
    """Frames of as many grey levels, ten a second."""
    for number in numbers:
        file.write(flat_picture(number), number / 10)


class Scene:
    """A recorder and what it told."""

    def __init__(self, folder: Path) -> None:
        self.told: list[str] = []
        self.recorder = Recorder(folder, self.told.append, now=lambda: NOON)

    def begin(self) -> None:
        """Begins and waits until frames are taken."""
        self.recorder.begin("night sky")
        session = self.recorder._session
        assert session is not None
        wait_until(lambda: session._is_ready.is_set() or session.has_failed)

    def offer_all(self, pictures: list[Any], rate: float = 10.0) -> None:
        """Offers pictures, each after the one before was written."""
        for number, picture in enumerate(pictures, start=1):
            self.recorder.offer(picture, 50.0 + number / rate)
            wait_until(lambda: self.taken_in() or not self.recorder.is_on)

    def taken_in(self) -> bool:
        """Whether everything offered was written or dropped."""
        session = self.recorder._session
        return session is None or session._frames.empty()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path / "recordings")
    yield made
    made.recorder.close()
    wait_until(lambda: not any(thread.name == "recorder" for thread in threading.enumerate()))


def test_recording_holds_every_frame_at_its_true_time(scene: Scene, tmp_path: Path) -> None:
    scene.begin()
    stamps = [7.0, 7.04, 7.3, 7.31, 9.5]  # as uneven as a camera's
    for number, stamp in enumerate(stamps):
        scene.recorder.offer(flat_picture(20 + 40 * number), stamp)
    scene.recorder.close()
    path = tmp_path / "recordings" / "2026-07-05_12-00-00_night_sky.mp4"
    assert times_s(path) == pytest.approx([0.0, 0.04, 0.3, 0.31, 2.5], abs=1e-3)
    assert [round(float(picture.mean()) / 40 - 0.5) for picture in read_clip(path)] == [0, 1, 2, 3, 4]
    assert scene.recorder.figures() == {"files": 1, "frames_written": 5, "frames_dropped": 0}
    assert scene.told == [f"recorded {path.name}: 2.5 s, 0.0 MB"]


def test_colours_come_back(tmp_path: Path) -> None:
    quarters = np.array([[[40, 200, 90], [200, 60, 30]], [[0, 0, 220], [128, 128, 128]]], np.uint8)
    patches = np.kron(quarters, np.ones((48, 80, 1)))
    file = RecordingFile(tmp_path / "out.mp4", (160, 96))
    file.write(patches.astype(np.uint8), 0.0)
    file.close()
    with av.open(str(tmp_path / "out.mp4")) as container:
        frame = next(container.decode(video=0))
        assert (frame.colorspace, frame.color_range) == (1, 1)  # BT.709, limited: told, not left to be guessed
        back = frame.reformat(src_colorspace=1, src_color_range=1, format="bgr24").to_ndarray()
    middles = back.astype(int)[24::48, 40::80]
    assert np.abs(middles - quarters).max() <= 5  # BT.601 in its place would be twenty levels off


def test_odd_sizes_gain_a_row_and_a_column(tmp_path: Path) -> None:
    file = RecordingFile(tmp_path / "out.mp4", (63, 47))
    file.write(flat_picture(99, (63, 47)), 0.0)
    file.close()
    assert read_clip(tmp_path / "out.mp4")[0].shape == (48, 64, 3)


def test_two_frames_of_one_time_stay_in_order(tmp_path: Path) -> None:
    file = RecordingFile(tmp_path / "out.mp4", SMALL_WH)
    for at_s in (0.0, 0.5, 0.5, 0.4):
        file.write(flat_picture(9), at_s)
    file.close()
    found = times_s(tmp_path / "out.mp4")
    assert len(found) == 4
    assert found == sorted(found)


def test_file_of_a_killed_program_plays_up_to_its_last_two_seconds(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    code = (
        "import os, signal, sys; import numpy as np; from pathlib import Path\n"
        "from realtime.outlets.recording_file import RecordingFile\n"
        f"file = RecordingFile(Path({str(path)!r}), (64, 48))\n"
        "for n in range(100): file.write(np.full((48, 64, 3), n, np.uint8), n / 20)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert times_s(path)[-1] >= 4.95 - 2.0
    assert times_s(path)[0] == 0.0


def test_camera_that_changes_its_size_goes_on_in_another_file(scene: Scene, tmp_path: Path) -> None:
    scene.begin()
    scene.offer_all([flat_picture(10), flat_picture(20), flat_picture(30, (96, 64)), flat_picture(40, (96, 64))])
    scene.recorder.close()
    first, second = sorted((tmp_path / "recordings").iterdir(), key=lambda path: len(path.name))
    assert [picture.shape for picture in read_clip(first)] == [(48, 64, 3)] * 2
    assert [picture.shape for picture in read_clip(second)] == [(64, 96, 3)] * 2
    assert times_s(second)[0] == 0.0
    assert any(f"goes on in {second.name}" in line for line in scene.told)
    assert scene.recorder.figures() == {"files": 2, "frames_written": 4, "frames_dropped": 0}


def test_two_recorders_that_begin_at_the_same_time_have_a_file_each(scene: Scene, tmp_path: Path) -> None:
    other = Scene(tmp_path / "recordings")
    for each in (scene, other):
        each.begin()
    for each in (scene, other):
        each.offer_all([flat_picture(10), flat_picture(20, (96, 64))])
    for each in (scene, other):
        each.recorder.close()
        assert each.recorder.figures() == {"files": 2, "frames_written": 2, "frames_dropped": 0}
        assert not any("stopped" in line for line in each.told)
    assert len(list((tmp_path / "recordings").iterdir())) == 4


def test_name_that_another_program_takes_at_the_last_moment_is_left_to_it(tmp_path: Path) -> None:
    names = iter(["a.mp4", "b.mp4"])
    (tmp_path / "a.mp4").write_bytes(b"another program's")
    file = recording_file.begin_recording(lambda: tmp_path / next(names), SMALL_WH)
    write_frames(file, range(2))
    file.close()
    assert (tmp_path / "a.mp4").read_bytes() == b"another program's"
    assert len(read_clip(tmp_path / "b.mp4")) == 2


def test_frame_that_comes_just_before_the_end_is_recorded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.begin()
    session = scene.recorder._session
    assert session is not None
    get = session._frames.get

    def miss_the_last(*, timeout: float) -> Any:
        try:
            return get(timeout=timeout)
        except queue.Empty:
            if scene.recorder.is_on:
                scene.recorder.offer(flat_picture(9), 1.0)
                scene.recorder.end()
            raise

    monkeypatch.setattr(session._frames, "get", miss_the_last)
    wait_until(lambda: not scene.recorder.is_on)
    scene.recorder.close()
    assert scene.recorder.figures() == {"files": 1, "frames_written": 1, "frames_dropped": 0}


def test_frames_the_encoder_has_no_time_for_are_counted_and_shown(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    write = RecordingFile.write

    def wait_and_write(file: RecordingFile, picture_bgr: Any, at_s: float) -> None:
        gate.wait(20.0)
        write(file, picture_bgr, at_s)

    monkeypatch.setattr(RecordingFile, "write", wait_and_write)
    scene.begin()
    for number in range(30):
        scene.recorder.offer(flat_picture(number), number / 10)
    dropped = scene.recorder.figures()["frames_dropped"]
    assert 20 <= dropped <= 22  # eight wait in the queue, one may be under way
    assert f"{dropped} dropped" in scene.recorder.status()
    gate.set()
    scene.recorder.close()
    assert scene.recorder.figures() == {"files": 1, "frames_written": 30 - dropped, "frames_dropped": dropped}
    assert f"{dropped} frames dropped" in scene.told[-1]


def test_status_tells_time_and_size(scene: Scene) -> None:
    assert scene.recorder.status() == ""
    scene.begin()
    scene.offer_all([flat_picture(number) for number in range(3)], rate=1 / 31)
    wait_until(lambda: scene.recorder.status().startswith("REC 1:02"))
    assert scene.recorder.status().endswith(" MB")
    scene.recorder.end()
    assert scene.recorder.status() == ""


def boxes_of(path: Path) -> list[str]:
    """The boxes of an MP4, those alone that lie in no other."""
    found, data = [], path.read_bytes()
    while data:
        length = int.from_bytes(data[:4], "big")
        found.append(data[4:8].decode())
        data = data[length if length > 1 else int.from_bytes(data[8:16], "big") :]
    return found


def test_recording_that_is_closed_is_a_plain_mp4(tmp_path: Path) -> None:
    file = RecordingFile(tmp_path / "out.mp4", SMALL_WH)
    write_frames(file, range(25))
    assert "moof" in boxes_of(tmp_path / "out.mp4")
    file.close()
    found = boxes_of(tmp_path / "out.mp4")
    assert "moof" not in found
    assert found.count("moov") == found.count("ftyp") == 1


class FullDisk:
    """In place of a file: has room for so many bytes."""

    def __init__(self, file: Any, room: int) -> None:
        self._file, self._room = file, room

    def write(self, data: Any) -> int:
        """Writes what fits."""
        left = self._room - self._file.tell()
        if left <= 0:
            raise OSError(28, "No space left on device")
        return int(self._file.write(data[:left]))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@pytest.mark.parametrize("room", [50, 6_000, 25_000])
def test_full_disk_ends_the_recording_and_leaves_what_plays(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr("builtins.open", _open_on_full_disk(room))
    scene.begin()
    rng = np.random.default_rng(0)
    for number in range(60):
        scene.offer_all([rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)], rate=1 / (number / 10 + 0.1))
        if not scene.recorder.is_on:
            break
    wait_until(lambda: not scene.recorder.is_on)
    wait_until(lambda: bool(scene.told))
    monkeypatch.undo()
    assert "recording stopped: 2026-07-05_12-00-00_night_sky.mp4: cannot be written (No space left on device)" in scene.told[0]
    figures = scene.recorder.figures()
    kept = figures["frames_written"]
    path = tmp_path / "recordings" / "2026-07-05_12-00-00_night_sky.mp4"
    assert (len(read_clip(path)) if kept else 0) == kept
    assert kept > 0 or room < 10_000
    assert path.exists() == (room > 50)
    assert figures["frames_dropped"] > 0


def test_index_that_does_not_fit_leaves_the_fragments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.mp4"
    file = RecordingFile(path, SMALL_WH)
    for number in range(25):
        file.write(flat_picture(number), number / 10)
    file._disk._file = FullDisk(file._disk._file, file.bytes + 10)  # type: ignore[assignment]
    with pytest.raises(OutputError, match="No space left"):
        file.close()
    assert len(read_clip(path)) == file.frames == 20


def test_drive_that_tells_only_as_the_file_is_closed_that_it_is_full(tmp_path: Path) -> None:
    class Drive(FullDisk):
        def close(self) -> None:
            self._file.close()
            raise OSError(errno.ENOSPC, "No space left on device")

    file = RecordingFile(tmp_path / "out.mp4", SMALL_WH)
    write_frames(file, range(5))
    file._disk._file = Drive(file._disk._file, 10**9)  # type: ignore[assignment]
    with pytest.raises(OutputError, match=r"out\.mp4: cannot be written \(No space left on device\)"):
        file.close()


@pytest.mark.skipif(os.name == "nt", reason="Windows lets nobody remove a file that is being written")
def test_removed_recording_is_not_taken_for_one_and_a_renamed_one_is(tmp_path: Path) -> None:
    for number in range(2):
        file = RecordingFile(tmp_path / "out.mp4", SMALL_WH)
        for frame in range(15):
            file.write(flat_picture(frame), frame / 10)
        if number == 0:
            (tmp_path / "out.mp4").rename(tmp_path / "renamed.mp4")
            file.close()
        else:
            (tmp_path / "out.mp4").unlink()
            with pytest.raises(OutputError, match=r"out\.mp4: cannot be written \(it was removed\)"):
                file.close()
            assert file.frames == 0
    assert len(read_clip(tmp_path / "renamed.mp4")) == 15


@pytest.mark.skipif(os.name == "nt", reason="Windows lets nobody remove a file that is being written")
def test_nothing_of_a_recording_counts_that_is_removed_while_it_is_written(tmp_path: Path) -> None:
    file = RecordingFile(tmp_path / "out.mp4", SMALL_WH)
    write_frames(file, range(25))
    assert file.bytes > 0
    (tmp_path / "out.mp4").unlink()
    with pytest.raises(OutputError, match="it was removed"):
        write_frames(file, range(25, 50))
    assert (file.frames, file.bytes) == (0, 0)
    with pytest.raises(OutputError, match="it was removed"):
        file.close()
    assert (file.frames, file.bytes) == (0, 0)


def test_file_system_that_counts_no_names_has_recordings_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_file._Disk, "_names", lambda _: 0)
    file = RecordingFile(tmp_path / "out.mp4", SMALL_WH)
    write_frames(file, range(15))
    file.close()
    assert len(read_clip(tmp_path / "out.mp4")) == file.frames == 15


def test_failure_is_handed_on_after_it_was_told(tmp_path: Path) -> None:
    (tmp_path / "recordings").touch()
    told: list[str] = []
    recorder = Recorder(tmp_path / "recordings", told.append, on_failure=lambda: told.append("failed"))
    recorder.begin("night")
    wait_until(lambda: len(told) == 2)
    assert told[0].startswith("recording stopped: ")
    assert told[1] == "failed"


def _open_on_full_disk(room: int) -> Any:
    really_open = open

    def open_it(path: Any, *arguments: Any, **named: Any) -> Any:
        file = really_open(path, *arguments, **named)
        return FullDisk(file, room) if str(path).endswith(".mp4") else file

    return open_it


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="whoever is root may write everywhere")
def test_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    scene = Scene(tmp_path / "closed" / "recordings")
    scene.recorder.begin("night")
    wait_until(lambda: bool(scene.told))
    assert "cannot be made (Permission denied)" in scene.told[0]


def test_file_where_the_folder_should_be_is_told_and_frames_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "recordings").touch()
    scene = Scene(tmp_path / "recordings")
    scene.begin()
    wait_until(lambda: bool(scene.told))
    scene.recorder.offer(flat_picture(0), 1.0)
    assert scene.told[0].startswith("recording stopped: folder ")
    assert not scene.recorder.is_on
    assert scene.recorder.status() == ""
    scene.recorder.close()


def test_recorder_that_is_never_asked_makes_nothing(scene: Scene, tmp_path: Path) -> None:
    scene.recorder.offer(flat_picture(0), 1.0)
    scene.recorder.close()
    assert not (tmp_path / "recordings").exists()


def test_recording_without_a_frame_leaves_no_file(scene: Scene, tmp_path: Path) -> None:
    scene.begin()
    scene.recorder.close()
    assert scene.told == ["nothing was recorded"]
    assert list((tmp_path / "recordings").iterdir()) == []


def test_recordings_that_are_over_keep_neither_encoder_nor_pictures(tmp_path: Path) -> None:
    """Sessions are remembered for the report; an encoder of each would be 20 MB, and so would the pictures still queued."""
    pictures = [flat_picture(level) for level in range(3)]
    kept = [weakref.ref(picture) for picture in pictures]
    recorder = Recorder(tmp_path / "recordings", lambda _: None)
    recorder.begin("night_sky")
    session = recorder._all[0]
    wait_until(lambda: session._is_ready.is_set())
    for number, picture in enumerate(pictures):
        recorder.offer(picture, number / 10)
    recorder.close()
    del pictures, picture
    gc.collect()
    assert [picture() for picture in kept] == [None] * 3
    assert session.files[0]._container is session.files[0]._stream is None
    assert session.frames_written == 3


def test_recording_that_failed_keeps_no_pictures_that_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()

    def wait_and_fail(*_: Any) -> None:
        gate.wait(20.0)
        raise OutputError("the disk is full")

    monkeypatch.setattr(RecordingFile, "write", wait_and_fail)
    told: list[str] = []
    recorder = Recorder(tmp_path / "recordings", told.append)
    recorder.begin("night_sky")
    recorder.wait_until_ready()
    for number in range(4):
        recorder.offer(flat_picture(number), number / 10)
    gate.set()
    recorder.close()
    assert told == ["recording stopped: the disk is full"]
    assert recorder.figures() == {"files": 1, "frames_written": 0, "frames_dropped": 4}
    assert recorder._all[0]._frames.empty()
