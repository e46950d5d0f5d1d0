"""Texture networks on disk: safetensors files of tensors alone, read as foreign input."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from models.names import legible
from models.texture_net import TextureNet, TextureSettings
from models.torch_files import check_size
from realtime.errors import ModelError, OutputError, UserError, first_line
from realtime.program.written_paths import whole_file

SUFFIX = ".safetensors"
_FORMAT = "stylecam-texture-1"
_MAX_FILE_BYTES = 16 * 2**20
_HINT = "learn one with python -m models.textures PAINTING --save FILE.safetensors"


def save_texture(network: TextureNet, path: Path, painting: str) -> None:
    """Writes a network, whole or not at all.

    Args:
        painting: name of the picture it was learnt from, for whoever asks.
    Raises:
        OutputError: the file cannot be written.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    metadata = {"format": _FORMAT, "settings": json.dumps(asdict(network.settings)), "painting": legible(painting)}
    try:
        with whole_file(path) as partial:
            partial.write_bytes(save(tensors, metadata))  # save_file would make a file for its owner alone
    except (OSError, SafetensorError) as error:
        raise OutputError(f"--save {path}: cannot be written ({first_line(error)})") from None


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
        network.load_state_dict(tensors)
    except (UserError, ValueError, TypeError, RuntimeError, RecursionError) as error:
        raise ModelError(f"texture network {path}: cannot be rebuilt ({first_line(error)}); {_HINT}") from None
    if not all(bool(torch.isfinite(value).all()) for value in network.state_dict().values()):
        raise ModelError(f"texture network {path}: holds values that are not finite; {_HINT}")
    return network.eval()
