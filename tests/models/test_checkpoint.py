"""Checkpoints: whole or not at all when written, foreign input when read."""

from __future__ import annotations

import io
import pickle
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import checkpoint
from models.checkpoint import CHECKPOINT_NAME, generator_from_checkpoint, load_checkpoint, save_checkpoint
from models.generator import GeneratorSettings, build_generator
from realtime.errors import ModelError, OutputError
from tests.fakes_torch import NARROWEST, Trap


def narrow_content(seed: int = 0) -> dict[str, Any]:
    torch.manual_seed(seed)
    return {"settings": asdict(NARROWEST), "generator": build_generator(NARROWEST).state_dict(), "step": 3}


def test_a_checkpoint_is_read_back_from_its_folder_and_from_its_file(tmp_path: Path) -> None:
    content = narrow_content()
    save_checkpoint(tmp_path, content)
    for path in (tmp_path, tmp_path / CHECKPOINT_NAME):
        found = load_checkpoint(path)
        assert found["step"] == 3
        assert found["settings"] == content["settings"]
        assert all(torch.equal(found["generator"][name], value) for name, value in content["generator"].items())


def test_its_generator_paints_the_same_in_evaluation_mode(tmp_path: Path) -> None:
    content = narrow_content()
    generator = build_generator(NARROWEST)
    generator.load_state_dict(content["generator"])
    save_checkpoint(tmp_path, content)
    rebuilt = generator_from_checkpoint(load_checkpoint(tmp_path))
    photo = torch.rand(1, 3, 16, 16)
    assert not rebuilt.training
    with torch.no_grad():
        assert torch.equal(rebuilt(photo), generator.eval()(photo))


def test_saving_leaves_one_file_and_replaces_the_one_before(tmp_path: Path) -> None:
    for step in (1, 2):
        save_checkpoint(tmp_path, {"step": step})
    assert load_checkpoint(tmp_path)["step"] == 2
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT_NAME]


def test_a_failed_save_keeps_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path, {"step": 1})

    def half_written(_content: Any, path: Path) -> None:
        path.write_bytes(b"half of a che")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", half_written)
    with pytest.raises(OutputError, match="No space left on device"):
        save_checkpoint(tmp_path, {"step": 2})
    assert load_checkpoint(tmp_path)["step"] == 1
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT_NAME]


def test_a_folder_that_is_not_there_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for run in (tmp_path / "gone", tmp_path / "file"):
        with pytest.raises(OutputError, match=r"checkpoint\.pt: cannot be written"):
            save_checkpoint(run, {"step": 1})


def test_a_missing_checkpoint_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"checkpoint\.pt: cannot be read \(No such file.*python -m models\.train"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("as_zip", [True, False], ids=["zip", "legacy"])
def test_a_checkpoint_that_holds_code_is_refused_and_not_run(tmp_path: Path, as_zip: bool) -> None:
    marker = tmp_path / "run"
    torch.save(
        {"format": "stylecam-checkpoint-1", "step": Trap(marker)},
        tmp_path / CHECKPOINT_NAME,
        _use_new_zipfile_serialization=as_zip,
    )
    with pytest.raises(ModelError, match="not a PyTorch file of plain tensors"):
        load_checkpoint(tmp_path)
    assert not marker.exists()


def test_a_plain_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "run"
    (tmp_path / CHECKPOINT_NAME).write_bytes(pickle.dumps(Trap(marker)))
    with pytest.raises(ModelError, match="not a PyTorch file of plain tensors"):
        load_checkpoint(tmp_path)
    assert not marker.exists()


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_truncated_checkpoint_is_refused(tmp_path: Path, kept: float) -> None:
    save_checkpoint(tmp_path, narrow_content())
    path = tmp_path / CHECKPOINT_NAME
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(ModelError, match="not a PyTorch file of plain tensors"):
        load_checkpoint(tmp_path)


def legacy_bytes() -> bytes:
    file = io.BytesIO()
    torch.save({"format": "other", "tensor": torch.zeros(3)}, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(min_size=1, max_size=64), st.integers(0, len(legacy_bytes()) - 1), st.booleans())
def test_damage_of_any_kind_ends_in_one_kind_of_error(tmp_path: Path, junk: bytes, place: int, alone: bool) -> None:
    good = legacy_bytes()
    data = junk if alone else good[:place] + junk + good[place + len(junk) :]
    (tmp_path / CHECKPOINT_NAME).write_bytes(data)
    with pytest.raises(ModelError):
        load_checkpoint(tmp_path)


