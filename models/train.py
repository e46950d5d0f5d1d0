"""Trains one painting's generator: python -m models.train --style PAINTING --content FOLDER --out RUN.

Feed-forward training with perceptual losses (Johnson et al. 2016) on relative losses (see models/losses.py),
with a stability term so that a steady camera gives a steady painting.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from torch import Tensor
from tqdm import tqdm

from models.checkpoint import CHECKPOINT_NAME
from models.devices import enough_memory
from models.distributed import join_training, leave_training
from models.install import check_other_tiers, install, style_name
from models.losses import CONTENT_LAYER, STYLE_LAYERS
from models.objective import TrainingSettings
from models.painting import load_painting
from models.photos import list_photos
from models.preview import preview_photos
from models.resume import checkpoint_to_resume, settings_to_resume
from models.schedule import Progress
from models.train_arguments import build_parser, given_settings
from models.training import Training
from models.vgg import load_loss_network
from realtime.errors import EXIT_BUG, EXIT_DONE, EXIT_INTERRUPTED, OutputError
from realtime.program.interruption import StopRequest, entry_point
from realtime.program.standard_streams import lose_unread


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
    if name is not None:
        check_other_tiers(name, settings.tier, Path(args.style))
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
    return install(run, name, args.content, settings.tier, Path(args.style))


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
    terms: dict[str, float] = {}
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
        if terms and progress.step % args.log_every and process.is_first:  # the last one, however few they were
            _log(training.run, progress, terms)
        training.save()
        training.preview(previews)
        stopped = process.any(stop.requested)  # a signal may have reached one process alone
    except FloatingPointError as error:
        kept = "its last good checkpoint is kept" if (training.run / CHECKPOINT_NAME).exists() else "no checkpoint yet"
        print(f"stopped: {error}; {kept}. Try a smaller --learning-rate or lower weights.", file=sys.stderr)
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


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    lose_unread("stdout", "stderr")
    return train(build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
