"""A painted video from beginning to end: what an earlier run left is never lost without a word."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import PIL.Image
import pytest

from realtime.errors import EXIT_ARGUMENTS, OutputError, UserError
from realtime.pictures.animation import AnimatedPicture
from realtime.pictures.files import write_picture
from realtime.pictures.sequence import PictureSequence
from realtime.program.notes import no_note
from realtime.source import Source
from realtime.sources import DemoSource, PacedFile
from realtime.video.excerpt import Excerpt
from realtime.video.job import VideoJob, VideoOptions
from realtime.video.reader import VideoFileSource
from tests.fakes import clip_picture, file_of, flat_picture, read_clip, write_clip
from tests.films import remux, write_film


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


def test_what_a_killed_run_of_a_camera_left_is_kept(tmp_path: Path, left: Path) -> None:
    before = left.read_bytes()
    with pytest.raises(OutputError, match=r"out\.mp4\.partial of an earlier run lies beside it; move it away, or add --overw"):
        job_for(tmp_path)
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


# ------------------------------------------------------------------------------------------- going on with it

LEVELS = (10, 60, 110, 160, 210)
FILMS = ("clip.mp4", "animation.png", "animation.webp", "pictures")


def write_source(folder: Path, name: str) -> Callable[[], Source]:
    """A film of five greys in files, one of its pictures damaged where it has several files; makes a source that reads it."""
    shown = [flat_picture(level) for level in LEVELS]
    if name == "clip.mp4":
        clip = write_clip(folder / name, pictures=shown)
        return lambda: VideoFileSource(clip)
    if name == "pictures":
        paths = tuple(folder / f"{number}.png" for number in range(6))
        for path, picture in zip(paths, [*shown[:1], None, *shown[1:]], strict=True):
            path.write_bytes(b"nonsense") if picture is None else write_picture(path, picture)
        return lambda: PictureSequence(paths, 8.0)
    pictures = [PIL.Image.fromarray(picture) for picture in shown]
    times = {"duration": [100, 200, 50, 100, 100]} | ({"lossless": True} if name.endswith(".webp") else {})
    pictures[0].save(folder / name, save_all=True, append_images=pictures[1:], **times)
    return lambda: AnimatedPicture(folder / name)


def paint_some(job: VideoJob, source: Source, count: int) -> None:
    """What an interruption leaves."""
    source.open()
    sink = job.open_sink()
    for _ in range(count):
        found = source.read()
        assert found is not None
        sink.write(*found)
    sink.close(False)
    source.close()


def greys_of(path: Path) -> list[tuple[float, int]]:
    """Time and grey of every frame."""
    with av.open(str(path)) as container:
        return [
            (round(float(frame.time or 0), 2), round(float(frame.to_ndarray(format="bgr24").mean())))
            for frame in container.decode(video=0)
        ]


@pytest.mark.parametrize("name", FILMS)
@pytest.mark.parametrize("overwrite", [False, True])
def test_film_of_files_is_gone_on_with(tmp_path: Path, name: str, overwrite: bool) -> None:
    open_again = write_source(tmp_path, name)
    source = open_again()
    paint(VideoJob(tmp_path / "whole.mp4", source, VideoOptions(), {}, no_note), source)
    whole = greys_of(tmp_path / "whole.mp4")
    assert len(whole) == 5
    source = open_again()
    paint_some(job_for(tmp_path, source), source, 2)
    with pytest.raises(OutputError, match="add --resume to go on, --overwrite to begin again"):
        job_for(tmp_path, open_again())
    source = open_again()
    job = job_for(tmp_path, source, resume=not overwrite, overwrite=overwrite)
    assert job.frames_done == (0 if overwrite else 2)
    paint(job, source)
    found = greys_of(tmp_path / "out.mp4")
    assert [at_s for at_s, _ in found] == [at_s for at_s, _ in whole]
    np.testing.assert_allclose([level for _, level in found], [level for _, level in whole], atol=3)
    assert list(tmp_path.glob("out.mp4.*")) == []


@pytest.mark.parametrize("name", FILMS)
def test_other_files_are_not_gone_on_with(tmp_path: Path, name: str) -> None:
    open_again = write_source(tmp_path, name)
    source = open_again()
    paint_some(job_for(tmp_path, source), source, 2)
    changed = tmp_path / ("2.png" if name == "pictures" else name)
    changed.write_bytes(changed.read_bytes() + b"x")
    with pytest.raises(OutputError, match="--resume: source was "):
        job_for(tmp_path, open_again(), resume=True)


@pytest.mark.parametrize("kind", ["camera", "played as a camera", "demo"])
def test_source_that_gives_other_frames_each_time_is_not_gone_on_with(tmp_path: Path, clip: Path, kind: str) -> None:
    source: Source = file_of(3)
    if kind != "camera":
        source = PacedFile(VideoFileSource(clip)) if kind == "played as a camera" else DemoSource(paced=False)
    with pytest.raises(UserError, match=f"--resume: only for films read from files.*; not for {source.description}") as caught:
        job_for(tmp_path, source, resume=True)
    assert caught.value.exit_code == EXIT_ARGUMENTS
    file = VideoFileSource(clip)
    paint_some(job_for(tmp_path, file), file, 2)
    with pytest.raises(OutputError, match="broken off by an earlier run; add --overwrite to begin again"):
        job_for(tmp_path, source)


# ------------------------------------------------------------------------------------------------ sound


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A second of film with sound."""
    pictures = [clip_picture(index % 20) for index in range(25)]
    return write_film(tmp_path / "film.mkv", pictures, sound="aac", options={"crf": "4", "bf": "0"})


