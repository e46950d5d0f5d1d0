"""The report, on machines made up for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from realtime import cameras
from realtime.gallery import ModelFile, Style
from realtime.networks.calibration import Goal, calibrate, calibration_key, read_cache
from realtime.networks.faults import Installation
from realtime.networks.model_choice import ModelChoice
from realtime.networks.nvidia import Driver, Gpu
from realtime.networks.placement import Placement
from realtime.program import doctor
from realtime.program.folders import user_cache_folder
from tests.fakes import FakeClock, flat_picture, style_of, write_style_onnx

Report = Callable[..., dict[str, str]]
HERE = Installation({}, "1.31", 13, Driver((13, 0), (Gpu("NVIDIA Test", 80 * 2**30, "9.0"),)), lambda file: True)


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Report:
    """Runs the doctor and returns its lines by their names."""
    monkeypatch.setattr(doctor, "_SIZES_WH", ((32, 32), (48, 32), (64, 32)))
    monkeypatch.setattr("realtime.networks.calibration._THOROUGH_WH", (32, 32))
    monkeypatch.setattr(doctor, "list_cameras", lambda: iter(()))
    monkeypatch.setattr(doctor, "display_problem", lambda: "no display was found")
    monkeypatch.setattr(doctor, "installation", lambda: HERE)

    def run(styles: list[Style], choice: ModelChoice | None = None) -> dict[str, str]:
        assert doctor.report(styles, choice or ModelChoice(provider="cpu", threads=1), Goal()) == 0
        lines = capsys.readouterr().out.splitlines()
        return {line[:13].strip(): line[13:] for line in lines}

    return run


@pytest.fixture
def two_files(tmp_path: Path) -> Style:
    style = style_of(write_style_onnx(tmp_path / "tiny.onnx"))
    models = {p: ModelFile(write_style_onnx(tmp_path / f"{p}.onnx"), None) for p in ("fp32", "int8")}
    return replace(style, models={"fast": models})


def test_every_part_is_there(report: Report, two_files: Style) -> None:
    found = report([two_files])
    assert found["GPU"] == "NVIDIA Test, 80.0 GiB, compute 9.0, driver for CUDA 13.0"
    assert found["cpu"] == "runs"
    assert found["camera"] == "none found"
    assert found["display"] == "no display was found"
    assert "64x32" in found["fast fp32"]
    assert found["fast int8"].count(" ms") == 3
    assert found["auto"].startswith("would run on cpu, fast ")
    assert "30 fps leave 16.7 ms" in found["auto"]
    assert found["faults"] == "none known: nothing to mend"
    assert {"StyleCam", "packages", "processor", "cuda", "tensorrt", "coreml"} <= found.keys()


def test_it_ends_with_the_command_that_mends(
    report: Report, two_files: Style, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = replace(HERE, loads=lambda file: "curand" not in file)
    monkeypatch.setattr(doctor, "installation", lambda: broken)
    doctor.report([two_files], ModelChoice(provider="cpu", threads=1), Goal())
    *_, fault, mend = capsys.readouterr().out.splitlines()
    assert fault.startswith("fault        the library libcurand")
    assert mend.endswith('-m pip install "onnxruntime-gpu[cuda,cudnn]"')


def test_what_it_measures_is_what_the_next_start_takes(report: Report, two_files: Style) -> None:
    found = report([two_files])
    choice = ModelChoice(provider="cpu", threads=1)
    kept = read_cache(user_cache_folder() / "calibration.json", calibration_key([two_files], choice))
    assert kept.keys() == {("fast", "fp32"), ("fast", "int8")}
    chosen = calibrate([two_files], 0, choice, Goal()).preferred[0]
    assert f"would run on cpu, {' '.join(chosen)}: " in found["auto"]


def test_one_file_is_no_choice(report: Report, inversion_onnx: Path) -> None:
    assert "nothing else to choose from" in report([style_of(inversion_onnx)])["auto"]


def test_empty_gallery_is_said(report: Report) -> None:
    assert report([])["styles"] == "none found: nothing to measure"


@pytest.mark.parametrize("precisions", [("fp32",), ("fp32", "int8")])
def test_it_outlives_a_damaged_style(report: Report, two_files: Style, tmp_path: Path, precisions: tuple[str, ...]) -> None:
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"no network")
    models = {precision: ModelFile(damaged, None) for precision in precisions}
    found = report([replace(two_files, models={"fast": models})])
    for name in [*(f"fast {precision}" for precision in precisions), "auto"]:
        assert "damaged.onnx" in found[name]
    assert found["faults"] == "none known: nothing to mend"


def test_it_outlives_a_provider_that_cannot_be_used(report: Report, two_files: Style, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.networks.providers._try_session", lambda *_: None)
    found = report([two_files], ModelChoice(provider="tensorrt", threads=1))
    assert found["auto"].startswith("--provider tensorrt: does not load here")
    assert found["faults"] == "none known: nothing to mend"


def test_nodes_left_on_the_processor_are_named() -> None:
    class OnGpu:
        provider = "cuda"

        def __init__(self, placement: Placement | None) -> None:
            self.found = placement

        def placement(self, size_wh: tuple[int, int]) -> Placement | None:
            return self.found

    def told(placement: Placement | None) -> str:
        stylizer: Any = OnGpu(placement)
        return doctor._placement(stylizer)

    assert told(Placement(60, {"Pad": 1})) == "; cuda runs 59 of 60 nodes; left on the processor: 1 Pad"
    assert told(Placement(60, {})) == "; cuda runs all 60 nodes"
    assert told(None) == "; where its nodes run cannot be told"


class FakeCamera:
    """Gives a frame every so many seconds on a clock, and ends."""

    def __init__(self, clock: FakeClock, interval_s: float, frames: int) -> None:
        self.clock, self.interval_s, self.left, self.released = clock, interval_s, frames, False

    def read(self) -> tuple[bool, object]:
        self.clock.advance(self.interval_s)
        self.left -= 1
        return self.left >= 0, flat_picture(0, (64, 48)) if self.left >= 0 else None

    def release(self) -> None:
        self.released = True


@pytest.mark.parametrize(("fps", "frames", "measured"), [(15.0, 999, 15.0), (30.0, 999, 30.0), (5.0, 0, None), (5.0, 1, None)])
def test_rate_of_a_camera_is_measured(
    monkeypatch: pytest.MonkeyPatch, clock: FakeClock, fps: float, frames: int, measured: float | None
) -> None:
    camera = FakeCamera(clock, 1 / fps, frames)
    monkeypatch.setattr(cameras, "_open_camera", lambda number, options: camera)
    found = cameras.measure_camera(0, clock=clock)
    assert found == (None if measured is None else ((64, 48), pytest.approx(measured, rel=0.05)))
    assert camera.released


def test_cameras_are_listed_with_what_they_give(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    def one() -> Iterator[tuple[int, tuple[int, int], float]]:
        yield 0, (1280, 720), 30.0

    monkeypatch.setattr(doctor, "list_cameras", one)
    monkeypatch.setattr(doctor, "measure_camera", lambda number: ((640, 360), 14.98))
    assert report([])["camera"] == "0: 640x360, 15.0 frames a second measured (1280x720 at 30 stated)"
    monkeypatch.setattr(doctor, "list_cameras", one)
    monkeypatch.setattr(doctor, "measure_camera", lambda number: None)
    assert "no frame came" in report([])["camera"]
