"""The styles on disk: found, ordered, described, checked; and every style that ships."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest

from realtime.errors import ModelError
from realtime.gallery import (
    PRECISIONS,
    SHIPPED,
    TIERS,
    ModelFile,
    find_style,
    load_gallery,
    read_style,
    style_from_file,
    user_styles_folder,
    verify,
)
from tests.fakes import plain_style, write_style

SHIPPED_FOLDERS = sorted(path.parent for path in SHIPPED.glob("*/style.json"))


@pytest.fixture
def no_shipped_styles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.gallery.SHIPPED", tmp_path / "nothing_ships")


def described(folder: Path) -> dict[str, Any]:
    """The content of a style's description."""
    content = json.loads((folder / "style.json").read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


# ------------------------------------------------------------------------------------- finding and ordering


@pytest.mark.usefixtures("no_shipped_styles")
def test_styles_come_in_the_order_of_their_descriptions(tmp_path: Path) -> None:
    for name, order in (("a_last", 30), ("b_first", 10), ("d_middle", 20), ("c_middle", 20)):
        write_style(tmp_path / "styles", name, order=order)
    names = [style.name for style in load_gallery(tmp_path / "styles")]
    assert names == ["b_first", "c_middle", "d_middle", "a_last"]


@pytest.mark.usefixtures("no_shipped_styles")
def test_description_is_read_whole(tmp_path: Path) -> None:
    write_style(tmp_path / "styles", "night_sky", order=7, title="Nuit étoilée", artist="Vincent", year="1889")
    style = load_gallery(tmp_path / "styles")[0]
    assert (style.title, style.artist, style.year, style.order) == ("Nuit étoilée", "Vincent", "1889", 7)
    assert style.label == "Nuit étoilée, Vincent"
    model = style.models["fast"]["fp32"]
    assert model.path == tmp_path / "styles" / "night_sky" / "fast.onnx"
    assert model.figures == {"style_error": 0.25, "flicker": 1.5}


@pytest.mark.usefixtures("no_shipped_styles")
def test_later_folder_replaces_a_style_of_the_same_name(tmp_path: Path) -> None:
    write_style(user_styles_folder(), "night_sky", title="The user's")
    write_style(user_styles_folder(), "wild_sea")
    write_style(tmp_path / "more", "night_sky", title="From the command line")
    styles = load_gallery(tmp_path / "more")
    assert {style.name: style.title for style in styles} == {"night_sky": "From the command line", "wild_sea": "Wild sea"}


def test_user_folder_follows_the_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("realtime.program.folders.platform.system", lambda: "Linux")
    assert user_styles_folder() == tmp_path / "data_home" / "stylecam" / "styles"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert user_styles_folder() == Path.home() / ".local" / "share" / "stylecam" / "styles"
    monkeypatch.setattr("realtime.program.folders.platform.system", lambda: "Windows")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert user_styles_folder() == tmp_path / "stylecam" / "styles"
    monkeypatch.setattr("realtime.program.folders.platform.system", lambda: "Darwin")
    assert user_styles_folder() == Path.home() / "Library" / "Application Support" / "stylecam" / "styles"


@pytest.mark.usefixtures("no_shipped_styles")
def test_no_styles_at_all_is_no_error_before_one_is_needed(tmp_path: Path) -> None:
    assert load_gallery() == []
    assert load_gallery(tmp_path) == []


def test_styles_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a folder"):
        load_gallery(tmp_path / "missing")


# ------------------------------------------------------------------------------------------------ choosing


STYLES = [plain_style("night_sky"), plain_style("plain_day"), plain_style("wild_sea")]


def test_first_style_is_the_default() -> None:
    assert find_style(STYLES, None) == (STYLES, 0)


def test_style_by_name() -> None:
    assert find_style(STYLES, "wild_sea") == (STYLES, 2)


@pytest.mark.parametrize(
    ("wanted", "nearest"),
    [
        ("nigth_sky", "night_sky"),
        ("wildsea", "wild_sea"),
        ("Plain_Day", "plain_day"),
        ("sea", "wild_sea"),
        ("nihgt", "night_sky"),
    ],
)
def test_misspelt_style_suggests_the_nearest(wanted: str, nearest: str) -> None:
    with pytest.raises(ModelError, match=f"did you mean {nearest}"):
        find_style(STYLES, wanted)


@pytest.mark.parametrize("wanted", ["xxxxxx", "y", "nosuch"])  # like none, or a part of two
def test_name_unlike_any_lists_those_there_are(wanted: str) -> None:
    with pytest.raises(ModelError, match="night_sky, plain_day, wild_sea"):
        find_style(STYLES, wanted)


def test_gallery_without_styles() -> None:
    with pytest.raises(ModelError, match="no styles found"):
        find_style([], None)


def test_file_comes_before_the_gallery(inversion_onnx: Path) -> None:
    styles, first = find_style(STYLES, str(inversion_onnx))
    assert first == 0
    assert [style.name for style in styles] == ["inversion", "night_sky", "plain_day", "wild_sea"]
    assert styles[0].models["fast"]["fp32"].sha256 is None


@pytest.mark.parametrize("name", ["missing.onnx", "MISSING.ONNX", "long" * 100 + ".onnx"])
def test_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match="no such file"):
        find_style(STYLES, str(tmp_path / name))


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.onnx").touch()
    with pytest.raises(ModelError, match="the file is empty"):
        style_from_file(tmp_path / "empty.onnx")


