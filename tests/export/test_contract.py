"""Networks that are foreign or damaged are refused in one line before anything is made of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, numpy_helper

from export import half, quantise
from export.contract import float32_of, read_network
from models.images import save_image
from realtime.errors import ModelError
from realtime.gallery import SHIPPED
from tests.fakes import write_foreign_onnx, write_style_onnx

SOURCE = SHIPPED / "picabia_udnie" / "fast.onnx"
FACTS = dict.fromkeys(("name", "title", "artist", "year", "licence"), "x")
PROGRAMS = {"half": half.main, "quantise": quantise.main}


def weight_of(model: onnx.ModelProto) -> TensorProto:
    return next(tensor for tensor in model.graph.initializer if tensor.name == "generator.stem.weight")


def with_value(value: float) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        values = numpy_helper.to_array(weight_of(model)).copy()
        values.flat[0] = value
        weight_of(model).CopyFrom(numpy_helper.from_array(values, weight_of(model).name))

    return change


def with_constant_that_is_not_finite(model: onnx.ModelProto) -> None:
    value = numpy_helper.from_array(np.array([np.nan], np.float32))
    model.graph.node.insert(0, onnx.helper.make_node("Constant", [], ["unread"], value=value))


def with_operator_that_is_none(model: onnx.ModelProto) -> None:
    next(node for node in model.graph.node if node.op_type == "Conv").op_type = "Convolve"


def with_weights_cut_short(model: onnx.ModelProto) -> None:
    weight_of(model).raw_data = weight_of(model).raw_data[:-8]


def with_weights_of_another_shape(model: onnx.ModelProto) -> None:
    dims = weight_of(model).dims
    dims[0], dims[1] = dims[1], dims[0]


def with_weights_in_another_file(model: onnx.ModelProto) -> None:
    tensor = weight_of(model)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret.bin")


def without_inputs(model: onnx.ModelProto) -> None:
    del model.graph.input[:]


def without_outputs(model: onnx.ModelProto) -> None:
    del model.graph.output[:]


def with_output_of_another_name(model: onnx.ModelProto) -> None:
    last = next(node for node in model.graph.node if node.output[0] == "styled")
    last.output[0] = model.graph.output[0].name = "painted"


def of_one_size(model: onnx.ModelProto) -> None:
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[1].dim_value = 240


DAMAGED: list[tuple[Callable[[onnx.ModelProto], None], str]] = [
    (with_value(float("nan")), r"generator\.stem\.weight holds values that are not finite"),
    (with_value(float("-inf")), r"generator\.stem\.weight holds values that are not finite"),
    (with_constant_that_is_not_finite, "holds values that are not finite"),
    (with_operator_that_is_none, "Convolve"),
    (with_weights_cut_short, "data size|reshape"),
    (with_weights_of_another_shape, ""),  # in onnx's or onnxruntime's words
    (with_weights_in_another_file, r"generator\.stem\.weight lies in another file"),
    (without_inputs, r"takes nothing and gives styled UINT8 \[batch, height, width, 3\], expected frame"),
    (without_outputs, "gives nothing, expected frame"),
    (with_output_of_another_name, "gives painted UINT8"),
    (of_one_size, r"takes frame UINT8 \[batch, 240, width, 3\]"),
]


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("content")
    save_image(folder / "a.png", torch.rand(3, 64, 80, generator=torch.Generator().manual_seed(0)))
    return folder


def refusal_of(program: str, folder: Path, content: Path, capfd: pytest.CaptureFixture[str]) -> str:
    """What a program says of a style that it refuses, and leaves as it is."""
    (folder / "style.json").write_text(json.dumps(FACTS))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    code = PROGRAMS[program]([str(folder), *(["--content", str(content)] if program == "quantise" else [])])
    assert code == 4
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    said = capfd.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert said.err.startswith("error: ")
    return said.err


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(("damage", "reason"), DAMAGED, ids=lambda found: getattr(found, "__name__", ""))
def test_a_damaged_network_is_refused_in_one_line(
    tmp_path: Path,
    content: Path,
    capfd: pytest.CaptureFixture[str],
    program: str,
    damage: Callable[[onnx.ModelProto], None],
    reason: str,
) -> None:
    model = onnx.load(SOURCE)
    damage(model)
    (tmp_path / "fast.onnx").write_bytes(model.SerializeToString())
    assert re.search(reason, refusal_of(program, tmp_path, content, capfd))


@pytest.mark.parametrize("program", PROGRAMS)
def test_foreign_and_empty_files_are_refused_in_one_line(
    tmp_path: Path, content: Path, capfd: pytest.CaptureFixture[str], program: str
) -> None:
    path = tmp_path / "fast.onnx"
    write_foreign_onnx(path)
    assert "takes image FLOAT [" in refusal_of(program, tmp_path, content, capfd)
    write_style_onnx(path, inverts=False)  # by the contract, but nothing in it to be made smaller
    refusal_of(program, tmp_path, content, capfd)
    write_style_onnx(path)
    refusal_of(program, tmp_path, content, capfd)
    path.write_bytes(b"")
    assert "the file is empty" in refusal_of(program, tmp_path, content, capfd)
    path.write_bytes(b"junk")
    assert "not an ONNX model that can be read; export the style again" in refusal_of(program, tmp_path, content, capfd)


def test_a_network_that_is_not_the_one_described_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fast.onnx"
    path.write_bytes(SOURCE.read_bytes())
    entry = {"sha256": "0" * 64}
    for tiers, is_known in (({"fast": {"fp32": entry}}, True), ({"fast": {"int8": entry}}, False), ({"fast": []}, False)):
        (tmp_path / "style.json").write_text(json.dumps(FACTS | {"tiers": tiers}))
        if is_known:
            with pytest.raises(ModelError, match=r"its SHA-256 is not the one in style\.json"):
                float32_of(tmp_path, "fast")
        else:
            assert float32_of(tmp_path, "fast")[0] == path


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*/f???.onnx")), ids=lambda path: f"{path.parent.name} {path.stem}")
def test_every_network_that_ships_is_accepted(path: Path) -> None:
    assert float32_of(path.parent, path.stem)[0] == path
    assert read_network(path).graph.node
