"""Sound, subtitles and chapters: kept as they are where the file can hold them, in step with the picture."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from realtime.program.notes import no_note
from realtime.video.assembly import Soundtrack, _with_decoding_times, assemble
from realtime.video.excerpt import Excerpt
from realtime.video.parts import Part
from realtime.video.writer import VideoFileSink
from tests.fakes import CLIP_FRAMES, clip_index, clip_picture, noisy_picture, read_clip
from tests.films import clicks_of, copy_film, write_film

CLICKS_S = (0.4, 1.2)


def film_with_everything(path: Path, sound: str = "aac", **more: object) -> Path:
    """Two seconds at 25 a second, clicks in the sound, two subtitles, two chapters."""
    pictures = [clip_picture(index % CLIP_FRAMES) for index in range(50)]
    return write_film(
        path,
        pictures,
        sound=sound,
        clicks_s=CLICKS_S,
        subtitles=[(0.4, "first words"), (1.2, "last words")],
        subtitle_codec="srt" if path.suffix == ".mkv" else "mov_text",
        chapters=[(0.0, 1.0, "one"), (1.0, 2.0, "two")],
        **more,  # type: ignore[arg-type]
    )


def packets_of(path: Path, kind: str) -> list[bytes]:
    """The bytes of all packets of the first stream of a kind."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(**{kind: 0}) if packet.size]


def words_of(path: Path) -> list[tuple[float, str]]:
    """Start and text of each subtitle."""
    found = []
    with av.open(str(path)) as container:
        for packet in container.demux(subtitles=0):
            start_s = float(packet.pts * packet.time_base) if packet.pts is not None else 0.0
            found += [(start_s, rect.dialogue.decode()) for rect in packet.decode()]
    return found


def test_sound_is_copied_to_the_byte(tmp_path: Path) -> None:
    film = film_with_everything(tmp_path / "in.mp4")
    assert copy_film(film, tmp_path / "out.mp4") == []
    assert packets_of(tmp_path / "out.mp4", "audio") == packets_of(film, "audio")


@pytest.mark.parametrize(
    ("source", "sound", "made", "expected"),
    [
        ("in.mp4", "aac", "out.mp4", "aac"),
        ("in.mp4", "aac", "out.mkv", "aac"),
        ("in.mkv", "pcm_s16le", "out.mkv", "pcm_s16le"),
        ("in.mkv", "pcm_s16le", "out.mp4", "aac"),
        ("in.mkv", "pcm_s16le", "out.mov", "pcm_s16le"),
        ("in.mkv", "flac", "out.mov", "aac"),
        ("in.mp4", "aac", "out.webm", "opus"),
    ],
)
def test_sound_stays_in_step(tmp_path: Path, source: str, sound: str, made: str, expected: str) -> None:
    film = film_with_everything(tmp_path / source, sound)
    notes = copy_film(film, tmp_path / made)
    with av.open(str(tmp_path / made)) as container:
        assert container.streams.audio[0].codec_context.codec.canonical_name == expected
    assert clicks_of(tmp_path / made) == pytest.approx(clicks_of(film), abs=0.04)
    said = [note for note in notes if note.startswith("sound")]
    assert bool(said) == (sound != expected)
    assert all(f"sound track 1 ({sound}) encoded again as {expected}" in note for note in said)


@pytest.mark.parametrize(
    ("source", "made"), [("in.mp4", "out.mp4"), ("in.mkv", "out.mkv"), ("in.mp4", "out.mkv"), ("in.mkv", "out.mp4")]
)
def test_subtitles_and_chapters_are_kept(tmp_path: Path, source: str, made: str) -> None:
    film = film_with_everything(tmp_path / source)
    notes = copy_film(film, tmp_path / made)
    assert words_of(tmp_path / made) == [
        (pytest.approx(0.4, abs=0.002), "first words"),
        (pytest.approx(1.2, abs=0.002), "last words"),
    ]
    with av.open(str(tmp_path / made)) as container:
        chapters = [(float(c["start"] * c["time_base"]), c["metadata"]["title"]) for c in container.chapters()]
    assert chapters == [(pytest.approx(0.0), "one"), (pytest.approx(1.0, abs=0.002), "two")]
    assert bool(notes) == (source[-3:] != made[-3:])


