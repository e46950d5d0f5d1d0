"""Sound, subtitles and chapters: kept as they are where the file can hold them, in step with the picture."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from realtime.program.notes import no_note
from realtime.video.assembly import _with_decoding_times, assemble
from realtime.video.excerpt import Excerpt
from realtime.video.other_tracks import Soundtrack
from realtime.video.parts import Part
from realtime.video.writer import VideoFileSink
from tests.fakes import CLIP_FRAMES, clip_index, clip_picture, noisy_picture, read_clip
from tests.films import clicks_of, copy_film, joined_film, later, write_film

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


# ---------------------------------------------------------------------------------- one track and the others


def kinds_of(path: Path) -> list[str]:
    with av.open(str(path)) as container:
        return [stream.type for stream in container.streams]


def with_more_sound(film: Path, path: Path, codec: str, rate: int, seconds: float = 2.0) -> Path:
    """A film with another sound track, silent, or without a packet."""
    container: Any
    output: Any
    with av.open(str(film)) as container, av.open(str(path), "w") as output:
        made = {stream.index: output.add_stream_from_template(stream) for stream in container.streams}
        more = output.add_stream(codec, rate=rate, layout="mono")
        for packet in container.demux():
            if packet.size:
                packet.stream = made[packet.stream.index]
                output.mux(packet)
        if seconds:
            samples = np.zeros((1, round(seconds * rate)), np.int16)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate, frame.pts = rate, 0
            output.mux(more.encode(frame))
            output.mux(more.encode(None))
    return path


def test_sound_of_a_rate_that_the_file_refuses_is_encoded_again(tmp_path: Path) -> None:
    film = film_with_everything(tmp_path / "in.mkv", "libmp3lame")  # of 8000 Hz
    notes = copy_film(film, tmp_path / "out.mp4")
    assert notes[0] == "sound track 1 (mp3) encoded again as aac, since .mp4 files hold no such mp3"
    assert kinds_of(tmp_path / "out.mp4")[:3] == ["video", "audio", "subtitle"]
    assert clicks_of(tmp_path / "out.mp4") == pytest.approx(clicks_of(film), abs=0.04)


def test_sound_of_a_rate_that_no_encoder_takes_is_resampled(tmp_path: Path) -> None:
    film = film_with_everything(tmp_path / "in.mkv")
    notes = copy_film(with_more_sound(film, tmp_path / "two.mkv", "pcm_s16le", 192000), tmp_path / "out.mp4")
    assert "sound track 2 (pcm_s16le) encoded again as aac of 96000 Hz, since .mp4 files hold no pcm_s16le" in notes
    assert packets_of(tmp_path / "out.mp4", "audio") == packets_of(film, "audio")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [stream.codec_context.sample_rate for stream in container.streams.audio] == [8000, 96000]
        lengths_s = [float((stream.duration or 0) * (stream.time_base or 0)) for stream in container.streams.audio]
    assert lengths_s == pytest.approx([2.0, 2.0], abs=0.15)


@pytest.mark.parametrize("made", ["out.mp4", "out.mkv", "out.webm"])
def test_track_without_sound_costs_no_other(tmp_path: Path, made: str) -> None:
    pictures = [clip_picture(index % CLIP_FRAMES) for index in range(50)]
    film = write_film(tmp_path / "in.mkv", pictures, sound="aac", clicks_s=CLICKS_S)
    film = with_more_sound(film, tmp_path / "two.ts", "ac3", 48000, seconds=0)
    notes = copy_film(film, tmp_path / made)
    assert notes[-1] == "sound track 2 (ac3) left out: no sound of it was found at the beginning of the file"
    assert kinds_of(tmp_path / made) == ["video", "audio"]


def test_sound_that_steps_back_at_a_join_goes_on_in_its_time(tmp_path: Path) -> None:
    pictures = [clip_picture(index % CLIP_FRAMES) for index in range(25)]
    film = write_film(tmp_path / "in.mkv", pictures, sound="aac", clicks_s=[0.8], sound_s=1.3, options={"bf": "0"})

    first, second = (later(film, tmp_path / f"{n}.ts", n) for n in range(2))
    (tmp_path / "joined.ts").write_bytes(first.read_bytes() + second.read_bytes())
    assert copy_film(tmp_path / "joined.ts", tmp_path / "out.mp4") == []
    assert clicks_of(tmp_path / "out.mp4") == pytest.approx(clicks_of(tmp_path / "joined.ts"), abs=0.04)
    assert len(clicks_of(tmp_path / "out.mp4")) == 2
    with av.open(str(tmp_path / "out.mp4")) as container:
        times = [packet.dts for packet in container.demux(audio=0) if packet.size]
    assert all(before < after for before, after in pairwise(times))


@pytest.mark.parametrize("offsets_s", [(100, 70), (5000, 30)])
def test_sound_follows_a_clock_of_another_hour(tmp_path: Path, offsets_s: tuple[int, int]) -> None:
    pictures = [clip_picture(index % CLIP_FRAMES) for index in range(50)]
    film = write_film(tmp_path / "in.mkv", pictures, sound="aac", clicks_s=CLICKS_S, sound_s=1.7, options={"bf": "0"})
    parts = [later(film, tmp_path / f"{offset_s}.ts", offset_s).read_bytes() for offset_s in offsets_s]
    (tmp_path / "joined.ts").write_bytes(b"".join(parts))
    assert copy_film(tmp_path / "joined.ts", tmp_path / "out.mp4") == []
    clicks = clicks_of(tmp_path / "out.mp4")
    expected = [click_s + part_s for part_s in (0.0, 2.0) for click_s in CLICKS_S]
    assert clicks == pytest.approx([clicks[0] - CLICKS_S[0] + click_s for click_s in expected], abs=0.05)


@pytest.mark.parametrize("made", ["out.mp4", "out.webm"])  # copied, and encoded again
@pytest.mark.parametrize("excerpt", [Excerpt(), Excerpt(1.0), Excerpt(2.6)])
def test_sound_follows_a_clock_that_begins_anew(tmp_path: Path, made: str, excerpt: Excerpt) -> None:
    pictures = [clip_picture(index % CLIP_FRAMES) for index in range(50)]
    film = write_film(tmp_path / "in.ts", pictures, sound="aac", clicks_s=CLICKS_S, sound_s=1.7)
    copy_film(joined_film(film, tmp_path / "joined.ts", 3), tmp_path / made, excerpt)
    expected = [round_s * 2 + click_s for round_s in range(3) for click_s in CLICKS_S]
    first_s = clicks_of(film)[0] - CLICKS_S[0]  # a transport stream's clock, and the encoder's run-in
    with av.open(str(film)) as container:
        first_s -= (container.start_time or 0) / 1e6
    expected = [first_s + at_s - excerpt.start_s for at_s in expected if at_s > excerpt.start_s]
    assert clicks_of(tmp_path / made) == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("made", ["out.mp4", "out.mkv"])
def test_damaged_packets_of_sound_are_no_reason_to_lose_the_rest(tmp_path: Path, made: str) -> None:
    pictures = [clip_picture(index % CLIP_FRAMES) for index in range(50)]
    film = write_film(tmp_path / "in.ts", pictures, sound="aac", clicks_s=CLICKS_S, options={"bf": "0"})
    data = bytearray(film.read_bytes())
    with av.open(str(film)) as container:
        headers = [bytes(packet)[:7] for packet in container.demux(audio=0) if packet.size]
    header = next(header for header in headers[5:] if data.count(header) == 1)  # the first ones tell what the track is
    data[data.index(header)] = 0
    film.write_bytes(data)
    notes = copy_film(film, tmp_path / made)
    assert notes == ["damaged packets of sound or subtitles left out: 1"]
    with av.open(str(tmp_path / made)) as container:
        kept = sum(bool(packet.size) for packet in container.demux(audio=0))
    assert kept == len(headers) - 1


@pytest.mark.parametrize("made", ["out.mkv", "out.mp4"])
def test_words_are_cut_where_the_film_is(tmp_path: Path, made: str) -> None:
    pictures = [clip_picture(index % CLIP_FRAMES) for index in range(50)]
    said = [(0.1, "gone"), (0.4, "begun"), (1.2, "cut off"), (1.9, "never")]
    film = write_film(tmp_path / "in.mkv", pictures, subtitles=said, subtitle_codec="srt", words_s=0.7)
    copy_film(film, tmp_path / made, Excerpt(0.9, 1.7))
    with av.open(str(tmp_path / made)) as container:
        shown = [
            (float(packet.pts * packet.time_base), float(packet.duration * packet.time_base), rects[0].dialogue.decode())
            for packet in container.demux(subtitles=0)
            if packet.pts is not None and (rects := packet.decode())
        ]
    assert [words for _, _, words in shown] == ["begun", "cut off"]
    assert [at_s for at_s, _, _ in shown] == pytest.approx([0.0, 0.3], abs=0.002)
    assert [seconds for _, seconds, _ in shown] == pytest.approx([0.2, 0.5], abs=0.002)


@pytest.mark.parametrize(
    ("sound", "subtitles", "lost"),
    [("aac", True, ["subtitles", "sound"]), ("aac", False, ["sound"]), (None, True, ["subtitles"]), (None, False, [])],
)
def test_only_what_there_was_is_told_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sound: str | None, subtitles: bool, lost: list[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ValueError("refused")

    said = [(0.1, "words")] if subtitles else []
    film = write_film(tmp_path / "in.mp4", [clip_picture(0)] * 5, sound=sound, subtitles=said)
    monkeypatch.setattr("realtime.video.assembly.other_packets", refuse)
    notes = copy_film(film, tmp_path / "out.mp4")
    assert notes == [f"{kind} could not be kept (refused)" for kind in lost or ["title and chapters"]]
    assert len(read_clip(tmp_path / "out.mp4")) == 5


def test_soundtrack_that_vanished_never_costs_the_pictures(tmp_path: Path) -> None:
    notes: list[str] = []
    soundtrack = Soundtrack(tmp_path / "gone.mp4")
    sink = VideoFileSink(tmp_path / "out.mp4", Fraction(10), overwrite=False, soundtrack=soundtrack, note=notes.append)
    sink.write(clip_picture(0), None)
    sink.close(True)
    assert len(read_clip(tmp_path / "out.mp4")) == 1
    assert "sound could not be kept" in notes[-1]
