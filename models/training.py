"""One training run: its state, a step, and what it writes on the way."""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from models.checkpoint import generator_from_checkpoint, save_checkpoint
from models.content import ContentPhotos, Views
from models.distil import distil
from models.distributed import Process
from models.generator import TIERS, Generator, build_generator
from models.images import save_image
from models.objective import PerceptualLoss, TrainingSettings, ViewPainter
from models.preview import paint_preview
from models.recipe import changes, continued_recipe, make_recipe, recipe_until
from models.resume import restore_optimizer, restore_progress
from models.schedule import Progress, cosine_rate
from models.trunk import load_start
from models.vgg import LossNetwork
from models.widening import can_widen, widen
from realtime.errors import UserError

_WARM_UP_STEPS = 30
_GRADIENT_NORM = 5.0
_PHOTOS_OF_STATISTICS = 8  # whose features' means and spreads a normalisation begins with
_SEEDS_APART = 1_000_003  # between two steps at which a training of several processes goes on


class Training:
    """One run: state that a checkpoint holds, a step, and what is written on the way.

    Args:
        earlier: the checkpoint that the run goes on from, or None where it begins.
    """

    def __init__(
        self,
        args: argparse.Namespace,
        settings: TrainingSettings,
        process: Process,
        network: LossNetwork,
        painting: Tensor,
        earlier: dict[str, Any] | None = None,
    ) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.process, self.run = settings, process, Path(args.out)
        self.recipe = make_recipe(args, settings, network)
        self.progress = Progress(args.steps, args.minutes)
        self.random = torch.Generator().manual_seed(settings.seed * 1000 + process.rank)
        self.photos = ContentPhotos(Path(args.content), settings.size, self.random)
        self.generator = self._first_generator(args).to(process.device).to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(self.generator.parameters(), betas=(0.9, 0.99))
        if earlier is not None:
            self._restore(earlier)
        self.loss = PerceptualLoss(network, painting, settings, process.device)
        self.recipe["computed_in"] = self.loss.precision
        views = ViewPainter(self.generator)
        self.model: nn.Module = DistributedDataParallel(views) if process.count > 1 else views

    def step(self) -> dict[str, float]:
        """One update.

        Raises:
            FloatingPointError: the loss is not finite; the weights are as before.
        """
        share = self.progress.share()
        for group in self.optimizer.param_groups:
            group["lr"] = cosine_rate(self.settings.learning_rate, self.progress.step, share, _WARM_UP_STEPS)
        views = self.photos.next_views(self.settings.batch)
        total, terms = self.loss(self.model, views, share, self.progress.step)
        if self.process.any(not math.isfinite(float(total.detach()))):
            raise FloatingPointError(f"loss not finite at step {self.progress.step}")
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(self.generator.parameters(), _GRADIENT_NORM)
        self.optimizer.step()
        self.progress.step += 1
        return terms

    def save(self) -> None:
        """Writes the checkpoint; in the first process only."""
        if not self.process.is_first:
            return
        if not all(bool(torch.isfinite(value).all()) for value in self.generator.state_dict().values()):
            raise FloatingPointError("weights not finite")
        save_checkpoint(
            self.run,
            {
                "settings": asdict(self.generator.settings),
                "generator": self.generator.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "random": self.random.get_state(),
                "photos": self.photos.state(),
                "step": self.progress.step,
                "seconds": self.progress.seconds,
                "recipe": recipe_until(self.recipe, self.progress.step, self.progress.seconds),
            },
        )

    def preview(self, photos: list[Tensor]) -> None:
        """Writes a picture of held-out photos, painted as they would be after export."""
        if not self.process.is_first or not photos:
            return
        picture = paint_preview(self.generator, photos, self.process.device)
        save_image(self.run / f"preview_{self.progress.step:06d}.jpg", picture)

    def _first_generator(self, args: argparse.Namespace) -> Generator:
        if args.start is None or args.resume:  # a training that goes on has its own weights
            return build_generator(TIERS[self.settings.tier])
        generator, wanted = load_start(args.start, self.settings.tier), TIERS[self.settings.tier]
        if generator.settings == wanted:
            return generator.train()
        if can_widen(generator.settings, wanted):
            photos = Views.middle(self.photos.next_views(_PHOTOS_OF_STATISTICS).first) if wanted.normalised else None
            return widen(generator, wanted, torch.Generator().manual_seed(self.settings.seed), photos)
        self.recipe["distil_steps"] = args.distil_steps
        self.recipe["command"] += f" --distil-steps {args.distil_steps}"
        if not self.process.is_first:  # it gets the first one's weights, as all do that train together
            return build_generator(wanted)
        try:
            return distil(generator, wanted, self.photos, args.distil_steps, self.process.device, args.quiet)
        except KeyboardInterrupt:  # --resume would train a network that was taught by half, by a recipe that nobody can repeat
            print("the distillation was broken off: nothing of it is kept; the same command begins it again", file=sys.stderr)
            raise

    def _restore(self, content: dict[str, Any]) -> None:
        generator = generator_from_checkpoint(content)
        if generator.settings != self.generator.settings:
            raise UserError(f"--resume: the run in {self.run} trains another generator; start a new --out")
        try:
            self.generator.load_state_dict(generator.state_dict())
            restore_optimizer(self.optimizer, content["optimizer"])
            restore_progress(self.progress, content)
            changed = changes(self.recipe, content["recipe"])
            if self.process.count > 1:  # the checkpoint holds the first process's alone; none may begin its photographs again
                self.random.manual_seed(self.random.initial_seed() + _SEEDS_APART * self.progress.step)
            elif "seed" not in changed:  # another seed draws from its own beginning on
                self.random.set_state(content["random"])
                self.photos.restore(content.get("photos"))
            self.recipe = continued_recipe(self.recipe, content["recipe"], self.progress.step)
        except (KeyError, ValueError, TypeError, AttributeError, RuntimeError, OverflowError) as error:
            raise UserError(f"--resume: the checkpoint in {self.run} cannot be continued ({error})") from None
        for line in changed.values() if self.process.is_first else ():
            print(f"--resume: from step {self.progress.step} on with {line}", file=sys.stderr)
