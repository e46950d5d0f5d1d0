"""What every program that trains, exports or measures has in common: interruptions and wrong sizes."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import contact_sheets, gatys, latency, video
from export import quantise, to_onnx
from export.parity import Parity
from realtime.errors import SourceError, UserError
from realtime.pictures.files import write_picture
from tests.fakes import flat_picture, write_style
from tests.program import StreamWithoutReader, mistake_of

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


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name.startswith("benchmarks.")])
def test_help_tells_every_default(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parsers: list[argparse.ArgumentParser] = []

    def parse(parser: argparse.ArgumentParser, _: list[str]) -> None:
        parsers.append(parser)
        raise KeyboardInterrupt

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse)
    importlib.import_module(name).main([])
    options = [action for action in parsers[0]._actions if action.option_strings and action.dest != "help"]
    silent = [action.dest for action in options if action.default and "default" not in (action.help or "")]
    assert silent == []
    assert parsers[0].format_help()


def test_an_export_whose_stdout_nobody_reads_is_none_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its result is a file; whoever installs a style goes by the exit code."""
    monkeypatch.setattr(sys, "stdout", StreamWithoutReader())
    monkeypatch.setattr("export.to_onnx.export_run", lambda *_: Parity(1, 0.01))
    assert to_onnx.main(["run", "--name", "mine", "--styles", str(tmp_path)]) == 0
    (tmp_path / "fast.int8.onnx").touch()
    monkeypatch.setattr(sys, "stdout", StreamWithoutReader())
    monkeypatch.setattr("export.quantise.make_int8", lambda *_: Parity(1, 0.01))
    assert quantise.main([str(tmp_path), "--content", "photos"]) == 0


def test_help_of_the_previews_says_what_they_write_over(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        importlib.import_module("benchmarks.previews").main(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "Writes over the files that ship, unasked: styles/NAME/preview.jpg" in told
    assert "docs/banner.jpg" in told


@pytest.mark.parametrize("name", ["beside", "candidates", "cores", "end_to_end", "gpu", "memory", "speed"])
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


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("beside", ["--rounds", "0"]),
        ("beside", ["--fps", "nan"]),
        ("beside", ["--seconds", "-1"]),
        ("cores", ["--rounds", "0"]),
        ("cores", ["--frames", "0"]),
        ("end_to_end", ["--rounds", "0"]),
        ("end_to_end", ["--frames", "none"]),
        ("end_to_end", ["--provider", "foo"]),
        ("end_to_end", ["--tier", "finest"]),
        ("end_to_end", ["--precision", "fp8"]),
        ("gatys", ["--threads", "-1"]),
        ("gatys", ["--size", "0"]),
        ("gatys", ["--reference-iterations", "0"]),
        ("gatys", ["--reference-seconds", "inf"]),
        ("gpu", ["--rounds", "0"]),
        ("gpu", ["--runs", "0"]),
        ("latency", ["--frames", "0"]),
        ("latency", ["--precision", "fp8"]),
        ("memory", ["--styles", "0"]),
        ("memory", ["--frames", "-5"]),
        ("speed", ["--rounds", "0"]),
        ("speed", ["--provider", "foo"]),
        ("speed", ["--threads", "-1"]),
        ("video", ["--frames", "0"]),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_values_that_cannot_be_measured_with_end_with_2(
    name: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        importlib.import_module(f"benchmarks.{name}").main(arguments)
    assert stopped.value.code == 2
    assert f"argument {arguments[0]}: " in capsys.readouterr().err


def error_of(name: str, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code, said = mistake_of(importlib.import_module(f"benchmarks.{name}").main, arguments, capsys)
    assert said.count("\n") == 1
    return code, said


@pytest.mark.parametrize(
    "name",
    [
        "beside",
        "candidates",
        "cores",
        "end_to_end",
        "gpu",
        "latency",
        "levels",
        "memory",
        "noise",
        "quality",
        "speed",
        "stability",
        "stills",
        "video",
    ],
)
def test_a_result_that_cannot_be_written_is_refused_before_anything_is_measured(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = error_of(name, ["--json", str(tmp_path / "nowhere" / "found.json")], capsys)
    assert code == 5
    assert f"the folder {tmp_path / 'nowhere'} does not exist" in said


def test_a_reader_that_leaves_keeps_no_result_from_being_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", StreamWithoutReader())
    monkeypatch.setattr(video, "watch_memory", lambda *_: {})
    assert video.main(["--frames", "1", "--json", str(tmp_path / "found.json")]) == 0
    assert (tmp_path / "found.json").exists()


def test_a_reader_of_contact_sheets_that_leaves_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", StreamWithoutReader())
    write_picture(tmp_path / "photo.png", flat_picture(90))
    styles = ["--styles", str(write_style(tmp_path / "styles", "night_sky").parent), "--style", "night_sky"]
    assert contact_sheets.main(["--photos", str(tmp_path / "photo.png"), "--out", str(tmp_path / "out"), *styles]) == 0


def test_a_system_that_tells_no_memory_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delattr("os.wait4", raising=False)
    code, said = error_of("stills", [], capsys)
    assert code == 2
    assert "measure on Linux or macOS" in said


def test_clips_that_are_not_there_end_with_3_and_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STYLECAM_DATA", str(tmp_path / "gone"))
    code, said = error_of("video", [], capsys)
    assert code == 3
    assert str(tmp_path / "gone") in said
    assert "STYLECAM_DATA" in said


def test_a_place_for_the_clips_that_cannot_be_made_ends_with_5(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    code, said = error_of("video", ["--keep", str(tmp_path / "file" / "there")], capsys)
    assert code == 5
    assert "--keep" in said


def test_a_gpu_that_is_not_there_ends_with_2(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    code, said = error_of("gatys", ["--device", "cuda"], capsys)
    assert code == 2
    assert "--device cuda: not available here" in said


@pytest.mark.parametrize(("count", "expected"), [(3, "0.png"), (60, "50.png")])
def test_the_photo_painted_is_the_second_of_those_for_measuring_or_the_only_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, expected: str
) -> None:
    read: list[Path] = []

    def stop(path: Path) -> None:
        read.append(path)
        raise SourceError("read")

    (tmp_path / "content").mkdir()
    for number in range(count):
        (tmp_path / "content" / f"{number:02d}.png").touch()
    monkeypatch.setenv("STYLECAM_DATA", str(tmp_path))
    monkeypatch.setattr(gatys, "read_still", stop)
    assert gatys.main(["--style", str(tmp_path / "a.png")]) == 3
    assert read == [tmp_path / "content" / expected.rjust(6, "0")]


def test_on_windows_the_memory_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    monkeypatch.setattr(gatys.subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=0))
    args = gatys.build_parser().parse_args([])
    assert importlib.reload(gatys).peak_memory_mib(args, tmp_path, tmp_path) is None


@pytest.mark.parametrize("options", [[], ["--", "--provider", "cpu", "--style", "wave"]])
def test_what_follows_two_dashes_goes_to_the_program(options: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def measure(_size: str, _fps: int, _frames: int, more: list[str]) -> dict[str, Any]:
        asked.append(more)
        raise UserError("measured")

    monkeypatch.setattr(latency, "measure", measure)
    assert latency.main(["--frames", "5", *options]) == 2
    assert asked == [["--precision", "auto", *options[1:]]]
