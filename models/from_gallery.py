"""A generator to train on from, out of the ONNX file of a style: what export.graph folded, unfolded.

A painting with strong strokes is a better start for another one than weights that have learnt none, and a style that
ships can be trained on although only its network is kept.
"""

from __future__ import annotations

from dataclasses import asdict

import onnx
import torch
from onnx import TensorProto, numpy_helper
from torch import Tensor

from models.cells import reversed_colours
from models.checkpoint import generator_from_checkpoint
from models.generator import CELLS, TIER_NAMES, Generator, GeneratorSettings
from realtime.errors import ModelError, first_line
from realtime.gallery import ModelFile, Style, verify

_PREFIX = "generator."  # of the weights' names in the graph
_WITHOUT_BIAS = "keep.weight"
_COLOURS = 3
_LEVELS = 255
_PRECISION = "fp32"  # bytes and float16 are of it, and less


def generator_of_style(style: Style, tier: str) -> Generator:
    """The generator of a style of the gallery, of the tier wanted where it has one, else of the tier it has.

    Raises:
        ModelError: no float32 network, or one that is not ours.
    """
    for name in (tier, *TIER_NAMES):
        model = style.models.get(name, {}).get(_PRECISION)
        if model is not None:
            return generator_of_file(model)
    raise ModelError(f"--from {style.name}: has no {_PRECISION} network to begin with")


def generator_of_file(model: ModelFile) -> Generator:
    """The generator of an ONNX file that export.to_onnx wrote; it paints the same, up to rounding.

    Raises:
        ModelError: missing, damaged, or not a float32 network of ours.
    """
    try:
        found = onnx.load_model_from_string(verify(model))
        tensors = _read_weights(found.graph)
        tier = {entry.key: entry.value for entry in found.metadata_props}.get("tier", TIER_NAMES[0])
        settings = _settings(tensors, tier)
        return generator_from_checkpoint({"settings": asdict(settings), "generator": _unfolded(tensors, settings)})
    except ModelError:
        raise
    except Exception as error:  # a damaged file makes protobuf, onnx, NumPy and PyTorch raise all kinds
        reason = first_line(error, longest=120)
        raise ModelError(f"--from {model.path}: not a float32 network written by python -m export.to_onnx ({reason})") from None


def _read_weights(graph: onnx.GraphProto) -> dict[str, Tensor]:
    """The generator's weights and biases by name; the exporter leaves out biases of zero, such as before a normalisation."""
    tensors = {
        tensor.name.removeprefix(_PREFIX): _values(tensor) for tensor in graph.initializer if tensor.name.startswith(_PREFIX)
    }
    for name in [name for name in tensors if name.endswith(".weight") and name != _WITHOUT_BIAS]:
        tensors.setdefault(name.replace(".weight", ".bias"), torch.zeros(len(tensors[name])))
    return tensors


def _values(tensor: TensorProto) -> Tensor:
    """Its values, which have to be in the file itself: another file that it names is never opened."""
    if tensor.data_location == TensorProto.EXTERNAL:
        raise ValueError(f"{tensor.name} lies in another file")
    if tensor.data_type != TensorProto.FLOAT:
        raise ValueError(f"{tensor.name} is not float32")
    return torch.from_numpy(numpy_helper.to_array(tensor).copy())


def _settings(tensors: dict[str, Tensor], tier: str) -> GeneratorSettings:
    """The shape of the generator that the weights belong to."""
    depth = tensors["stem.weight"].shape[1]
    cells = [cell for cell in CELLS if _COLOURS * cell * cell == depth]
    if not cells:
        raise ValueError(f"its stem takes {depth} channels")
    blocks = {name.split(".")[1] for name in tensors if name.startswith("trunk.")}
    widths = (len(tensors["stem.bias"]), len(tensors["down.bias"]))
    return GeneratorSettings(tier, *widths, blocks=len(blocks), cell=cells[0], normalised="stem_norm.weight" in tensors)


def _unfolded(tensors: dict[str, Tensor], settings: GeneratorSettings) -> dict[str, Tensor]:
    """Weights for RGB in 0..1 in the generator's own layout (see export.graph and models.folding.fold)."""
    depth = _COLOURS * settings.cell**2
    order = reversed_colours(depth)
    weights = dict(tensors)
    weights["stem.weight"] = tensors["stem.weight"][:, order] * _LEVELS
    weights["paint.weight"] = tensors["paint.weight"][:depth][order] / _LEVELS  # channels after those are read by nothing
    weights["paint.bias"] = (tensors["paint.bias"][:depth][order] / _LEVELS)[:_COLOURS]
    weights["keep.weight"] = tensors["keep.weight"][:depth, :, 0, 0][order][:, order]
    weights["up.bias"] = tensors["up.bias"][: settings.stem_width]
    if settings.normalised:
        scales = {name: value for name, value in tensors.items() if name.endswith("norm.weight")}
        weights |= {name.replace(".weight", ".spread"): torch.ones_like(scale) for name, scale in scales.items()}
    return weights
