"""python -m models.textures: pictures, videos and networks from a painting, and what is refused."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import torch
from PIL import Image as PillowImage

from models.schedule import Progress
from models.texture_net import TextureNet, TextureSettings
from models.textures import run as module
from models.textures import training
from models.textures.__main__ import main
from models.textures.files import load_texture
from models.textures.paint import paint_picture, paint_round
from realtime.errors import ModelError
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
        told = json.loads(opened.text["StyleCam"])  # type: ignore[attr-defined]
    assert told == {"texture_of": "stripes.png", "seed": 0, "size_wh": [101, 67]}
    assert not list(tmp_path.glob("*.partial"))


def test_another_seed_is_another_picture_and_another_round(learn: list[str], tmp_path: Path) -> None:
    net = tmp_path / "net.safetensors"
    assert main([*learn, "--save", str(net)]) == 0
    network = load_texture(net)
    first, other = (paint_picture(network, (64, 64), seed) for seed in (0, 1))
    assert float((first - other).abs().mean()) > 0.01
    quarters = [list(paint_round(network, (64, 64), seed, 4))[1] for seed in (0, 1)]  # where the second noise is alone
    assert float((quarters[0] - quarters[1]).abs().mean()) > 0.01


def test_options_of_the_training_reach_it(learn: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, object] = {}

    class Watched(training.TextureTraining):
        def __init__(self, *given: Any) -> None:
            seen.update(painting=tuple(given[1].shape), recipe=given[3])
            super().__init__(*given)

    def train(run: training.TextureTraining, progress: Progress, *_: object) -> TextureNet:
        progress.step, seen["progress"] = 1, (progress.steps_wanted, progress.minutes_wanted)
        return run.network.eval()

    monkeypatch.setattr(module, "TextureTraining", Watched)
    monkeypatch.setattr(module, "train_texture", train)
    options = ["--minutes", "2", "--learning-rate", "0.5", "--style-size", "70", "--seed", "6"]
    without = [word for word in learn if word not in ("--steps", "3")]
    assert main([*without, *options, "--save", str(tmp_path / "net.safetensors")]) == 0
    assert seen["progress"] == (None, 2.0)
    assert seen["painting"] == (3, 70, 79)
    recipe = seen["recipe"]
    assert isinstance(recipe, training.TextureRecipe)
    assert (recipe.learning_rate, recipe.seed) == (0.5, 6)


def frames_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as opened:
        return [frame.to_ndarray(format="bgr24").astype(int) for frame in opened.decode(video=0)]


def test_a_video_is_a_round_whose_last_picture_leads_to_the_first(learn: list[str], tmp_path: Path) -> None:
    output, net = tmp_path / "round.mkv", tmp_path / "net.safetensors"
    assert main([*learn, "-o", str(output), "--size", "64x64", "--seconds", "2", "--fps", "20", "--save", str(net)]) == 0
    with av.open(str(output)) as opened:
        assert opened.streams.video[0].average_rate == 20
    frames = frames_of(output)
    assert len(frames) == 40
    steps = [np.abs(b - a).mean() for a, b in pairwise(frames)]
    assert np.abs(frames[0] - frames[-1]).mean() < 2 * np.median(steps)
    assert np.abs(frames[0] - frames[20]).mean() > 3 * np.median(steps)
    still = tmp_path / "still.png"
    assert main([str(net), "-o", str(still), "--size", "64x64", "--quiet"]) == 0
    means = frames[0].mean((0, 1)), cv2.imread(str(still)).mean((0, 1))  # blue, green, red, which differ
    np.testing.assert_allclose(*means, atol=4)


def test_a_round_closes_evenly() -> None:
    torch.manual_seed(1)
    network = TextureNet(TextureSettings(scales=3, width=4)).eval()
    pictures = list(paint_round(network, (64, 64), 0, 8))
    again = [*pictures, pictures[0]]
    steps = [float((b - a).abs().mean()) for a, b in pairwise(again)]
    assert max(steps) < 1.5 * min(steps)


def test_a_network_that_paints_no_numbers_is_told() -> None:
    network = TextureNet(TextureSettings(scales=3, width=4)).eval()
    with torch.no_grad():
        network.noise_blocks[0][0][0].weight.fill_(3e38)  # type: ignore[index]  # finite, as a file may hold it
    with pytest.raises(ModelError, match="paints values that are not finite"):
        paint_picture(network, (64, 64), 0)


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C at each step of a training."""
    step = training.TextureTraining.step

    def with_ctrl_c(self: training.TextureTraining, number: int, share: float) -> float:
        signal.raise_signal(signal.SIGINT)
        return step(self, number, share)

    monkeypatch.setattr(training.TextureTraining, "step", with_ctrl_c)


@pytest.mark.usefixtures("interrupted")
def test_ctrl_c_ends_the_training_and_what_was_learnt_is_kept_and_painted(
    learn: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGINT)
    output, net = tmp_path / "out.png", tmp_path / "net.safetensors"
    assert main([*learn, "-o", str(output), "--size", "64x64", "--save", str(net)]) == 130
    assert cv2.imread(str(output)).shape == (64, 64, 3)
    assert load_texture(net).settings.scales == 3
    assert "interrupted after 1 steps" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.usefixtures("interrupted")
