"""The fast preset against the published recipe, on the same losses: python -m benchmarks.gatys.

The published recipe: white noise, one size, float32, 500 iterations of L-BFGS. Both minimise one objective; their
pictures are evaluated again in float32 at full size, in time that is not counted.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.loss_plot import draw_losses, encode_plot
from benchmarks.processes import peak_mib
from benchmarks.report import check_json, data_folder, print_table, write_json
from models.devices import choose_device
from models.painting import style_picture
from models.photos import evaluation_photos, list_photos
from models.stills.files import check_place, encode_still, read_still, write_whole
from models.stills.levels import level_sizes, objective_at, resize
from models.stills.objective import Objective, StylePicture
from models.stills.paint import Progress, paint
from models.stills.settings import PRESETS, GatysSettings
from models.vgg import VGGFeatures, load_loss_network
from realtime.errors import EXIT_DONE, OutputError, UserError
from realtime.program import argument_types
from realtime.program.interruption import entry_point
from realtime.program.same_files import Identities, check_not_source, identities

_NEAR = 1.05  # the same loss: within 5 %
_GOAL_SECONDS = 60.0
_GOAL_SHARE = 0.1
_POINTS = 24  # of the fast curve: each costs an evaluation in float32


@dataclass
class PausedClock:
    """Seconds without the pauses; it knows how long these were and how much processor time they took."""

    paused_s: float = 0.0
    paused_processor_s: float = 0.0
    began: float = field(default_factory=time.monotonic)

    def __call__(self) -> float:
        return time.monotonic() - self.began - self.paused_s

    def pause(self, work: Callable[[], float]) -> float:
        """Does something in time that is not counted."""
        started, processor_s = time.monotonic(), time.process_time()
        result = work()
        self.paused_s += time.monotonic() - started
        self.paused_processor_s += time.process_time() - processor_s
        return result


@dataclass(frozen=True)
class Side:
    """One side's course: seconds and loss in float32, and its picture."""

    name: str
    curve: list[tuple[float, float]]
    seconds: float
    processor_s: float
    loss: float
    evaluations: int
    precision: str
    picture: Tensor


def settings_of_both(args: argparse.Namespace) -> tuple[GatysSettings, GatysSettings]:
    """The fast search and the published one, with the losses of one preset for both."""
    losses, fast = PRESETS[args.losses], PRESETS["fast"]
    shared = replace(losses, size=args.size, seed=args.seed)
    search = {name: getattr(fast, name) for name in ("init", "optimiser", "history", "levels", "coarse_factor", "precision")}
    quick = replace(shared, **search, iterations=args.iterations or fast.iterations)
    published = replace(
        shared,
        init="noise",
        optimiser="lbfgs",
        history=PRESETS["paper"].history,
        levels=1,
        precision="float32",
        iterations=args.reference_iterations,
        seconds=args.reference_seconds,
    )
    return quick, published


def measure(
    name: str,
    settings: GatysSettings,
    content: Tensor,
    styles: list[StylePicture],
    args: argparse.Namespace,
    points: int | None,
) -> Side:
    """One search, its course evaluated in float32.

    Args:
        points: how many evaluations of the course; None where each step's own loss is in float32 at full size.
    """
    network = _network(settings, args)
    judge = _judge(settings, content, styles, args)
    shape_hw = level_sizes((content.shape[1], content.shape[2]), settings)[-1]
    clock = PausedClock()
    curve: list[tuple[float, float]] = []

    def evaluated(picture: Tensor) -> float:
        return judge.evaluate(resize(picture[None], shape_hw).to(network.mean.device)).loss

    def watch(progress: Progress) -> None:
        if points is None:
            curve.append((progress.seconds, progress.loss))
        elif progress.share >= (len(curve) + 1) / points:
            curve.append((progress.seconds, clock.pause(lambda: evaluated(progress.picture()))))

    processor = time.process_time()
    result = paint(content, styles, settings, network, progress=watch, clock=clock)
    processor = time.process_time() - processor - clock.paused_processor_s
    loss = evaluated(result.picture)
    curve.append((result.seconds, loss))
    return Side(name, curve, result.seconds, processor, loss, result.evaluations, result.precision, result.picture)


