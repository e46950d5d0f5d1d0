"""Shapes trained side by side: what is written, what is not trained again, and the plot."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from benchmarks import trained_candidates
from benchmarks.scatter_plot import Point, draw_points
from benchmarks.trained_candidates import main, shape
from models.images import save_image
from tests.fakes import coloured_picture
from tests.fakes_torch import made_up_vgg, make_vgg_narrow

SHAPES = {"narrow": shape(2, 8, 8, 1), "normalised": shape(2, 8, 8, 1, normalised=True)}


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two shapes, one painting, two photographs, a step."""
    make_vgg_narrow(monkeypatch)
    torch.save(made_up_vgg(), tmp_path / "vgg.pth")
    monkeypatch.setattr(trained_candidates, "SHAPES", SHAPES)
    (tmp_path / "content").mkdir()
    for name in ("painting.png", "content/a.png", "content/b.png"):
        save_image(tmp_path / name, torch.rand(3, 260, 300))
    cv2.imwrite(str(tmp_path / "photo.png"), coloured_picture((64, 48)))
    options = ["--painting", "painting.png", "--content", "content", "--vgg", "vgg.pth", "--out", "out"]
    monkeypatch.chdir(tmp_path)
    return ["photo.png", *options, "--steps", "1", "--size", "64x48", "--rounds", "1"]


def test_shapes_are_trained_measured_and_drawn(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command) == 0
    rows = json.loads(Path("out/candidates.json").read_text(encoding="utf-8"))["candidates"]
    assert [(row["painting"], row["shape"]) for row in rows] == [("painting", "narrow"), ("painting", "normalised")]
    assert all(row[name] > 0 for row in rows for name in ("style_error", "content_error", "fp32_ms"))
    assert rows[0]["int8_ms"] > 0
    assert rows[1]["int8_ms"] is None  # float at every layer
    assert "normalised" in capsys.readouterr().out
    for name in ("candidates.png", "candidates.jpg"):
        assert cv2.imread(f"out/{name}") is not None


def test_what_is_trained_already_is_not_trained_again(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(command) == 0

    def fail(*_: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(trained_candidates, "train_shape", fail)
    assert main(command) == 0


def test_only_the_named_shapes_are_trained(command: list[str]) -> None:
    assert main([*command, "--shape", "normalised"]) == 0
    rows = json.loads(Path("out/candidates.json").read_text(encoding="utf-8"))["candidates"]
    assert [row["shape"] for row in rows] == ["normalised"]
    assert [path.name for path in Path("out/painting").iterdir()] == ["normalised"]


def test_photo_that_is_none_is_told_before_anything_is_trained(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_text("text")
    assert main(command) == 3
    assert not (tmp_path / "out").exists()


def test_trainings_of_other_settings_are_not_taken_for_these(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_refused(told: str, command: list[str] = command) -> bool:
        return main(command) == 5 and f"holds another training ({told}" in capsys.readouterr().err

    assert main(command) == 0
    other = [*command]
    other[other.index("--steps") + 1] = "2"
    assert is_refused("2 steps, was 1", other)
    with monkeypatch.context() as patch:
        patch.setattr(trained_candidates, "_RECIPE", (*trained_candidates._RECIPE, "--style-weight", "7"))
        assert is_refused("style_weight 7.0, was 8.0")
    with monkeypatch.context() as patch:
        patch.setattr(trained_candidates, "SHAPES", {"narrow": shape(2, 8, 8, 2)})
        assert is_refused("another shape")
    assert main(command) == 0
    save_image(tmp_path / "painting.png", torch.rand(3, 260, 300))
    assert is_refused("painting painting.png")


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["--painting", "other/painting.png"], 2, "two of one name"),
        (["--painting", "none.png"], 3, "none.png"),
        (["--out", "photo.png"], 5, "--out photo.png: the folder cannot be made"),
        ([option for k in range(4) for option in ("--painting", f"{k}.png")], 2, "colours for 4"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_trained(
    command: list[str], more: list[str], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, *more]) == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


# ------------------------------------------------------------------------------------------------------- plot


def test_points_of_a_group_share_a_colour() -> None:
    plot = draw_points([Point(1, 2, "", "a"), Point(9, 4, "", "a"), Point(5, 3, "", "b")], "x", "y")
    found, counts = np.unique(plot.reshape(-1, 3), axis=0, return_counts=True)
    colours = {tuple(colour): count for colour, count in zip(found.tolist(), counts, strict=True)}
    assert colours[40, 90, 200] / 3 == colours[170, 110, 20] / 2 > 0  # two points and a legend against one and its own


def test_labels_lie_on_no_point_and_no_other_label() -> None:
    def ink(count: int, label: str) -> int:
        points = [Point(5, 3 + number / 1000, label, "a") for number in range(count)]
        return int((draw_points([*points, Point(9, 4, "", "a")], "x", "y") < 100).all(2).sum())

    of_one = ink(1, "a long label") - ink(1, "")
    assert ink(6, "a long label") - ink(6, "") == pytest.approx(6 * of_one, rel=0.05)  # each can be read as a whole


def test_a_single_point_has_axes_too() -> None:
    assert draw_points([Point(0, 0, "only", "a")], "x", "y").min() < 100


def test_legend_of_every_group_lies_within_the_picture() -> None:
    def blue(name: str) -> int:
        groups = [name] * 3 + ["last"]
        plot = draw_points([Point(1, 2, "", f"{group}{k}") for k, group in enumerate(groups)], "x", "y")
        return int((plot[:40] == (150, 60, 150)).all(2).sum())

    assert blue("roman_mosaic_duck") == blue("a") > 0