def test_ctrl_c_in_the_training_leaves_the_video_whole(learn: list[str], tmp_path: Path) -> None:
    output = tmp_path / "round.mp4"
    assert main([*learn, "-o", str(output), "--size", "64x64", "--seconds", "1", "--fps", "5"]) == 130
    assert len(frames_of(output)) == 5


def test_ctrl_c_before_anything_is_learnt_replaces_nothing(
    learn: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = module.load_loss_network

    def slow(*given: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return load(*given)

    monkeypatch.setattr(module, "load_loss_network", slow)
    net = tmp_path / "net.safetensors"
    net.write_text("mine")
    assert main([*learn, "--save", str(net), "--overwrite"]) == 130
    assert net.read_text() == "mine"


def test_ctrl_c_ends_a_video_with_the_pictures_made_so_far(
    learn: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    net, output = tmp_path / "net.safetensors", tmp_path / "round.mp4"
    assert main([*learn, "--save", str(net)]) == 0
    pictures = module.paint_round

    def cut_short(*given: Any) -> Iterator[torch.Tensor]:
        for number, picture in enumerate(pictures(*given)):
            if number == 5:
                signal.raise_signal(signal.SIGINT)
            yield picture

    monkeypatch.setattr(module, "paint_round", cut_short)
    assert main([str(net), "-o", str(output), "--size", "64x64", "--quiet"]) == 130
    assert len(frames_of(output)) == 5
    assert "interrupted after 5 of 250 pictures" in capsys.readouterr().err


def test_a_network_is_kept_where_its_picture_cannot_be_painted(
    learn: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()

    def too_large(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(module, "paint_picture", too_large)
    assert main([*learn, "-o", str(tmp_path / "out.png")]) == 2
    kept = tmp_path / "temporary" / "stripes.safetensors"
    assert f"what was learnt lies in {kept}" in capsys.readouterr().err
    assert load_texture(kept).settings.scales == 3


@pytest.mark.parametrize("output", ["out.png", "round.mp4"])
def test_a_network_is_kept_where_ctrl_c_comes_before_the_first_picture(
    learn: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    output: str,
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    for name in ("paint_picture", "paint_round"):
        paint = getattr(module, name)

        def interrupted(*given: Any, paint: Any = paint) -> Any:
            signal.raise_signal(signal.SIGINT)
            return paint(*given)

        monkeypatch.setattr(module, name, interrupted)
    assert main([*learn, "-o", str(tmp_path / output), "--size", "64x64"]) == 130
    kept = tmp_path / "temporary" / "stripes.safetensors"
    assert capsys.readouterr().err == f"note: what was learnt lies in {kept}\ninterrupted\n"
    assert load_texture(kept).settings.scales == 3
    assert not (tmp_path / output).exists()
    monkeypatch.setattr("models.stills.files.user_home", lambda: tmp_path / "gone")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    assert main([*learn, "-o", str(tmp_path / output), "--size", "64x64"]) == 130
    assert capsys.readouterr().err == "note: what was learnt is lost: no folder takes it\ninterrupted\n"
    net = tmp_path / "net.safetensors"
    assert main([*learn, "-o", str(tmp_path / output), "--size", "64x64", "--save", str(net)]) == 130
    assert capsys.readouterr().err == "interrupted\n"
    assert net.is_file()


def test_files_whose_folder_has_gone_lie_elsewhere(
    learn: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, temporary = tmp_path / "folder", tmp_path / "temporary"
    folder.mkdir()
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    train = module.train_texture

    def meanwhile(*given: Any) -> Any:
        folder.rmdir()
        return train(*given)

    monkeypatch.setattr(module, "train_texture", meanwhile)
    assert main([*learn, "-o", str(folder / "a.png"), "--size", "64x64", "--save", str(folder / "a.safetensors")]) == 5
    assert sorted(path.name for path in temporary.iterdir()) == ["a.png", "a.safetensors"]
    assert capsys.readouterr().err.count("it lies in") == 2


def test_a_film_that_was_broken_off_is_not_replaced(
    learn: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net, output = tmp_path / "net.safetensors", tmp_path / "film.mp4"
    assert main([*learn, "--save", str(net)]) == 0
    options = [str(net), "-o", str(output), "--size", "64x64", "--seconds", "1", "--fps", "3", "--quiet"]
    assert main(options) == 0
    output.rename(tmp_path / "film.mp4.partial")
    assert main(options) == 5
    assert "film.mp4.partial of an earlier run lies beside it" in capsys.readouterr().err
    assert main([*options, "--overwrite"]) == 0
    assert not (tmp_path / "film.mp4.partial").exists()


@pytest.mark.parametrize(
    ("more", "code", "told"),
    [
        ([], 2, "nothing to make: give -o OUT.png, or --save FILE.safetensors"),
        (["-o", "OUT.png", "--size", "32x64"], 2, "--size 32x64: expected 64 to 16384 pixels a side"),
        (["-o", "OUT.png", "--size", "20000x64"], 2, "expected 64 to 16384 pixels a side"),
        (["-o", "OUT.png", "--save", "missing/net.safetensors"], 5, "--save missing/net.safetensors: the folder missing"),
        (["-o", "OUT.png", "--size", "9000x9000"], 2, "expected at most 9,437,184 pixels"),
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
