"""python -m models.textures: pictures, videos and networks from a painting, and what is refused."""

from __future__ import annotations

import json
import signal
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from models.texture_net import TextureSettings
from models.textures import run as module
from models.textures import training
from models.textures.__main__ import main
from models.textures.files import load_texture
from tests.models.stills.fakes import painting, picture_file, weights_file

SHALLOW = ("relu1_1", "relu2_1")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two layers of VGG-19, small squares and a small network: a run in a second."""

    class SmallRecipe(training.TextureRecipe):
        def __init__(self, **given: float) -> None:
            super().__init__(**({"size": 64} | given))  # type: ignore[arg-type]

    monkeypatch.setattr(module, "TextureRecipe", SmallRecipe)
    monkeypatch.setattr(module, "TextureSettings", lambda: TextureSettings(scales=3, width=4))
    for room in (module, training):
        monkeypatch.setattr(room, "STYLE_LAYERS", SHALLOW)


@pytest.fixture
def learn(tmp_path: Path) -> list[str]:
    source = picture_file(tmp_path / "stripes.png", painting(80, 90))
    return [str(source), "--style-size", "64", "--steps", "3", "--vgg", str(weights_file(tmp_path)), "--quiet"]


def test_a_painting_becomes_a_picture_and_a_network_that_paints_the_same(learn: list[str], tmp_path: Path) -> None:
    first, again, net = (tmp_path / name for name in ("first.png", "again.png", "net.safetensors"))
    assert main([*learn, "-o", str(first), "--size", "101x67", "--save", str(net)]) == 0
    assert main([str(net), "-o", str(again), "--size", "101x67", "--quiet"]) == 0
    pixels = cv2.imread(str(first))
    assert pixels.shape == (67, 101, 3)
    assert np.array_equal(pixels, cv2.imread(str(again)))
    with PillowImage.open(first) as opened:
        assert json.loads(opened.text["StyleCam"])["texture_of"] == "stripes.png"  # type: ignore[attr-defined]
    assert not list(tmp_path.glob("*.partial"))


def test_another_seed_is_another_picture(learn: list[str], tmp_path: Path) -> None:
    net, first, other = tmp_path / "net.safetensors", tmp_path / "first.png", tmp_path / "other.png"
    assert main([*learn, "--save", str(net)]) == 0
    assert main([str(net), "-o", str(first), "--size", "64x64", "--quiet"]) == 0
    assert main([str(net), "-o", str(other), "--size", "64x64", "--seed", "1", "--quiet"]) == 0
    assert not np.array_equal(cv2.imread(str(first)), cv2.imread(str(other)))


def test_a_video_is_a_round_whose_last_picture_leads_to_the_first(learn: list[str], tmp_path: Path) -> None:
    output = tmp_path / "round.mp4"
    assert main([*learn, "-o", str(output), "--size", "64x64", "--seconds", "2", "--fps", "20"]) == 0
    with av.open(str(output)) as opened:
        assert opened.streams.video[0].average_rate == 20
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in opened.decode(video=0)]
    assert len(frames) == 40
    steps = [np.abs(b - a).mean() for a, b in pairwise(frames)]
    assert np.abs(frames[0] - frames[-1]).mean() < 2 * np.median(steps)
    assert np.abs(frames[0] - frames[20]).mean() > 3 * np.median(steps)


def test_ctrl_c_ends_the_training_and_what_was_learnt_is_painted(
    learn: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    step = training.TextureTraining.step

    def interrupted(self: training.TextureTraining, number: int, share: float) -> float:
        signal.raise_signal(signal.SIGINT)
        return step(self, number, share)

    monkeypatch.setattr(training.TextureTraining, "step", interrupted)
    output, net = tmp_path / "out.png", tmp_path / "net.safetensors"
    assert main([*learn, "-o", str(output), "--size", "64x64", "--save", str(net)]) == 130
    assert cv2.imread(str(output)).shape == (64, 64, 3)
    assert load_texture(net).settings.scales == 3
    assert "interrupted after 1 steps" in capsys.readouterr().err


def test_ctrl_c_ends_a_video_with_the_pictures_made_so_far(
    learn: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, output = tmp_path / "net.safetensors", tmp_path / "round.mp4"
    assert main([*learn, "--save", str(net)]) == 0
    painted, count = module.painted, 0

    def counted(*args: object) -> object:
        nonlocal count
        count += 1
        if count == 5:
            signal.raise_signal(signal.SIGINT)
        return painted(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "painted", counted)
    assert main([str(net), "-o", str(output), "--size", "64x64", "--quiet"]) == 130
    with av.open(str(output)) as opened:
        assert len(list(opened.decode(video=0))) == 5


@pytest.mark.parametrize(
    ("more", "code", "told"),
    [
        ([], 2, "nothing to make: give -o OUT.png, or --save FILE.safetensors"),
        (["-o", "OUT.png", "--size", "32x64"], 2, "--size 32x64: expected at least 64x64"),
        (["-o", "OUT.png", "--size", "9000x9000"], 2, "expected at most 16,777,216 pixels"),
        (["-o", "OUT.bmp"], 5, "expected a name ending in .png .tif .tiff .jpg .jpeg for a picture, or in .mp4"),
        (["-o", "OUT.mp4", "--fps", "500"], 2, "--fps 500: expected 1 to 120"),
        (["-o", "OUT.mp4", "--seconds", "4000"], 2, "--seconds 4000: expected at most 600"),
        (["--save", "OUT.pt"], 5, "a network's name ends in .safetensors"),
        (["-o", "missing/OUT.png"], 5, "does not exist"),
        (["-o", "stripes.png", "--overwrite"], 5, "is the source itself"),
        (["-o", "vgg.pth.png", "--device", "tpu"], 2, "--device tpu: expected auto"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_learnt(
    learn: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    code: int,
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training.TextureTraining, "step", lambda *_: pytest.fail("was begun"))
    assert main([*learn, *more]) == code
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_an_output_that_exists_is_kept(learn: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "there.png"
    output.write_text("mine")
    assert main([*learn, "-o", str(output)]) == 5
    assert "exists already" in capsys.readouterr().err
    assert output.read_text() == "mine"


def test_options_of_a_training_or_a_video_are_noted_where_there_is_none(
    learn: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = tmp_path / "net.safetensors"
    assert main([*learn, "--save", str(net)]) == 0
    capsys.readouterr()
    options = ["--steps", "4", "--seconds", "2", "--size", "64x64", "--quiet"]
    assert main([str(net), "-o", str(tmp_path / "out.png"), *options]) == 0
    notes = capsys.readouterr().err.splitlines()
    assert notes == [
        "note: --steps: has no effect here, net.safetensors is trained already",
        "note: --seconds: has no effect here, no video is made",
    ]
