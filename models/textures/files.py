"""Texture networks as files: safetensors, tensors alone, read as foreign input."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from models.names import legible
from models.texture_net import TextureNet, TextureSettings
from models.torch_files import check_size
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
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    metadata = {"format": _FORMAT, "settings": json.dumps(asdict(network.settings)), "painting": legible(painting)}
    return save(tensors, metadata)


def load_texture(path: Path) -> TextureNet:
    """Reads a network, ready to paint.

    Raises:
        ModelError: not there, too large, or not a texture network.
    """
    check_size("texture network", path, _MAX_FILE_BYTES, _HINT)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a mapping)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"texture network {path}: not a safetensors file ({first_line(error)})") from None
    if metadata.get("format") != _FORMAT:
        raise ModelError(f"texture network {path}: expected the format {_FORMAT!r}; {_HINT}")
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
