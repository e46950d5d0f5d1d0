"""A camera's noise as the benchmark makes it, and what it finds of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import noise
from benchmarks.camera_noise import camera_noise
from benchmarks.noise import LIGHTS, Light, as_seen, main, read_frames
from benchmarks.stability import FRAMES, WIDTH
from realtime.frame import Image
from realtime.pictures.files import read_picture, write_picture
from tests.fakes import flat_picture, noisy_picture, write_style
from tests.program import mistake_of

CELL_WH = (96, 72)
GAP, HEADING = 6, 24


def test_half_of_the_noise_comes_in_grains() -> None:
    made = camera_noise((120, 160, 3), 0)
    assert float(made.std()) == pytest.approx(1.0, abs=0.05)
    beside = float((made[:, 1:] * made[:, :-1]).mean())
    assert 0.3 < beside < 0.6  # white noise has 0 here, its grains alone nearly 0.9
    assert (camera_noise((120, 160, 3), 1) != made).any()


def test_a_light_is_what_its_numbers_say() -> None:
    picture = flat_picture(150, (160, 120))
    assert as_seen(picture, Light("good", 1.0, 0.0), 0) is picture
    dim = as_seen(picture, Light("dim", 0.3, 4.0), 0)
    assert float(dim.mean()) == pytest.approx(45, abs=1)
    assert 2 < float(dim.std()) <= 4.2  # a JPEG takes some of it
    assert as_seen(picture, Light("dark", 0.3, 0.0), 0).std() == 0


@pytest.mark.parametrize("size_wh", [CELL_WH, (2 * WIDTH, 300), (40, 3 * WIDTH)])
def test_a_picture_stands_for_a_clip(tmp_path: Path, size_wh: tuple[int, int]) -> None:
    write_picture(tmp_path / "a.png", noisy_picture(size_wh))
    frames = read_frames(tmp_path / "a.png")
    assert len(frames) == FRAMES
    assert max(frames[0].shape) == min(WIDTH, max(size_wh))


def run(tmp_path: Path, *more: str) -> list[dict[str, float]]:
    write_style(tmp_path / "styles", "night_sky")
    photo = flat_picture(200, CELL_WH)
    photo[: CELL_WH[1] // 4] = 10  # well lit, or automatic levels would have something to do
    write_picture(tmp_path / "photo.png", photo)
    arguments = ["--source", str(tmp_path / "photo.png"), "--styles", str(tmp_path / "styles"), "--style", "night_sky"]
    assert main([*arguments, "--json", str(tmp_path / "found.json"), *more]) == 0
    found: list[dict[str, float]] = json.loads((tmp_path / "found.json").read_text("utf-8"))["noise"]
    return found


def test_the_screen_has_a_fraction_of_what_the_network_makes_of_noise(tmp_path: Path) -> None:
    """Of a network that shows what it gets, inverted."""
    rows = run(tmp_path)
    assert [row["light"] for row in rows] == [light.name for light in LIGHTS]
    still, *others = rows
    assert still["photo"] == still["network alone"] == still["on screen"] == 0
    for row in others:
        assert row["network alone"] > 0.9 * row["photo"] > 1
        assert row["on screen"] < 0.2 * row["network alone"]


def test_what_becomes_of_the_poorest_light_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise, "LIGHTS", (Light("good", 1.0, 0.0), Light("poor", 1.0, 6.0)))
    run(tmp_path, "--out", str(tmp_path / "drawn.jpg"), "--shown", str(CELL_WH[1]))
    sheet = read_picture(tmp_path / "drawn.jpg").image_bgr
    margin = sheet.shape[1] - 2 * CELL_WH[0] - 3 * GAP
    assert sheet.shape[0] == HEADING + 2 * CELL_WH[1] + 4 * GAP
    assert margin > 0  # where the rows have their names

    def cell(row: int, column: int) -> Image:
        left, top = GAP + margin + column * (CELL_WH[0] + GAP), HEADING + 2 * GAP + row * (CELL_WH[1] + GAP)
        return sheet[top + 30 : top + CELL_WH[1], left : left + CELL_WH[0]]

    for column, level in ((0, 200), (1, 55)):
        noisy, steady = cell(0, column), cell(1, column)
        assert float(noisy.mean()) == pytest.approx(level, abs=2)
        assert float(steady.mean()) == pytest.approx(level, abs=2)
        assert float(steady.std()) < 0.7 * float(noisy.std())


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--source", "nowhere.mp4"], 3, "nowhere.mp4"),
        (["--source", "nowhere.png"], 3, "nowhere.png"),
        (["--out", "drawn.bmp"], 5, "expected a JPEG"),
        (["--source", "here.jpg", "--out", "here.jpg"], 5, "here.jpg"),
    ],
)
def test_mistakes_are_told_in_a_line(
    arguments: list[str],
    code: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_picture(Path("here.jpg"), np.asarray(noisy_picture(CELL_WH)))
    found, told = mistake_of(main, arguments, capsys)
    assert (found, told.count("\n")) == (code, 1)
    assert said in told
