"""float16 made from float32: the same painting, with operators that a GPU has."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from export import description, half, to_onnx
from export.description import MEASURED, file_entry, tell
from export.parity import Parity, soft_noise
from models.generator import build_generator
from realtime.errors import ModelError
from realtime.gallery import read_style, verify
from realtime.networks.placement import read_placement
from tests.fakes_torch import NARROW, write_run

# From the list of kernels of onnxruntime's CUDA provider: what it runs in float16, and what it moves of any type.
CUDA_IN_FLOAT16 = frozenset({"Add", "Cast", "Clip", "Conv", "InstanceNormalization", "Pad", "Relu", "Round"})
CUDA_MOVES = frozenset({"Concat", "Reshape", "Slice", "Split", "Transpose"})


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "normalised"])
def style(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A style with its float16 network, made by the command lines."""
    torch.manual_seed(0)
    run = write_run(tmp_path_factory.mktemp("run"), build_generator(replace(NARROW, normalised=request.param)))
    styles = tmp_path_factory.mktemp("styles")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(to_onnx, "_PARITY_SIZES_HW", ((32, 40),))
        patch.setattr(half, "_PARITY_SIZES_HW", ((64, 96),))
        assert to_onnx.main([str(run), "--name", "wave", "--styles", str(styles), "--licence", "CC0"]) == 0
        assert half.main([str(styles / "wave")]) == 0
    return styles / "wave"


def paint(path: Path, frame: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"frame": frame[np.newaxis]})[0][0])


@pytest.mark.parametrize("size_hw", [(64, 96), (40, 48)])
def test_it_paints_what_float32_paints(style: Path, size_hw: tuple[int, int]) -> None:
    frame = soft_noise(*size_hw, seed=7)
    exact, coarse = paint(style / "fast.onnx", frame), paint(style / "fast.fp16.onnx", frame)
    assert coarse.dtype == np.uint8
    difference = exact.astype(np.int16) - coarse
    assert np.abs(difference).max() <= 2
    assert abs(float(difference.mean())) < 0.1  # rounded, not cut off
    assert np.abs(exact.astype(np.int16) - frame).mean() > 0.1  # it does paint


def test_bright_and_dark_ends_are_clamped(style: Path, tmp_path: Path) -> None:
    model = onnx.load(style / "fast.onnx")
    for constant in model.graph.initializer:  # ten times the contrast: far below 0 and above 255
        if constant.name.endswith("keep.weight"):
            constant.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(constant) * 10 - 0.2, constant.name))
    onnx.save(model, tmp_path / "hard.onnx")
    half.halve(tmp_path / "hard.onnx", tmp_path / "hard.fp16.onnx")
    frame = soft_noise(48, 64, seed=1)
    exact, coarse = paint(tmp_path / "hard.onnx", frame), paint(tmp_path / "hard.fp16.onnx", frame)
    assert {0, 255} <= set(exact.reshape(-1).tolist())
    assert np.abs(exact.astype(np.int16) - coarse).max() <= 4


def test_every_node_is_one_that_cuda_runs(style: Path) -> None:
    """With sizes fixed, as on a GPU, no shape is left to compute, and no node wants bytes or float32."""
    model = onnx.load(style / "fast.fp16.onnx")
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    for name, size in (("batch", 1), ("height", 64), ("width", 96)):
        options.add_free_dimension_override_by_name(name, size)
    session = ort.InferenceSession(style / "fast.fp16.onnx", options, providers=["CPUExecutionProvider"])
    assert read_placement(session, "CPUExecutionProvider") is not None
    left = {node.op_type for part in session.get_provider_graph_assignment_info() for node in part.get_nodes()}
    assert left - {"Max"} <= CUDA_IN_FLOAT16 | CUDA_MOVES  # what a processor makes of a ReLU in float16
    types = {constant.data_type for constant in model.graph.initializer}
    assert types == {TensorProto.FLOAT16, TensorProto.INT64}


