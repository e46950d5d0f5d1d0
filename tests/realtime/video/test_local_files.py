"""Names of local files that look like something else to FFmpeg."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from realtime.video.codecs import Encoding
from realtime.video.encoder import VideoForm
from realtime.video.other_tracks import Soundtrack
from realtime.video.parts import Part, count_frames, end_of_part, whole_frames
from realtime.video.reader import VideoFileSource
from realtime.video.writer import VideoFileSink
from tests.fakes import clip_picture, write_clip
from tests.films import clicks_of, write_film

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
NAMES = ("2025-05-01T12:30", "http:take", "concat:a|b", "pipe:1", "film%03d", "file:file:x")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The names are relative: an absolute one is never taken for a protocol."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".gif"])
def test_video_is_read_and_written_under_any_name(tmp_path: Path, name: str, suffix: str) -> None:
    film = write_film(tmp_path / "film.mp4", [clip_picture(index) for index in range(10)], sound="aac", clicks_s=[0.2])
    film.rename(tmp_path / f"{name}.mp4")
    path, made = Path(f"{name}.mp4"), Path(f"{name} painted{suffix}")
    source = VideoFileSource(path)
    source.open()
    encoding = Encoding("gif") if suffix == ".gif" else None
    form = VideoForm(source.average_rate, source.time_base)
    sink = VideoFileSink(made, form, overwrite=False, encoding=encoding, soundtrack=Soundtrack(path))
    while (found := source.read()) is not None:
        sink.write(*found)
    source.close()
    sink.close(True)
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / path, tmp_path / made])
    assert count_frames(made) == 10
    if suffix != ".gif":
        assert clicks_of(tmp_path / made) == pytest.approx([0.2], abs=0.04)


@pytest.mark.parametrize("name", NAMES)
def test_parts_are_measured_under_any_name(tmp_path: Path, name: str) -> None:
    write_clip(tmp_path / "clip.mp4", every_frame_alone=True).rename(tmp_path / name)
    path = Path(name)
    assert (count_frames(path), whole_frames(path)) == (20, 19)
    assert end_of_part(Part(path, 20)) == pytest.approx(2.0)
