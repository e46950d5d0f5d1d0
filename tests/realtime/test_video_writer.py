"""Video files written: playable, whole, of any size, finished whatever happens."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from realtime.errors import OutputError
from realtime.video_writer import VideoFileSink
from tests.fakes import clip_index, clip_picture, coloured_picture, flat_picture, read_clip


def write_frames(path: Path, count: int, *, complete: bool = True, rate: Fraction = Fraction(10)) -> VideoFileSink:
    """A finished file of numbered greys."""
    sink = VideoFileSink(path, rate, overwrite=False)
    for index in range(count):
        assert sink.write(clip_picture(index), index / 10) == -1
    sink.close(complete)
    return sink


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.m4v", "out.mkv", "OUT.MP4"])
def test_frames_written_are_the_frames_read(tmp_path: Path, name: str) -> None:
    sink = write_frames(tmp_path / name, 20)
    assert [clip_index(picture) for picture in read_clip(tmp_path / name)] == list(range(20))
    assert sink.frames_written == 20
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("rate", [Fraction(10), Fraction(30000, 1001), Fraction(25), Fraction(15, 2)])
def test_rate_of_the_file_is_the_rate_asked_for(tmp_path: Path, rate: Fraction) -> None:
    write_frames(tmp_path / "out.mp4", 10, rate=rate)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].average_rate == rate


@pytest.mark.parametrize("size_wh", [(64, 48), (65, 48), (64, 47), (67, 49), (338, 64)])
def test_picture_keeps_its_place_at_any_size(tmp_path: Path, size_wh: tuple[int, int]) -> None:
    shown = coloured_picture(size_wh)
    sink = VideoFileSink(tmp_path / "out.mp4", Fraction(10), overwrite=False)
    for _ in range(5):
        sink.write(shown, None)
    sink.close(True)
    width, height = size_wh
    read = read_clip(tmp_path / "out.mp4")[2][:height, :width]
    assert np.abs(read.astype(int) - shown).mean() < 6


def test_interrupted_file_is_playable(tmp_path: Path) -> None:
    write_frames(tmp_path / "out.mp4", 7, complete=False)
    assert len(read_clip(tmp_path / "out.mp4")) == 7


def test_file_appears_under_its_name_only_when_it_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"the file before")
    sink = VideoFileSink(path, Fraction(10), overwrite=True)
    sink.write(clip_picture(0), None)
    assert path.read_bytes() == b"the file before"
    sink.close(True)
    assert len(read_clip(path)) == 1


def test_nothing_written_leaves_nothing_behind(tmp_path: Path) -> None:
    write_frames(tmp_path / "out.mp4", 0)
    assert list(tmp_path.iterdir()) == []


def test_existing_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match="--overwrite"):
        VideoFileSink(path, Fraction(10), overwrite=False)
    assert path.read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["out.avi", "out", "out.gif"])
def test_unknown_kind_of_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match=r"ending in .*\.mp4"):
        VideoFileSink(tmp_path / name, Fraction(10), overwrite=False)


def test_size_that_changes_is_refused_and_the_frames_before_are_kept(tmp_path: Path) -> None:
    sink = VideoFileSink(tmp_path / "out.mp4", Fraction(10), overwrite=False)
    for index in range(3):
        sink.write(clip_picture(index), None)
    with pytest.raises(OutputError, match="changed"):
        sink.write(flat_picture(9, (32, 32)), None)
    sink.close(False)
    assert len(read_clip(tmp_path / "out.mp4")) == 3


class BrokenDisk:
    """In place of av.open: a container whose disk is full after some frames."""

    def __init__(self, frames: int) -> None:
        self._left = frames

    def __call__(self, *_: Any, **__: Any) -> BrokenDisk:
        return self

    def __enter__(self) -> BrokenDisk:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def add_stream(self, *_: Any, **__: Any) -> Any:
        """An encoder that passes its frames on."""
        return EncoderWithoutCodec()

    def mux(self, _: Any) -> None:
        """Writes a packet, while there is room."""
        self._left -= 1
        if self._left < 0:
            raise OSError(28, "No space left on device")


class EncoderWithoutCodec:
    """The stream of a BrokenDisk."""

    def encode(self, frame: Any) -> Any:
        """The frame itself."""
        return frame


@pytest.fixture
def broken_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.video_writer.av.open", BrokenDisk(3))


@pytest.mark.usefixtures("broken_disk")
def test_full_disk_is_told_and_ends_the_writing(tmp_path: Path) -> None:
    sink = VideoFileSink(tmp_path / "out.mp4", Fraction(10), overwrite=False)

    def write_until_refused() -> None:
        for _ in range(200):
            sink.write(clip_picture(0), None)

    with pytest.raises(OutputError, match=r"after 3 frames \(No space left on device\)"):
        write_until_refused()
    with pytest.raises(OutputError, match="No space left"):
        sink.close(False)
    assert not (tmp_path / "out.mp4").exists()
