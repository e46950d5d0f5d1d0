"""Benchmarks of speed on tiny networks: what they count is right; how long it takes is not asked here."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from benchmarks import cores, end_to_end, gpu, memory, peak, speed
from benchmarks.peak import macs_per_pixel, operator_shares, peak_macs
from benchmarks.processes import Memory
from benchmarks.ready_frames import FinishedRun, ReadyFrames, fitted, ready_pictures, run_pipeline
from benchmarks.speed import Contender
from realtime.errors import ModelError
from realtime.gallery import ModelFile, Style
from realtime.networks.model_choice import ModelChoice
from realtime.networks.providers import SessionSettings, create_session
from realtime.studio import Studio
from tests.fakes import FakeStylizer, flat_picture, plain_style, style_of, write_style_onnx

CPU = SessionSettings("cpu", threads=1)


@pytest.fixture
def tiny(tmp_path: Path) -> Style:
    path = write_style_onnx(tmp_path / "tiny.onnx", metadata={"generator": "tiny, 2.5 kMAC per pixel"})
    return replace(style_of(path), name="tiny")


@pytest.fixture
def tiny_gallery(tiny: Style, monkeypatch: pytest.MonkeyPatch) -> Style:
    for module in (end_to_end, cores, speed, gpu, memory):
        monkeypatch.setattr(module, "load_gallery", lambda: [tiny])
    return tiny


# ------------------------------------------------------------------------------------------------ ready frames


def test_ready_frames_come_in_turn_and_end() -> None:
    pictures = [flat_picture(level) for level in (1, 2, 3)]
    source = ReadyFrames(pictures, 5)
    found = list(itertools.takewhile(lambda read: read is not None, iter(source.read, None)))
    assert [int(read[0][0, 0, 0]) for read in found if read is not None] == [2, 3, 1, 2, 3]
    assert not source.is_live
    assert ReadyFrames(pictures, 5, fps=15).is_live


def test_ready_pictures_differ() -> None:
    first, second, *_ = ready_pictures((96, 64))
    assert first.shape == (64, 96, 3)
    assert not np.array_equal(first, second)


def test_every_ready_frame_goes_the_whole_way() -> None:
    processor_s = itertools.count(10.0, 2.5)
    studio = Studio([plain_style("night_sky")], ModelChoice(), FakeStylizer)
    run = run_pipeline(studio, ReadyFrames([flat_picture(7)], 12), lambda: next(processor_s))
    assert (run.stats["frames_in"], run.stats["frames_styled"], run.stats["frames_dropped"]) == (12, 12, 0)
    assert run.processor_s == 2.5


def test_end_to_end_compares_both_ways(tiny_gallery: Style, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "end.json"
    argv = ["--size", "64x48", "--frames", "6", "--rounds", "2", "--provider", "cpu", "--json", str(path)]
    assert end_to_end.main(argv) == 0
    (row,) = json.loads(path.read_text())["end_to_end"]
    assert row["size_wh"] == [64, 48]
    assert min(row["share"], row["end_to_end_fps"], row["network_alone_fps"]) > 0
    assert set(row["stage_ms"]) == {"capture", "style", "composite", "present"}
    assert "64x48" in capsys.readouterr().out


def test_share_is_the_median_over_the_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    alone, whole = iter([100.0, 50.0, 200.0]), iter([95.0, 45.0, 198.0])
    stages = {"capture": 0.0, "style": 9.0, "composite": 1.0, "present": 0.0}
    monkeypatch.setattr(end_to_end, "_alone_fps", lambda *_: next(alone))
    stats = lambda *_: FinishedRun({"fps": next(whole), "stage_ms": stages}, 0.0)  # noqa: E731
    monkeypatch.setattr(end_to_end, "run_pipeline", stats)
    studio = Studio([plain_style("night_sky")], ModelChoice(), FakeStylizer)
    row = end_to_end.measure(studio, (64, 64), frames=2, rounds=3)
    assert (row["network_alone_fps"], row["end_to_end_fps"], row["share"]) == (100.0, 95.0, 0.95)
    assert row["stage_ms"] == stages


def test_waiting_and_threads_are_measured(
    tiny_gallery: Style, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cores, "core_count", lambda: 2)
    monkeypatch.setattr(cores, "_FPS", 200.0)
    path = tmp_path / "cores.json"
    assert cores.main(["--size", "64x48", "--frames", "5", "--rounds", "1", "--json", str(path)]) == 0
    found = json.loads(path.read_text())
    assert [(row["threads"], row["spins"]) for row in found["threads"]] == [(1, False), (1, True), (2, False), (2, True)]
    assert found["waiting"]["ratio"] > 0
    assert "spinning" in capsys.readouterr().out


def test_a_picture_is_extended_to_the_networks_stride(tmp_path: Path) -> None:
    for stride, shape in (("8", (1, 56, 72, 3)), ("32", (1, 64, 96, 3)), ("none", (1, 64, 96, 3))):
        path = write_style_onnx(tmp_path / f"{stride}.onnx", metadata={"stride": stride})
        session, _ = create_session(path, CPU, "network")
        assert fitted(session, flat_picture(7, (70, 50))).shape == shape


def test_a_network_that_takes_no_bytes_is_refused(tmp_path: Path) -> None:
    speed.export_reference(tmp_path / "reference.onnx", (64, 48))
    session, _ = create_session(tmp_path / "reference.onnx", CPU, "reference")
    with pytest.raises(ModelError, match=r"takes tensor\(float\)"):
        fitted(session, flat_picture(7))


def test_sizes_that_are_no_multiples_of_the_stride_are_measured_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = odd_onnx(tmp_path / "odd.onnx")
    for module in (cores, speed):
        monkeypatch.setattr(module, "load_gallery", lambda: [style_of(path)])
    monkeypatch.setattr(cores, "core_count", lambda: 1)
    assert cores.main(["--size", "70x50", "--frames", "2", "--rounds", "1"]) == 0
    monkeypatch.setattr(speed, "_operators", lambda *_: {})
    monkeypatch.setattr(peak, "_SIDE", 64)
    assert speed.main(["--size", "70x50", "--rounds", "1"]) == 0


def odd_onnx(path: Path) -> Path:
    """A network that takes sides of multiples of 8 alone, and returns the frame."""
    onnx = pytest.importorskip("onnx")
    helper, dims = onnx.helper, ["batch", "height", "width", 3]
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.UINT8, dims) for name in ("frame", "styled")]
    rows = onnx.numpy_helper.from_array(np.array([0, 0, -1, 8, 3], np.int64), "rows")
    nodes = [
        helper.make_node("Shape", ["frame"], ["shape"]),
        helper.make_node("Reshape", ["frame", "rows"], ["in_cells"]),
        helper.make_node("Reshape", ["in_cells", "shape"], ["styled"]),
    ]
    graph = helper.make_graph(nodes, "odd", [ends[0]], [ends[1]], [rows])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    helper.set_model_props(model, {"contract": "1", "stride": "8"})
    onnx.save(model, path)
    return path


def test_memory_of_a_single_style(tiny_gallery: Style, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "own_memory", lambda _: Memory(100.0, 300.0))
    assert memory.main(["--size", "64x64", "--styles", "1", "--frames", "10"]) == 0


def test_memory_of_a_long_run(tiny_gallery: Style, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter(range(100))
    monkeypatch.setattr(memory, "own_memory", lambda _: Memory(100.0 + next(readings), 300.0))
    path = tmp_path / "memory.json"
    assert memory.main(["--size", "64x64", "--styles", "5", "--frames", "20", "--json", str(path)]) == 0
    found = json.loads(path.read_text())["memory"]
    assert (found["styles"], found["growth_mib"], found["highest_mib"]) == (5, 9.0, 300.0)
    assert len(found["resident_mib"]) == 10


# -------------------------------------------------------------------------------------------------------- peak


def test_multiply_adds_are_read_from_the_metadata(tiny: Style, tmp_path: Path) -> None:
    model = tiny.models["fast"]["fp32"]
    assert macs_per_pixel(create_session(model.path, CPU, "tiny")[0]) == 2500
    assert macs_per_pixel(create_session(write_style_onnx(tmp_path / "bare.onnx"), CPU, "bare")[0]) is None


def test_share_of_the_peak_is_what_is_done_over_what_could_be(tiny: Style) -> None:
    session, _ = create_session(tiny.models["fast"]["fp32"].path, CPU, "tiny")
    contender = Contender("fast, widened", "fp32", session, np.zeros((1, 48, 64, 3), np.uint8))
    contender.milliseconds = [10.0]
    found = contender.share_of_peak((1000, 1000), {"fp32": 1e12})  # 2.5 thousand million in 10 ms
    assert found == {"gmacs": 250.0, "peak_gmacs": 1000.0, "share": 0.25}
    assert contender.name == "fast, widened fp32"
    assert contender.share_of_peak((1000, 1000), {"int8": 1e12}) == {}


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_peak_is_that_of_one_product(monkeypatch: pytest.MonkeyPatch, precision: str) -> None:
    monkeypatch.setattr(peak, "_SIDE", 64)
    assert peak_macs(precision, CPU, runs=1) > 0
    product = ort.InferenceSession(peak._product(precision == "int8"), providers=["CPUExecutionProvider"])
    left = np.arange(64 * 64).reshape(64, 64).astype(np.uint8 if precision == "int8" else np.float32)
    weights = np.random.default_rng(1).integers(-127, 128, (64, 64))
    np.testing.assert_allclose(product.run(None, {"left": left})[0], left.astype(np.int64) @ weights, rtol=1e-5, atol=32)


def test_operators_share_the_whole_time(tiny: Style, tmp_path: Path) -> None:
    shares = operator_shares(tiny.models["fast"]["fp32"].path, (64, 48), 1, tmp_path, runs=2)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)


# --------------------------------------------------------------------------------------------------------- GPU


def test_without_a_gpu_the_reason_is_given(tiny_gallery: Style, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(gpu, "problem_of", lambda provider: "no NVIDIA driver was found")
    assert gpu.main([]) == 4
    assert capsys.readouterr().err == "error: benchmarks.gpu: cuda does not run here: no NVIDIA driver was found\n"


def test_steps_take_turns_and_medians(clock: Any) -> None:
    order: list[str] = []

    def step(name: str, milliseconds: list[float]) -> gpu.Step:
        def run() -> None:
            order.append(name)
            clock.advance(milliseconds.pop(0) / 1000)

        return run

    steps = {"a": step("a", [99, 1, 2, 99, 3, 3]), "b": step("b", [50, 7, 7, 50, 8, 9])}
    assert gpu.time_steps(steps, rounds=2, runs=2, clock=clock) == {"a": pytest.approx(2.5), "b": pytest.approx(7.5)}
    assert order == ["a", "a", "a", "b", "b", "b"] * 2
    frames = gpu.FrameByFrame(lambda: clock.advance(0.008), 4)
    assert gpu.time_steps({"four": frames}, rounds=1, runs=1, clock=clock) == {"four": pytest.approx(2.0)}  # a frame's share


def test_gpu_steps_run_where_tensors_are_bound(tiny: Style, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the processor, which binds tensors in the same manner and records no graph."""
    session_type = gpu.GpuSession
    made: list[SessionSettings] = []

    def on_processor(model: bytes, choice: SessionSettings, name: str) -> tuple[Any, str]:
        made.append(choice)
        if choice.cuda_graph:
            raise RuntimeError("no CUDA graphs here")
        return create_session(model, replace(choice, provider="cpu", threads=1), name)

    monkeypatch.setattr(gpu, "create_session", on_processor)
    monkeypatch.setattr(gpu, "GpuSession", lambda make, placement, lanes: session_type(make, placement, "cpu", lanes))
    model: ModelFile = tiny.models["fast"]["fp32"]
    frame = np.full((1, 16, 16, 3), 9, np.uint8)
    steps, lines = gpu.onnx_steps(model, "fp16", "cuda", (1, 16, 16, 3), frame)
    assert set(steps) == {
        f"fp16{form}{copies}" for form in ("", " NHWC") for copies in ("", ", with copies", ", with copies, 2 at a time")
    }
    assert sum("no CUDA graph could be recorded" in line for line in lines) == 2
    np.testing.assert_array_equal(steps["fp16, with copies"](), 255 - frame)
    steps["fp16, with copies, 2 at a time"]()
    assert {choice.channels_last for choice in made} == {True, False}
