"""Trains one painting's generator: python -m models.train --style PAINTING --content FOLDER --out RUN.

Feed-forward training with perceptual losses (Johnson et al. 2016) on relative losses (see models/losses.py),
with a stability term so that a steady camera gives a steady painting.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from models.checkpoint import CHECKPOINT_NAME, generator_from_checkpoint, save_checkpoint
from models.content import ContentPhotos, Views
from models.devices import enough_memory
from models.distil import distil
from models.distributed import Process, join_training, leave_training
from models.generator import TIERS, Generator, build_generator
from models.images import load_image, resize_short_side, save_image
from models.install import install, style_name
from models.losses import CONTENT_LAYER, STYLE_LAYERS
from models.objective import PerceptualLoss, TrainingSettings, ViewPainter
from models.photos import list_photos
from models.preview import paint_preview, preview_photos
from models.recipe import changes, continued_recipe, make_recipe, recipe_until
from models.resume import checkpoint_to_resume, restore_optimizer, settings_to_resume
from models.schedule import Progress, learning_rate
from models.train_arguments import SMALLEST_PAINTING, build_parser, given_settings
from models.trunk import load_start
from models.vgg import LossNetwork, load_loss_network
from models.widening import can_widen, widen
from realtime.errors import EXIT_BUG, EXIT_DONE, EXIT_INTERRUPTED, OutputError, SourceError, UserError, tell_mistake
from realtime.interruption import StopRequest, answers_interruption

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
        views = ViewPainter(self.generator)
        self.model: nn.Module = DistributedDataParallel(views) if process.count > 1 else views

    def step(self) -> dict[str, float]:
        """One update.

        Raises:
            FloatingPointError: the loss is not finite; the weights are as before.
        """
        share = self.progress.share()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.settings, self.progress.step, share)
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
        return distil(generator, wanted, self.photos, args.distil_steps, self.process.device, args.quiet)

    def _restore(self, content: dict[str, Any]) -> None:
        generator = generator_from_checkpoint(content)
        if generator.settings != self.generator.settings:
            raise UserError(f"--resume: the run in {self.run} trains another generator; start a new --out")
        try:
            self.generator.load_state_dict(generator.state_dict())
            restore_optimizer(self.optimizer, content["optimizer"])
            self.progress.step, self.progress.seconds = int(content["step"]), float(content["seconds"])
            if self.process.count == 1:
                self.random.set_state(content["random"])
                self.photos.restore(content.get("photos"))
            else:  # the checkpoint holds the first process's alone; none may begin its photographs again
                self.random.manual_seed(self.random.initial_seed() + _SEEDS_APART * self.progress.step)
            changed = changes(self.recipe, content["recipe"])
            self.recipe = continued_recipe(self.recipe, content["recipe"], self.progress.step)
        except (KeyError, ValueError, TypeError, AttributeError, RuntimeError, OverflowError) as error:
            raise UserError(f"--resume: the checkpoint in {self.run} cannot be continued ({error})") from None
        for line in changed.values() if self.process.is_first else ():
            print(f"--resume: from step {self.progress.step} on with {line}", file=sys.stderr)


def train(args: argparse.Namespace) -> int:
    """Runs a training as the command line asks for it.

    Returns:
        An exit code: 0 done, 1 loss not finite (the last good checkpoint is kept), 130 interrupted.
    Raises:
        UserError: something the user can mend.
    """
    run = Path(args.out)
    earlier = checkpoint_to_resume(run) if args.resume else None
    if earlier is not None:
        settings = settings_to_resume(args, earlier.get("recipe", {}))
    else:
        settings = TrainingSettings(**given_settings(args))
    name = style_name(args.install, Path(args.style)) if args.install is not None else None
    painting = load_painting(Path(args.style), settings.style_size)
    photos = list_photos(Path(args.content))
    _make_folder(run, args.resume)
    network = load_loss_network((*STYLE_LAYERS, CONTENT_LAYER), Path(args.vgg) if args.vgg else None)
    process = join_training(args.device)
    try:
        with enough_memory(f"for --batch {settings.batch} and --size {settings.size}; try smaller ones"):
            training = Training(args, settings, process, network, painting, earlier)
            code = _loop(training, args, preview_photos(photos) if process.is_first else [])
    except FloatingPointError as error:  # of a distillation: a training tells its own
        print(f"stopped: {error}; --from {args.start} cannot be learnt from", file=sys.stderr)
        return EXIT_BUG
    finally:
        leave_training(process)
    if name is None or code != EXIT_DONE or not process.is_first:
        return code
    return install(run, name, args.content, settings.tier)


def _loop(training: Training, args: argparse.Namespace, previews: list[Tensor]) -> int:
    progress, process = training.progress, training.process
    stop = StopRequest()
    bar = tqdm(
        total=progress.steps_wanted,
        initial=progress.step,
        unit="step",
        disable=None if process.is_first and not args.quiet else True,
        file=sys.stderr,
    )
    started = time.monotonic() - progress.seconds
    try:
        while process.agree(progress.share()) < 1 and not process.any(stop.requested):
            terms = training.step()
            progress.seconds = process.agree(time.monotonic() - started)
            bar.set_postfix({name: f"{value:.3f}" for name, value in terms.items()}, refresh=False)
            bar.update()
            if progress.step % args.log_every == 0 and process.is_first:
                _log(training.run, progress, terms)
            if progress.step % args.checkpoint_every == 0:
                training.save()
            if progress.step % args.preview_every == 0:
                training.preview(previews)
        training.save()
        training.preview(previews)
        stopped = process.any(stop.requested)  # a signal may have reached one process alone
    except FloatingPointError as error:
        kept = "its last good checkpoint is kept" if (training.run / CHECKPOINT_NAME).exists() else "no checkpoint yet"
        print(f"stopped: {error}; {kept}. Try lower weights.", file=sys.stderr)
        return EXIT_BUG
    finally:
        bar.close()
        stop.restore()
    if process.is_first and training.photos.unreadable:
        print(f"{training.photos.unreadable} unreadable pictures were skipped", file=sys.stderr)
    if stopped:
        if process.is_first:
            print(f"interrupted at step {progress.step}; go on with --resume", file=sys.stderr)
        return EXIT_INTERRUPTED
    return EXIT_DONE


def load_painting(path: Path, short_side: int) -> Tensor:
    """The painting, its shorter side made short_side pixels (never enlarged more than twice).

    Raises:
        SourceError: not a picture, or too small to train on.
    """
    painting = load_image(path)
    smallest = min(painting.shape[1:])
    if smallest < max(SMALLEST_PAINTING, short_side // 2):
        raise SourceError(
            f"painting {path}: its short side has {smallest} pixels, expected at least "
            f"{max(SMALLEST_PAINTING, short_side // 2)}; give a larger picture or a smaller --style-size"
        )
    return resize_short_side(painting, short_side)


def _log(run: Path, progress: Progress, terms: dict[str, float]) -> None:
    line = f"{progress.step}\t{progress.seconds:.1f}\t" + "\t".join(f"{name}={value:.5f}" for name, value in terms.items())
    try:
        with (run / "log.tsv").open("a") as file:
            file.write(line + "\n")
    except OSError as error:
        raise OutputError(f"log {run / 'log.tsv'}: cannot be written ({error.strerror})") from None


def _make_folder(run: Path, resume: bool) -> None:
    if not resume and os.path.exists(run / CHECKPOINT_NAME):
        raise OutputError(f"--out {run}: holds a training already; go on with --resume or name another folder")
    try:
        run.mkdir(parents=True, exist_ok=True)
        (run / ".writable").touch()
        (run / ".writable").unlink(missing_ok=True)  # another process of this training may have been faster
    except OSError as error:
        raise OutputError(f"--out {run}: cannot be written ({error.strerror})") from None


@answers_interruption
def main(argv: list[str] | None = None) -> int:
    """Entry point; maps mistakes of the user to one line and an exit code."""
    args = build_parser().parse_args(argv)
    try:
        return train(args)
    except UserError as error:
        return tell_mistake(error)


if __name__ == "__main__":
    sys.exit(main())
