"""Exemplars: the painting's texture from noise, in a JPEG that can be shipped."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest
import torch

from models import exemplar
from models.exemplar import fitting_jpeg, main
from models.stills.settings import GatysSettings
from realtime.errors import OutputError
from tests.models.stills.fakes import CONTENT_LAYERS, STYLE_LAYERS, painting, picture_file, weights_file


@pytest.fixture
def _shallow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first layers of VGG-19 alone: an exemplar in a second."""
    import models.stills.settings

    class Shallow(GatysSettings):
        def __init__(self, **changes: object) -> None:
            layers = {"content_layers": CONTENT_LAYERS, "style_layers": STYLE_LAYERS, "precision": "float32"}
            super().__init__(**(layers | changes))  # type: ignore[arg-type]

    monkeypatch.setattr(models.stills.settings, "GatysSettings", Shallow)


@pytest.mark.usefixtures("_shallow")
def test_an_exemplar_has_the_paintings_colours_and_not_its_layout(tmp_path: Path) -> None:
    source = picture_file(tmp_path / "painting.png", painting(70, 80))
    output = tmp_path / "exemplar.jpg"
    arguments = [
        str(source),
        "-o",
        str(output),
        "--short-side",
        "48",
        "--iterations",
        "25",
        "--vgg",
        str(weights_file(tmp_path)),
    ]
    assert main([*arguments, "--quiet", "--tv-weight", "0"]) == 0
    made = torch.from_numpy(cv2.imread(str(output))[:, :, ::-1].copy()).float() / 255
    assert made.shape == (48, 48, 3)
    assert output.stat().st_size < 200_000
    torch.testing.assert_close(made.mean((0, 1)), painting(70, 80).mean((1, 2)), atol=0.12, rtol=0)
    assert float(made.std()) > 0.1
    assert main([*arguments, "--quiet"]) == 5  # it exists


def test_a_painting_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = picture_file(tmp_path / "painting.jpg", painting(70, 80))
    before = source.read_bytes()
    assert main([str(source), "-o", str(source), "--overwrite", "--vgg", str(weights_file(tmp_path)), "--quiet"]) == 5
    assert "is the source itself" in capsys.readouterr().err
    assert source.read_bytes() == before


def test_a_jpeg_gets_worse_until_it_is_small_enough() -> None:
    asked: list[int] = []

    def encode(quality: int) -> bytes:
        asked.append(quality)
        return bytes(quality * 2400)

    assert len(fitting_jpeg(encode)) == 83 * 2400
    assert asked == [95, 92, 89, 86, 83]
    with pytest.raises(OutputError, match="cannot be made"):
        fitting_jpeg(lambda _: bytes(exemplar.MOST_BYTES))


def test_mistakes_give_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = picture_file(tmp_path / "painting.png", painting())
    for arguments, code, words in (
        ([str(tmp_path / "gone.png"), "-o", str(tmp_path / "a.jpg")], 3, "cannot be read"),
        ([str(source), "-o", str(tmp_path / "a.png")], 5, "an exemplar is a JPEG"),
        ([str(source), "-o", str(tmp_path / "a.jpg"), "--short-side", "8"], 2, "--short-side 8"),
        ([str(source), "-o", str(tmp_path / "a.jpg"), "--vgg", str(tmp_path / "gone.pth")], 4, "gone.pth"),
    ):
        assert main(arguments) == code
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1


@pytest.mark.parametrize(("height", "width"), [(2, 6000), (2101, 100)])
def test_a_painting_that_is_a_stripe_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], height: int, width: int
) -> None:
    source = picture_file(tmp_path / "stripe.png", torch.zeros(3, height, width))
    assert main([str(source), "-o", str(tmp_path / "out.jpg"), "--quiet"]) == 3
    error = capsys.readouterr().err
    assert f"stripe.png: {width}x{height} pixels; expected one side of at most 20 times the other" in error
    assert error.count("\n") == 1


@pytest.mark.usefixtures("_shallow")
@pytest.mark.skipif(sys.platform != "linux", reason="file systems elsewhere take no such names")
def test_a_long_painting_and_a_name_that_is_no_text_are_no_hindrance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = picture_file(tmp_path / "long.png", torch.rand(3, 8, 160, generator=torch.Generator().manual_seed(0)))
    output = tmp_path / os.fsdecode(b"caf\xe9.jpg")
    options = ["--short-side", "48", "--iterations", "1", "--vgg", str(weights_file(tmp_path))]
    assert main([str(source), "-o", str(output), *options]) == 0
    assert capsys.readouterr().out.startswith(f"{tmp_path}/caf\\udce9.jpg: ")
    assert output.is_file()


def test_wanting_memory_ends_with_2_and_names_what_to_lower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("models.stills.paint.paint", fail)
    monkeypatch.setattr("models.vgg.load_loss_network", lambda *_: SimpleNamespace(features=torch.nn.Identity()))
    source = picture_file(tmp_path / "painting.png", painting())
    assert main([str(source), "-o", str(tmp_path / "out.jpg"), "--quiet"]) == 2
    assert capsys.readouterr().err == "error: not enough memory for --short-side 512; try a smaller one\n"
