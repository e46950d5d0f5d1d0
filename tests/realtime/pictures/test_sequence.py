"""Pictures as frames of a film, and frames as pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from realtime.errors import OutputError, SourceError
from realtime.pictures.files import read_picture, write_picture
from realtime.pictures.sequence import NumberedPictures, PictureSequence
from tests.fakes import flat_picture, greys_and_times


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[Path, ...]:
    paths = tuple(tmp_path / f"{number}.png" for number in range(4))
    for number, path in enumerate(paths):
        write_picture(path, flat_picture(10 * number))
    return paths


def test_each_picture_is_a_frame_at_its_time(pictures: tuple[Path, ...]) -> None:
    source = PictureSequence(pictures, 10.0)
    source.open()
    assert greys_and_times(source) == [(0, 0.0), (10, 0.1), (20, 0.2), (30, 0.3)]
    assert (source.fps, source.frame_count, source.average_rate) == (10.0, 4, 10)
    source.open()
    assert len(greys_and_times(source)) == 4
    assert PictureSequence(pictures, None).fps == 25


def test_pictures_are_scaled(pictures: tuple[Path, ...]) -> None:
    source = PictureSequence(pictures, None, scale=(32, 32))
    source.open()
    found = source.read()
    assert found is not None
    assert found[0].shape == (24, 32, 3)


def test_transparent_pictures_lie_on_white(pictures: tuple[Path, ...]) -> None:
    half = np.full((48, 64), 128, np.uint8)
    write_picture(pictures[0], flat_picture(0), half)
    source = PictureSequence(pictures, None)
    source.open()
    found = source.read()
    assert found is not None
    assert np.abs(found[0].astype(int) - 127).max() <= 1


def test_picture_that_cannot_be_read_is_left_out(pictures: tuple[Path, ...]) -> None:
    notes: list[str] = []
    pictures[1].write_bytes(b"nonsense")
    source = PictureSequence(pictures, 10.0, notes.append)
    source.open()
    assert greys_and_times(source) == [(0, 0.0), (20, 0.1), (30, 0.2)]
    assert source.damaged_packets == 1
    assert notes[0].startswith("left out: picture ")


def test_frames_are_passed_over_and_the_first_ones_size_holds(pictures: tuple[Path, ...]) -> None:
    write_picture(pictures[0], flat_picture(0, (32, 32)))
    pictures[1].write_bytes(b"nonsense")
    source = PictureSequence(pictures, 10.0)
    source.skipped_frames = 2
    source.open()
    found = source.read()
    assert found is not None
    assert (found[0].shape, found[0][16, 16, 0], found[1]) == ((32, 32, 3), 30, 0.2)
    assert source.read() is None
    source.skipped_frames = 7
    source.open()
    assert source.read() is None


def test_frames_that_are_passed_over_can_be_given_up(pictures: tuple[Path, ...]) -> None:
    source = PictureSequence(pictures, None)
    source.skipped_frames = 3
    source.open()
    source.cancel()
    assert source.read() is None


def test_film_without_a_readable_picture(pictures: tuple[Path, ...]) -> None:
    for path in pictures:
        path.write_bytes(b"")
    source = PictureSequence(pictures, None)
    source.open()
    with pytest.raises(SourceError, match="none of them can be read"):
        source.read()


def test_pictures_of_other_sizes_are_fitted_on_black(pictures: tuple[Path, ...]) -> None:
    notes: list[str] = []
    write_picture(pictures[1], flat_picture(200, (24, 48)))  # upright among pictures of 64x48
    write_picture(pictures[2], flat_picture(100, (640, 240)))
    film, as_they_are = PictureSequence(pictures, None, notes.append), PictureSequence(pictures, None, one_size=False)
    frames = []
    for source in (film, as_they_are):
        source.open()
        frames.append([found[0] for found in iter(source.read, None)])
    upright, wide = frames[0][1], frames[0][2]
    assert upright.shape == wide.shape == flat_picture(0).shape
    assert [int(upright[24, x, 0]) for x in (0, 19, 20, 43, 44, 63)] == [0, 0, 200, 200, 0, 0]
    assert [int(wide[y, 32, 0]) for y in (0, 11, 12, 35, 36, 47)] == [0, 0, 100, 100, 0, 0]
    assert [frame.shape[:2] for frame in frames[1]] == [(48, 64), (48, 24), (240, 640), (48, 64)]
    assert notes == ["pictures of other sizes are fitted into the first one's, on black"]


def test_frames_become_numbered_pictures(tmp_path: Path) -> None:
    sink = NumberedPictures(tmp_path / "f%03d.png", overwrite=False)
    for level in (10, 20):
        sink.write(flat_picture(level), None)
    sink.close(True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f001.png", "f002.png"]
    np.testing.assert_array_equal(read_picture(tmp_path / "f002.png").image_bgr, flat_picture(20))


def test_existing_pictures_are_refused(tmp_path: Path) -> None:
    (tmp_path / "f2.png").touch()
    sink = NumberedPictures(tmp_path / "f%d.png", overwrite=False)
    sink.write(flat_picture(1), None)
    with pytest.raises(OutputError, match=r"f2\.png: exists already"):
        sink.write(flat_picture(2), None)
    with pytest.raises(OutputError, match=r"f1\.png: exists already"):
        NumberedPictures(tmp_path / "f%d.png", overwrite=False)
    NumberedPictures(tmp_path / "f%d.png", overwrite=True).write(flat_picture(3), None)