def reached(curve: list[tuple[float, float]], loss: float) -> float | None:
    """Seconds after which a curve is down at a loss, or None."""
    return next((seconds for seconds, found in curve if found <= loss), None)


def loss_at(curve: list[tuple[float, float]], seconds: float) -> float:
    """The lowest loss found until then; the first one where there is none earlier."""
    return min([loss for time_s, loss in curve if time_s <= seconds] or [curve[0][1]])


def report(fast: Side, published: Side) -> dict[str, Any]:
    """What the two courses show."""
    near_s = reached(fast.curve, published.loss * _NEAR)
    return {
        "reference_loss": published.loss,
        "reference_s": round(published.seconds, 1),
        "fast_loss": fast.loss,
        "fast_s": round(fast.seconds, 1),
        "loss_ratio": fast.loss / published.loss,
        "time_ratio": fast.seconds / published.seconds,
        "loss_ratio_at_60_s": loss_at(fast.curve, _GOAL_SECONDS) / published.loss,
        "within_5_percent_after_s": near_s,
        "goal_met": near_s is not None and near_s <= min(_GOAL_SECONDS, published.seconds * _GOAL_SHARE),
    }


def peak_memory_mib(args: argparse.Namespace, content: Path, style: Path) -> int | None:
    """Peak of the memory in MiB of python -m models.gatys with the fast preset, in its own process, on the same device with as
    many threads; a few steps show it.

    None where the system does not tell.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "models.gatys", str(content), str(style), "-o", f"{folder}/out.png"]
        command += ["--size", str(args.size), "--iterations", "3", "--coarse-factor", "0.3", "--quiet"]
        command += ["--device", args.device, *(["--threads", str(args.threads)] if args.threads else [])]
        command += ["--vgg", args.vgg] if args.vgg else []
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UserError(f"memory: python -m models.gatys ended with {done.returncode}: {done.stderr.strip()}")
    try:
        import resource
    except ImportError:  # Windows has none
        return None
    return peak_mib(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)


def build_parser() -> argparse.ArgumentParser:
    """The command line of python -m benchmarks.gatys."""
    parser = argument_types.Parser(prog="python -m benchmarks.gatys", description=__doc__)
    parser.add_argument(
        "--content", metavar="FILE", help="default: the second evaluation photo of the shared data folder, or the only one"
    )
    parser.add_argument("--style", metavar="FILE|NAME", help="default: the great wave of the shared data folder")
    parser.add_argument("--losses", choices=sorted(PRESETS), default="fast", help="whose losses (default %(default)s)")
    parser.add_argument("--size", type=argument_types.count, default=512, help="of the longer side (default %(default)s)")
    parser.add_argument(
        "--iterations", type=argument_types.count, metavar="N", help="of the fast side at full size (default: the preset's)"
    )
    parser.add_argument(
        "--reference-iterations", type=argument_types.count, default=500, metavar="N", help="default %(default)s"
    )
    parser.add_argument(
        "--reference-seconds",
        type=argument_types.positive,
        metavar="S",
        help="ends the published side early (default: no limit)",
    )
    parser.add_argument("--threads", type=argument_types.count, metavar="N", help="default: PyTorch's choice")
    parser.add_argument("--device", default="cpu", help="auto, cpu, cuda or cuda:N (default %(default)s)")
    parser.add_argument("--vgg", metavar="FILE", help="VGG-19 state dict (default: as models.gatys)")
    parser.add_argument("--seed", type=argument_types.seed, default=0, help="default %(default)s")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--plot", metavar="FILE", help="PNG of the losses over time")
    parser.add_argument("--pictures", metavar="FOLDER", help="keep both pictures there")
    return parser


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Measures both sides, prints the table, writes JSON and plot."""
    args = build_parser().parse_args(argv)
    return run(args)


