"""Contact sheets: every photograph in every style, pixel by pixel, and strips of clips."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.contact_sheets import change_of, fit_height, lay_out, main, read_photos
from realtime.errors import EXIT_ARGUMENTS, EXIT_MODEL, EXIT_SOURCE
from realtime.frame import Image
from realtime.pictures.files import read_picture, write_picture
from tests.fakes import coloured_picture, flat_picture, write_clip, write_style, write_style_onnx


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Five photographs of greys that tell their numbers."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(5):
        write_picture(folder / f"{number}.png", flat_picture(40 * number, (96, 72)))
    return folder


def cell(sheet: Image, left: int, top: int) -> Image:
    """The lower half of a cell of 96x72 pixels, below its label."""
    return sheet[top + 40 : top + 72, left : left + 96]


def test_sheets_of_all_styles(tmp_path: Path, photos: Path, styles_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_clip(tmp_path / "my clip.mp4", frames=6)
    arguments = ["--photos", str(photos), "--count", "3", "--clip", str(clip), "--frames", "3", "--every", "2"]
    arguments += ["--styles", str(styles_folder), "--style", "night_sky", "--style", "plain_day", "--height", "72"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "photo_0.jpg",
        "photo_2.jpg",
        "photo_4.jpg",
        "strip_my_clip_night_sky.jpg",
        "strip_my_clip_plain_day.jpg",
        "style_night_sky.jpg",
        "style_plain_day.jpg",
    ]
    assert "7 sheets" in capsys.readouterr().out
    in_one_style = read_picture(tmp_path / "out" / "style_night_sky.jpg").image_bgr
    assert abs(float(cell(in_one_style, 6 + 192 + 6, 6).mean()) - 80) < 3  # the second photograph
    assert abs(float(cell(in_one_style, 6 + 192 + 6 + 96, 6).mean()) - 175) < 3  # and its painting
    in_all_styles = read_picture(tmp_path / "out" / "photo_4.jpg").image_bgr
    levels = [float(cell(in_all_styles, 6 + k * 102, 6).mean()) for k in range(3)]
    np.testing.assert_allclose(levels, [160, 95, 160], atol=3)
    strip = read_picture(tmp_path / "out" / "strip_my_clip_night_sky.jpg").image_bgr
    np.testing.assert_allclose([float(cell(strip, 6 + k * 102, 6).mean()) for k in range(3)], [20, 40, 60], atol=6)
    changes = [float(cell(strip, 6 + k * 102, 6 + 2 * 78).mean()) for k in range(3)]
    np.testing.assert_allclose(changes, [0, 80, 80], atol=12)


def test_several_networks_of_a_style_stand_side_by_side(tmp_path: Path, photos: Path) -> None:
    styles_folder = tmp_path / "styles"
    write_style(styles_folder, "plain_day")
    description = write_style(styles_folder, "night_sky") / "style.json"
    found = json.loads(description.read_text(encoding="utf-8"))
    found["tiers"]["fine"] = found["tiers"]["fast"]
    description.write_text(json.dumps(found), encoding="utf-8")
    clip = write_clip(tmp_path / "clip.mp4", frames=3)
    arguments = [
        "--photos",
        str(photos / "3.png"),
        "--clip",
        str(clip),
        "--frames",
        "2",
        "--height",
        "72",
        "--tier",
        "fast",
        "fine",
    ]
    arguments += ["--precision", "fp32", "--styles", str(styles_folder), "--style", "night_sky", "--style", "plain_day"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "photo_3.jpg",
        "strip_clip_night_sky_fast_fp32.jpg",
        "strip_clip_night_sky_fine_fp32.jpg",
        "strip_clip_plain_day.jpg",  # has one network of those asked for
        "style_night_sky.jpg",
        "style_plain_day.jpg",
    ]
    both = read_picture(tmp_path / "out" / "style_night_sky.jpg").image_bgr
    assert both.shape[1] == 3 * 96 + 2 * 6
    np.testing.assert_allclose([float(cell(both, 6 + k * 96, 6).mean()) for k in range(3)], [120, 135, 135], atol=3)
    one = read_picture(tmp_path / "out" / "style_plain_day.jpg").image_bgr
    assert one.shape[1] == 2 * 96 + 2 * 6


def test_files_that_differ_in_suffix_folder_or_capitals_alone_have_sheets_of_their_own(
    tmp_path: Path, photos: Path, styles_folder: Path
) -> None:
    (photos / "more").mkdir()
    names = ["a.png", "a.jpg", "more/a.png", "B c.png", "b_c.png"]
    for number, name in enumerate(names):
        write_picture(photos / name, flat_picture(40 * number, (96, 72)))
    clips = [write_clip(folder / "clip.mp4", frames=2) for folder in (photos, photos / "more")]
    arguments = ["--photos", *(str(photos / name) for name in [*names, "a.png"]), "--styles", str(styles_folder)]
    arguments += [text for clip in clips for text in ("--clip", str(clip))]
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        arguments += ["--style", str(write_style_onnx(tmp_path / folder / "net.onnx"))]
    assert main([*arguments, "--height", "72", "--frames", "2", "--out", str(tmp_path / "out")]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "photo_B_c.jpg",
        "photo_a.jpg",
        "photo_a_2.jpg",
        "photo_a_3.jpg",
        "photo_b_c_2.jpg",
        "strip_clip_2_net.jpg",
        "strip_clip_2_net_2.jpg",
        "strip_clip_net.jpg",
        "strip_clip_net_2.jpg",
        "style_net.jpg",
        "style_net_2.jpg",
    ]
    third = read_picture(tmp_path / "out" / "photo_a_3.jpg").image_bgr
    assert abs(float(cell(third, 6, 6).mean()) - 80) < 3


def test_named_photographs_come_in_the_order_given(photos: Path) -> None:
    assert list(read_photos([str(photos / "3.png"), str(photos / "1.png")], 8, 72)) == ["3", "1"]
    assert list(read_photos([str(photos)], 2, 72)) == ["0", "4"]
    assert list(read_photos([str(photos)], 1, 72)) == ["0"]


def test_cells_of_any_size_are_laid_out() -> None:
    cells = [flat_picture(10, (30, 20)), flat_picture(20, (50, 40)), flat_picture(30, (10, 10))]
    sheet = lay_out(cells, 2)
    assert sheet.shape == (40 + 10 + 3 * 6, 30 + 50 + 3 * 6, 3)
    assert [int(sheet[6, 6, 0]), int(sheet[6, 42, 0]), int(sheet[52, 6, 0]), int(sheet[0, 0, 0])] == [10, 20, 30, 128]


def test_pictures_keep_their_aspect() -> None:
    assert fit_height(coloured_picture((200, 100)), 50).shape == (50, 100, 3)
    assert fit_height(coloured_picture((20, 10)), 50).shape == (50, 100, 3)


def test_change_is_the_strengthened_difference() -> None:
    assert change_of(flat_picture(100), flat_picture(90))[0, 0].tolist() == [40, 40, 40]
    assert change_of(flat_picture(0), flat_picture(255)).max() == 255


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["--photos", "gone"], EXIT_SOURCE, "no photographs found"),
        (["--clip", "gone.mp4"], EXIT_SOURCE, "no such file"),
        (["--photos", "photos", "--style", "gone"], EXIT_MODEL, "no such style"),
        (["--photos", "photos", "--style", "night_sky", "--tier", "fine"], EXIT_MODEL, "the style night_sky has fast"),
    ],
)
def test_mistakes_take_one_line(
    photos: Path,
    styles_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    reason: str,
) -> None:
    monkeypatch.chdir(photos.parent)
    assert main([*arguments, "--styles", str(styles_folder), "--out", "out"]) == code
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert reason in errors


def test_nothing_to_paint_is_a_wrong_argument() -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--out", "out"])
    assert caught.value.code == EXIT_ARGUMENTS