def test_uneven_times_and_a_late_start_are_kept(tmp_path: Path) -> None:
    times_s = [0.5, 0.54, 0.7, 0.71, 1.5, 1.54]
    film = write_film(tmp_path / "in.mp4", [clip_picture(i) for i in range(6)], times_s=times_s, sound="aac", clicks_s=[0.7])
    copy_film(film, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [frame.time for frame in container.decode(video=0)] == pytest.approx(times_s, abs=0.001)
    assert clicks_of(tmp_path / "out.mp4") == pytest.approx([0.7], abs=0.04)


@dataclass
class FakePacket:
    """As FFmpeg gives them out of Matroska."""

    pts: int
    dts: int | None


def test_packets_without_decoding_times_come_just_before_the_first_that_has_one() -> None:
    packets = [FakePacket(0, None), FakePacket(167, None), FakePacket(67, None), FakePacket(33, 33), FakePacket(100, 67)]
    assert [packet.dts for packet in _with_decoding_times(iter(packets))] == [0, 31, 32, 33, 67]
    assert [packet.dts for packet in _with_decoding_times(iter([FakePacket(5, None), FakePacket(9, None)]))] == [5, 9]


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
@pytest.mark.parametrize("codec", ["hevc", "h264"])
def test_parts_whose_pictures_are_reordered_are_joined(tmp_path: Path, codec: str, suffix: str) -> None:
    options = {"x265-params": "log-level=none:bframes=4:b-adapt=0"} if codec == "hevc" else {"bf": "3", "b_strategy": "0"}
    name = {"hevc": "libx265", "h264": "libx264"}[codec]
    pictures = [noisy_picture((64, 64), seed) for seed in range(20)]
    ends = (0, 8, 20)
    parts = []
    for number, (first, end) in enumerate(pairwise(ends)):
        path = tmp_path / f"{number}{suffix}"
        times_s = [index / 25 for index in range(first, end)]
        write_film(path, pictures[first:end], times_s=times_s, codec=name, options=options)
        parts.append(Part(path, end - first, first / 25))
    assert assemble(parts, tmp_path / f"whole{suffix}", suffix, None, no_note) == 20
    with av.open(str(tmp_path / f"whole{suffix}")) as container:
        assert container.streams.video[0].average_rate == 25
        times_s = sorted(float(packet.pts * packet.time_base) for packet in container.demux(video=0) if packet.size)
    assert times_s == pytest.approx([index / 25 for index in range(20)], abs=0.001)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
def test_rate_of_a_film_is_written_down(tmp_path: Path, clip: Path, suffix: str) -> None:
    film = write_film(tmp_path / "film.mp4", [clip_picture(index % CLIP_FRAMES) for index in range(50)])
    copy_film(film, tmp_path / f"made{suffix}")
    with av.open(str(tmp_path / f"made{suffix}")) as container:
        assert container.streams.video[0].average_rate == 25


def test_excerpt_has_its_frames_its_sound_and_its_words(tmp_path: Path) -> None:
    film = film_with_everything(tmp_path / "in.mp4")
    copy_film(film, tmp_path / "out.mp4", Excerpt(1.0, 1.6))
    assert [clip_index(picture) for picture in read_clip(tmp_path / "out.mp4")] == [
        index % CLIP_FRAMES for index in range(25, 40)
    ]
    assert clicks_of(tmp_path / "out.mp4") == pytest.approx([0.2], abs=0.04)
    assert words_of(tmp_path / "out.mp4") == [(pytest.approx(0.2, abs=0.002), "last words")]
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [c["metadata"]["title"] for c in container.chapters()] == ["two"]
        assert container.streams.video[0].start_time == 0


def test_sound_that_is_in_no_known_format_is_left_out_and_told(tmp_path: Path) -> None:
    film = film_with_everything(tmp_path / "in.mkv", "pcm_s16le")
    data = film.read_bytes()
    assert data.count(b"A_PCM/INT/LIT") == 1
    film.write_bytes(data.replace(b"A_PCM/INT/LIT", b"A_NONSENSE/XX"))
    notes = copy_film(film, tmp_path / "out.mp4")
    assert any("sound track 1 is in a format that is not known here; left out" in note for note in notes)
    assert len(read_clip(tmp_path / "out.mp4")) == 50


def test_soundtrack_that_vanished_never_costs_the_pictures(tmp_path: Path) -> None:
    notes: list[str] = []
    soundtrack = Soundtrack(tmp_path / "gone.mp4")
    sink = VideoFileSink(tmp_path / "out.mp4", Fraction(10), overwrite=False, soundtrack=soundtrack, note=notes.append)
    sink.write(clip_picture(0), None)
    sink.close(True)
    assert len(read_clip(tmp_path / "out.mp4")) == 1
    assert "sound could not be kept" in notes[-1]
