"""Weights that an ONNX file keeps in other files beside it, as PyTorch's exporter writes them if nothing else is said."""

from __future__ import annotations

import os
import re
from pathlib import Path

from realtime.errors import ModelError
from realtime.gallery import check_size

# A StringStringEntryProto in TensorProto's field 13, external_data: its length, the key "location", then the length of the
# value, and the value: the name of a file. Lengths are varints, here of up to two bytes.
_LOCATION = re.compile(rb"\x6a[\x80-\xff]?[\x01-\x7f]\n\x08location\x12([\x80-\xff]?[\x01-\x7f])", re.DOTALL)


def outside_weights(model: bytes, path: Path) -> list[Path]:
    """The files that hold a model's weights; none where it holds them itself.

    Args:
        model: what the ONNX file holds.
        path: of that file.
    Raises:
        ModelError: one of them is missing, too large or not in the model's folder.
    """
    names = {model[found.end() :][: _length(found[1])] for found in _LOCATION.finditer(model)}
    return [_checked(os.fsdecode(name), path) for name in sorted(names)]


def _length(varint: bytes) -> int:
    return sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(varint))


def _checked(name: str, path: Path) -> Path:
    weights = Path(os.path.normpath(path.parent / name))
    if os.path.isabs(name) or not weights.is_relative_to(path.parent):
        raise ModelError(f"model {path}: names weights outside its folder ({name}); expected them beside it")
    if not os.path.isfile(weights):
        raise ModelError(f"model {path}: its weights {name} are not beside it; put both files into one folder")
    if not Path(os.path.realpath(weights)).is_relative_to(os.path.realpath(path.parent)):
        raise ModelError(f"model {path}: its weights {name} are a link to another folder; copy both files into one folder")
    check_size(weights)
    return weights
