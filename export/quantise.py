"""int8 from float32: python -m export.quantise STYLE_FOLDER --content FOLDER.

QDQ by onnxruntime's own static quantiser: activations uint8, weights int8 for each channel. Frames are bytes already,
so the quantised graph starts and ends with them: no float touches the full-size picture.

Two things keep the painting as steady as float32's nearly is. Activations that lie on the border between two steps
flip with the camera's noise, so the steps have to be small: a ReLU is quantised with the convolution before it, whose
negative half would otherwise take most of the 256 steps and be thrown away afterwards; and the range is the one that
holds 99.9 % of the values, not the largest one ever seen.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

import realtime.program.quiet  # noqa: F401
from export.contract import description_now, float32_of, read_network, told_in_one_line
from export.description import MEASURED, put_network, write_metadata
from export.parity import Parity, measure_precision
from models.images import cut_long_side, load_image, resize_short_side
from models.photos import list_photos, training_photos
from realtime.errors import EXIT_DONE, ModelError, OutputError, SourceError
from realtime.gallery import TIERS
from realtime.program import argument_types
from realtime.program.interruption import entry_point
from realtime.program.standard_streams import lose_unread

_CALIBRATION_PHOTOS = 48
_COMPARED_PHOTOS = 8
_CALIBRATION_SIDE = 256  # pixels; the quantiser's histograms want pictures of one size
_SHORT_SIDE = 9 / 8  # of a large photo, by that: seen nearly as a whole, as in training, not through a keyhole
MEAN_DIFFERENCE = 12.0  # grey levels; what ships has 2 to 4.3, a network that has lost its colours or edges far more
PERCENTILE = 99.9  # below 99.5 the painting itself changes, above 99.99 its flicker grows
_QUANTISED = ["Conv", "Relu", "Add", "Concat", "Split", "Reshape", "Transpose", "Slice"]
_MOVES_BYTES = frozenset({"Concat", "Reshape", "Slice", "Split", "Transpose"})


class PhotoReader(CalibrationDataReader):
    """Hands the middles of photographs to the quantiser, one at a time, all of one size.

    Args:
        photos: large ones are shrunk and those smaller than a side enlarged, those that cannot be read skipped, as in training.
        side: in pixels, a multiple of the network's stride.
    """

    def __init__(self, photos: list[Path], side: int = _CALIBRATION_SIDE) -> None:
        self._frames = _frames(photos, side)
        self.first: list[Any] = []  # of what was handed out, kept to compare with

    def get_next(self) -> Any:
        """The next photograph, or None after the last.

        Raises:
            SourceError: none of them can be read.
        """
        found = next(self._frames, None)
        if found is not None and len(self.first) < _COMPARED_PHOTOS:
            self.first.append(found["frame"])
        return found


def quantise(source: Path, target: Path, photos: list[Path], percentile: float = PERCENTILE) -> Parity:
    """Writes the int8 network, and compares its paintings of some of the photographs with those of float32.

    Args:
        source: float32 ONNX file by the contract.
        target: file to write.
        photos: for calibration.
        percentile: of a tensor's values on them, how many its range holds.
    Returns:
        How far it is from float32.
    Raises:
        ModelError: source is not a network by the contract, or the quantised graph is not what was expected.
    """
    model = read_network(source)
    logging.getLogger().setLevel(logging.CRITICAL)  # the quantiser warns of a step that was taken, and logs tracebacks
    reader = PhotoReader(photos)
    # In a folder of its own: onnxruntime opens no file of the user's whose name is not UTF-8.
    with told_in_one_line(source), tempfile.TemporaryDirectory(prefix="stylecam-") as work:
        given, prepared, raw = (str(Path(work) / f"{name}.onnx") for name in ("given", "prepared", "raw"))
        onnx.save(model, given)
        quant_pre_process(given, prepared, skip_symbolic_shape=True)
        with contextlib.redirect_stdout(io.StringIO()):  # the calibration tells its progress
            quantize_static(
                prepared,
                raw,
                reader,
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.Percentile,
                op_types_to_quantize=_QUANTISED,
                extra_options={"CalibPercentile": percentile},
            )
        model = onnx.load(raw)
        _end_in_bytes(model)
        _ask_bytes_for_shapes(model)
        _remove_unused(model)
        _forget_unused_domains(model)
        onnx.checker.check_model(model)
        onnx.save(model, target)
        return measure_precision(source, target, reader.first)


def _end_in_bytes(model: onnx.ModelProto) -> None:
    """Lets the last sum be quantised straight to grey levels: scale 1, zero 0, which also clamps and rounds.

    The quantiser, not knowing that a QuantizeLinear follows anyway, puts a pair of its own before it: twice rounded,
    and two passes over the whole picture.
    """
    producers = {output: node for node in model.graph.node for output in node.output}
    constants = {initializer.name: initializer for initializer in model.graph.initializer}
    # Backwards from the graph's end: the bytes it begins with may be quantised with scale 1 as well.
    last = producers.get(model.graph.output[0].name)
    while last is not None and last.op_type in _MOVES_BYTES:
        last = producers.get(last.input[0])
    if last is not None and (last.op_type != "QuantizeLinear" or _value(constants, last.input[1]) != 1.0):
        last = None
    if last is None:
        raise ModelError("quantise: the graph does not end with grey levels; export it again")
    while (dequantise := producers.get(last.input[0])) is not None and dequantise.op_type == "DequantizeLinear":
        quantiser = producers.get(dequantise.input[0])
        if quantiser is None or quantiser.op_type != "QuantizeLinear":
            break
        last.input[0] = quantiser.input[0]


def _ask_bytes_for_shapes(model: onnx.ModelProto) -> None:
    """Reads sizes from the bytes: the quantiser reads them from floats, which are then made for nothing else."""
    producers = {output: node for node in model.graph.node for output in node.output}
    for node in model.graph.node:
        asked = producers.get(node.input[0]) if node.op_type == "Shape" else None
        if asked is not None and asked.op_type == "DequantizeLinear":
            node.input[0] = asked.input[0]


def _forget_unused_domains(model: onnx.ModelProto) -> None:
    """Takes out the versions of operators that the quantiser knows and the graph does not use."""
    used = {node.domain for node in model.graph.node}
    kept = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)


def _remove_unused(model: onnx.ModelProto) -> None:
    """Takes out nodes and constants that nothing reads any more."""
    while True:
        used = {name for node in model.graph.node for name in node.input} | {value.name for value in model.graph.output}
        unused = [node for node in model.graph.node if not used.intersection(node.output)]
        for node in unused:
            model.graph.node.remove(node)
        if not unused:
            break
    for constant in [constant for constant in model.graph.initializer if constant.name not in used]:
        model.graph.initializer.remove(constant)


def _value(constants: dict[str, onnx.TensorProto], name: str) -> float:
    if name not in constants:
        return float("nan")
    value = onnx.numpy_helper.to_array(constants[name])
    return float(value) if value.ndim == 0 else float("nan")


def _frames(photos: list[Path], side: int) -> Iterator[dict[str, Any]]:
    unreadable = 0
    for path in photos:
        try:
            frame_bgr = _middle(path, side)
        except SourceError as error:
            print(f"skipped: {error}", file=sys.stderr)
            unreadable += 1
        else:
            yield {"frame": frame_bgr}
    if unreadable == len(photos):
        raise SourceError("content folder: none of the photographs for calibration can be read; give one with JPEG or PNG")


def _middle(path: Path, side: int) -> Any:
    """The middle of a photograph as a frame: (1, side, side, 3) uint8 BGR."""
    picture = cut_long_side(load_image(path))
    short = min(picture.shape[1:])
    picture = resize_short_side(picture, min(max(short, side), round(side * _SHORT_SIDE)))
    top, left = ((length - side) // 2 for length in picture.shape[1:])
    frame_bgr = picture[:, top : top + side, left : left + side].numpy()[::-1].transpose(1, 2, 0)
    return np.ascontiguousarray(frame_bgr[np.newaxis])


def make_int8(folder: Path, tier: str, content: Path, percentile: float = PERCENTILE) -> Parity:
    """Adds the int8 network to a style, after comparing its paintings with those of float32.

    Args:
        content: photographs, of which some that are in no measurement are calibrated on.
        percentile: how many of the values on them a tensor's range holds.
    Returns:
        How far it is from float32.
    Raises:
        SourceError: no photographs, or none that can be read.
        ModelError: no float32 network, none that can be quantised, or int8 paints something else.
        OutputError: the folder cannot be written.
    """
    (source, graph), partial = float32_of(folder, tier), folder / f".{tier}.int8.onnx"
    photos = training_photos(list_photos(content))
    photos = photos[:: max(1, len(photos) // _CALIBRATION_PHOTOS)][:_CALIBRATION_PHOTOS]
    try:
        parity = quantise(source, partial, photos, percentile)
        if parity.mean > MEAN_DIFFERENCE:
            raise ModelError(
                f"{source}: int8 differs by {parity.mean:.1f} grey levels in the mean, allowed are {MEAN_DIFFERENCE}; "
                "use float32, or calibrate on other photographs"
            )
        write_metadata(partial, {"precision": "int8"}, without=MEASURED)
        found = {"parity_largest": parity.largest, "parity_mean": round(parity.mean, 5), "percentile": percentile}
        put_network(folder, description_now(source, graph), tier, "int8", partial, found)
    except OSError as error:
        raise OutputError(f"style {folder}: cannot be written ({error.strerror})") from None
    finally:
        partial.unlink(missing_ok=True)
    return parity


def build_parser() -> argparse.ArgumentParser:
    """The command line of python -m export.quantise."""
    parser = argument_types.Parser(prog="python -m export.quantise", description="Make a style's int8 network.")
    parser.add_argument("folder", type=Path, metavar="STYLE_FOLDER")
    parser.add_argument("--content", type=Path, required=True, metavar="FOLDER|VIDEO", help="photographs for calibration")
    parser.add_argument("--tier", default="fast", choices=TIERS)
    parser.add_argument(
        "--percentile",
        type=argument_types.percentile,
        default=PERCENTILE,
        metavar="P",
        help="share of the values that a range holds, 99 to 100 (default %(default)s): more keeps strong colours, and flickers",
    )
    return parser


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    lose_unread("stdout", "stderr")
    args = build_parser().parse_args(argv)
    parity = make_int8(args.folder, args.tier, args.content, args.percentile)
    target = args.folder / f"{args.tier}.int8.onnx"
    print(f"{target}: {target.stat().st_size} bytes, {parity.mean:.2f} grey levels from float32 in the mean")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
