"""Video files: every frame once, odd sizes, damage in the middle and at the end."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import PIL.Image
import pytest

from realtime.errors import SourceError, UserError
from realtime.frame import Image
from realtime.sources import PacedFile
from realtime.video.excerpt import Excerpt
from realtime.video.frame_times import FrameTimes
from realtime.video.opening import open_video
from realtime.video.reader import VideoFileSource, as_fraction
from tests.fakes import (
    CLIP_FRAMES,
    CLIP_RATE,
    SMALL_WH,
    clip_index,
    clip_picture,
    coloured_picture,
    cut_short,
    damage_packet,
    flat_picture,
    write_clip,
)
from tests.films import joined_film, later, remux, rotate_film, write_film


def read_all(source: VideoFileSource, indices: list[int] | None = None) -> list[tuple[Image, float]]:
    """Opens a source and reads to its end.

    Args:
        indices: gets the number of each frame as it comes.
    """
    source.open()
    found = []
    while (read := source.read()) is not None:
        assert read[1] is not None
        found.append((read[0], read[1]))
        if indices is not None:
            indices.append(clip_index(read[0]))
    return found


def test_every_frame_comes_once_in_order_at_its_time(clip: Path) -> None:
    found = read_all(VideoFileSource(clip))
    assert [clip_index(picture) for picture, _ in found] == list(range(CLIP_FRAMES))
    assert [at_s for _, at_s in found] == pytest.approx([index / CLIP_RATE for index in range(CLIP_FRAMES)])


def test_header_tells_rate_and_count(clip: Path) -> None:
    source = VideoFileSource(clip)
    source.open()
    assert source.fps == CLIP_RATE
    assert source.average_rate == CLIP_RATE
    assert source.frame_count == CLIP_FRAMES
    source.close()


def test_colours_are_bgr(tmp_path: Path) -> None:
    shown = coloured_picture((128, 96))
    source = VideoFileSource(write_clip(tmp_path / "colours.mp4", pictures=[shown] * 3))
    picture, _ = read_all(source)[0]
    assert np.abs(picture.astype(int) - shown).mean() < 4


def test_matroska_is_read_too(tmp_path: Path) -> None:
    assert len(read_all(VideoFileSource(write_clip(tmp_path / "clip.mkv")))) == CLIP_FRAMES


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
def test_time_begins_at_zero_where_the_file_begins_later(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"late.{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=CLIP_RATE)
        stream.width, stream.height = SMALL_WH
        stream.pix_fmt = "yuv420p"
        for index in range(5):
            frame = av.VideoFrame.from_ndarray(clip_picture(index), format="bgr24")
            frame.pts = index + 30
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    found = read_all(VideoFileSource(path))
    assert [clip_index(picture) for picture, _ in found] == list(range(5))
    assert [at_s for _, at_s in found] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4], abs=0.002)


def test_file_cut_short_gives_its_frames_and_then_the_reason(clip: Path, tmp_path: Path) -> None:
    source = VideoFileSource(cut_short(clip, tmp_path / "cut.mp4"))
    seen: list[int] = []
    with pytest.raises(SourceError, match=r"ends damaged after \d+ frames, .* of 2\.0 seconds"):
        read_all(source, seen)
    assert 0 < len(seen) < CLIP_FRAMES
    assert seen == list(range(len(seen)))


def test_damage_in_the_middle_is_skipped_and_counted(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mp4", every_frame_alone=True)
    source = VideoFileSource(damage_packet(whole, tmp_path / "damaged.mp4", 10))
    indices = [clip_index(picture) for picture, _ in read_all(source)]
    assert indices == [index for index in range(CLIP_FRAMES) if index != 10]
    assert source.damaged_packets == 1


def test_whole_file_counts_no_damage(clip: Path) -> None:
    source = VideoFileSource(clip)
    read_all(source)
    assert source.damaged_packets == 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"Dear diary, ", "not a video"),
        (b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00", "not a video"),
    ],
)
def test_file_that_is_no_video(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=reason):
        VideoFileSource(path).open()


def test_file_with_sound_alone(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 8000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(SourceError, match="holds no video stream"):
        VideoFileSource(path).open()


@pytest.mark.parametrize("fault", ["vanished", "a folder"])
def test_file_that_cannot_be_opened(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "clip.mp4"
    if fault == "a folder":
        path.mkdir()
    with pytest.raises(SourceError):
        VideoFileSource(path).open()


def test_animation_whose_last_picture_is_held_is_whole(tmp_path: Path) -> None:
    pictures = [PIL.Image.fromarray(clip_picture(index)) for index in range(4)]
    pictures[0].save(tmp_path / "held.gif", save_all=True, append_images=pictures[1:], duration=[100, 100, 100, 3000])
    assert len(read_all(VideoFileSource(tmp_path / "held.gif"))) == 4


def test_film_whose_last_picture_is_held_is_whole(clip: Path, tmp_path: Path) -> None:
    with av.open(str(clip)) as source, av.open(str(tmp_path / "held.mp4"), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        last = max(packets, key=lambda packet: packet.pts or 0)
        last.duration = round(5 / last.time_base)
        for packet in packets:
            packet.stream = stream
            output.mux(packet)
    assert len(read_all(VideoFileSource(tmp_path / "held.mp4"))) == CLIP_FRAMES


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_file_cut_short_is_noticed_from_a_later_start_too(tmp_path: Path, suffix: str) -> None:
    whole = write_clip(tmp_path / f"whole.{suffix}", every_frame_alone=True)
    assert len(read_all(VideoFileSource(whole, Excerpt(start_s=0.5)))) == CLIP_FRAMES - 5
    with av.open(str(whole)) as container:
        tenth = [packet.pos for packet in container.demux(video=0) if packet.size][10]
    assert tenth is not None
    cut = VideoFileSource(cut_short(whole, tmp_path / f"cut.{suffix}", tenth / whole.stat().st_size), Excerpt(start_s=0.5))
    with pytest.raises(SourceError, match=r"ends damaged after \d+ frames, .* of 2\.0 seconds"):
        read_all(cut)


def test_frames_that_are_passed_over_can_be_given_up(clip: Path) -> None:
    source = VideoFileSource(clip)
    source.skipped_frames = 10
    source.open()
    source.cancel()
    assert source.read() is None


@pytest.mark.parametrize("paced", [False, True])
def test_way_to_a_late_start_can_be_given_up(clip: Path, monkeypatch: pytest.MonkeyPatch, paced: bool) -> None:
    file = VideoFileSource(clip, Excerpt(start_s=1.5))
    source = PacedFile(file) if paced else file
    decode, decoded = VideoFileSource._decode, []

    def decode_and_interrupt(self: VideoFileSource) -> Iterator[Any]:
        for frame in decode(self):
            decoded.append(frame)
            if len(decoded) == 3:
                source.cancel()
            yield frame

    monkeypatch.setattr(VideoFileSource, "_decode", decode_and_interrupt)
    source.open()
    assert source.read() is None
    assert len(decoded) == 3


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [
        ("in.mp4", "libx264", "yuv420p"),
        ("in.mkv", "libx264", "yuv420p"),
        ("in.mov", "prores_ks", "yuv422p10le"),  # the container alone holds it
    ],
)
def test_shape_of_pixels_is_known_whoever_holds_it(tmp_path: Path, name: str, codec: str, pixel_format: str) -> None:
    pictures = [coloured_picture((96, 64))] * 2
    film = write_film(tmp_path / name, pictures, codec=codec, pixel_format=pixel_format, pixel_aspect=Fraction(4, 3))
    source = VideoFileSource(film)
    source.open()
    assert source.pixel_aspect == pytest.approx(Fraction(4, 3), rel=0.01)
    source.close()


@pytest.mark.parametrize(("matrix", "aspect"), [((0, -1, 1, 0), Fraction(3, 4)), ((-1, 0, 0, -1), Fraction(4, 3))])
def test_shape_of_pixels_is_turned_with_the_picture(
    tmp_path: Path, matrix: tuple[int, int, int, int], aspect: Fraction
) -> None:
    film = write_film(tmp_path / "in.mp4", [coloured_picture((96, 64))] * 2, pixel_aspect=Fraction(4, 3))
    source = VideoFileSource(rotate_film(film, matrix))
    source.open()
    assert source.pixel_aspect == aspect
    source.close()


# ------------------------------------------------------------------------------------------------- times


def write_plainly(path: Path, count: int = 20, **options: str) -> Path:
    """Numbered greys in H.264 in a kind of file that is told nothing else."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"crf": "4", "g": "8", **options})
        stream.width, stream.height = SMALL_WH
        stream.pix_fmt = "yuv420p"
        for index in range(count):
            frame = av.VideoFrame.from_ndarray(clip_picture(index), format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("excerpt", [Excerpt(), Excerpt(0.2, 0.56), Excerpt(0.44)])
@pytest.mark.parametrize("name", ["in.avi", "in.h264"])
def test_times_of_files_that_know_no_reordered_pictures(tmp_path: Path, name: str, excerpt: Excerpt) -> None:
    source = VideoFileSource(write_plainly(tmp_path / name, bf="3", b_strategy="0"), excerpt)
    seen: list[int] = []
    found = read_all(source, seen)
    assert seen == list(range(round(excerpt.start_s * 25), round((excerpt.end_s or 0.8) * 25)))
    assert [at_s for _, at_s in found] == pytest.approx([index / 25 for index in range(len(found))])
    assert source.start_s == pytest.approx(0.0)


def test_damage_moves_no_later_picture_of_an_avi(tmp_path: Path) -> None:
    whole = write_plainly(tmp_path / "in.avi", bf="1", b_strategy="0", g="4")
    source = VideoFileSource(damage_packet(whole, tmp_path / "damaged.avi", 5))
    seen: list[int] = []
    found = read_all(source, seen)
    times = {index: at_s for index, (_, at_s) in zip(seen, found, strict=True)}
    assert source.damaged_packets
    assert [times[index] for index in range(12, 20)] == pytest.approx([index / 25 for index in range(12, 20)])


@pytest.mark.parametrize("excerpt", [Excerpt(), Excerpt(0.5), Excerpt(2.5), Excerpt(1.0, 4.4)])
def test_clock_that_begins_anew_goes_on(tmp_path: Path, excerpt: Excerpt) -> None:
    pictures = [clip_picture(index % CLIP_FRAMES) for index in range(50)]
    film = write_film(tmp_path / "film.ts", pictures, options={"crf": "4", "bf": "2"})
    source = VideoFileSource(joined_film(film, tmp_path / "joined.ts", 3), excerpt)
    seen: list[int] = []
    found = read_all(source, seen)
    first, end = round(excerpt.start_s * 25), round((excerpt.end_s or 6.0) * 25)
    assert len(found) == pytest.approx(end - first, abs=1)
    assert seen == [index % 50 % CLIP_FRAMES for index in range(end - len(seen), end)]
    assert [at_s for _, at_s in found] == pytest.approx([index / 25 for index in range(len(found))], abs=0.001)


@pytest.mark.parametrize("offsets_s", [(100, 70), (100, 30), (5000, 0), (50_000, 0)])
@pytest.mark.parametrize("excerpt", [Excerpt(), Excerpt(2.5, 3.5)])
def test_recordings_of_different_hours_that_were_joined_go_on(
    tmp_path: Path, offsets_s: tuple[int, int], excerpt: Excerpt
) -> None:
    pictures = [clip_picture(index % CLIP_FRAMES) for index in range(50)]
    film = write_film(tmp_path / "film.mkv", pictures, options={"crf": "4", "bf": "0"})
    parts = [later(film, tmp_path / f"{offset_s}.ts", offset_s).read_bytes() for offset_s in offsets_s]
    (tmp_path / "joined.ts").write_bytes(b"".join(parts))
    source = VideoFileSource(tmp_path / "joined.ts", excerpt)
    seen: list[int] = []
    found = read_all(source, seen)
    assert len(found) == pytest.approx(25 * ((excerpt.end_s or 4.0) - excerpt.start_s), abs=1)
    assert [at_s for _, at_s in found] == pytest.approx([index / 25 for index in range(len(found))], abs=0.001)


@pytest.mark.parametrize(("counts", "start"), [((15, 75), 30), ((500, 150), 140), ((500, 150), 300)])
def test_a_start_means_its_own_place_in_joined_recordings(tmp_path: Path, counts: tuple[int, int], start: int) -> None:
    """One recording has frames whose own times are that of a start that lies in the other."""
    data = b""
    for count in counts:
        pictures = [clip_picture(index % CLIP_FRAMES) for index in range(count)]
        film = write_film(tmp_path / f"{count}.mkv", pictures, options={"crf": "4", "bf": "0", "g": "5"})
        data += later(film, tmp_path / f"{count}.ts", 100).read_bytes()
    (tmp_path / "joined.ts").write_bytes(data)
    seen: list[int] = []
    read_all(VideoFileSource(tmp_path / "joined.ts", Excerpt(start / 25)), seen)
    assert seen == [index % CLIP_FRAMES for count in counts for index in range(count)][start:]


def test_missing_beginning_of_an_avi_moves_no_later_picture(tmp_path: Path) -> None:
    """The decoder passes over everything up to the next picture that leans on no other, without a word."""
    whole = write_plainly(tmp_path / "in.avi", 24, bf="2", b_strategy="0", g="8")
    data = bytearray(whole.read_bytes())
    first = data.index(b"00dc", data.index(b"movi")) + 8
    data[first + 40 : first + int.from_bytes(data[first - 4 : first], "little")] = b"\xff" * (
        int.from_bytes(data[first - 4 : first], "little") - 40
    )
    (tmp_path / "damaged.avi").write_bytes(data)
    source = VideoFileSource(tmp_path / "damaged.avi")
    seen: list[int] = []
    found = read_all(source, seen)
    first_s = source.start_s + source.origin_s
    late = [first_s + at_s for index, (_, at_s) in zip(seen, found, strict=True) if index == 20]
    assert late == [pytest.approx(20 / 25, abs=0.1)]


def test_pause_of_a_transport_stream_is_no_other_clock(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mkv", [clip_picture(index) for index in range(4)], options={"crf": "4", "bf": "0"})

    def pause(packet: Any) -> bool:
        seconds = 15 if packet.pts * packet.time_base > 0.07 else 0
        packet.pts += round(seconds / packet.time_base)
        packet.dts = packet.pts
        return True

    found = read_all(VideoFileSource(remux(film, tmp_path / "paused.ts", pause)))
    assert [at_s for _, at_s in found] == pytest.approx([0.0, 0.04, 15.08, 15.12])


@pytest.mark.parametrize("excerpt", [Excerpt(), Excerpt(0.32)])
def test_packets_that_are_missing_are_no_other_clock(tmp_path: Path, excerpt: Excerpt) -> None:
    """The decoder hands out frames from before the gap between those from behind it."""
    pictures = [clip_picture(index % CLIP_FRAMES) for index in range(100)]
    film = write_film(tmp_path / "film.mkv", pictures, options={"bf": "3", "g": "25", "sc_threshold": "0"})
    gappy = remux(film, tmp_path / "gappy.ts", lambda packet: not 0.7 <= packet.pts * packet.time_base < 2.2)
    with av.open(str(gappy)) as container:
        times = [float(frame.time or 0) for frame in container.decode(video=0)]
    assert any(before - after > 0.5 for before, after in pairwise(times))
    source = VideoFileSource(gappy, excerpt)
    found = [at_s for _, at_s in read_all(source)]
    assert source.restarts_s == []
    assert found == sorted(found)
    assert found[-1] == pytest.approx(99 / 25 - excerpt.start_s, abs=0.001)
    assert len(found) == sum(at_s - times[0] >= excerpt.start_s - 1e-6 for at_s in times)


def test_decoding_time_that_was_made_up_behind_a_gap_is_no_other_clock() -> None:
    context = SimpleNamespace(codec=SimpleNamespace(canonical_name="mpeg2video"), has_b_frames=1)
    restarts_s: list[float] = []
    container, stream = SimpleNamespace(format=SimpleNamespace(name="mpeg")), SimpleNamespace(codec_context=context)
    times = FrameTimes(container, stream, Fraction(25), restarts_s)
    for pts, dts in [(828, 824), (832, 828), (1012, 1008), (1020, 832), (1016, 1016)]:  # as FFmpeg tells of a file with a gap
        times.expect(SimpleNamespace(pts=pts, dts=dts, time_base=Fraction(1, 100)))
    found = [times.of(SimpleNamespace(time=at_s, key_frame=False)) for at_s in (8.28, 10.12, 8.32, 10.16)]
    assert (found, restarts_s) == ([8.28, 10.12, 8.32, 10.16], [])


@pytest.mark.parametrize("start_s", [100.0, 1e18])
def test_start_behind_the_end(clip: Path, start_s: float) -> None:
    with pytest.raises(SourceError, match=r"ends before --start 1"):
        VideoFileSource(clip, Excerpt(start_s=start_s)).open()


def test_pictures_that_come_too_fast_are_thinned_and_keep_their_pace(tmp_path: Path) -> None:
    film = write_film(
        tmp_path / "fast.mp4", [flat_picture(index) for index in range(120)], times_s=[i / 60 for i in range(120)]
    )
    source = VideoFileSource(film)
    source.shortest_s = 0.02
    found = read_all(source)
    assert source.frame_count == pytest.approx(100, abs=2)
    assert len(found) == pytest.approx(100, abs=2)
    assert [at_s for _, at_s in found] == pytest.approx([index * 0.02 for index in range(len(found))], abs=0.002)
    shown = np.array([picture.mean() for picture, _ in found])
    np.testing.assert_allclose(shown / 60, [at_s for _, at_s in found], atol=0.04)  # each at its time, but for a little


def test_how_long_the_last_picture_is_shown_is_told(tmp_path: Path) -> None:
    pictures = [PIL.Image.fromarray(clip_picture(index)) for index in range(3)]
    pictures[0].save(tmp_path / "held.gif", save_all=True, append_images=pictures[1:], duration=[500, 100, 3000])
    source = VideoFileSource(tmp_path / "held.gif")
    read_all(source)
    assert source.last_shown_s() == pytest.approx((0.6, 3.0))


# ----------------------------------------------------------------------------------------------- packets


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_transparency_beside_the_pictures_is_laid_on_white(tmp_path: Path, codec: str) -> None:
    clear = np.dstack([flat_picture(40), np.zeros((48, 64), np.uint8)])
    film = write_film(tmp_path / "in.webm", [clear] * 3, codec=codec, pixel_format="yuva420p", options={"auto-alt-ref": "0"})
    notes: list[str] = []
    found = read_all(VideoFileSource(film, note=notes.append))
    assert len(found) == 3
    assert found[1][0].min() > 250
    assert notes[0].endswith("transparency laid over white")


def test_empty_packets_are_no_damage(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Theora has them where a picture does not change."""

    class Repeating:
        def __init__(self, container: Any) -> None:
            self._container = container

        def __getattr__(self, name: str) -> Any:
            return getattr(self._container, name)

        def demux(self, stream: Any) -> Iterator[Any]:
            for packet in self._container.demux(stream):
                yield packet
                if packet.pts is not None:
                    empty = av.Packet()
                    empty.pts, empty.time_base, empty.stream = packet.pts + 1, packet.time_base, packet.stream
                    yield empty

    def open_repeating(path: Path) -> tuple[Any, Any]:
        container, stream = open_video(path)
        return Repeating(container), stream

    monkeypatch.setattr("realtime.video.reader.open_video", open_repeating)
    source = VideoFileSource(clip)
    assert len(read_all(source)) == CLIP_FRAMES
    assert source.damaged_packets == 0


@pytest.mark.parametrize("name", ["in.wmv", "in.avi", "in.mkv", "in.mp4"])
def test_sound_that_goes_on_behind_the_pictures_is_no_damage(tmp_path: Path, name: str) -> None:
    codec, sound = "wmv2" if name == "in.wmv" else "mpeg4", "aac" if name == "in.mp4" else "pcm_s16le"
    pictures = [coloured_picture((96, 64))] * 25
    film = write_film(tmp_path / name, pictures, codec=codec, matrix=None, sound=sound, sound_s=4.0)
    assert len(read_all(VideoFileSource(film))) == 25


@pytest.mark.parametrize("scale", [400.0, (99999, 99999)])
def test_frames_are_not_enlarged_beyond_what_can_be_held(clip: Path, scale: float | tuple[int, int]) -> None:
    source = VideoFileSource(clip, Excerpt(scale=scale))
    with pytest.raises(
        UserError, match=r"clip.*: --scale: .* enlarged to .*, expected at most 16384 pixels .*give a smaller scale"
    ):
        source.open()
    source.close()


def test_rates_are_fractions_whatever_class_pyav_gives_them() -> None:
    assert as_fraction(SimpleNamespace(numerator=30000, denominator=1001)) == Fraction(30000, 1001)
    assert as_fraction(Fraction(0)) is None
    assert as_fraction(None) is None
