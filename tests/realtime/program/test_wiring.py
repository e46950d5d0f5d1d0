"""What a command line asks of each stage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from realtime.pictures.files import write_picture
from realtime.program.command_line import parse_arguments
from realtime.program.inputs import PictureFilm
from realtime.program.notes import no_note
from realtime.program.wiring import source_of
from tests.fakes import flat_picture


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