def packets_of(path: Path, kind: str) -> list[tuple[float, float]]:
    """Beginning and end in seconds of a track's packets."""
    container: Any
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(**{kind: 0}) if packet.size]
        return [(float(p.pts * p.time_base), float((p.pts + (p.duration or 0)) * p.time_base)) for p in packets]


def begin_late(film: Path, path: Path, seconds: int) -> Path:
    """The same film with all its times moved."""

    def move(packet: Any) -> bool:
        packet.pts += round(seconds / packet.time_base)
        packet.dts = packet.pts  # there are no frames that lean on later ones
        return True

    return remux(film, path, move)


def test_film_that_begins_late_and_is_cut_keeps_its_sound(tmp_path: Path, film: Path) -> None:
    source = VideoFileSource(begin_late(film, tmp_path / "late.mkv", 5), Excerpt(end_s=0.6))
    job = VideoJob(tmp_path / "out.mkv", source, VideoOptions(), {}, no_note)
    paint(job, source)
    pictures, sound = packets_of(tmp_path / "out.mkv", "video"), packets_of(tmp_path / "out.mkv", "audio")
    assert len(pictures) == 15
    length_s = sound[1][0] - sound[0][0]
    assert abs(sound[-1][1] - (pictures[-1][0] + 0.04)) <= length_s


@pytest.mark.parametrize("reaches_its_limit", [False, True])
def test_going_on_without_a_new_frame_leaves_the_sound(tmp_path: Path, film: Path, reaches_its_limit: bool) -> None:
    def begin() -> tuple[VideoFileSource, VideoJob]:
        source = VideoFileSource(film)
        options = VideoOptions(resume=True, is_limited=reaches_its_limit)
        return source, VideoJob(tmp_path / "out.mkv", source, options, {}, no_note)

    source, job = begin()
    source.open()
    sink = job.open_sink()
    for _ in range(20):
        found = source.read()
        assert found is not None
        sink.write(*found)
    sink.close(False)
    before = packets_of(tmp_path / "out.mkv", "audio")
    assert before[-1][1] > 0.6
    source, job = begin()
    source.open()
    job.open_sink().close(reaches_its_limit)
    np.testing.assert_allclose(packets_of(tmp_path / "out.mkv", "audio"), before, atol=0.002)
    assert len(read_clip(tmp_path / "out.mkv")) == 20


@pytest.mark.parametrize("name", ["held.png", "held.webp", "held.gif"])
@pytest.mark.parametrize("made", ["out.mp4", "out.gif"])
def test_last_picture_of_an_animation_is_held(tmp_path: Path, name: str, made: str) -> None:
    pictures = [PIL.Image.fromarray(flat_picture(level)) for level in (60, 160)]
    pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:], duration=[500, 3000])
    source = VideoFileSource(tmp_path / name) if name == "held.gif" else AnimatedPicture(tmp_path / name)
    paint(VideoJob(tmp_path / made, source, VideoOptions(), {}, no_note), source)
    with av.open(str(tmp_path / made)) as container:
        assert container.duration is not None
        assert container.duration / 1e6 == pytest.approx(3.5, abs=0.01)


def test_film_that_is_too_fast_for_a_gif_keeps_its_pace(tmp_path: Path) -> None:
    film = write_film(
        tmp_path / "in.mp4", [flat_picture(4 * index) for index in range(60)], times_s=[i / 80 for i in range(60)]
    )
    source, notes = VideoFileSource(film), list[str]()
    paint(VideoJob(tmp_path / "out.gif", source, VideoOptions(), {}, notes.append), source)
    assert "out.gif: a GIF shows at most 50 pictures a second; of " in notes[0]
    assert notes[0].endswith(" the others are left out")
    with av.open(str(tmp_path / "out.gif")) as container:
        lengths = [packet.duration for packet in container.demux(video=0) if packet.size]
    assert set(lengths[:-1]) == {2}
    assert sum(lengths) == pytest.approx(75, abs=3)


def test_other_sources_that_are_too_fast_for_a_gif_are_told_of(tmp_path: Path) -> None:
    source, notes = file_of(3), list[str]()
    source.fps = 60.0
    source.open()
    VideoJob(tmp_path / "out.gif", source, VideoOptions(), {}, notes.append).open_sink().close(False)
    assert notes == [f"--output {tmp_path / 'out.gif'}: a GIF shows at most 50 pictures a second; 60 are shown more slowly"]


@pytest.mark.parametrize(("name", "told"), [("out.mp4", 0), ("out.webm", 1)])
def test_shape_of_pixels_is_kept_or_its_loss_told(tmp_path: Path, name: str, told: int) -> None:
    film = write_film(tmp_path / "in.mp4", [flat_picture(90, (64, 48))] * 3, pixel_aspect=Fraction(4, 3))
    source, notes = VideoFileSource(film), list[str]()
    paint(VideoJob(tmp_path / name, source, VideoOptions(), {}, notes.append), source)
    assert [note.endswith("the pixels' shape is lost; h264 and hevc keep it") for note in notes] == [True] * told
    if not told:
        with av.open(str(tmp_path / name)) as container:
            assert container.streams.video[0].sample_aspect_ratio == Fraction(4, 3)