def test_style_lists_it(style: Path) -> None:
    entry = json.loads((style / "style.json").read_text(encoding="utf-8"))["tiers"]["fast"]["fp16"]
    assert entry["file"] == "fast.fp16.onnx"
    assert entry["parity_largest"] <= 2
    assert verify(read_style(style / "style.json").models["fast"]["fp16"])
    metadata = {prop.key: prop.value for prop in onnx.load(style / "fast.fp16.onnx").metadata_props}
    assert (metadata["precision"], metadata["contract"], metadata["stride"]) == ("fp16", "1", "8")
    assert sorted(path.name for path in style.iterdir()) == ["fast.fp16.onnx", "fast.onnx", "style.json"]


def copy_of(style: Path, folder: Path) -> Path:
    """A style with its float32 network alone."""
    for name in ("fast.onnx", "style.json"):
        (folder / name).write_bytes((style / name).read_bytes())
    return folder


def test_figures_of_the_float32_network_are_not_claimed(style: Path, tmp_path: Path) -> None:
    tell(copy_of(style, tmp_path), "fast", "fp32", dict.fromkeys(MEASURED, "0.5"))
    assert half.main([str(tmp_path)]) == 0
    found = {prop.key: prop.value for prop in onnx.load(tmp_path / "fast.fp16.onnx").metadata_props}
    assert not set(MEASURED) & set(found)
    assert (found["precision"], found["title"]) == ("fp16", "Wave")


def test_a_style_without_a_place_in_the_gallery_gets_the_last(style: Path, tmp_path: Path) -> None:
    described = json.loads((copy_of(style, tmp_path) / "style.json").read_text(encoding="utf-8"))
    del described["order"]
    (tmp_path / "style.json").write_text(json.dumps(described), encoding="utf-8")
    assert read_style(tmp_path / "style.json").order == 1000
    assert half.main([str(tmp_path)]) == 0
    assert read_style(tmp_path / "style.json").order == 1000


def test_a_full_disk_ends_with_5_and_keeps_what_was_there(
    style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.read_bytes() for path in copy_of(style, tmp_path).iterdir()}

    def full(*_: object, **__: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(description.json, "dumps", full)
    assert half.main([str(tmp_path)]) == 5
    assert "cannot be written (No space left on device)" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_weights_that_float16_cannot_hold_are_refused(style: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = onnx.load(style / "fast.onnx")
    constant = next(c for c in model.graph.initializer if c.name.endswith("paint.weight"))
    constant.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(constant) + np.float32(1e6), constant.name))
    onnx.save(model, tmp_path / "fast.onnx")
    described = json.loads((style / "style.json").read_text(encoding="utf-8"))
    described["tiers"]["fast"] = {"fp32": file_entry(tmp_path / "fast.onnx")}
    (tmp_path / "style.json").write_text(json.dumps(described), encoding="utf-8")
    assert half.main([str(tmp_path)]) == 4
    assert "too large for float16" in capsys.readouterr().err
    assert not list(tmp_path.glob("*fp16*"))


def test_constants_may_lie_in_nodes(style: Path, tmp_path: Path) -> None:
    model = onnx.load(style / "fast.onnx")
    weight = next(constant for constant in model.graph.initializer if constant.name.endswith("keep.weight"))
    model.graph.node.insert(0, helper.make_node("Constant", [], [weight.name], value=weight))
    model.graph.initializer.remove(weight)
    onnx.save(model, tmp_path / "fast.onnx")
    half.halve(tmp_path / "fast.onnx", tmp_path / "fast.fp16.onnx")
    frame = soft_noise(40, 48, seed=7)
    assert np.array_equal(paint(tmp_path / "fast.fp16.onnx", frame), paint(style / "fast.fp16.onnx", frame))


def test_a_network_whose_bytes_are_scaled_is_refused(style: Path, tmp_path: Path) -> None:
    model = onnx.load(style / "fast.onnx")
    scale = next(node for node in model.graph.node if node.op_type == "DequantizeLinear").input[1]
    for constant in model.graph.initializer:
        if constant.name == scale:
            constant.CopyFrom(numpy_helper.from_array(np.array(0.5, np.float32), scale))
    onnx.save(model, tmp_path / "scaled.onnx")
    with pytest.raises(ModelError, match="is quantised already"):
        half.halve(tmp_path / "scaled.onnx", tmp_path / "fast.fp16.onnx")


