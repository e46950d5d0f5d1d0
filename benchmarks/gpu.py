"""On an NVIDIA GPU: python -m benchmarks.gpu. Ends with 4 where CUDA does not load.

The same network by onnxruntime with and without a CUDA graph and channels last, copies included and left out, by
PyTorch (channels last, float16, torch.compile), and beside them the reference network on the same provider; in turns,
medians. And which nodes run elsewhere than on the GPU.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import realtime.program.quiet  # noqa: F401
from benchmarks.reference import export_reference
from benchmarks.report import check_json, print_table, size_text, write_json
from export.graph import FrameContract
from models.checkpoint import generator_from_checkpoint, load_checkpoint
from realtime.errors import EXIT_DONE, ModelError
from realtime.gallery import TIERS, ModelFile, find_style, load_gallery
from realtime.networks.gpu_session import GpuSession, PreparedRun, Shape
from realtime.networks.probe import problem_of
from realtime.networks.providers import SessionSettings, create_session, placement_of
from realtime.paint_ahead import LANES_ON_GPU
from realtime.program import argument_types
from realtime.program.interruption import entry_point

_SIZES_WH = ((1920, 1080), (3840, 2160))
_STRIDE = 8
_FRAMES_IN_LANES = 16
Step = Callable[[], Any]


@dataclass(frozen=True)
class FrameByFrame:
    """A step that paints several frames; a frame's time is its share."""

    step: Step
    frames: int

    def __call__(self) -> None:
        self.step()


def onnx_steps(model: ModelFile, precision: str, provider: str, shape: Shape, frame: Any) -> tuple[dict[str, Step], list[str]]:
    """What is to be timed in onnxruntime, by name, and a line on the placement of each session's nodes."""
    steps: dict[str, Step] = {}
    lines = []
    for graph in (True, False):
        for channels_last in (True, False):
            name = f"{precision}{' graph' if graph else ''}{' NHWC' if channels_last else ''}"
            session = _gpu_session(model, SessionSettings(provider, precision=precision, channels_last=channels_last), graph)
            prepared = session.prepare(shape)
            if graph and not prepared.uses_graph:
                lines.append(f"{name}: no CUDA graph could be recorded")
                continue
            lines.append(f"{name}: {prepared.placement.describe() if prepared.placement else 'placement unknown'}")
            steps[name] = _without_copies(prepared)
            steps[f"{name}, with copies"] = _with_copies(session, frame)
            in_lanes = _gpu_session(
                model, SessionSettings(provider, precision=precision, channels_last=channels_last), graph, LANES_ON_GPU
            )
            steps[f"{name}, with copies, {LANES_ON_GPU} at a time"] = _in_lanes(in_lanes, frame)
    return steps, lines


def _gpu_session(model: ModelFile, choice: SessionSettings, graph: bool, lanes: int = 1) -> GpuSession:
    data = model.path.read_bytes()

    def make(shape: Shape, uses_graph: bool) -> Any:
        sizes = dict(zip(("batch", "height", "width"), shape, strict=False))
        wanted = SessionSettings(choice.provider, 0, sizes, uses_graph and graph, choice.precision, choice.channels_last)
        return create_session(data, wanted, model.path.name)[0]

    return GpuSession(make, lambda session: placement_of(session, choice.provider), lanes=lanes)


def _without_copies(prepared: PreparedRun) -> Step:
    return prepared.play


def _with_copies(session: GpuSession, frame: Any) -> Step:
    return lambda: session.run(frame)


def _in_lanes(session: GpuSession, frame: Any) -> Step:
    """Frames one behind the other through lanes whose copies and runs overlap, as in a film."""
    pool = ThreadPoolExecutor(LANES_ON_GPU)
    return FrameByFrame(lambda: list(pool.map(session.run, [frame] * _FRAMES_IN_LANES)), _FRAMES_IN_LANES)


def reference_step(size_wh: tuple[int, int], provider: str, folder: Path) -> Step:
    """The reference network in float32 as everyone ships it, from and to the processor's memory."""
    path = folder / f"reference_{size_wh[0]}.onnx"
    export_reference(path, size_wh)
    session, _ = create_session(path, SessionSettings(provider), path.name)
    planes = np.zeros((1, 3, size_wh[1], size_wh[0]), np.float32)
    return lambda: session.run(None, {"image": planes})


