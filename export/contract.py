"""What int8 and float16 are made from: a style's float32 network, read as foreign input."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, numpy_helper

from export.description import graph_sha256, known_sha256, read_description
from realtime.errors import ModelError, UserError, first_line
from realtime.gallery import ModelFile, verify

_FRAME = "{} UINT8 [batch, height, width, 3]"
_EXPECTED = [[_FRAME.format("frame")], [_FRAME.format("styled")]]


def float32_of(folder: Path, tier: str) -> tuple[Path, str]:
    """A style's float32 network, the one that its description tells of, and the SHA-256 of its graph.

    Raises:
        ModelError: it is not there, damaged or exchanged, or the description cannot be used.
    """
    path = folder / f"{tier}.onnx"
    if not os.path.isfile(path):
        raise ModelError(f"{path}: no such file; export the style first")
    verify(ModelFile(path, known_sha256(read_description(folder), tier, "fp32")))
    return path, graph_sha256(path)


def description_now(source: Path, graph: str) -> dict[str, Any]:
    """The description of a style whose float32 network another was made of, which takes minutes: others may have changed it.

    Raises:
        ModelError: the float32 network is another one now.
    """
    if graph_sha256(source) != graph:
        raise ModelError(f"{source}: was replaced while another network was made of it; run this again")
    return read_description(source.parent)


@contextmanager
def told_in_one_line(path: Path) -> Iterator[None]:
    """Makes one line of whatever onnx and onnxruntime raise meanwhile over a network that is foreign or damaged.

    Raises:
        ModelError: they raised.
    """
    try:
        yield
    except (UserError, OSError):  # told already, or of the disk
        raise
    except Exception as error:  # protobuf's, onnx's and onnxruntime's own have no common base
        raise ModelError(
            f"{path}: not a network that python -m export.to_onnx wrote ({first_line(error)}); export the style again"
        ) from None


def read_network(path: Path) -> onnx.ModelProto:
    """A network of frames by the contract, whose values are all there and finite.

    Raises:
        ModelError: it is another one, or damaged.
    """
    with told_in_one_line(path):
        model = onnx.load_model_from_string(verify(ModelFile(path, None)))
        found = [[_describe(value) for value in values] for values in (model.graph.input, model.graph.output)]
        if found != _EXPECTED:
            takes, gives = (", ".join(values) or "nothing" for values in found)
            expected = " and ".join(values[0] for values in _EXPECTED)
            raise ModelError(f"{path}: takes {takes} and gives {gives}, expected {expected}; export the style again")
        constants = [item.t for node in model.graph.node for item in node.attribute if item.type == AttributeProto.TENSOR]
        for tensor in (*model.graph.initializer, *constants):
            _check_values(tensor)
        onnx.checker.check_model(model)
    return model


def _describe(value: onnx.ValueInfoProto) -> str:
    found = value.type.tensor_type
    shape = ", ".join(dimension.dim_param or str(dimension.dim_value) for dimension in found.shape.dim)
    return f"{value.name} {TensorProto.DataType.Name(found.elem_type)} [{shape}]"


def _check_values(tensor: TensorProto) -> None:
    """Refuses values that are cut short, not finite, or lie in another file, which is never opened."""
    if tensor.data_location == TensorProto.EXTERNAL:
        raise ValueError(f"{tensor.name} lies in another file")
    if not np.isfinite(numpy_helper.to_array(tensor)).all():
        raise ValueError(f"{tensor.name} holds values that are not finite")
