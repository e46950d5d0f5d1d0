"""A painted video from beginning to end: what an earlier run left is never lost without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime.errors import OutputError
from realtime.notes import no_note
from realtime.sources import Source
from realtime.video_job import VideoJob, VideoOptions
from realtime.video_reader import VideoFileSource
from tests.fakes import file_of, read_clip, write_clip


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """Five frames that a killed run left of out.mp4, without notes."""
    made = write_clip(tmp_path / "made.mp4", frames=5)
    return made.rename(tmp_path / "out.mp4.partial")


def job_for(folder: Path, source: Source | None = None, *, overwrite: bool = False, resume: bool = False) -> VideoJob:
    options = VideoOptions(overwrite=overwrite, resume=resume)
    return VideoJob(folder / "out.mp4", source or file_of(3), options, {}, no_note)


def paint(job: VideoJob, source: Source) -> None:
    source.open()
    sink = job.open_sink()
    while (found := source.read()) is not None:
        sink.write(*found)
    sink.close(True)


@pytest.mark.parametrize("resume", [False, True])
def test_what_a_killed_run_of_a_camera_left_is_kept(tmp_path: Path, left: Path, resume: bool) -> None:
    before = left.read_bytes()
    with pytest.raises(OutputError, match=r"out\.mp4\.partial of an earlier run lies beside it; move it away, or add --overw"):
        job_for(tmp_path, resume=resume)
    assert left.read_bytes() == before


def test_what_was_left_is_replaced_when_asked(tmp_path: Path, left: Path) -> None:
    source = file_of(3)
    paint(job_for(tmp_path, source, overwrite=True), source)
    assert len(read_clip(tmp_path / "out.mp4")) == 3
    assert not left.exists()


@pytest.mark.parametrize("content", [b"", b"nothing of a film"])
def test_nothing_worth_keeping_stands_in_no_ones_way(tmp_path: Path, left: Path, content: bytes) -> None:
    left.write_bytes(content)
    source = file_of(3)
    paint(job_for(tmp_path, source), source)
    assert len(read_clip(tmp_path / "out.mp4")) == 3


def test_part_of_a_file_without_its_notes_is_kept_too(tmp_path: Path, left: Path, clip: Path) -> None:
    with pytest.raises(OutputError, match="of an earlier run"):
        job_for(tmp_path, VideoFileSource(clip))
    assert left.exists()
