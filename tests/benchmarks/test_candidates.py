"""Shapes of the generator, timed side by side."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from benchmarks import candidates
from models.generator import GeneratorSettings


def test_a_shape_is_four_numbers() -> None:
    settings = candidates.settings_of("2,8,16,1")
    assert settings == GeneratorSettings("fast", stem_width=8, trunk_width=16, blocks=1, cell=2)
    assert candidates.label(settings) == "2x2, 8, 16, 1"


@pytest.mark.parametrize("text", ["", "2,8,16", "2,8,16,1,1", "2,8,16,x", "3,8,16,1", "2,0,16,1", "2,8,999,1"])
def test_what_is_no_shape_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected CELL,STEM,TRUNK,BLOCKS such as 2,16,32,4, found"):
        candidates.settings_of(text)


def test_the_first_shape_is_the_measure_of_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sizes need not be multiples of the stride."""
    found = tmp_path / "candidates.json"
    shapes = ["--shape", "4,4,4,1", "--shape", "2,8,16,1"]
    assert candidates.main([*shapes, "--size", "333x201", "--rounds", "1", "--json", str(found)]) == 0
    first, second = json.loads(found.read_text(encoding="utf-8"))["candidates"]
    assert first["fp32_of_first"] == first["int8_of_first"] == 1
    assert second["fp32_of_first"] > 0 < second["int8_of_first"]
    assert second["kmacs_a_pixel"] > first["kmacs_a_pixel"]
    assert "2x2, 8, 16, 1" in capsys.readouterr().out
