"""A finished training goes into the user's gallery, by the export's own programs."""

from __future__ import annotations

import hashlib
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from export import to_onnx
from export.quantise import build_parser
from models import install as room
from models import train
from models.images import load_image, save_image
from models.install import check_other_tiers, install, put_exemplar, style_name
from realtime.errors import OutputError, SourceError, UserError
from realtime.gallery import DESCRIPTION, EXEMPLAR, user_styles_folder
from tests.fakes import wait_until


def test_the_name_is_as_wanted_or_made_of_the_paintings() -> None:
    assert style_name("mine", Path("x.jpg")) == "mine"
    assert style_name("", Path("My Painting (2).jpg")) == "my_painting_2"


@pytest.mark.parametrize("name", ["../up", "Capital", "a b", "-x"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="--install"):
        style_name(name, Path("x.jpg"))


def test_a_painting_without_a_single_letter_needs_a_name() -> None:
    with pytest.raises(UserError, match="--install"):
        style_name("", Path("???.jpg"))


@pytest.fixture
def codes(monkeypatch: pytest.MonkeyPatch) -> tuple[list[int], list[list[str]]]:
    """Exit codes to give, and the commands that were asked for."""
    given, asked = [0, 0], []

    def run(step: list[str]) -> int:
        asked.append(step)
        code = given[len(asked) - 1]
        if step[0] == "export.to_onnx" and code == 0:
            (user_styles_folder() / step[step.index("--name") + 1]).mkdir(parents=True, exist_ok=True)
        return code

    monkeypatch.setattr(room, "_run", run)
    return given, asked


@pytest.fixture
def painting(tmp_path: Path) -> Path:
    save_image(tmp_path / "painting.png", torch.full((3, 600, 900), 0.25))
    return tmp_path / "painting.png"


def content_of(quantise: list[str]) -> str:
    return quantise[quantise.index("--content") + 1]


def test_export_then_int8(codes: tuple[list[int], list[list[str]]], painting: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert install(Path("/runs/a"), "my_cat", "photos", "fast", painting) == 0
    export, quantise = codes[1]
    assert export[:2] == ["export.to_onnx", str(Path("/runs/a").resolve())]
    assert export[export.index("--name") + 1] == "my_cat"
    assert quantise[:2] == ["export.quantise", str(user_styles_folder() / "my_cat")]
    assert "--style my_cat" in capsys.readouterr().out


@pytest.mark.parametrize(("content", "tier"), [("photos", "fast"), ("imagenette", "fine")])
def test_both_programs_understand_what_they_are_asked(
    codes: tuple[list[int], list[list[str]]],
    painting: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: str,
    tier: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert install(Path("runs/a"), "my_cat", content, tier, painting) == 0
    export, quantise = codes[1]
    told = to_onnx.build_parser().parse_args(export[1:])
    assert (told.run, told.name, told.title, told.overwrite) == (tmp_path / "runs" / "a", "my_cat", None, True)
    assert (told.styles, told.shipped) == (None, False)  # the user's own gallery
    asked = build_parser().parse_args(quantise[1:])
    assert (asked.folder, asked.tier) == (user_styles_folder() / "my_cat", tier)
    assert asked.content == (Path("imagenette") if content == "imagenette" else tmp_path / "photos")


def test_the_data_set_that_is_downloaded_is_handed_on_by_its_word(
    codes: tuple[list[int], list[list[str]]], painting: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert install(Path("/runs/a"), "a", "imagenette", "fast", painting) == 0
    assert content_of(codes[1][1]) == "imagenette"
    codes[1].clear()
    (tmp_path / "imagenette").mkdir()  # a folder of the user's, of the same name
    assert install(Path("/runs/a"), "a", "imagenette", "fast", painting) == 0
    assert content_of(codes[1][1]) == str(tmp_path / "imagenette")


@pytest.mark.parametrize(("size_hw", "kept_hw"), [((600, 900), (512, 768)), ((90, 70), (90, 70)), ((20, 400), (20, 80))])
def test_a_small_copy_of_the_painting_is_the_styles_exemplar(
    codes: tuple[list[int], list[list[str]]], painting: Path, size_hw: tuple[int, int], kept_hw: tuple[int, int]
) -> None:
    save_image(painting, torch.full((3, *size_hw), 0.25))
    before = painting.read_bytes()
    for _ in range(2):  # that of a style which is replaced is replaced
        assert install(Path("/runs/a"), "my_cat", "photos", "fast", painting) == 0
        codes[1].clear()
    place = user_styles_folder() / "my_cat" / EXEMPLAR
    assert place.read_bytes()[:3] == b"\xff\xd8\xff"
    kept = load_image(place)
    assert kept.shape[1:] == kept_hw
    assert int((kept.short() - 64).abs().max()) <= 2
    assert [path.name for path in place.parent.iterdir()] == [EXEMPLAR]
    assert painting.read_bytes() == before


def test_a_painting_that_is_the_exemplar_itself_is_not_written_over(tmp_path: Path) -> None:
    save_image(tmp_path / EXEMPLAR, torch.rand(3, 600, 700))
    before = (tmp_path / EXEMPLAR).read_bytes()
    put_exemplar(tmp_path / EXEMPLAR, tmp_path)
    assert (tmp_path / EXEMPLAR).read_bytes() == before
    with pytest.raises(SourceError, match=r"gone\.png: cannot be read"):  # since the training began
        put_exemplar(tmp_path / "gone.png", tmp_path)
    assert (tmp_path / EXEMPLAR).read_bytes() == before


def test_the_first_failure_ends_it(
    codes: tuple[list[int], list[list[str]]], painting: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    codes[0][0] = 5
    assert install(Path("/runs/a"), "a", "photos", "fast", painting) == 5
    assert len(codes[1]) == 1
    assert not (user_styles_folder() / "a").exists()
    assert capsys.readouterr() == ("", "not installed; the training itself is done and kept\n")


def told_of_int8(error: str, codes: tuple[list[int], list[list[str]]]) -> None:
    """Checks that the command that is told is the one that failed."""
    said, _, command = error.removesuffix("\n").partition(": ")
    assert said == "installed in float32; int8 is missing"
    assert shlex.split(command) == ["python", "-m", *codes[1][1]]


def test_what_is_installed_without_int8_is_told_with_the_command_that_makes_it(
    codes: tuple[list[int], list[list[str]]], painting: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    codes[0][1] = 3
    assert install(Path("/runs/a"), "a", "my photos", "fast", painting) == 3
    assert (user_styles_folder() / "a" / EXEMPLAR).is_file()
    found = capsys.readouterr()
    assert found.out == ""
    told_of_int8(found.err, codes)


@pytest.mark.parametrize("at", ["export.to_onnx", "export.quantise"])
def test_an_interruption_says_what_is_installed(
    codes: tuple[list[int], list[list[str]]],
    painting: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    at: str,
) -> None:
    run = room._run

    def interrupted(step: list[str]) -> int:
        code = run(step)
        if step[0] == at:
            raise KeyboardInterrupt
        return code

    monkeypatch.setattr(room, "_run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        install(Path("/runs/a"), "a", "my photos", "fast", painting)
    said = capsys.readouterr().err
    assert (user_styles_folder() / "a" / EXEMPLAR).is_file() == (at == "export.quantise")
    if at == "export.quantise":
        told_of_int8(said, codes)
    else:
        assert said == "not installed; the training itself is done and kept\n"


def describe(**style: Any) -> None:
    """A style "mine" in the user's gallery that tells this."""
    folder = user_styles_folder() / "mine"
    folder.mkdir(parents=True)
    (folder / DESCRIPTION).write_text(json.dumps(style))


def test_a_style_has_one_painting(painting: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    save_image(other, torch.zeros(3, 64, 64))
    digest = hashlib.sha256(other.read_bytes()).hexdigest()
    check_other_tiers("mine", "fine", painting)  # nothing is there yet
    describe(tiers={"fast": {}}, recipe={"fast": {"painting_sha256": digest}})
    check_other_tiers("mine", "fast", painting)  # is replaced
    check_other_tiers("mine", "fine", other)
    with pytest.raises(OutputError, match=r"--install mine: the style in .*mine has a fast network of another painting; give"):
        check_other_tiers("mine", "fine", painting)


@pytest.mark.parametrize("recipe", [None, {}, {"fast": None}, {"fast": {}}, {"fine": {"painting_sha256": "0"}}])
def test_a_style_that_does_not_tell_its_painting_is_no_hindrance(painting: Path, recipe: Any) -> None:
    describe(tiers={"fast": {}}, recipe=recipe)
    check_other_tiers("mine", "fine", painting)


def test_a_name_of_another_painting_is_refused_before_anything_is_learnt(
    painting: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    describe(tiers={"fine": {}}, recipe={"fine": {"painting_sha256": "0" * 64}})
    words = ["--style", str(painting), "--content", str(tmp_path), "--out", str(tmp_path / "run"), "--steps", "1"]
    assert train.main([*words, "--install", "mine"]) == 5
    assert "has a fine network of another painting" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_interruption_ends_the_program_that_is_run_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says that it has begun by a file, and that it was ended by another."""
    (tmp_path / "slow.py").write_text(
        "import pathlib, signal, sys, time\n"
        "def end(*_):\n    pathlib.Path('ended').touch()\n    sys.exit(130)\n"
        "signal.signal(signal.SIGTERM, end)\npathlib.Path('begun').touch()\ntime.sleep(600)\n"
    )
    monkeypatch.setattr(room, "_PROJECT", tmp_path)
    wait = room.subprocess.Popen.wait

    def interrupted(program: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        monkeypatch.setattr(room.subprocess.Popen, "wait", wait)
        wait_until((tmp_path / "begun").exists)
        raise KeyboardInterrupt  # as Python's handler of SIGINT does, which a background job may not have

    monkeypatch.setattr(room.subprocess.Popen, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        room._run(["slow"])
    assert (tmp_path / "ended").exists()