def run(args: argparse.Namespace) -> int:
    """The whole comparison."""
    if args.threads:
        torch.set_num_threads(args.threads)
    args.device = str(choose_device(args.device))
    photos = data_folder() / "content"
    content_path = Path(args.content) if args.content else evaluation_photos(list_photos(photos))[:2][-1]
    style_path = style_picture(args.style or str(data_folder() / "styles" / "hokusai_great_wave.jpg"))
    content, styles = read_still(content_path), [StylePicture(read_still(style_path))]
    quick, recipe = settings_of_both(args)
    vgg = [Path(args.vgg)] if args.vgg else []
    _check_places(args, identities([content_path, style_path, *vgg]))
    memory = peak_memory_mib(args, content_path, style_path)
    fast = measure("fast", quick, content, styles, args, _POINTS)
    published = measure("published", recipe, content, styles, args, None)
    found = report(fast, published) | {"peak_memory_mib": memory}
    rows = [
        (
            s.name,
            f"{s.seconds:.1f}",
            f"{s.processor_s:.1f}",
            s.evaluations,
            s.precision,
            f"{s.loss:.4f}",
            f"{s.loss / published.loss:.3f}",
        )
        for s in (published, fast)
    ]
    print_table(("side", "seconds", "processor s", "evaluations", "precision", "loss", "ratio"), rows)
    near = found["within_5_percent_after_s"]
    print(f"fast is within 5 % after {'never' if near is None else f'{near:.1f} s'}; at 60 s {found['loss_ratio_at_60_s']:.3f}")
    peak = "unknown" if memory is None else f"{memory} MiB"
    print(f"{found['time_ratio']:.3f} of the time, peak memory of the fast preset {peak}")
    curves = {side.name: side.curve for side in (published, fast)}
    if args.plot:
        plotted = {f"{name}, {args.size} px": curve for name, curve in curves.items()}
        _write(Path(args.plot), encode_plot(draw_losses(plotted, [_GOAL_SECONDS])), "--plot")
    for side, path in zip((fast, published), _pictures(args), strict=False):
        _write(path, encode_still(path, side.picture, 8, {}), "--pictures")
    content_of = {"content": content_path.name, "style": style_path.name, "losses": args.losses, "size": args.size}
    threads = {"torch": str(torch.__version__), "threads": torch.get_num_threads(), "device": args.device}
    if args.json is not None:
        write_json(args.json, threads | content_of | found | {"curves": curves})
    return EXIT_DONE


def _check_places(args: argparse.Namespace, read: Identities) -> None:
    """Refuses places that cannot be written or are read, and makes the folder for pictures, before the work is done."""
    if args.pictures:
        try:
            Path(args.pictures).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"--pictures {args.pictures}: cannot be made ({error.strerror})") from None
    places = [("--plot", args.plot), *(("--pictures", path) for path in _pictures(args))]
    for option, place in [("--json", args.json), *places]:
        if place is not None:
            check_not_source(Path(place), read, option)
    check_json(args.json)
    for option, place in places:
        if place is not None:
            check_place(Path(place), overwrite=True, option=option)


def _pictures(args: argparse.Namespace) -> list[Path]:
    """Where the pictures of the fast and the published side go; nowhere unless they are asked for."""
    return [Path(args.pictures) / f"{name}.png" for name in ("fast", "published")] if args.pictures else []


def _write(path: Path, data: bytes, option: str) -> None:
    try:
        write_whole(path, data)
    except OSError as error:
        raise OutputError(f"{option} {path}: cannot be written ({error.strerror}); make room or name another place") from None


def _network(settings: GatysSettings, args: argparse.Namespace) -> VGGFeatures:
    vgg = Path(args.vgg) if args.vgg else None
    return load_loss_network(settings.layers(), vgg, settings.pooling).features.to(torch.device(args.device))


def _judge(settings: GatysSettings, content: Tensor, styles: list[StylePicture], args: argparse.Namespace) -> Objective:
    """The objective at full size in float32."""
    features = _network(settings, args).to(memory_format=torch.channels_last)
    shape_hw = level_sizes((content.shape[1], content.shape[2]), settings)[-1]
    return objective_at(shape_hw, content[None], styles, settings, features)


if __name__ == "__main__":
    sys.exit(main())
