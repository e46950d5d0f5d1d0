"""How a generator was trained, as its checkpoint and style.json tell it."""

from __future__ import annotations

import argparse
import hashlib
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from models.names import legible
from models.objective import TrainingSettings
from models.trunk import is_word
from models.vgg import LossNetwork
from realtime.gallery import SHIPPED

_COMMAND = "python -m models.train --style PAINTING --content FOLDER --out RUN"
_FROM = " --from "
# Beside the settings; a change of the second makes another stage, which is told by both.
_MATERIALS = {"painting": "painting_sha256", "vgg": "vgg_sha256"}
# Of a setting that a recipe lacks because it was written before there was one: without effect.
_OFF = {"style_scales": 1, "repetition_weight": 0.0}
_DIGITS = 8  # of a SHA-256, to tell two files of one name apart


def make_recipe(args: argparse.Namespace, settings: TrainingSettings, network: LossNetwork) -> dict[str, Any]:
    """The recipe of a training that begins; names of files, never their folders."""
    command = _COMMAND
    for name, value in asdict(settings).items():
        command += f" --{name.replace('_', '-')} {value}"
    start = None if args.start is None else _start_elsewhere(args.start)
    if start is not None:
        command += f"{_FROM}{start or 'RUN_OF_' + Path(args.start).name.upper()}"
    recipe = asdict(settings) | {
        "command": command,
        "painting": Path(args.style).name,
        "painting_sha256": hashlib.sha256(Path(args.style).read_bytes()).hexdigest(),
        "started_from": None if start is None else start or Path(args.start).name,
        "vgg": network.source,
        "vgg_sha256": network.sha256,
        "torch": str(torch.__version__),
        "machine": f"{platform.machine()}, threads: {torch.get_num_threads()}",
    }
    return {name: legible(value) if isinstance(value, str) else value for name, value in recipe.items()}


def _start_elsewhere(start: str) -> str:
    """How another machine names what a training starts from: a word, or a file of a style that ships; "" for what it lacks."""
    path = Path(start).resolve()
    if is_word(start):
        return start
    return path.relative_to(SHIPPED.parent).as_posix() if path.is_relative_to(SHIPPED) else ""


def recipe_settings(recipe: dict[str, Any]) -> dict[str, Any]:
    """The settings that a recipe tells, None where it lacks one; of earlier versions' recipes the later ones are off."""
    return {name: recipe.get(name, _OFF.get(name)) for name in asdict(TrainingSettings())}


def changes(recipe: dict[str, Any], earlier: dict[str, Any]) -> dict[str, str]:
    """What differs between a recipe and that of the checkpoint it goes on from.

    Returns:
        Setting, "painting" or "vgg" -> one line with both values.
    """
    before, now = recipe_settings(earlier), recipe_settings(recipe)
    lines = {name: f"{name} {now[name]}, was {before[name]}" for name in now if before[name] != now[name]}
    for name, digest in _MATERIALS.items():
        if earlier.get(digest) != recipe[digest]:
            told = [f"{found.get(name)} ({str(found.get(digest))[:_DIGITS]})" for found in (recipe, earlier)]
            lines[name] = f"{name} {told[0]}, was {told[1]}"
    return lines


def continued_recipe(recipe: dict[str, Any], earlier: dict[str, Any], step: int) -> dict[str, Any]:
    """The recipe of a training that goes on.

    Args:
        recipe: as if it began now.
        earlier: that of its checkpoint: what it started from, and its stages with other settings, painting or VGG.
        step: at which it goes on.
    Raises:
        KeyError, TypeError, AttributeError: the checkpoint's is not one of ours.
    """
    names = list(changes(recipe, earlier))
    told = recipe_settings(earlier) | {name: earlier.get(name) for item in _MATERIALS.items() for name in item}
    changed = {name: told[name] for name in (*names, *(_MATERIALS[name] for name in names if name in _MATERIALS))}
    stages = [*earlier.get("earlier_stages", []), *([{"until_step": step} | changed] if changed else [])]
    start = str(earlier.get("command", "")).partition(_FROM)[2].partition(" --steps ")[0]
    command = recipe["command"].partition(_FROM)[0] + (_FROM + start if start else "")
    kept = {name: earlier[name] for name in ("started_from", "distil_steps") if name in earlier}
    return recipe | {"command": command, "earlier_stages": stages} | kept


def recipe_until(recipe: dict[str, Any], step: int, seconds: float) -> dict[str, Any]:
    """The recipe of a training that has come to a step after so many seconds."""
    return recipe | {"command": f"{recipe['command']} --steps {step}", "steps": step, "minutes": round(seconds / 60, 1)}
