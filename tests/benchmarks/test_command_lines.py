"""What every program that trains, exports or measures has in common: interruptions and wrong sizes."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
PROGRAMS = [f"benchmarks.{path.stem}" for path in sorted(BENCHMARKS.glob("*.py")) if "\ndef main(" in path.read_text("utf-8")]
PROGRAMS += ["export.figures", "export.half", "export.quantise", "export.to_onnx"]
PROGRAMS += ["models.exemplar", "models.gatys", "models.train", "models.trunk"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_interruption_ends_with_130(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    for parse in ("parse_args", "parse_known_args"):
        monkeypatch.setattr(argparse.ArgumentParser, parse, interrupted)
    assert importlib.import_module(name).main([]) == 130
    assert capsys.readouterr().err.startswith("interrupted")


@pytest.mark.parametrize("name", ["cores", "end_to_end", "gpu", "memory", "speed"])
@pytest.mark.parametrize("size", ["abc", "640", "8x8"])
def test_a_wrong_size_ends_with_2(name: str, size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        importlib.import_module(f"benchmarks.{name}").main(["--size", size])
    assert stopped.value.code == 2
    assert f"expected WIDTHxHEIGHT of at least 16x16, found {size!r}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("models.gatys", ["photo.png", "painting.png", "-o", "out.png"]),
        ("models.exemplar", ["painting.png", "-o", "out.jpg"]),
        ("models.train", ["--style", "a.png", "--content", "photos", "--out", "run", "--steps", "1"]),
        ("benchmarks.gatys", []),
    ],
)
@pytest.mark.parametrize("seed", ["99999999999999999999", "100000000000000000", "2147483648", "-1", "1.5"])
def test_a_seed_that_is_none_ends_with_2(
    name: str, arguments: list[str], seed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        importlib.import_module(name).main([*arguments, f"--seed={seed}"])
    assert stopped.value.code == 2
    assert "expected a whole number from 0 to 2147483647" in capsys.readouterr().err
