"""A finished training goes into the user's gallery, by the export's own programs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from export import to_onnx
from export.quantise import build_parser
from models import install as room
from models.install import install, style_name
from realtime.errors import UserError
from realtime.gallery import user_styles_folder
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
        return given[len(asked) - 1]

    monkeypatch.setattr(room, "_run", run)
    return given, asked


def content_of(quantise: list[str]) -> str:
    return quantise[quantise.index("--content") + 1]


def test_export_then_int8(codes: tuple[list[int], list[list[str]]], capsys: pytest.CaptureFixture[str]) -> None:
    assert install(Path("/runs/a"), "my_cat", "photos", "fast") == 0
    export, quantise = codes[1]
    assert export[:2] == ["export.to_onnx", str(Path("/runs/a").resolve())]
    assert export[export.index("--name") + 1] == "my_cat"
    assert quantise[:2] == ["export.quantise", str(user_styles_folder() / "my_cat")]
    assert "--style my_cat" in capsys.readouterr().out


@pytest.mark.parametrize(("content", "tier"), [("photos", "fast"), ("imagenette", "fine")])
def test_both_programs_understand_what_they_are_asked(
    codes: tuple[list[int], list[list[str]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, tier: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert install(Path("runs/a"), "my_cat", content, tier) == 0
    export, quantise = codes[1]
    told = to_onnx.build_parser().parse_args(export[1:])
    assert (told.run, told.name, told.title, told.overwrite) == (tmp_path / "runs" / "a", "my_cat", None, True)
    assert (told.styles, told.shipped) == (None, False)  # the user's own gallery
    asked = build_parser().parse_args(quantise[1:])
    assert (asked.folder, asked.tier) == (user_styles_folder() / "my_cat", tier)
    assert asked.content == (Path("imagenette") if content == "imagenette" else tmp_path / "photos")


def test_the_data_set_that_is_downloaded_is_handed_on_by_its_word(
    codes: tuple[list[int], list[list[str]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert install(Path("/runs/a"), "a", "imagenette", "fast") == 0
    assert content_of(codes[1][1]) == "imagenette"
    codes[1].clear()
    (tmp_path / "imagenette").mkdir()  # a folder of the user's, of the same name
    assert install(Path("/runs/a"), "a", "imagenette", "fast") == 0
    assert content_of(codes[1][1]) == str(tmp_path / "imagenette")


def test_the_first_failure_ends_it(codes: tuple[list[int], list[list[str]]], capsys: pytest.CaptureFixture[str]) -> None:
    codes[0][0] = 5
    assert install(Path("/runs/a"), "a", "photos", "fast") == 5
    assert len(codes[1]) == 1
    assert "installed" not in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_interruption_ends_the_program_that_is_run_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
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
    assert "not installed; the training itself is done and kept" in capsys.readouterr().err
    assert (tmp_path / "ended").exists()
