"""How a generator was trained, as its checkpoint and style.json tell it."""

from __future__ import annotations

import argparse
import hashlib
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from models.objective import TrainingSettings
from models.trunk import TRUNK_WORD
from models.vgg import LossNetwork

_COMMAND = "python -m models.train --style PAINTING --content FOLDER --out RUN"
_FROM = " --from "
# Beside the settings; a change of the second makes another stage, which is told by both.
_MATERIALS = {"painting": "painting_sha256", "vgg": "vgg_sha256"}


def make_recipe(args: argparse.Namespace, settings: TrainingSettings, network: LossNetwork) -> dict[str, Any]:
    """The recipe of a training that begins; names of files, never their folders."""
    command = _COMMAND
    for name, value in asdict(settings).items():
        command += f" --{name.replace('_', '-')} {value}"
    if args.start is not None:
        command += f"{_FROM}{'trunk' if args.start == TRUNK_WORD else 'RUN_OF_' + Path(args.start).name.upper()}"
    return asdict(settings) | {
        "command": command,
        "painting": Path(args.style).name,
        "painting_sha256": hashlib.sha256(Path(args.style).read_bytes()).hexdigest(),
        "started_from": Path(args.start).name if args.start is not None else None,
        "vgg": network.source,
        "vgg_sha256": network.sha256,
        "torch": str(torch.__version__),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
    }


def continued_recipe(recipe: dict[str, Any], earlier: dict[str, Any], step: int) -> dict[str, Any]:
    """The recipe of a training that goes on.

    Args:
        recipe: as if it began now.
        earlier: that of its checkpoint: what it started from, and its stages with other settings, painting or VGG.
        step: at which it goes on.
    Raises:
        KeyError, TypeError, AttributeError: the checkpoint's is not one of ours.
    """
    settings = [name for name in asdict(TrainingSettings()) if earlier.get(name) != recipe[name]]
    materials = [name for name, digest in _MATERIALS.items() if earlier.get(digest) != recipe[digest]]
    changed = {name: earlier.get(name) for name in (*settings, *materials, *(_MATERIALS[name] for name in materials))}
    stages = [*earlier.get("earlier_stages", []), *([{"until_step": step} | changed] if changed else [])]
    start = str(earlier.get("command", "")).partition(_FROM)[2].partition(" --steps ")[0]
    command = recipe["command"].partition(_FROM)[0] + (_FROM + start if start else "")
    return recipe | {"command": command, "started_from": earlier.get("started_from"), "earlier_stages": stages}


def recipe_until(recipe: dict[str, Any], step: int, seconds: float) -> dict[str, Any]:
    """The recipe of a training that has come to a step after so many seconds."""
    return recipe | {"command": f"{recipe['command']} --steps {step}", "steps": step, "minutes": round(seconds / 60, 1)}