@pytest.mark.parametrize(("largest", "mean", "code"), [(12, 0.5, 0), (13, 0.1, 4), (1, 0.51, 4)])
def test_painting_that_differs_is_refused(
    style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, largest: int, mean: float, code: int
) -> None:
    monkeypatch.setattr(half, "measure_precision", lambda *_: Parity(largest, mean))
    assert half.main([str(copy_of(style, tmp_path))]) == code
    assert bool(list(tmp_path.glob("*fp16*"))) is (code == 0)


def test_what_is_no_float32_network_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert half.main([str(tmp_path)]) == 4
    assert "export the style first" in capsys.readouterr().err
    (tmp_path / "style.json").write_text("{}")
    (tmp_path / "fast.onnx").touch()
    assert half.main([str(tmp_path)]) == 4
    assert "has no name, title, artist, year, licence" in capsys.readouterr().err
    (tmp_path / "style.json").write_text(json.dumps(dict.fromkeys(("name", "title", "artist", "year", "licence"), "x")))
    (tmp_path / "fast.onnx").write_bytes(b"junk")
    assert half.main([str(tmp_path)]) == 4
    assert "not an ONNX model that can be read; export the style again" in capsys.readouterr().err
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value], [value])
    onnx.save(helper.make_model(graph), tmp_path / "fast.onnx")
    assert half.main([str(tmp_path)]) == 4
    assert "takes x FLOAT [1] and gives x FLOAT [1], expected frame UINT8" in capsys.readouterr().err


def test_a_network_that_is_not_the_one_described_is_refused(
    style: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = onnx.load(copy_of(style, tmp_path) / "fast.onnx")
    model.graph.node[0].name = "another"
    onnx.save(model, tmp_path / "fast.onnx")
    assert half.main([str(tmp_path)]) == 4
    assert "its SHA-256 is not the one in style.json" in capsys.readouterr().err
    assert not list(tmp_path.glob("*fp16*"))


@pytest.mark.skipif(sys.platform != "linux", reason="file systems elsewhere take no such names")
def test_a_folder_whose_name_is_no_text_is_no_hindrance(
    style: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(style, tmp_path / os.fsdecode(b"caf\xe9")))
    assert half.main([str(copy)]) == 0
    assert capsys.readouterr().out.startswith(f"{tmp_path}/caf\\udce9/fast.fp16.onnx: ")


def test_the_exporters_notes_of_earlier_networks_are_left_out(style: Path, tmp_path: Path) -> None:
    model = onnx.load(style / "fast.onnx")
    painted = next(node for node in model.graph.node if node.op_type == "Conv").output[0]
    model.graph.value_info.append(onnx.helper.make_tensor_value_info(painted, TensorProto.FLOAT, None))
    model.graph.metadata_props.add(key="pkg.torch.export.ExportedProgram.graph_signature", value="float32")
    onnx.save(model, tmp_path / "fast.onnx")
    half.halve(tmp_path / "fast.onnx", tmp_path / "fast.fp16.onnx")
    assert not onnx.load(tmp_path / "fast.fp16.onnx").graph.metadata_props
    assert paint(tmp_path / "fast.fp16.onnx", soft_noise(40, 48, seed=7)).dtype == np.uint8


def test_what_others_write_into_the_style_meanwhile_is_kept(
    style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copy_of(style, tmp_path)
    measure = half.measure_precision

    def measure_while(change: Callable[[], None]) -> Callable[..., Parity]:
        def run(*args: Any) -> Parity:
            change()
            return measure(*args)

        return run

    monkeypatch.setattr(
        half, "measure_precision", measure_while(lambda: tell(folder, "fast", "fp32", {"flicker": "1.5"}, {"flicker": 1.5}))
    )
    assert half.main([str(folder)]) == 0
    networks = read_style(folder / "style.json").models["fast"]
    assert networks["fp32"].figures == {"flicker": 1.5}
    for network in networks.values():
        verify(network)

    def exchange() -> None:
        model = onnx.load(folder / "fast.onnx")
        model.graph.node[0].name = "another"
        onnx.save(model, folder / "fast.onnx")

    before = (folder / "fast.fp16.onnx").read_bytes()
    monkeypatch.setattr(half, "measure_precision", measure_while(exchange))
    assert half.main([str(folder)]) == 4
    assert "was replaced while another network was made of it; run this again" in capsys.readouterr().err
    assert (folder / "fast.fp16.onnx").read_bytes() == before
