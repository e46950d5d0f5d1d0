"""Video files written: playable, whole, of any size, finished whatever happens."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from realtime.errors import OutputError
from realtime.frame import Image
from realtime.video.codecs import Encoding
from realtime.video.encoder import PartFile, VideoForm
from realtime.video.resume import UnfinishedVideo, find_unfinished
from realtime.video.writer import VideoFileSink
from tests.fakes import clip_index, clip_picture, coloured_picture, flat_picture, noisy_picture, read_clip


def write_frames(path: Path, count: int, *, complete: bool = True, rate: Fraction = Fraction(10)) -> VideoFileSink:
    """A finished file of numbered greys."""
    sink = VideoFileSink(path, rate, overwrite=False)
    for index in range(count):
        sink.write(clip_picture(index), float(index / rate))
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


@pytest.mark.parametrize(
    ("name", "codec", "size_wh"),
    [
        ("out.mp4", "hevc", (64, 48)),
        ("out.webm", "vp9", (65, 47)),
        ("out.mp4", "av1", (64, 64)),
        ("out.mkv", "ffv1", (65, 47)),
        ("out.gif", "gif", (65, 47)),
    ],
)
def test_every_codec_keeps_every_frame_at_its_time(tmp_path: Path, name: str, codec: str, size_wh: tuple[int, int]) -> None:
    times_s = [0.0, 0.05, 0.2, 0.22, 0.5, 0.98]
    form = VideoForm(Fraction(25), Fraction(1, 1000))
    sink = VideoFileSink(tmp_path / name, form, overwrite=False, encoding=Encoding(codec))
    for index, at_s in enumerate(times_s):
        sink.write(clip_picture(index, size_wh), at_s)
    sink.close(True)
    with av.open(str(tmp_path / name)) as container:
        assert container.streams.video[0].codec_context.codec.canonical_name == codec
        frames = [(frame.time, frame.to_ndarray(format="bgr24")) for frame in container.decode(video=0)]
    assert [time for time, _ in frames] == pytest.approx(times_s, abs=0.0011)
    assert [clip_index(picture) for _, picture in frames] == list(range(len(times_s)))
    assert frames[0][1].shape == (size_wh[1], size_wh[0], 3)


def test_ffv1_keeps_every_bit(tmp_path: Path) -> None:
    shown = [noisy_picture((65, 47), seed) for seed in range(3)]
    sink = VideoFileSink(tmp_path / "out.mkv", Fraction(25), overwrite=False, encoding=Encoding("ffv1"))
    for picture in shown:
        sink.write(picture, None)
    sink.close(True)
    for read, picture in zip(read_clip(tmp_path / "out.mkv"), shown, strict=True):
        np.testing.assert_array_equal(read, picture)


def test_two_frames_at_one_time_are_both_kept(tmp_path: Path) -> None:
    sink = VideoFileSink(tmp_path / "out.mp4", Fraction(10), overwrite=False)
    for index, at_s in enumerate([0.0, 0.1, 0.1, 0.1, 0.4]):
        sink.write(clip_picture(index), at_s)
    sink.close(True)
    assert [clip_index(picture) for picture in read_clip(tmp_path / "out.mp4")] == [0, 1, 2, 3, 4]


def test_odd_size_is_padded_by_one_and_said(tmp_path: Path) -> None:
    notes: list[str] = []
    sink = VideoFileSink(tmp_path / "out.mp4", Fraction(10), overwrite=False, note=notes.append)
    assert sink.output_wh is None
    sink.write(coloured_picture((65, 47)), None)
    sink.close(True)
    assert sink.output_wh == (66, 48)
    assert len(notes) == 1 and "65x47 padded to 66x48" in notes[0]
    assert read_clip(tmp_path / "out.mp4")[0].shape == (48, 66, 3)


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


@pytest.mark.parametrize("name", ["out.avi", "out", "out.ogv"])
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


class PartOnFullDisk(PartFile):
    """A part whose disk is full after three frames."""

    def encode(self, image_bgr: Image, at_s: float | None) -> None:
        if self.frames_encoded == 3:
            raise OSError(28, "No space left on device")
        super().encode(image_bgr, at_s)


def test_full_disk_is_told_and_what_was_made_can_be_played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.video.writer.PartFile", PartOnFullDisk)
    sink = VideoFileSink(tmp_path / "out.mkv", Fraction(10), overwrite=False, encoding=Encoding("ffv1"))

    def write_until_refused() -> None:
        for _ in range(200):
            sink.write(clip_picture(0), None)

    with pytest.raises(OutputError, match=r"after 3 frames \(No space left on device\); 3 frames can be played"):
        write_until_refused()
    with pytest.raises(OutputError, match="No space left"):
        sink.close(False)
    assert not (tmp_path / "out.mkv").exists()
    assert len(read_clip(tmp_path / "out.mkv.partial")) == 3


class PartThatCannotBegin(PartFile):
    """A part whose disk takes nothing."""

    def encode(self, image_bgr: Image, at_s: float | None) -> None:
        raise OSError(28, "No space left on device")


def refusal(sink: VideoFileSink) -> str:
    """Writes until it is refused; the reason."""
    sink.write(clip_picture(0), 0.5)
    with pytest.raises(OutputError) as caught:
        sink.close(False)
    return str(caught.value)


def test_nothing_kept_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.video.writer.PartFile", PartThatCannotBegin)
    path = tmp_path / "out.mp4"
    sink = VideoFileSink(path, Fraction(10), overwrite=False, unfinished=UnfinishedVideo(path, {"crf": 7}))
    assert refusal(sink).endswith("after 0 frames (No space left on device); nothing was kept")
    assert list(tmp_path.iterdir()) == []


def test_nothing_new_kept_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.mp4"
    begun = VideoFileSink(path, Fraction(10), overwrite=False, unfinished=UnfinishedVideo(path, {"crf": 7}))
    for index in range(4):
        begun.write(clip_picture(index), None)
    begun.close(False)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert sorted(before) == ["out.mp4", "out.mp4.resume.json"]
    monkeypatch.setattr("realtime.video.writer.PartFile", PartThatCannotBegin)
    unfinished = find_unfinished(path, {"crf": 7})
    reason = refusal(VideoFileSink(path, Fraction(10), overwrite=False, unfinished=unfinished))
    assert "4 frames can be played in out.mp4; add --resume to go on" in reason
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("out.mp4", "h264"),
        ("out.mp4", "hevc"),
        ("out.mkv", "ffv1"),
        ("out.webm", "vp9"),
        ("out.mp4", "av1"),
        ("out.gif", "gif"),
    ],
)
@pytest.mark.parametrize(("count", "told_of_s"), [(6, 2.5), (6, 0.5), (60, 29.5)])
def test_last_picture_is_shown_as_long_as_the_source_tells(
    tmp_path: Path, name: str, codec: str, count: int, told_of_s: float
) -> None:
    sink = VideoFileSink(
        tmp_path / name,
        VideoForm(Fraction(2), Fraction(1, 1000)),
        overwrite=False,
        encoding=Encoding(codec),
        last_shown_s=lambda: (told_of_s, 3.0),
    )
    for index in range(count):
        sink.write(clip_picture(index % 6, (64, 64)), index / 2)
    sink.close(True)
    last_s = (count - 1) / 2
    with av.open(str(tmp_path / name)) as container:
        assert container.duration is not None
        assert container.duration / 1e6 == pytest.approx(last_s + (3.0 if told_of_s == last_s else 0.5), abs=0.01)
    assert len(read_clip(tmp_path / name)) == count


def test_pictures_of_a_gif_are_never_shown_for_less_than_players_know(tmp_path: Path) -> None:
    sink = VideoFileSink(tmp_path / "out.gif", Fraction(100), overwrite=False, last_shown_s=lambda: (0.06, 0.004))
    for index, at_s in enumerate((0.0, 0.01, 0.05, 0.06)):
        sink.write(clip_picture(index), at_s)
    sink.close(True)
    with av.open(str(tmp_path / "out.gif")) as container:
        packets = [(packet.pts, packet.duration) for packet in container.demux(video=0) if packet.size]
    assert packets == [(0, 2), (2, 3), (5, 2), (7, 2)]


def test_link_to_what_is_complete_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    path, place = tmp_path / "out.gif", tmp_path / "elsewhere" / "film.gif"
    path.symlink_to(place)
    begun = VideoFileSink(path, Fraction(10), overwrite=False, unfinished=UnfinishedVideo(path, {"crf": 7}))
    for index in range(4):
        begun.write(clip_picture(index), None)
    begun.close(False)
    VideoFileSink(path, Fraction(10), overwrite=False, unfinished=find_unfinished(path, {"crf": 7})).close(True)
    assert path.readlink() == place
    assert len(read_clip(place)) == 4


def test_disk_that_is_full_at_the_very_end_keeps_every_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("realtime.video.writer.assemble", no_space)
    with pytest.raises(OutputError, match=r"No space left on device\); all 5 frames are in out\.mp4\.partial"):
        write_frames(tmp_path / "out.mp4", 5)
    assert len(read_clip(tmp_path / "out.mp4.partial")) == 5
