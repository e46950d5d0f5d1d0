"""Texture networks as files: safetensors, tensors alone, read as foreign input."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from models.tensor_files import encode_tensors, read_tensors
from models.texture_net import TextureNet, TextureSettings
from realtime.errors import ModelError, UserError, first_line

SUFFIX = ".safetensors"
_FORMAT = "stylecam-texture-1"
_MAX_FILE_BYTES = 16 * 2**20
_HINT = "learn one with python -m models.textures PAINTING --save FILE.safetensors"


def encode_texture(network: TextureNet, painting: str) -> bytes:
    """The bytes of a network's file.

    Args:
        painting: name of the picture it was learnt from, for whoever asks.
    """
    told = {"settings": json.dumps(asdict(network.settings)), "painting": painting}
    return encode_tensors(network.state_dict(), _FORMAT, told)


def load_texture(path: Path) -> TextureNet:
    """Reads a network, ready to paint.

    Raises:
        ModelError: not there, too large, or not a texture network.
    """
    metadata, tensors = read_tensors("texture network", path, _MAX_FILE_BYTES, _FORMAT, _HINT)
    try:
        network = TextureNet(TextureSettings(**json.loads(metadata.get("settings", ""))))
    except (UserError, ValueError, TypeError, RecursionError) as error:
        raise ModelError(f"texture network {path}: its settings are none of ours ({first_line(error)}); {_HINT}") from None
    _check_tensors(path, tensors, network.state_dict())
    network.load_state_dict(tensors)
    return network.eval()


def _check_tensors(path: Path, found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    for name in sorted(found.keys() | expected.keys()):
        if name not in found or name not in expected:
            raise ModelError(
                f"texture network {path}: tensor {name} is {'missing' if name in expected else 'unknown'}; {_HINT}"
            )
        tensor, shape = found[name], tuple(expected[name].shape)
        if tuple(tensor.shape) != shape or not tensor.is_floating_point():
            raise ModelError(
                f"texture network {path}: tensor {name}: expected real numbers of shape {shape}, "
                f"found {tensor.dtype} of {tuple(tensor.shape)}; {_HINT}"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise ModelError(f"texture network {path}: tensor {name} holds values that are not finite; {_HINT}")
