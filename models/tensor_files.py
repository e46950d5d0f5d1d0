"""safetensors files: tensors alone, with what they are in the metadata; read as foreign input."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from models.names import legible
from models.torch_files import check_size
from realtime.errors import ModelError, first_line


def encode_tensors(tensors: Mapping[str, Tensor], file_format: str, told: Mapping[str, str]) -> bytes:
    """The bytes of a file.

    Args:
        tensors: such as a network's state dict.
        file_format: by which `read_tensors` knows the file again.
        told: more metadata; what is no text in it becomes question marks.
    """
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    return save(plain, {"format": file_format} | {key: legible(value) for key, value in told.items()})


def read_tensors(
    what: str, path: Path, most_bytes: int, file_format: str, hint: str
) -> tuple[dict[str, str], dict[str, Tensor]]:
    """A file's metadata and its tensors, on the processor.

    Args:
        what: the file is, for messages.
        hint: what to do where it cannot be used.
    Raises:
        ModelError: not there, too large, no safetensors file, or one of another format.
    """
    check_size(what, path, most_bytes, hint)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a mapping)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{what} {path}: not a safetensors file ({first_line(error)})") from None
    if metadata.get("format") != file_format:
        raise ModelError(f"{what} {path}: expected the format {file_format!r}; {hint}")
    return metadata, tensors
