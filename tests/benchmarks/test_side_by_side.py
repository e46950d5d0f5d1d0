"""Pictures for the documents: what stands where, and what is written."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import side_by_side
from benchmarks.side_by_side import Way, darkened, encode_small, main, row_names
from realtime.errors import EXIT_ARGUMENTS, EXIT_MODEL, EXIT_OUTPUT, EXIT_SOURCE, OutputError
from realtime.frame import Image
from realtime.networks.model_choice import ModelChoice
from realtime.pictures.files import read_picture, write_picture
from tests.fakes import FakeStylizer, flat_picture, noisy_picture, write_style, write_style_onnx
from tests.program import ROOT, pipe_without_reader

GAP, HEADING, MARGIN = 6, 24, 44
CELL_WH = (96, 72)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Of one grey, 200."""
    write_picture(tmp_path / "photo.png", flat_picture(200, CELL_WH))
    return tmp_path / "photo.png"


@pytest.fixture
def styles(tmp_path: Path) -> Path:
    """A style whose fast network inverts and whose fine one repeats, and one that only inverts."""
    folder = write_style(tmp_path / "styles", "night_sky")
    write_style(tmp_path / "styles", "wild_sea")
    data = write_style_onnx(folder / "fine.onnx", inverts=False).read_bytes()
    described = json.loads((folder / "style.json").read_text(encoding="utf-8"))
    described["tiers"]["fine"] = {"fp32": {"file": "fine.onnx", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}}
    (folder / "style.json").write_text(json.dumps(described), encoding="utf-8")
    return tmp_path / "styles"


def drawn(out: Path, *arguments: object) -> Image:
    """What the program writes."""
    assert main([*map(str, arguments), "--out", str(out)]) == 0
    return read_picture(out).image_bgr


