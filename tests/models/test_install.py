"""A finished training goes into the user's gallery, by the export's own programs."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from models import install as room
from models.install import install, style_name
from realtime.errors import UserError
from realtime.gallery import user_styles_folder


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

    def run(command: list[str], **_: Any) -> SimpleNamespace:
        asked.append(command[2:])
        return SimpleNamespace(returncode=given[len(asked) - 1])

    monkeypatch.setattr(subprocess, "run", run)
    assert room.subprocess.run is run
    return given, asked


def test_export_then_int8(codes: tuple[list[int], list[list[str]]], capsys: pytest.CaptureFixture[str]) -> None:
    assert install(Path("/runs/a"), "my_cat", "photos") == 0
    export, quantise = codes[1]
    assert export[:2] == ["export.to_onnx", str(Path("/runs/a").resolve())]
    assert export[export.index("--name") + 1] == "my_cat"
    assert quantise[:2] == ["export.quantise", str(user_styles_folder() / "my_cat")]
    assert "--style my_cat" in capsys.readouterr().out


def test_the_data_set_that_is_downloaded_is_handed_on_by_its_word(
    codes: tuple[list[int], list[list[str]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert install(Path("/runs/a"), "a", "imagenette") == 0
    assert codes[1][1][-1] == "imagenette"
    codes[1].clear()
    (tmp_path / "imagenette").mkdir()  # a folder of the user's, of the same name
    assert install(Path("/runs/a"), "a", "imagenette") == 0
    assert codes[1][1][-1] == str(tmp_path / "imagenette")


def test_the_first_failure_ends_it(codes: tuple[list[int], list[list[str]]], capsys: pytest.CaptureFixture[str]) -> None:
    codes[0][0] = 5
    assert install(Path("/runs/a"), "a", "photos") == 5
    assert len(codes[1]) == 1
    assert "installed" not in capsys.readouterr().out