# ----------------------------------------------------------------------------------------- foreign input


@pytest.mark.parametrize(
    "text",
    ["", "not JSON", "[1, 2]", "null", '"text"', "{}", '{"name": "x"}', "\x00\x01", "[" * 100_000],
    ids=["empty", "text", "list", "null", "string", "no fields", "a field", "bytes", "deep"],
)
def test_description_that_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "style.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=r"style\.json"):
        read_style(path)


def test_description_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "style.json"
    path.write_bytes(b'{"name": "\xff\xfe"}')
    with pytest.raises(ModelError, match="cannot be read as JSON"):
        read_style(path)


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes in folders")
def test_description_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "style.json")
    with pytest.raises(ModelError, match=r"^style \S+: not a file"):
        read_style(tmp_path / "style.json")


def test_description_that_is_far_too_long(tmp_path: Path) -> None:
    path = tmp_path / "style.json"
    path.write_text(" " * 1_000_001, encoding="utf-8")
    with pytest.raises(ModelError, match=r"^style \S+: larger than"):
        read_style(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "../escape"},
        {"name": ""},
        {"name": "two words"},
        {"name": "line\n"},
        {"order": "first"},
        {"order": float("inf")},
        {"tiers": {}},
        {"tiers": {"fast": {}}},
        {"tiers": []},
        {"tiers": {"fast": {"fp32": "fast.onnx"}}},
        {"tiers": {"fast": {"fp32": {"file": "fast.onnx"}}}},
        {"tiers": {"fast": {"fp32": {"file": "../../secret.onnx", "sha256": ""}}}},
        {"tiers": {"fast": {"fp32": {"file": "/etc/passwd", "sha256": ""}}}},
    ],
    ids=str,
)
def test_field_that_cannot_be_used(tmp_path: Path, changes: dict[str, Any]) -> None:
    folder = write_style(tmp_path, "night_sky", **changes)
    with pytest.raises(ModelError, match="unusable field"):
        read_style(folder / "style.json")