def cells(sheet: Image, rows: int, columns: int, top: int) -> list[list[Image]]:
    """The lower halves of a sheet's cells, below any label."""
    width, height = CELL_WH
    lefts = [GAP + column * (width + GAP) for column in range(columns)]
    tops = [top + GAP + row * (height + GAP) + height // 2 for row in range(rows)]
    return [[sheet[y : y + height // 2, x : x + width] for x in lefts] for y in tops]


def levels(found: list[list[Image]]) -> list[list[float]]:
    return [[float(cell.mean()) for cell in row] for row in found]


def test_pictures_alone_stand_in_one_row_of_one_height(tmp_path: Path, photo: Path) -> None:
    write_picture(tmp_path / "wide.png", flat_picture(40, (120, 30)))
    made = drawn(tmp_path / "row.jpg", photo, tmp_path / "wide.png", "--shown", "60")
    assert made.shape == (60 + 2 * GAP, 80 + 240 + 3 * GAP, 3)
    np.testing.assert_allclose([made[30, 40, 0], made[30, 80 + 2 * GAP + 120, 0]], [200, 40], atol=2)


def test_each_light_and_tier_has_a_row_and_each_style_a_column(tmp_path: Path, photo: Path, styles: Path) -> None:
    file = write_style_onnx(tmp_path / "after_ten_minutes.onnx")
    arguments = [photo, "--styles", styles, "--style", "night_sky", file, "--tier", "fast", "fine", "--light", "1", "0.5"]
    made = drawn(tmp_path / "table.jpg", *arguments, "--shown", CELL_WH[1])
    assert made.shape == (HEADING + 4 * CELL_WH[1] + 6 * GAP, MARGIN + 3 * CELL_WH[0] + 4 * GAP, 3)
    found = levels(cells(made[:, MARGIN:], 4, 3, GAP + HEADING))
    np.testing.assert_allclose(found, [[200, 55, 55], [200, 200, 55], [100, 155, 155], [100, 100, 155]], atol=3)


def test_titles_stand_above_the_paintings_and_tiers_to_the_left(tmp_path: Path, photo: Path, styles: Path) -> None:
    arguments = [photo, "--styles", styles, "--style", "night_sky", "--shown", CELL_WH[1]]
    one = drawn(tmp_path / "one.jpg", *arguments)
    two = drawn(tmp_path / "two.jpg", *arguments, "--tier", "fast", "fine")
    assert two.shape[1] == one.shape[1] + MARGIN
    for made, margin in ((one, 0), (two, MARGIN)):
        left = slice(GAP, GAP + margin + CELL_WH[0])
        right = slice(left.stop + GAP, left.stop + GAP + CELL_WH[0])
        assert int(np.ptp(made[GAP : GAP + HEADING - 2, left])) < 40  # grey, but for what the JPEG spreads
        assert int(made[GAP : GAP + HEADING, right].max()) > 220  # white letters
        below = made[2 * GAP + HEADING :][:20]
        assert abs(float(below[:, right].mean()) - 55) < 3  # and none in the painting
        assert abs(float(below[:, left][:, margin:].mean()) - 200) < 3  # nor in the photograph
    tops = [2 * GAP + HEADING + row * (CELL_WH[1] + GAP) for row in range(2)]
    fast, fine = (two[top : top + 20, GAP : GAP + 36].astype(int) for top in tops)
    assert min(np.ptp(fast), np.ptp(fine)) > 100
    assert np.abs(fast - fine).max() > 60  # two words


def test_a_picture_is_painted_at_one_size_and_shown_at_another(
    tmp_path: Path, photo: Path, styles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stylizer, choices = FakeStylizer(), []
    monkeypatch.setattr(side_by_side, "Stylizer", lambda _, choice: choices.append(choice) or stylizer)
    arguments = [photo, "--styles", styles, "--style", "night_sky", "--shown", "36"]
    first, second = drawn(tmp_path / "a.jpg", *arguments), drawn(tmp_path / "b.jpg", *arguments, "--height", "144")
    assert stylizer.styled_wh == [CELL_WH, (192, 144)]
    assert choices == [ModelChoice("fast", "fp32", "cpu")] * 2  # whatever the machine would choose for itself
    assert first.shape == second.shape == (HEADING + 36 + 3 * GAP, 2 * 48 + 3 * GAP, 3)


def test_a_dark_picture_is_painted_at_its_own_levels_and_at_automatic_ones(tmp_path: Path, styles: Path) -> None:
    dark = np.asarray(noisy_picture(CELL_WH) // 5, np.uint8)
    write_picture(tmp_path / "dark.png", dark)
    arguments = [tmp_path / "dark.png", "--styles", styles, "--style", "night_sky", "--shown", CELL_WH[1]]
    own = drawn(tmp_path / "own.jpg", *arguments)
    both = drawn(tmp_path / "both.jpg", *arguments, "--levels", "own", "auto", "--tier", "fast")
    found = levels(cells(own, 1, 2, GAP + HEADING))
    margin = both.shape[1] - own.shape[1]
    assert margin > 0  # where the rows have their names
    (first, second) = levels(cells(both[:, margin:], 2, 2, GAP + HEADING))
    np.testing.assert_allclose(first, found[0], atol=3)
    assert abs(second[0] - first[0]) < 3  # the photograph
    assert second[1] < first[1] - 30  # the negative of a brighter picture


@pytest.mark.parametrize(
    ("ways", "names"),
    [
        ([Way("fast", "own", "fine"), Way("fast", "auto", "fine")], ["own", "auto"]),
        ([Way("fast", "auto", "large"), Way("fine", "auto", "large")], ["fast", "fine"]),
        ([Way("fast", "own", "fine"), Way("fine", "own", "large")], ["fast fine", "fine large"]),
        ([Way("fast", "own", "fine")], [""]),
    ],
)
def test_rows_are_named_by_what_tells_them_apart(ways: list[Way], names: list[str]) -> None:
    assert row_names(ways) == names


def test_a_large_picture_is_painted_small_too_where_large_strokes_are_asked_for(
    tmp_path: Path, photo: Path, styles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stylizer = FakeStylizer()
    monkeypatch.setattr(side_by_side, "Stylizer", lambda *_: stylizer)
    arguments = [photo, "--styles", styles, "--style", "night_sky", "--shown", "36", "--height", "1080"]
    drawn(tmp_path / "rows.jpg", *arguments, "--strokes", "fine", "large")
    assert stylizer.styled_wh == [(1440, 1080), (720, 540), (1440, 1080)]


def test_the_dark_has_a_share_of_the_levels() -> None:
    assert darkened(flat_picture(201), 1 / 3)[0, 0].tolist() == [67, 67, 67]
    assert np.array_equal(darkened(noisy_picture(), 1.0), noisy_picture())


def test_the_file_has_the_best_quality_that_is_small_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = noisy_picture((256, 192))
    best = encode_small(picture)
    monkeypatch.setattr(side_by_side, "_MOST_BYTES", len(best) // 2)
    smaller = encode_small(picture)
    assert len(best) // 3 < len(smaller) < len(best) // 2
    assert cv2.imdecode(np.frombuffer(smaller, np.uint8), cv2.IMREAD_COLOR).shape == (192, 256, 3)
    monkeypatch.setattr(side_by_side, "_MOST_BYTES", 1000)
    with pytest.raises(OutputError, match="256x192 pixels do not fit into 1000 bytes"):
        encode_small(picture)


def test_a_row_longer_than_any_jpeg_is_told(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_picture(tmp_path / "long.png", flat_picture(90, (2000, 10)))
    arguments = [str(tmp_path / "long.png")] * 2 + ["--shown", "200", "--out", str(tmp_path / "row.jpg")]
    assert main(arguments) == EXIT_OUTPUT  # each would fit, and both do not
    assert "error: --out: no JPEG holds 80018x212 pixels; try a smaller --shown" in capsys.readouterr().err
    assert not (tmp_path / "row.jpg").exists()


@pytest.mark.parametrize("option", ["--shown", "--height"])
@pytest.mark.parametrize("height", ["0", "4321", "9" * 5000])
def test_heights_have_bounds(photo: Path, capsys: pytest.CaptureFixture[str], option: str, height: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([str(photo), "--out", "row.jpg", "--style", "wild_sea", option, height])
    assert stopped.value.code == EXIT_ARGUMENTS
    assert f"argument {option}: expected a height from 1 to 4320 pixels" in capsys.readouterr().err


def test_a_transparent_picture_lies_on_white(tmp_path: Path) -> None:
    write_picture(tmp_path / "half.png", flat_picture(0), np.full(flat_picture(0).shape[:2], 128, np.uint8))
    made = drawn(tmp_path / "row.jpg", tmp_path / "half.png", "--shown", "48")
    assert abs(int(made[GAP + 20, GAP + 20, 0]) - 127) < 3


def test_a_tier_named_twice_has_one_row(tmp_path: Path, photo: Path, styles: Path) -> None:
    arguments = [photo, photo, "--styles", styles, "--style", "night_sky", "--shown", CELL_WH[1]]
    once = drawn(tmp_path / "once.jpg", *arguments, "--tier", "fast", "fine")
    assert np.array_equal(drawn(tmp_path / "twice.jpg", *arguments, "--tier", "fast", "fine", "fast"), once)


def test_a_disk_that_takes_nothing_is_told_and_the_picture_before_is_kept(
    tmp_path: Path, photo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "row.jpg"
    out.write_bytes(b"of last week")
    monkeypatch.setattr(Path, "write_bytes", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    assert main([str(photo), "--out", str(out)]) == EXIT_OUTPUT
    assert capsys.readouterr().err == f"error: --out {out}: cannot be written (No space left on device)\n"
    assert out.read_bytes() == b"of last week"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a pipe of POSIX")
def test_a_pipe_is_not_replaced(tmp_path: Path, photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = tmp_path / "row.jpg"
    os.mkfifo(pipe)
    assert main([str(photo), "--out", str(pipe)]) == EXIT_OUTPUT
    assert f"error: --out {pipe}: is a device or a pipe" in capsys.readouterr().err
    assert pipe.is_fifo()


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_the_picture_is_made_though_nobody_reads_of_it(tmp_path: Path, photo: Path, unbuffered: str) -> None:
    command = [sys.executable, "-m", "benchmarks.side_by_side", str(photo), "--out", str(tmp_path / "row.jpg")]
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with pipe_without_reader() as pipe:
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=pipe, stderr=subprocess.PIPE, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "row.jpg").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["gone.png"], EXIT_SOURCE, "gone.png"),
        (["photo.png", "--out", "row.png"], EXIT_OUTPUT, "expected a JPEG"),
        (["photo.png", "--out", "gone/row.jpg"], EXIT_OUTPUT, "does not exist"),
        (["photo.png", "row.jpg"], EXIT_OUTPUT, "is the source itself"),
        (["long.png"], EXIT_OUTPUT, "long.png: 480000 pixels wide at a height of 240, and a JPEG holds 65500"),
        (["long.png", "--shown", "1", "--styles", "styles", "--style", "wild_sea", "--height", "99"], EXIT_OUTPUT, "198000"),
        (["photo.png", "--style", "gone"], EXIT_MODEL, "no such style"),
        (
            ["photo.png", "--styles", "styles", "--style", "wild_sea", "--tier", "fine"],
            EXIT_MODEL,
            "the style wild_sea has fast",
        ),
    ],
)
@pytest.mark.usefixtures("photo", "styles")
def test_mistakes_take_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    reason: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_picture(tmp_path / "row.jpg", flat_picture(90))
    write_picture(tmp_path / "long.png", flat_picture(90, (2000, 1)))
    before = (tmp_path / "row.jpg").read_bytes()
    assert main(["--out", "row.jpg", *arguments]) == code
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert reason in errors
    assert (tmp_path / "row.jpg").read_bytes() == before


@pytest.mark.parametrize("option", [["--tier", "fine"], ["--height", "100"], ["--styles", "styles"]])
def test_options_of_paintings_need_a_style(option: list[str], photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([str(photo), "--out", "row.jpg", *option])
    assert stopped.value.code == EXIT_ARGUMENTS
    assert "nothing is painted without --style" in capsys.readouterr().err
