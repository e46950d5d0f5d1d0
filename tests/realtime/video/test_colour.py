"""Colours of video files: right in, right out, tagged."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

# isort: split
import av
from av.video.reformatter import VideoReformatter

from realtime.frame import Image
from realtime.video.colour import ColourTags, _is_plain, convert, to_codec_frame
from realtime.video.reader import VideoFileSource
from realtime.video.tone_mapping import PQ, nits_to_pq
from tests.fakes import coloured_picture
from tests.films import BT601, BT709, EXACT, FULL, LIMITED, copy_film, describe_film, grey_ramp, rotate_film, write_film


def read_first(path: Path, notes: list[str] | None = None) -> tuple[Image, VideoFileSource]:
    """The first picture and its closed source."""
    told: list[str] = [] if notes is None else notes
    source = VideoFileSource(path, note=told.append)
    source.open()
    found = source.read()
    assert found is not None
    source.close()
    return found[0], source


@pytest.mark.parametrize("matrix", [BT601, BT709, None])
@pytest.mark.parametrize("range_", [LIMITED, FULL])
def test_grey_ramp_comes_in_and_goes_out_right(tmp_path: Path, matrix: int | None, range_: int) -> None:
    shown = grey_ramp()
    film = write_film(tmp_path / "in.mp4", [shown] * 3, matrix=matrix, range_=range_)
    read, _ = read_first(film)
    assert np.abs(read.astype(int) - shown).max() <= 2
    copy_film(film, tmp_path / "out.mp4")
    _, pictures, tags = describe_film(tmp_path / "out.mp4")
    assert tags == (matrix or BT601, range_)
    assert np.abs(pictures[1].astype(int) - shown).max() <= 2


@pytest.mark.parametrize("matrix", [BT601, BT709])
@pytest.mark.parametrize("range_", [LIMITED, FULL])
def test_colours_come_in_and_go_out_right(tmp_path: Path, matrix: int, range_: int) -> None:
    shown = coloured_picture((128, 96))
    film = write_film(tmp_path / "in.mp4", [shown] * 3, matrix=matrix, range_=range_)
    read, _ = read_first(film)
    assert np.abs(read.astype(int) - shown).mean() < 2
    copy_film(film, tmp_path / "out.mp4")
    _, pictures, tags = describe_film(tmp_path / "out.mp4")
    assert tags == (matrix, range_)
    assert np.abs(pictures[1].astype(int) - shown).mean() < 3


@pytest.mark.parametrize("matrix", [BT601, BT709, 9])
@pytest.mark.parametrize("range_", [LIMITED, FULL])
def test_plain_frames_are_converted_as_swscale_does_exactly(matrix: int, range_: int) -> None:
    """Smooth pictures: at hard edges of colour swscale's own chroma filter overshoots."""
    noise = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    shown = cv2.resize(noise, (128, 96), interpolation=cv2.INTER_LINEAR)
    frame = av.VideoFrame.from_ndarray(shown, format="bgr24").reformat(
        format="yuv420p", src_color_range=FULL, dst_colorspace=matrix, dst_color_range=range_, interpolation=EXACT
    )
    tags = ColourTags(matrix, range_)
    assert _is_plain(frame, tags)
    ours = convert(frame, tags, "bgr24", (128, 96), VideoReformatter())
    theirs = frame.to_ndarray(
        format="bgr24", src_colorspace=matrix, src_color_range=range_, dst_color_range=FULL, interpolation=EXACT
    )
    assert ours.shape == (96, 128, 3) and ours.dtype == np.uint8
    difference = np.abs(ours.astype(int) - theirs)
    assert difference.mean() < 0.7 and difference.max() <= 4
    assert np.abs(ours.astype(int) - shown).mean() < 1.5
    made = to_codec_frame(shown, tags, "yuv420p", VideoReformatter())
    assert (made.format.name, made.width, made.height) == ("yuv420p", 128, 96)
    difference = np.abs(made.to_ndarray().astype(int) - frame.to_ndarray())
    assert difference.mean() < 0.7 and difference.max() <= 3


