"""The weights that a new style starts from, read as foreign input."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from models import trunk
from models.checkpoint import save_checkpoint
from models.generator import TIERS, Generator, build_generator
from models.trunk import TRUNK_WORD, load_start, load_trunk, main, save_trunk
from realtime.errors import ModelError, OutputError
from tests.fakes_torch import NARROW
from tests.program import StreamWithoutReader


def test_a_trunk_paints_as_the_generator_it_was_made_of(tmp_path: Path) -> None:
    generator = build_generator(NARROW).eval()
    save_trunk(generator, tmp_path / "t.safetensors", "a painting")
    again = load_trunk(tmp_path / "t.safetensors")
    photo = torch.rand(1, 3, 32, 32)
    assert again.settings == NARROW
    assert torch.equal(again(photo), generator(photo))
    assert not list(tmp_path.glob("*.partial"))


def write_run(run: Path, generator: Generator) -> None:
    settings = {"tier": "fast", "stem_width": 8, "trunk_width": 8, "blocks": 1}
    save_checkpoint(run, {"settings": settings, "generator": generator.state_dict(), "recipe": {"painting": "wave.jpg"}})


def test_a_run_becomes_a_trunk_and_a_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generator = build_generator(NARROW)
    write_run(tmp_path, generator)
    out = tmp_path / "trunk.safetensors"
    assert main([str(tmp_path), "--out", str(out)]) == 0
    assert "MB" in capsys.readouterr().out
    for start in (str(tmp_path), str(out)):
        assert torch.equal(load_start(start).stem.weight, generator.stem.weight)


def test_a_trunk_is_written_though_nobody_reads_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path, build_generator(NARROW))
    monkeypatch.setattr(sys, "stdout", StreamWithoutReader())
    assert main([str(tmp_path), "--out", str(tmp_path / "trunk.safetensors")]) == 0
    assert load_trunk(tmp_path / "trunk.safetensors").settings == NARROW


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_others_may_read_what_the_users_mask_lets_them(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        save_trunk(build_generator(NARROW), tmp_path / "t.safetensors", "a painting")
    finally:
        os.umask(before)
    assert (tmp_path / "t.safetensors").stat().st_mode & 0o777 == 0o644


def test_a_painting_whose_name_is_no_text_is_no_hindrance(tmp_path: Path) -> None:
    save_trunk(build_generator(NARROW), tmp_path / "t.safetensors", "caf\udce9.jpg")
    with safe_open(tmp_path / "t.safetensors", framework="pt") as file:
        assert file.metadata()["learnt_from"] == "caf?.jpg"


def test_the_trunk_to_write_has_to_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped = tmp_path / "shipped.safetensors"
    monkeypatch.setattr(trunk, "SHIPPED_TRUNK", shipped)
    with pytest.raises(SystemExit) as stopped:
        main([str(tmp_path)])
    assert stopped.value.code == 2
    assert "--out" in capsys.readouterr().err
    assert not shipped.exists()


def test_no_file_is_replaced_unasked_nor_a_name_taken_that_is_read_as_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path, build_generator(NARROW))
    out = tmp_path / "trunk.safetensors"
    out.write_text("another")
    assert main([str(tmp_path), "--out", str(out)]) == 5
    assert "exists already; add --overwrite to replace it" in capsys.readouterr().err
    assert out.read_text() == "another"
    assert main([str(tmp_path), "--out", str(out), "--overwrite"]) == 0
    assert load_trunk(out).settings == NARROW
    assert main([str(tmp_path), "--out", str(tmp_path / "trunk.pt")]) == 5
    assert "ends in .safetensors, found .pt" in capsys.readouterr().err


def test_the_word_trunk_is_the_shipped_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    generator = build_generator(NARROW)
    save_trunk(generator, tmp_path / "t.safetensors", "a painting")
    monkeypatch.setattr(trunk, "SHIPPED_TRUNK", tmp_path / "t.safetensors")
    monkeypatch.chdir(tmp_path)
    assert torch.equal(load_start("trunk").stem.weight, generator.stem.weight)


def foreign(path: Path, **metadata: str) -> Path:
    save_file({"stem.weight": torch.zeros(2)}, path, metadata)
    return path


def test_what_is_not_a_trunk_is_refused_by_name(tmp_path: Path) -> None:
    text = tmp_path / "text.safetensors"
    text.write_text("not tensors")
    empty = tmp_path / "empty.safetensors"
    empty.touch()
    cases = {
        text: "not a safetensors file",
        empty: "expected at most",
        tmp_path / "missing.safetensors": "cannot be read",
        foreign(tmp_path / "other.safetensors", format="another"): "expected the format",
        foreign(tmp_path / "list.safetensors", format="stylecam-trunk-1", settings="[]"): "which generator",
        foreign(tmp_path / "deep.safetensors", format="stylecam-trunk-1", settings="[" * 100_000): "which generator",
        foreign(tmp_path / "bad.safetensors", format="stylecam-trunk-1", settings='{"stem_width": 8}'): "cannot be rebuilt",
        foreign(tmp_path / "huge.safetensors", format="stylecam-trunk-1", settings='{"stem_width": 99999}'): "stem_width",
    }
    for path, reason in cases.items():
        with pytest.raises(ModelError, match=reason):
            load_trunk(path)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        save_trunk(build_generator(NARROW), tmp_path / "nowhere" / "t.safetensors", "a painting")


def test_the_shipped_trunk_is_of_the_fast_tier() -> None:
    """Any other would be a teacher first: minutes of distillation before each training."""
    assert load_start(TRUNK_WORD).settings == TIERS["fast"]
