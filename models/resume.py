"""What a training that goes on takes from its checkpoint, which is foreign input: settings, and the optimiser's state."""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.checkpoint import CHECKPOINT_NAME, load_checkpoint
from models.objective import TrainingSettings
from models.recipe import recipe_settings
from models.schedule import Progress
from models.train_arguments import given_settings, settings_parser
from realtime.errors import UserError


def checkpoint_to_resume(run: Path) -> dict[str, Any]:
    """The checkpoint of a run that goes on.

    Raises:
        UserError: the run has none.
        ModelError: it is damaged.
    """
    if not os.path.exists(run / CHECKPOINT_NAME):
        raise UserError(f"--resume: no {CHECKPOINT_NAME} in {run}")
    return load_checkpoint(run)


def settings_to_resume(args: argparse.Namespace, earlier: dict[str, Any]) -> TrainingSettings:
    """The run's own settings, and those that the command line names in their place.

    Args:
        earlier: the recipe of its checkpoint.
    Raises:
        UserError: the recipe lacks a setting, or holds what none can be.
    """
    given = given_settings(args)
    kept = {name: value for name, value in recipe_settings(earlier).items() if name not in given}
    missing = [f"--{_option(name)}" for name, value in kept.items() if value is None]
    if missing:
        raise UserError(f"--resume: the checkpoint in {args.out} does not tell all of its settings; give {' '.join(missing)}")
    # Read as a command line: what is checked there is checked here.
    words = [f"--{_option(name)}={value}" for name, value in kept.items()]
    try:
        found = settings_parser().parse_args(words)
    except argparse.ArgumentError as error:
        raise UserError(f"--resume: the checkpoint in {args.out} cannot be continued ({error})") from None
    return TrainingSettings(**(given_settings(found) | given))


def restore_optimizer(optimizer: torch.optim.Adam, state: dict[str, Any]) -> None:
    """Gives an optimiser its moments back; how it steps stays as it is.

    Raises:
        ValueError, KeyError, TypeError, AttributeError, RuntimeError: the state does not fit the parameters.
    """
    optimizer.load_state_dict(state)
    for group in optimizer.param_groups:
        group.update(optimizer.defaults)
        for parameter in group["params"]:
            moments = optimizer.state.get(parameter, {})  # none of a parameter that has had no gradient yet
            for name in ("exp_avg", "exp_avg_sq") if moments else ():
                _check_moment(name, moments[name], parameter)
            if moments and not (torch.as_tensor(moments["step"]).numel() == 1 and 1 <= float(moments["step"]) < math.inf):
                raise ValueError("optimiser: step is not a number of at least 1")


def restore_progress(progress: Progress, content: dict[str, Any]) -> None:
    """Takes a training's step and seconds from its checkpoint.

    Raises:
        ValueError, KeyError, TypeError, OverflowError: they are no such numbers.
    """
    step, seconds = int(content["step"]), float(content["seconds"])
    if step < 0 or not 0 <= seconds < math.inf:
        raise ValueError(f"expected a step and finite seconds of at least 0, found {step} and {seconds}")
    progress.step, progress.seconds = step, seconds


def _check_moment(name: str, moment: Tensor, parameter: Tensor) -> None:
    if moment.shape != parameter.shape:
        raise ValueError(f"optimiser: {name} has shape {tuple(moment.shape)}, expected {tuple(parameter.shape)}")
    lowest = 0.0 if name == "exp_avg_sq" else -math.inf
    if moment.layout is not torch.strided or not bool((moment.isfinite() & (moment >= lowest)).all()):
        raise ValueError(f"optimiser: {name} holds what no training leaves there")


def _option(name: str) -> str:
    return name.replace("_", "-")
