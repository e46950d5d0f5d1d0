"""Files of weights, read as foreign input: their size first, then plain tensors and values alone."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch

from realtime.errors import ModelError

_ZIP_BEGINS = b"PK\x03\x04"  # by which PyTorch itself tells its formats apart


def check_size(what: str, path: Path, most_bytes: int, hint: str) -> None:
    """Refuses a file that is missing, empty or too large, before it is read.

    Args:
        what: the file is, for messages.
        hint: what to do where it cannot be used.
    Raises:
        ModelError: with what was found.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ModelError(f"{what} {path}: cannot be read ({error.strerror}); {hint}") from None
    if not 0 < size <= most_bytes:
        raise ModelError(f"{what} {path}: expected at most {most_bytes} bytes, found {size}; {hint}")


def load_plain(what: str, path: Path, most_bytes: int, hint: str) -> Any:
    """What a file holds, on the processor.

    Args:
        what: the file is, for messages.
        most_bytes: that it may have, on the disk as well as in memory.
        hint: what to do where it cannot be used.
    Raises:
        ModelError: not there, too large, or not a file of plain tensors and values.
    """
    check_size(what, path, most_bytes, hint)
    try:
        if not _is_as_large_as_it_looks(path, most_bytes):
            raise ModelError(f"{what} {path}: compressed, or expected at most {most_bytes} bytes unpacked; {hint}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's remarks on odd files; the reason is given below
            return torch.load(path, map_location="cpu", weights_only=True)
    except ModelError:
        raise
    except Exception:  # what a damaged file makes PyTorch and zipfile raise ranges from UnpicklingError to AssertionError
        raise ModelError(f"{what} {path}: not a PyTorch file of plain tensors and values; {hint}") from None


def _is_as_large_as_it_looks(path: Path, most_bytes: int) -> bool:
    """Whether a zip holds its parts as they are, as PyTorch writes them; PyTorch would unpack compressed ones of any size."""
    with path.open("rb") as file:
        if file.read(len(_ZIP_BEGINS)) != _ZIP_BEGINS:  # the format before 1.6: no zip
            return True
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
    return all(part.compress_type == zipfile.ZIP_STORED for part in parts) and sum(p.file_size for p in parts) <= most_bytes