def torch_step(run: Path, shape: Shape) -> Step:
    """The same generator in PyTorch, compiled, on a frame that is on the GPU already."""
    contract = FrameContract(generator_from_checkpoint(load_checkpoint(run))).eval().cuda()
    compiled = torch.compile(contract.to(memory_format=torch.channels_last), mode="max-autotune")
    frame = torch.zeros(shape, dtype=torch.uint8, device="cuda")

    def step() -> None:
        with torch.inference_mode(), torch.autocast("cuda", torch.float16):
            compiled(frame)
        torch.cuda.synchronize()

    return step


def time_steps(
    steps: dict[str, Step], rounds: int, runs: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Median milliseconds a frame of each step, in turns; the first run of a turn is not counted."""
    found: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            step()
            for _ in range(runs):
                started = clock()
                step()
                frames = step.frames if isinstance(step, FrameByFrame) else 1
                found[name].append((clock() - started) * 1000 / frames)
    return {name: float(np.median(times)) for name, times in found.items()}


def measure(args: argparse.Namespace, size_wh: tuple[int, int]) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows for one size, and lines on where nodes run."""
    styles, number = find_style(load_gallery(), args.style)
    models = styles[number].models
    tier = args.tier if args.tier != "auto" else ("fine" if models.get("fine") else "fast")
    if tier not in models:
        raise ModelError(f"--tier {tier}: the style {styles[number].name} has {', '.join(models)}")
    width, height = (-(-side // _STRIDE) * _STRIDE for side in size_wh)
    shape = (1, height, width, 3)
    frame = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    steps: dict[str, Step] = {}
    lines: list[str] = []
    for precision in ("fp16", "fp32"):
        if precision in models[tier]:
            more, told = onnx_steps(models[tier][precision], precision, args.provider, shape, frame)
            steps |= {f"{tier} {name}": step for name, step in more.items()}
            lines += [f"{tier} {line}" for line in told]
    if args.run is not None:
        steps["PyTorch, compiled, float16, on the GPU"] = torch_step(args.run, shape)
    with tempfile.TemporaryDirectory() as folder:
        steps["reference fp32, with copies"] = reference_step((width, height), args.provider, Path(folder))
        times = time_steps(steps, args.rounds, args.runs)
    slowest = times["reference fp32, with copies"]
    rows = []
    for name, ms in times.items():
        rates = {"ms": round(ms, 3), "fps": round(1000 / ms, 1), "times_reference": round(slowest / ms, 1)}
        rows.append({"what": name, "size_wh": size_wh} | rates)
    return rows, lines


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = argument_types.Parser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--style", help="default: the gallery's first")
    parser.add_argument("--tier", default="auto", choices=("auto", *TIERS), help="default %(default)s")
    parser.add_argument("--provider", default="cuda", choices=("cuda", "tensorrt"), help="default %(default)s")
    parser.add_argument("--run", type=Path, help="a training's folder: its generator in PyTorch beside the others")
    parser.add_argument("--size", action="append", type=argument_types.size, help="default: 1920x1080 and 3840x2160")
    parser.add_argument("--rounds", type=argument_types.count, default=5, help="turns (default %(default)s)")
    parser.add_argument("--runs", type=argument_types.count, default=20, help="of a turn (default %(default)s)")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(argv)
    rows, lines = [], []
    check_json(args.json)
    problem = problem_of(args.provider)
    if problem is not None:
        raise ModelError(f"benchmarks.gpu: {args.provider} does not run here: {problem}")
    for size_wh in args.size or _SIZES_WH:
        more, told = measure(args, size_wh)
        rows += more
        lines += [line for line in told if line not in lines]
    write_json(args.json, {"gpu": rows, "placement": lines})
    print_table(
        ("what", "size", "ms", "fps", "times reference"),
        [(r["what"], size_text(r["size_wh"]), r["ms"], r["fps"], r["times_reference"]) for r in rows],
    )
    print(*lines, sep="\n")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