@pytest.mark.parametrize(
    ("size_wh", "pixel_format", "matrix"),
    [((127, 96), "yuv420p", BT709), ((128, 95), "yuv420p", BT709), ((128, 96), "yuv444p", BT709), ((128, 96), "yuv420p", 7)],
)
@pytest.mark.parametrize("range_", [LIMITED, FULL])
def test_what_is_not_plain_goes_through_swscale(size_wh: tuple[int, int], pixel_format: str, matrix: int, range_: int) -> None:
    shown = coloured_picture(size_wh)
    frame = av.VideoFrame.from_ndarray(shown, format="bgr24").reformat(
        format=pixel_format, src_color_range=FULL, dst_colorspace=matrix, dst_color_range=range_, interpolation=EXACT
    )
    tags = ColourTags(matrix, range_)
    assert not _is_plain(frame, tags)
    for made in (frame, to_codec_frame(shown, tags, pixel_format, VideoReformatter())):
        read = convert(made, tags, "bgr24", size_wh, VideoReformatter())
        assert np.abs(read.astype(int) - shown).mean() < 3


def test_large_untagged_film_is_taken_for_bt709_and_stays_untagged(tmp_path: Path) -> None:
    shown = coloured_picture((1280, 64))
    film = write_film(tmp_path / "in.mp4", [shown] * 2, matrix=None)
    read, source = read_first(film)
    with av.open(str(film)) as container:
        by_709 = next(container.decode(video=0)).to_ndarray(
            format="bgr24", src_colorspace=1, src_color_range=1, dst_color_range=2, interpolation=EXACT
        )
    assert np.abs(read.astype(int) - by_709).max() <= 2
    assert (source.colours.matrix, source.colours.tagged_matrix) == (1, 2)


def test_ten_bits_become_eight_and_are_told(tmp_path: Path) -> None:
    shown, notes = grey_ramp(), []
    film = write_film(tmp_path / "in.mkv", [shown] * 2, codec="ffv1", pixel_format="yuv420p10le")
    read, _ = read_first(film, notes)
    assert np.abs(read.astype(int) - shown).max() <= 1
    assert len(notes) == 1 and "10 bits a colour reduced to 8" in notes[0]


def test_hdr_is_tone_mapped_and_told(tmp_path: Path) -> None:
    level = round(float(nits_to_pq(20.0)) * 255)  # a grey of 20 nits as a PQ signal
    film = write_film(
        tmp_path / "in.mkv", [np.full((64, 64, 3), level, np.uint8)] * 2, codec="ffv1", pixel_format="yuv420p10le", transfer=PQ
    )
    notes: list[str] = []
    read, source = read_first(film, notes)
    assert int(read.mean()) == pytest.approx(255 * (20 / 203) ** (1 / 2.4), abs=3)
    assert source.colours.transfer == BT709
    assert len(notes) == 1 and "HDR (PQ) tone-mapped" in notes[0]


def test_transparency_is_laid_over_white_and_told(tmp_path: Path) -> None:
    shown = np.zeros((64, 64, 4), np.uint8)
    shown[:, :32, 3] = 255  # black, the right half invisible
    notes: list[str] = []
    read, _ = read_first(write_film(tmp_path / "in.mkv", [shown] * 2, codec="ffv1", pixel_format="bgra"), notes)
    assert (int(read[32, 10].max()), int(read[32, 50].min())) == (0, 255)
    assert len(notes) == 1 and "transparency laid over white" in notes[0]


@pytest.mark.parametrize(
    ("matrix", "turned"),
    [
        ((0, -1, 1, 0), lambda p: np.rot90(p, 1)),
        ((-1, 0, 0, -1), lambda p: np.rot90(p, 2)),
        ((0, 1, -1, 0), lambda p: np.rot90(p, 3)),
        ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
        ((1, 0, 0, -1), lambda p: p[::-1]),
        ((0, 1, 1, 0), lambda p: p.transpose(1, 0, 2)),
    ],
)
def test_pictures_stand_upright(tmp_path: Path, matrix: tuple[int, int, int, int], turned: object) -> None:
    shown = coloured_picture((96, 64))
    film = rotate_film(write_film(tmp_path / "in.mp4", [shown] * 2), matrix)
    read, source = read_first(film)
    assert callable(turned)
    expected = turned(shown)
    assert read.shape == expected.shape
    assert source.source_wh == (expected.shape[1], expected.shape[0])
    assert np.abs(read.astype(int) - expected).mean() < 2


def test_dark_colours_of_hdr_do_not_wrap_around(tmp_path: Path) -> None:
    shown = coloured_picture((96, 64)) // 4
    film = write_film(tmp_path / "in.mkv", [shown] * 2, codec="ffv1", pixel_format="yuv420p10le", matrix=BT601, transfer=PQ)
    read, _ = read_first(film)
    assert int(read.max()) < 65  # a quarter of a PQ signal is five nits, level 55