@pytest.mark.parametrize("field", ["name", "title", "artist", "year", "licence", "tiers"])
def test_field_that_is_missing_is_named(tmp_path: Path, field: str) -> None:
    folder = write_style(tmp_path, "night_sky")
    content = described(folder)
    del content[field]
    (folder / "style.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ModelError, match=field):
        read_style(folder / "style.json")


def test_texts_are_fit_for_a_screen(tmp_path: Path) -> None:
    """One line of a terminal, which obeys control characters; and laid out anew for every frame of the live picture."""
    folder = write_style(tmp_path, "night_sky", title="Nuit\n\x1b[31m  étoilée", artist="V" * 50_000, year=None)
    style = read_style(folder / "style.json")
    assert (style.title, style.year) == ("Nuit [31m étoilée", "None")
    assert style.artist == "V" * 117 + "..."


def test_unknown_tiers_and_precisions_are_left_out(tmp_path: Path) -> None:
    folder = write_style(tmp_path, "night_sky")
    tiers = described(folder)["tiers"]
    tiers["fast"]["fp4"] = tiers["fast"]["fp32"]
    tiers["finest"] = tiers["fast"]
    content = described(folder) | {"tiers": tiers, "comment": "from a later version"}
    (folder / "style.json").write_text(json.dumps(content), encoding="utf-8")
    style = read_style(folder / "style.json")
    assert {tier: list(models) for tier, models in style.models.items()} == {"fast": ["fp32"]}


def test_verify_gives_the_bytes(tmp_path: Path) -> None:
    style = read_style(write_style(tmp_path, "night_sky") / "style.json")
    model = style.models["fast"]["fp32"]
    assert verify(model) == model.path.read_bytes()


def test_exchanged_file_is_noticed(tmp_path: Path) -> None:
    style = read_style(write_style(tmp_path, "night_sky") / "style.json")
    model = style.models["fast"]["fp32"]
    data = bytearray(model.path.read_bytes())
    data[-1] ^= 1
    model.path.write_bytes(data)
    with pytest.raises(ModelError, match="SHA-256"):
        verify(model)


def test_missing_empty_and_impossible_files(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        verify(ModelFile(tmp_path / "missing.onnx", None))
    (tmp_path / "empty.onnx").touch()
    with pytest.raises(ModelError, match="empty"):
        verify(ModelFile(tmp_path / "empty.onnx", None))
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "folder.onnx" / "something").touch()
    with pytest.raises(ModelError, match=r"cannot be read|empty"):
        verify(ModelFile(tmp_path / "folder.onnx", None))


def test_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.onnx"
    with path.open("wb") as file:
        file.truncate(200_000_001)  # a hole: takes no room
    with pytest.raises(ModelError, match="expected at most"):
        verify(ModelFile(path, None))


# ---------------------------------------------------------------------------------------- what ships


@pytest.mark.parametrize("folder", SHIPPED_FOLDERS, ids=lambda folder: folder.name)
def test_style_that_ships_is_whole(folder: Path) -> None:
    style = read_style(folder / "style.json")
    assert style.name == folder.name
    assert style.title
    assert style.licence
    assert set(style.models) <= set(TIERS)
    listed = {tier: described(folder)["tiers"][tier] for tier in style.models}
    for tier, models in style.models.items():
        assert set(models) <= set(PRECISIONS)
        for precision, model in models.items():
            data = model.path.read_bytes()
            assert len(data) == listed[tier][precision]["bytes"]
            assert hashlib.sha256(data).hexdigest() == model.sha256
            metadata = {entry.key: entry.value for entry in onnx.load_from_string(data).metadata_props}
            assert metadata["contract"] == "1"
            assert (metadata["name"], metadata["tier"], metadata["precision"]) == (style.name, tier, precision)
    assert {path.name for path in folder.glob("*.onnx")} == {
        model.path.name for models in style.models.values() for model in models.values()
    }
    preview = cv2.imdecode(np.frombuffer((folder / "preview.jpg").read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    assert preview is not None
    assert min(preview.shape[:2]) >= 64


def test_styles_that_ship_differ_in_name_and_order() -> None:
    styles = [read_style(folder / "style.json") for folder in SHIPPED_FOLDERS]
    assert len({style.name for style in styles}) == len(styles)
    assert len({style.order for style in styles}) == len(styles)


def test_one_broken_style_is_left_out_and_the_others_are_shown(
    styles_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mixed"
    shutil.copytree(styles_folder, folder)
    (folder / "night_sky" / "style.json").write_text("{", encoding="utf-8")
    names = [style.name for style in load_gallery(folder)]
    assert "night_sky" not in names
    assert {"plain_day", "wild_sea"} <= set(names)
    assert "warning: left out" in capsys.readouterr().err
