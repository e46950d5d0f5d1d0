"""Checkpoints of a training run: one file, written whole or not at all, read as foreign input."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from models.generator import Generator, build_generator, settings_from_dict
from models.normalisation import InstanceNormalisation
from models.torch_files import load_plain
from realtime.errors import ModelError, OutputError, first_line
from realtime.program.written_paths import whole_file

CHECKPOINT_NAME = "checkpoint.pt"
_FORMAT = "stylecam-checkpoint-1"
_MAX_FILE_BYTES = 400 * 2**20
_DEEPEST_RECIPE = 8  # dicts and lists within each other
_HINT = "train one with python -m models.train"


def save_checkpoint(run: Path, content: dict[str, Any]) -> None:
    """Replaces RUN/checkpoint.pt in one step; tensors and plain values only.

    Raises:
        OutputError: the file cannot be written.
    """
    path = run / CHECKPOINT_NAME
    try:
        with whole_file(path) as partial:
            torch.save({"format": _FORMAT, **content}, partial)
    except (OSError, RuntimeError) as error:
        raise OutputError(f"checkpoint {path}: cannot be written ({error})") from None


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Reads a checkpoint file, or the one in a run's folder.

    Raises:
        ModelError: not there, too large, or not a checkpoint of ours.
    """
    if os.path.isdir(path):
        path = path / CHECKPOINT_NAME
    content = load_plain("checkpoint", path, _MAX_FILE_BYTES, _HINT)
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ModelError(f"checkpoint {path}: expected the format {_FORMAT!r}; {_HINT}")
    if not _is_plain_mapping(content.get("recipe", {})):
        raise ModelError(f"checkpoint {path}: its recipe is not made of plain values; {_HINT}")
    return content


def generator_from_checkpoint(content: dict[str, Any]) -> Generator:
    """The trained generator of a checkpoint, in evaluation mode.

    Raises:
        ModelError: settings or tensors that do not fit.
    """
    try:
        generator = build_generator(settings_from_dict(dict(content["settings"])))
        generator.load_state_dict(content["generator"])
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, OverflowError) as error:
        raise ModelError(f"checkpoint: its generator cannot be rebuilt ({first_line(error)})") from None
    if not all(bool(torch.isfinite(value).all()) for value in generator.state_dict().values()):
        raise ModelError("checkpoint: its generator holds values that are not finite")
    spreads = [norm.spread for norm in generator.modules() if isinstance(norm, InstanceNormalisation)]
    if not all(bool((spread > 0).all()) for spread in spreads if spread is not None):
        raise ModelError("checkpoint: a normalisation's spread is not above zero; features cannot be divided by it")
    return generator.eval()


def _is_plain_mapping(found: Any, deepest: int = _DEEPEST_RECIPE) -> bool:
    """Whether it is a dict that JSON can hold, which is where a recipe goes."""
    return isinstance(found, dict) and _is_plain(found, deepest)


def _is_plain(found: Any, deepest: int) -> bool:
    if deepest and isinstance(found, dict):
        return all(isinstance(key, str) and _is_plain(value, deepest - 1) for key, value in found.items())
    if deepest and isinstance(found, list | tuple):
        return all(_is_plain(value, deepest - 1) for value in found)
    return found is None or isinstance(found, str | int | float)