def test_an_empty_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT_NAME).write_bytes(b"")
    with pytest.raises(ModelError, match="found 0"):
        load_checkpoint(tmp_path)


def test_a_huge_checkpoint_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path, narrow_content())
    size = (tmp_path / CHECKPOINT_NAME).stat().st_size
    monkeypatch.setattr(checkpoint, "_MAX_FILE_BYTES", size)
    assert load_checkpoint(tmp_path)["step"] == 3
    monkeypatch.setattr(checkpoint, "_MAX_FILE_BYTES", size - 1)
    with pytest.raises(ModelError, match=f"expected at most {size - 1} bytes, found {size}"):
        load_checkpoint(tmp_path)


def pack_again(path: Path, compression: int) -> None:
    """Writes a PyTorch file's parts anew."""
    with zipfile.ZipFile(path) as archive:
        parts = [(part.filename, archive.read(part)) for part in archive.infolist()]
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in parts:
            archive.writestr(name, data)


def test_a_checkpoint_that_grows_when_it_is_unpacked_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("it was unpacked")

    save_checkpoint(tmp_path, {"zeros": torch.zeros(1_000_000)})
    path = tmp_path / CHECKPOINT_NAME
    pack_again(path, zipfile.ZIP_STORED)
    assert load_checkpoint(tmp_path)["zeros"].shape == (1_000_000,)
    pack_again(path, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(ModelError, match=r"checkpoint\.pt: compressed, or expected at most \d+ bytes unpacked"):
        load_checkpoint(tmp_path)


def test_what_a_checkpoint_says_that_it_holds_is_limited_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A zip may name one and the same part many times."""
    save_checkpoint(tmp_path, {"zeros": torch.zeros(1000)})
    path = tmp_path / CHECKPOINT_NAME
    monkeypatch.setattr(zipfile.ZipFile, "infolist", lambda archive: archive.filelist * 100)
    monkeypatch.setattr(checkpoint, "_MAX_FILE_BYTES", path.stat().st_size * 2)
    with pytest.raises(ModelError, match="compressed, or expected at most"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("content", [{"step": 1}, {"format": "stylecam-checkpoint-0"}, [1, 2], torch.zeros(3)])
def test_another_format_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / CHECKPOINT_NAME)
    with pytest.raises(ModelError, match="expected the format 'stylecam-checkpoint-1'"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("recipe", ["text", [1], {1: 2}, {"weights": torch.zeros(2)}, {"a": [{"b": torch.zeros(2)}]}], ids=str)
def test_a_recipe_that_json_cannot_hold_is_refused(tmp_path: Path, recipe: Any) -> None:
    save_checkpoint(tmp_path, narrow_content() | {"recipe": recipe})
    with pytest.raises(ModelError, match="its recipe is not made of plain values"):
        load_checkpoint(tmp_path)


def test_a_path_that_is_too_long_is_one_that_is_not_there() -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        load_checkpoint(Path("x" * 300))


@pytest.mark.parametrize(
    "change",
    [
        {"settings": {"wings": 2}},
        {"settings": {"tier": "fast", "stem_width": 9, "trunk_width": 4, "blocks": 1}},
        {"settings": {"tier": "../fast", "stem_width": 4, "trunk_width": 4, "blocks": 1}},
        {"settings": "fast"},
        {"settings": None},
        {"generator": {}},
        {"generator": None},
        {"generator": {"paint.weight": "text"}},
        {"generator": {1: torch.zeros(2)}},
    ],
    ids=str,
)
def test_a_generator_that_does_not_fit_its_settings_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="its generator cannot be rebuilt"):
        generator_from_checkpoint(narrow_content() | change)


@pytest.mark.parametrize("missing", ["settings", "generator"])
def test_a_checkpoint_without_a_generator_is_refused(missing: str) -> None:
    content = narrow_content()
    del content[missing]
    with pytest.raises(ModelError, match=f"cannot be rebuilt \\('{missing}'\\)"):
        generator_from_checkpoint(content)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(value: float) -> None:
    content = narrow_content()
    content["generator"]["paint.weight"][0, 0, 0, 0] = value
    with pytest.raises(ModelError, match="not finite"):
        generator_from_checkpoint(content)


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_spread_that_nothing_can_be_divided_by_is_refused(value: float) -> None:
    shape = GeneratorSettings("fine", stem_width=4, trunk_width=8, blocks=1, cell=4, normalised=True)
    weights = build_generator(shape).state_dict()
    weights["down_norm.spread"][2] = value
    with pytest.raises(ModelError, match="spread is not above zero"):
        generator_from_checkpoint({"settings": asdict(shape), "generator": weights})
