"""What a command line asks of each stage."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from realtime.pictures.files import write_picture
from realtime.program.command_line import parse_arguments
from realtime.program.inputs import PictureFilm, Single
from realtime.program.notes import no_note
from realtime.program.wiring import keeps_pace, source_of
from tests.fakes import flat_picture
from tests.films import write_film


@pytest.mark.parametrize(("output", "is_fitted"), [("film.mp4", True), ("film%d.mp4", True), (None, True), ("%d.png", False)])
def test_pictures_are_fitted_into_one_size_unless_each_is_written_alone(
    tmp_path: Path, output: str | None, is_fitted: bool
) -> None:
    pictures = (tmp_path / "a.png", tmp_path / "b.png")
    for path, size_wh in zip(pictures, [(64, 48), (32, 32)], strict=True):
        write_picture(path, flat_picture(90, size_wh))
    made = None if output is None else Path(output)
    source = source_of(replace(parse_arguments([]), output=made), PictureFilm(pictures), no_note)
    source.open()
    shapes = [picture.shape[:2] for picture, _ in iter(source.read, None)]
    assert shapes == [(48, 64), (48, 64) if is_fitted else (32, 32)]


@pytest.mark.parametrize(("output", "size_wh"), [("out.mp4", (64, 48)), (None, (128, 48)), ("%d.png", (128, 48))])
def test_pixels_are_made_square_unless_a_film_can_tell_their_shape(
    tmp_path: Path, output: str | None, size_wh: tuple[int, int]
) -> None:
    film = write_film(tmp_path / "wide.mp4", [flat_picture(90, (64, 48))] * 3, pixel_aspect=Fraction(2))
    settings = replace(parse_arguments([]), output=None if output is None else Path(output))
    source = source_of(settings, Single(str(film)), no_note)
    source.open()
    found = source.read()
    assert found is not None
    assert found[0].shape[1::-1] == size_wh
    source.close()


@pytest.mark.parametrize(
    ("source", "arguments", "expected"),
    [
        ("film.mp4", ["--output", "out.mp4"], False),
        ("film.mp4", ["--output", "out.mp4", "--live"], True),
        ("film.mp4", [], True),
        ("photo.png", ["--output", "out.png"], False),
        ("photo.png", [], False),
        ("demo", [], True),
        ("demo", ["--output", "out.mp4"], False),
        ("0", ["--output", "out.mp4"], True),
        ("0", ["--output", "out.png"], False),
    ],
)
def test_what_comes_at_its_own_pace_is_painted_at_it(tmp_path: Path, source: str, arguments: list[str], expected: bool) -> None:
    """Large strokes would cost a live picture its rate."""
    write_film(tmp_path / "film.mp4", [flat_picture(90)] * 3)
    write_picture(tmp_path / "photo.png", flat_picture(90))
    settings = parse_arguments(["--source", source, *arguments])
    found = source_of(settings, Single(str(tmp_path / source) if "." in source else source), no_note)
    assert keeps_pace(settings, found) == expected
