"""float16 from float32, for GPUs: python -m export.half STYLE_FOLDER.

Weights and activations in float16 from the first node to the last; bytes are turned into float16 at once and back at
the very end. The float32 graph does what it can on bytes, which a processor likes; onnxruntime's CUDA kernels know
neither Pad of bytes nor, in this opset, QuantizeLinear of float16, and a node that they do not know runs on the
processor with copies around it, and keeps the run from being recorded as a CUDA graph.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import realtime.program.quiet  # noqa: F401
from export.contract import description_now, float32_of, read_network, told_in_one_line
from export.description import MEASURED, put_network, write_metadata
from export.parity import Parity, measure_precision, soft_frames
from realtime.errors import EXIT_DONE, ModelError, OutputError
from realtime.gallery import TIERS
from realtime.program import argument_types
from realtime.program.interruption import entry_point
from realtime.program.standard_streams import lose_unread

LARGEST_DIFFERENCE = 12  # grey levels, of single pixels
MEAN_DIFFERENCE = 0.5
_PARITY_SIZES_HW = ((256, 320), (96, 64))
_BYTES_TO_FLOATS, _FLOATS_TO_BYTES = "DequantizeLinear", "QuantizeLinear"


def halve(source: Path, target: Path) -> None:
    """Writes the float16 network.

    Args:
        source: float32 ONNX file by the contract.
        target: file to write.
    Raises:
        ModelError: source is not a float32 network by the contract.
    """
    model = read_network(source)
    graph = model.graph
    del graph.value_info[:]  # it tells the types of before, as do the metadata
    del graph.metadata_props[:]
    with told_in_one_line(source):
        _floats_from_the_start(graph)
        _floats_to_the_end(graph, source)
        _halve_constants(graph)
        onnx.checker.check_model(model)
        onnx.save(model, target)


def _floats_from_the_start(graph: onnx.GraphProto) -> None:
    """Turns the frame into float16 first of all, and leaves out what turned bytes into floats later."""
    frame = graph.input[0].name
    half = f"{frame}_half"
    replaced = {frame: half}
    for node in [node for node in graph.node if node.op_type == _BYTES_TO_FLOATS]:
        _check_is_plain(node, graph)
        replaced[node.output[0]] = node.input[0]
        graph.node.remove(node)
    for node in graph.node:
        if node.op_type != "Shape":  # what asks for sizes alone may ask the bytes
            node.input[:] = [_followed(name, replaced) for name in node.input]
    graph.node.insert(0, helper.make_node("Cast", [frame], [half], name="frame_to_half", to=TensorProto.FLOAT16))


def _floats_to_the_end(graph: onnx.GraphProto, source: Path) -> None:
    """Rounds, clamps and turns into bytes with operators that CUDA knows in float16."""
    last = [node for node in graph.node if node.op_type == _FLOATS_TO_BYTES]
    if len(last) != 1:
        raise ModelError(f"{source}: turns into bytes at {len(last)} places, expected one; export the style again")
    node = last[0]
    _check_is_plain(node, graph)
    position = list(graph.node).index(node)
    graph.node.remove(node)
    ends = [numpy_helper.from_array(np.array(end, np.float16), f"grey_level_{end}") for end in (0, 255)]
    graph.initializer.extend(ends)
    painted, (lowest, highest) = node.input[0], (end.name for end in ends)
    steps = [
        helper.make_node("Round", [painted], ["painted_rounded"]),
        helper.make_node("Clip", ["painted_rounded", lowest, highest], ["painted_clamped"]),
        helper.make_node("Cast", ["painted_clamped"], [node.output[0]], to=TensorProto.UINT8),
    ]
    for offset, step in enumerate(steps):
        graph.node.insert(position + offset, step)


def _check_is_plain(node: onnx.NodeProto, graph: onnx.GraphProto) -> None:
    """Scale 1 and zero point 0: a change of type and nothing else."""
    constants = {constant.name: numpy_helper.to_array(constant).reshape(-1) for constant in graph.initializer}
    found = [constants[name].tolist() for name in node.input[1:] if name in constants]
    if found != [[1.0], [0]]:
        raise ModelError("half: the network is quantised already; make it from the float32 one")


def _halve_constants(graph: onnx.GraphProto) -> None:
    """Weights, biases and other constants; those that nothing reads any more are taken out."""
    used = {name for node in graph.node for name in node.input}
    for constant in list(graph.initializer):
        if constant.name not in used:
            graph.initializer.remove(constant)
        elif constant.data_type == TensorProto.FLOAT:
            constant.CopyFrom(_half(constant))
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR and attribute.t.data_type == TensorProto.FLOAT:
                attribute.t.CopyFrom(_half(attribute.t))


def _half(tensor: onnx.TensorProto) -> onnx.TensorProto:
    values = numpy_helper.to_array(tensor)
    if np.abs(values).max(initial=0) > np.finfo(np.float16).max:
        raise ModelError(f"half: the constant {tensor.name} is too large for float16")
    return numpy_helper.from_array(values.astype(np.float16), tensor.name)


def _followed(name: str, replaced: dict[str, str]) -> str:
    while name in replaced:
        name = replaced[name]
    return name


def make_half(folder: Path, tier: str) -> Parity:
    """Adds the float16 network to a style, after comparing its paintings with those of float32.

    Raises:
        ModelError: no float32 network, or float16 paints something else.
        OutputError: the folder cannot be written.
    """
    source, graph = float32_of(folder, tier)
    partial = folder / f".{tier}.fp16.onnx"
    try:
        halve(source, partial)
        with told_in_one_line(source):
            parity = measure_precision(source, partial, soft_frames(_PARITY_SIZES_HW))
        if parity.largest > LARGEST_DIFFERENCE or parity.mean > MEAN_DIFFERENCE:
            raise ModelError(
                f"{source}: float16 differs by up to {parity.largest} grey levels ({parity.mean:.3f} in the mean), "
                f"allowed are {LARGEST_DIFFERENCE} and {MEAN_DIFFERENCE}; use float32"
            )
        write_metadata(partial, {"precision": "fp16"}, without=MEASURED)
        found = {"parity_largest": parity.largest, "parity_mean": round(parity.mean, 5)}
        put_network(folder, description_now(source, graph), tier, "fp16", partial, found)
    except OSError as error:
        raise OutputError(f"style {folder}: cannot be written ({error.strerror})") from None
    finally:
        partial.unlink(missing_ok=True)
    return parity


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    lose_unread("stdout", "stderr")
    parser = argument_types.Parser(prog="python -m export.half", description="Make a style's float16 network, for GPUs.")
    parser.add_argument("folder", type=Path, metavar="STYLE_FOLDER")
    parser.add_argument("--tier", default="fast", choices=TIERS)
    args = parser.parse_args(argv)
    parity = make_half(args.folder, args.tier)
    target = args.folder / f"{args.tier}.fp16.onnx"
    print(f"{target}: {target.stat().st_size} bytes, up to {parity.largest} grey levels from float32 ({parity.mean:.3f} mean)")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
